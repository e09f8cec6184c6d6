/** A ballot taken apart: layout, encodings and transcript, but no equation. */

import { type Bytes, Reader } from './bytes.ts';
import {
  admits,
  type Claim,
  type ContestRule,
  ciphertextsLength,
  claimsOf,
  clauseCounts,
  commitmentsLength,
  countersOf,
  KIND_BYTE,
  type Questions,
} from './contest.ts';
import { decodeKeyPoint, decodePoint, decodeScalar, modOrder, type Point } from './group.ts';
import { framed } from './hash.ts';
import { PublicKey, readSignature, type SignatureClaim } from './signature.ts';
import {
  BALLOT_SIGNATURE_TAG,
  type BallotContext,
  challengeOf,
  commitmentsDigest,
  HEADER_BYTES,
  OPEN_SIGNATURE_TAG,
  rhoOf,
  SIGNATURE_BYTES,
} from './statement.ts';

export type BallotFault =
  | 'ballot-length'
  | 'ballot-version'
  | 'ballot-election'
  | 'ballot-credential'
  | 'ballot-group'
  | 'ballot-kind'
  | 'ballot-encoding'
  | 'ballot-signature'
  | 'ballot-proof';

/** A ballot is not acceptable, by one of the stable codes. */
export class BallotError extends Error {
  override readonly name = 'BallotError';
  readonly code: BallotFault;

  constructor(code: BallotFault) {
    super(code);
    this.code = code;
  }
}

export interface BallotHeader {
  readonly version: number;
  readonly fingerprint: Bytes;
  readonly credential: Bytes;
  readonly seq: number;
  readonly prev: Bytes;
  /** The voter's group, which decides the contests. */
  readonly group: number;
}

/** The fields before the contests; the bytes must be as long as a header. */
export function readHeader(ballot: Bytes): BallotHeader {
  const reader = new Reader(ballot);
  return {
    version: reader.u8('version'),
    fingerprint: reader.take(32, 'fingerprint'),
    credential: reader.take(32, 'credential'),
    seq: reader.u32le('seq'),
    prev: reader.take(32, 'prev'),
    group: reader.u8('group'),
  };
}

export interface Ciphertext {
  readonly a: Point;
  readonly b: Point;
}

/** A clause: commitments, its part of the challenge, and the response. */
export interface Clause {
  readonly commitmentA: Point;
  readonly commitmentB: Point;
  readonly challenge: bigint;
  readonly response: bigint;
}

export interface Disjunction {
  readonly claim: Claim;
  readonly clauses: readonly Clause[];
}

export interface ParsedContest {
  /** Its number in the manifest. */
  readonly number: number;
  readonly ciphertexts: readonly Ciphertext[];
  readonly disjunctions: readonly Disjunction[];
}

export interface ParsedBallot {
  readonly header: BallotHeader;
  readonly contests: readonly ParsedContest[];
  readonly signature: SignatureClaim;
  /** Parts of the transcript, for vectors. */
  readonly transcript: {
    readonly statement: Bytes;
    readonly commitments: Bytes;
    readonly challenges: readonly bigint[];
  };
}

/** A contest's bytes by section. */
interface Sections {
  readonly number: number;
  readonly rule: ContestRule;
  readonly ciphertexts: Bytes;
  readonly commitments: Bytes;
  readonly scalars: Bytes;
}

/** The group that a ballot claims, if it is long enough to have one. */
function groupOf(ballot: Bytes): number {
  return ballot[HEADER_BYTES - 1] ?? 0;
}

function checkedHeader(ballot: Bytes, fingerprint: Bytes, length: number): BallotHeader {
  if (ballot.length !== length) throw new BallotError('ballot-length');
  const header = readHeader(ballot);
  if (header.version !== 1) throw new BallotError('ballot-version');
  if (!header.fingerprint.every((byte, at) => byte === fingerprint[at])) {
    throw new BallotError('ballot-election');
  }
  return header;
}

/** Version, fingerprint and length; what needs no curve. */
export function checkEnvelope(ballot: Bytes, context: BallotContext): BallotHeader {
  return checkedHeader(ballot, context.fingerprint, context.ballotLengthOf(groupOf(ballot)));
}

/** The one length of the ballots of a group in an open poll. */
export function openBallotLength(questions: Questions, group: number): number {
  const counters = questions.asked(group).reduce((sum, { rule }) => sum + countersOf(rule), 0);
  return HEADER_BYTES + questions.asked(group).length + 2 * counters + SIGNATURE_BYTES;
}

/** Version, fingerprint and length of a ballot of an open poll. */
export function checkOpenEnvelope(
  ballot: Bytes,
  fingerprint: Bytes,
  questions: Questions,
): BallotHeader {
  return checkedHeader(ballot, fingerprint, openBallotLength(questions, groupOf(ballot)));
}

/** A ballot of an open poll: the numbers of each contest of its group. */
export interface OpenBallot {
  readonly header: BallotHeader;
  readonly values: readonly (readonly number[])[];
  readonly signature: SignatureClaim;
}

/** Reads a ballot of an open poll. An answer that is not admitted is `ballot-proof`. */
export function parseOpenBallot(
  ballot: Bytes,
  fingerprint: Bytes,
  questions: Questions,
): OpenBallot {
  const header = checkOpenEnvelope(ballot, fingerprint, questions);
  const key = PublicKey.trusted(header.credential);
  if (key === undefined) throw new BallotError('ballot-credential');
  const end = ballot.length - SIGNATURE_BYTES;
  const reader = new Reader(ballot.subarray(HEADER_BYTES, end));
  const values = questions.asked(header.group).map(({ rule }) => {
    if (reader.u8('kind') !== KIND_BYTE[rule.kind]) throw new BallotError('ballot-kind');
    const numbers = Array.from({ length: countersOf(rule) }, () => reader.u16le('number'));
    if (!admits(rule, numbers)) throw new BallotError('ballot-proof');
    return numbers;
  });
  if (values.length === 0) throw new BallotError('ballot-group');
  const parts = readSignature(ballot.subarray(end));
  if (parts === undefined) throw new BallotError('ballot-signature');
  const signed = framed(OPEN_SIGNATURE_TAG, ballot.subarray(0, end));
  return { header, values, signature: { key, parts, signed } };
}

/** The bytes of each contest by section, in a ballot of the right length. */
export function splitContests(ballot: Bytes, context: BallotContext): Sections[] {
  const reader = new Reader(ballot.subarray(HEADER_BYTES, ballot.length - SIGNATURE_BYTES));
  return context.asked(groupOf(ballot)).map(({ number, rule }) => {
    if (reader.u8('kind') !== KIND_BYTE[rule.kind]) throw new BallotError('ballot-kind');
    const ciphertexts = reader.take(ciphertextsLength(rule), 'ciphertexts');
    const commitments = reader.take(commitmentsLength(rule), 'commitments');
    const count = clauseCounts(rule).reduce((sum, clauses) => sum + 2 * clauses - 1, 0);
    const scalars = reader.take(32 * count, 'scalars');
    return { number, rule, ciphertexts, commitments, scalars };
  });
}

/** The first 16 bytes of each `a`, which must not stand in two accepted ballots. */
export function aPrefixes(ballot: Bytes, context: BallotContext): Bytes[] {
  return splitContests(ballot, context).flatMap(({ rule, ciphertexts }) =>
    Array.from({ length: countersOf(rule) }, (_, i) => ciphertexts.subarray(64 * i, 64 * i + 16)),
  );
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new BallotError('ballot-encoding');
  return value;
}

function readCiphertexts(bytes: Bytes, count: number): Ciphertext[] {
  return Array.from({ length: count }, (_, i) => ({
    a: need(decodeKeyPoint(bytes.subarray(64 * i, 64 * i + 32))),
    b: need(decodePoint(bytes.subarray(64 * i + 32, 64 * i + 64))),
  }));
}

function readDisjunctions(
  { rule, commitments, scalars }: Sections,
  rho: bigint,
  challenge: bigint,
): Disjunction[] {
  const claims = claimsOf(rule, rho);
  const points = new Reader(commitments);
  const numbers = new Reader(scalars);
  const point = () => need(decodePoint(points.take(32, 'commitment')));
  const scalar = () => need(decodeScalar(numbers.take(32, 'scalar')));
  return clauseCounts(rule).map((count, number) => {
    const pairs = Array.from({ length: count }, () => [point(), point()] as const);
    const challenges = Array.from({ length: count - 1 }, scalar);
    const sum = challenges.reduce((total, own) => total + own, 0n);
    challenges.push(modOrder(challenge - sum));
    const clauses = pairs.map(([commitmentA, commitmentB], k) => ({
      commitmentA,
      commitmentB,
      challenge: challenges[k]!,
      response: scalar(),
    }));
    return { claim: claims[number]!, clauses };
  });
}

/**
 * Takes a ballot apart. Throws a `BallotError`; what is left to check are the equations of the
 * signature and the proofs.
 */
export function parseBallot(ballot: Bytes, context: BallotContext): ParsedBallot {
  const header = checkEnvelope(ballot, context);
  const key = PublicKey.trusted(header.credential);
  if (key === undefined) throw new BallotError('ballot-credential');
  const sections = splitContests(ballot, context);
  if (sections.length === 0) throw new BallotError('ballot-group');
  const ciphertexts = sections.map((section) => section.ciphertexts);
  const statement = context.statement(header, ciphertexts);
  const commitments = commitmentsDigest(
    statement,
    sections.map((section) => section.commitments),
  );
  const challenges = sections.map(({ rule, number }) =>
    challengeOf(rule.kind, commitments, number),
  );
  const contests = sections.map((section, i) => {
    const { number, rule } = section;
    const rho = rule.kind === 'one' ? rhoOf(statement, number) : 0n;
    return {
      number,
      ciphertexts: readCiphertexts(section.ciphertexts, countersOf(rule)),
      disjunctions: readDisjunctions(section, rho, challenges[i]!),
    };
  });
  const end = ballot.length - SIGNATURE_BYTES;
  const parts = readSignature(ballot.subarray(end));
  if (parts === undefined) throw new BallotError('ballot-signature');
  const signed = framed(BALLOT_SIGNATURE_TAG, ballot.subarray(0, end));
  const signature = { key, parts, signed };
  return { header, contests, signature, transcript: { statement, commitments, challenges } };
}
