/** Sums, shares and counts, byte by byte as Rust makes and judges them. */

import { expect, it } from 'vitest';
import { toHex } from '../../src/crypto/bytes.ts';
import { BASE, decodeScalar, multiply } from '../../src/crypto/group.ts';
import { parseBallot } from '../../src/crypto/parsed.ts';
import { verifyExactly } from '../../src/crypto/proof.ts';
import { BallotContext } from '../../src/crypto/statement.ts';
import {
  decryptCounts,
  EncryptedTally,
  makeShare,
  ShareError,
  statementDigest,
  type TallyStatement,
  verifyShare,
} from '../../src/crypto/tally.ts';
import { hex, readVectors, replay, ruleOf, type VectorContest } from './read.ts';

interface Tally {
  readonly ballots: { ballot: string; weight: number }[];
  readonly bound: number;
  readonly checkpoint_root: string;
  readonly checkpoint_size: number;
  readonly contests: VectorContest[];
  readonly counts: number[][];
  readonly election_key: string;
  readonly fingerprint: string;
  readonly shares: {
    draws: string[];
    secret: string;
    share: string;
    trustee: number;
    verification_key: string;
  }[];
  readonly statement_digest: string;
  readonly sums: string[][];
  readonly threshold: number;
}

const vector = readVectors<Tally>('ballot-tally');
const rules = vector.contests.map(ruleOf);
const context = BallotContext.make(hex(vector.fingerprint), hex(vector.election_key), rules)!;

function addAll(tally: EncryptedTally, sign: bigint): void {
  for (const { ballot, weight } of vector.ballots) {
    const parsed = parseBallot(hex(ballot), context);
    verifyExactly(parsed, context);
    tally.add(parsed.contests, sign * BigInt(weight));
  }
}

function statementOf(tally: EncryptedTally): TallyStatement {
  return {
    fingerprint: hex(vector.fingerprint),
    root: hex(vector.checkpoint_root),
    size: BigInt(vector.checkpoint_size),
    sums: tally.sums,
  };
}

const tally = new EncryptedTally(rules);
addAll(tally, 1n);
const statement = statementOf(tally);

it('sums the weighted ciphertexts', () => {
  const sums = statement.sums.map((options) =>
    options.map(({ a, b }) => toHex(a.toBytes()) + toHex(b.toBytes())),
  );
  expect(sums).toEqual(vector.sums);
  expect(toHex(statementDigest(statement))).toBe(vector.statement_digest);
});

it('takes ballots out again', () => {
  const back = new EncryptedTally(rules);
  addAll(back, 1n);
  addAll(back, -1n);
  const identities = back.sums.flat().every(({ a, b }) => a.is0() && b.is0());
  expect(identities).toBe(true);
});

it.each(vector.shares)('makes and checks the share of trustee $trustee', (share) => {
  const draws = replay(share.draws);
  const secret = decodeScalar(hex(share.secret))!;
  expect(toHex(multiply(BASE, secret).toBytes())).toBe(share.verification_key);
  const made = makeShare(statement, share.trustee, secret, draws.scalar);
  expect(toHex(made)).toBe(share.share);
  expect(draws.done()).toBe(true);
  const key = hex(share.verification_key);
  expect(verifyShare(made, statement, share.trustee, key).trustee).toBe(share.trustee);
  for (const at of [0, 1, 40, 66, 74, 80, 110, 140, 170, made.length - 1]) {
    const changed = Uint8Array.from(made);
    changed[at]! ^= 1;
    expect(() => verifyShare(changed, statement, share.trustee, key)).toThrow(ShareError);
  }
});

it('decrypts with any shares that suffice', () => {
  const shares = vector.shares.map(({ share, trustee, verification_key }) =>
    verifyShare(hex(share), statement, trustee, hex(verification_key)),
  );
  const bound = BigInt(vector.bound);
  for (const [one, other] of [
    [0, 1],
    [0, 2],
    [2, 1],
  ]) {
    const counts = decryptCounts(statement.sums, [shares[one!]!, shares[other!]!], bound);
    expect(counts).toEqual(vector.counts.map((contest) => contest.map(BigInt)));
  }
  expect(decryptCounts(statement.sums, [shares[0]!, shares[1]!], 70_002n)).toBeUndefined();
});
