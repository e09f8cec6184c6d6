/** The transcript of a ballot: everything that challenges depend on. */

import { type Bytes, concat, u16le, u32le } from './bytes.ts';
import { type ContestRule, contestLength, ruleBytes } from './contest.ts';
import { decodeKeyPoint, type Point } from './group.ts';
import { digest, hashToScalar } from './hash.ts';

const TAG = 'quorate/ballot/v1';

export const BALLOT_BYTES_MAX = 65_535;
export const HEADER_BYTES = 101;
export const SIGNATURE_BYTES = 64;
export const BALLOT_SIGNATURE_TAG = `${TAG}/signature`;

/** What all ballots of an election have in common. */
export class BallotContext {
  readonly fingerprint: Bytes;
  readonly electionKey: Point;
  readonly rules: readonly ContestRule[];
  /** The transcript's `context`, 64 bytes. */
  readonly digest: Bytes;
  /** The one length of every ballot. */
  readonly ballotLength: number;

  /** `undefined` when the key is no point or the identity, or ballots would be too long. */
  static make(
    fingerprint: Bytes,
    electionKey: Bytes,
    rules: readonly ContestRule[],
  ): BallotContext | undefined {
    const key = decodeKeyPoint(electionKey);
    if (key === undefined || rules.length === 0) return undefined;
    const context = new BallotContext(fingerprint, key, electionKey, rules);
    return context.ballotLength > BALLOT_BYTES_MAX ? undefined : context;
  }

  private constructor(
    fingerprint: Bytes,
    electionKey: Point,
    keyBytes: Bytes,
    rules: readonly ContestRule[],
  ) {
    this.fingerprint = fingerprint;
    // Tables for its many multiples are made when the first one is asked for.
    this.electionKey = electionKey.precompute(6);
    this.rules = rules;
    this.digest = digest(`${TAG}/context`, fingerprint, keyBytes, concat(...rules.map(ruleBytes)));
    const contests = rules.reduce((length, rule) => length + contestLength(rule), 0);
    this.ballotLength = HEADER_BYTES + contests + SIGNATURE_BYTES;
  }

  /** The transcript's `statement`. */
  statement(credential: Bytes, seq: number, prev: Bytes, ciphertexts: readonly Bytes[]): Bytes {
    return digest(`${TAG}/statement`, this.digest, credential, u32le(seq), prev, ...ciphertexts);
  }
}

/** The transcript's `ρ of i`. */
export function rhoOf(statement: Bytes, contest: number): bigint {
  return hashToScalar(`${TAG}/one/rho`, statement, u16le(contest));
}

/** The transcript's `commitments`. */
export function commitmentsDigest(statement: Bytes, commitments: readonly Bytes[]): Bytes {
  return digest(`${TAG}/commitments`, statement, ...commitments);
}

/** The transcript's `c of i`. */
export function challengeOf(
  kind: ContestRule['kind'],
  commitments: Bytes,
  contest: number,
): bigint {
  return hashToScalar(`${TAG}/${kind}/challenge`, commitments, u16le(contest));
}
