/** The transcript of a ballot: everything that challenges depend on. */

import { type Bytes, concat, u8, u16le, u32le } from './bytes.ts';
import { type Asked, type ContestRule, contestLength, Questions, ruleBytes } from './contest.ts';
import { decodeKeyPoint, type Point } from './group.ts';
import { digest, hashToScalar } from './hash.ts';

const TAG = 'quorate/ballot/v1';

export const BALLOT_BYTES_MAX = 65_535;
export const HEADER_BYTES = 102;
export const SIGNATURE_BYTES = 64;
export const BALLOT_SIGNATURE_TAG = `${TAG}/signature`;
export const OPEN_SIGNATURE_TAG = 'quorate/open-ballot/v1/signature';

/** What all ballots of an election have in common. */
export class BallotContext {
  readonly fingerprint: Bytes;
  readonly electionKey: Point;
  readonly questions: Questions;
  readonly #keyBytes: Bytes;
  readonly #digests = new Map<number, Bytes>();
  readonly #lengths = new Map<number, number>();

  /** `undefined` when the key is no point or the identity, or ballots would be too long. */
  static make(
    fingerprint: Bytes,
    electionKey: Bytes,
    rules: readonly ContestRule[] | Questions,
  ): BallotContext | undefined {
    const key = decodeKeyPoint(electionKey);
    const questions = rules instanceof Questions ? rules : new Questions(rules);
    if (key === undefined || questions.rules.length === 0) return undefined;
    const context = new BallotContext(fingerprint, key, electionKey, questions);
    const lengths = questions.groups.map((group) => context.ballotLengthOf(group));
    return Math.max(...lengths) > BALLOT_BYTES_MAX ? undefined : context;
  }

  private constructor(
    fingerprint: Bytes,
    electionKey: Point,
    keyBytes: Bytes,
    questions: Questions,
  ) {
    this.fingerprint = fingerprint;
    // Tables for its many multiples are made when the first one is asked for.
    this.electionKey = electionKey.precompute(6);
    this.#keyBytes = keyBytes;
    this.questions = questions;
  }

  /** All contests in the order of the manifest. */
  get rules(): readonly ContestRule[] {
    return this.questions.rules;
  }

  /** The contests that voters of a group answer. */
  asked(group: number): readonly Asked[] {
    return this.questions.asked(group);
  }

  /** The one length of every ballot of a group. */
  ballotLengthOf(group: number): number {
    const known = this.#lengths.get(group);
    if (known !== undefined) return known;
    const contests = this.asked(group).reduce((sum, { rule }) => sum + contestLength(rule), 0);
    const length = HEADER_BYTES + contests + SIGNATURE_BYTES;
    this.#lengths.set(group, length);
    return length;
  }

  /** The length of every ballot of voters without a group. */
  get ballotLength(): number {
    return this.ballotLengthOf(0);
  }

  /** The transcript's `context` for a group, 64 bytes. */
  digestOf(group: number): Bytes {
    const known = this.#digests.get(group);
    if (known !== undefined) return known;
    const rules = this.asked(group).map(({ rule, number }) => ruleBytes(rule, number));
    const parts = [this.fingerprint, this.#keyBytes, u8(group), concat(...rules)];
    const own = digest(`${TAG}/context`, ...parts);
    this.#digests.set(group, own);
    return own;
  }

  /** The transcript's `statement`. */
  statement({ credential, group, seq, prev }: Voter, ciphertexts: readonly Bytes[]): Bytes {
    const head = [this.digestOf(group), credential, u32le(seq), prev];
    return digest(`${TAG}/statement`, ...head, ...ciphertexts);
  }
}

/** Who votes, and where in the credential's own chain. */
export interface Voter {
  readonly credential: Bytes;
  readonly group: number;
  readonly seq: number;
  readonly prev: Bytes;
}

/** What every ballot begins with, encrypted or open. */
export function headerBytes(fingerprint: Bytes, { credential, group, seq, prev }: Voter): Bytes {
  return concat(u8(1), fingerprint, credential, u32le(seq), prev, u8(group));
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
