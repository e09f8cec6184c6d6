/** The booth: what it makes is accepted, and its steps do not depend on the choice. */

import { describe, expect, it } from 'vitest';
import { Booth } from '../src/ballot/booth.ts';
import { ChoiceError, drawScalar, Encryptor } from '../src/ballot/cast.ts';
import type { ContestRule } from '../src/crypto/contest.ts';
import { credentialOfSeed } from '../src/crypto/credential.ts';
import { BASE, multiply } from '../src/crypto/group.ts';
import { parseBallot } from '../src/crypto/parsed.ts';
import { verifyExactly } from '../src/crypto/proof.ts';
import { BallotContext } from '../src/crypto/statement.ts';

const rules: ContestRule[] = [
  { kind: 'one', options: 3 },
  { kind: 'some', options: 3, min: 0, max: 3 },
  { kind: 'some', options: 2, min: 1, max: 1 },
];
const fingerprint = new Uint8Array(32).fill(3);
const electionKey = multiply(BASE, 12345n).toBytes();
const context = BallotContext.make(fingerprint, electionKey, rules)!;
const prev = new Uint8Array(32);

it('makes ballots that hold, of one length, with the same number of draws', () => {
  const encryptor = new Encryptor(context);
  const credential = credentialOfSeed(new Uint8Array(32).fill(7));
  const all = [
    [[0], [], [0]],
    [[2], [0, 1, 2], [1]],
  ];
  for (const choices of all) {
    let draws = 0;
    const draw = () => {
      draws += 1;
      return drawScalar();
    };
    const ballot = encryptor.cast(credential, 0, prev, choices, draw);
    expect(ballot.length).toBe(context.ballotLength);
    expect(draws).toBe(8 + 2 * (3 + 6 + 5));
    verifyExactly(parseBallot(ballot, context), context);
  }
});

describe('choices', () => {
  const encryptor = new Encryptor(context);
  const credential = credentialOfSeed(new Uint8Array(32).fill(7));
  const good = [[0], [], [0]];
  it.each([
    ['too few', [[], [], [0]]],
    ['too many', [[0, 1], [], [0]]],
    ['unknown', [[3], [], [0]]],
    ['negative', [[-1], [], [0]]],
    ['half', [[0.5], [], [0]]],
    ['twice', [[0], [1, 1], [0]]],
    ['missing', [[0], []]],
  ])('are refused: %s', (_, choices) => {
    expect(() => encryptor.cast(credential, 0, prev, choices)).toThrow(ChoiceError);
    expect(encryptor.cast(credential, 0, prev, good).length).toBe(context.ballotLength);
  });
});

it('answers messages', () => {
  const booth = new Booth();
  const seed = new Uint8Array(32).fill(7);
  const draws = new Uint8Array(32).fill(9);
  const cast = { kind: 'cast', seed, seq: 0, prev, choices: [[0], [], [0]], draws } as const;
  expect(booth.answer(cast)).toMatchObject({ kind: 'refused' });
  const identity = new Uint8Array(32);
  const wrong = { kind: 'prepare', fingerprint, electionKey: identity, rules } as const;
  expect(booth.answer(wrong)).toMatchObject({ kind: 'refused' });
  const ready = booth.answer({ ...wrong, electionKey });
  expect(ready).toEqual({ kind: 'ready', ballotLength: context.ballotLength });
  expect(booth.answer({ ...cast, choices: [[9], [], [0]] })).toMatchObject({ kind: 'refused' });
  const answer = booth.answer(cast);
  if (answer.kind !== 'ballot') throw new Error(answer.kind);
  verifyExactly(parseBallot(answer.ballot, context), context);
  expect(answer.tracker).toMatch(/^[0-9A-Z]{4}(-[0-9A-Z]{4}){4}$/);
  expect(seed.every((byte) => byte === 0)).toBe(true);
});
