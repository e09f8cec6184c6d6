/** The booth: what it makes is accepted, and its steps do not depend on the choice. */

import { describe, expect, it } from 'vitest';
import { Booth } from '../src/ballot/booth.ts';
import { type Choice, ChoiceError, drawScalar, Encryptor } from '../src/ballot/cast.ts';
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
  { kind: 'score', options: 2, highest: 3, min: 1, max: 4, blank: true },
  { kind: 'lists', candidates: [1, 2], min: 0, max: 1, blank: true },
];
const fingerprint = new Uint8Array(32).fill(3);
const electionKey = multiply(BASE, 12345n).toBytes();
const context = BallotContext.make(fingerprint, electionKey, rules)!;
const prev = new Uint8Array(32);

it('makes ballots that hold, of one length, with the same number of draws', () => {
  const encryptor = new Encryptor(context);
  const credential = credentialOfSeed(new Uint8Array(32).fill(7));
  const all: Choice[][] = [
    [[0], [], [0], 'blank', { list: 1, candidates: [1] }],
    [[2], [0, 1, 2], [1], { scores: [3, 1] }, 'blank'],
  ];
  for (const choices of all) {
    let draws = 0;
    const draw = () => {
      draws += 1;
      return drawScalar();
    };
    const ballot = encryptor.cast(credential, 0, prev, choices, draw);
    expect(ballot.length).toBe(context.ballotLength);
    // Counters, then two for each clause: of bits, sums, scores, lists and the selection.
    const clauses = 3 + 6 + 5 + (4 + 4 + 2 + 5) + (6 * 2 + 3 + 3 + 1);
    expect(draws).toBe(8 + 3 + 6 + 2 * clauses);
    verifyExactly(parseBallot(ballot, context), context);
  }
});

describe('choices', () => {
  const encryptor = new Encryptor(context);
  const credential = credentialOfSeed(new Uint8Array(32).fill(7));
  const rest: Choice[] = [{ scores: [0, 1] }, { list: 0, candidates: [0] }];
  const good: Choice[] = [[0], [], [0], ...rest];
  it.each<[string, Choice[]]>([
    ['too few', [[], [], [0], ...rest]],
    ['too many', [[0, 1], [], [0], ...rest]],
    ['unknown', [[3], [], [0], ...rest]],
    ['negative', [[-1], [], [0], ...rest]],
    ['half', [[0.5], [], [0], ...rest]],
    ['twice', [[0], [1, 1], [0], ...rest]],
    ['missing', [[0], []]],
    ['no blank', [[0], [], 'blank', ...rest]],
    ['of another kind', [[0], [], [0], [1], rest[1]!]],
    ['too high', [[0], [], [0], { scores: [4, 0] }, rest[1]!]],
    ['too many points', [[0], [], [0], { scores: [3, 2] }, rest[1]!]],
    ['no such list', [[0], [], [0], rest[0]!, { list: 2, candidates: [] }]],
    ['no such candidate', [[0], [], [0], rest[0]!, { list: 0, candidates: [1] }]],
  ])('are refused: %s', (_, choices) => {
    expect(() => encryptor.cast(credential, 0, prev, choices)).toThrow(ChoiceError);
    expect(encryptor.cast(credential, 0, prev, good).length).toBe(context.ballotLength);
  });
});

it('answers messages', () => {
  const booth = new Booth();
  const seed = new Uint8Array(32).fill(7);
  const rest = ['blank', 'blank'] as const;
  const cast = { kind: 'cast', seed, seq: 0, prev, choices: [[0], [], [0], ...rest] } as const;
  expect(booth.answer(cast)).toMatchObject({ kind: 'refused' });
  const identity = new Uint8Array(32);
  const wrong = { kind: 'prepare', fingerprint, electionKey: identity, rules } as const;
  expect(booth.answer(wrong)).toMatchObject({ kind: 'refused' });
  const ready = booth.answer({ ...wrong, electionKey });
  expect(ready).toEqual({ kind: 'ready', ballotLength: context.ballotLength });
  expect(booth.answer({ ...cast, choices: [[9], [], [0], ...rest] })).toMatchObject({
    kind: 'refused',
  });
  const answer = booth.answer(cast);
  if (answer.kind !== 'ballot') throw new Error(answer.kind);
  verifyExactly(parseBallot(answer.ballot, context), context);
  expect(answer.tracker).toMatch(/^[0-9A-Z]{4}(-[0-9A-Z]{4}){4}$/);
  expect(seed.every((byte) => byte === 0)).toBe(true);
});
