/**
 * Encrypts, proves and signs a ballot.
 *
 * Every choice of a contest takes the same steps over the same bytes: all clauses are computed
 * alike, the true one is told apart by arithmetic and by picking from a table, never by a branch.
 * Numbers of JavaScript do not take constant time; on a voter's own device that is accepted, and
 * said in the threat model.
 */

import { type Bytes, concat, integerOf, u8, u32le } from '../crypto/bytes.ts';
import { type ContestRule, claimsOf, clauseCounts, KIND_BYTE } from '../crypto/contest.ts';
import type { Credential } from '../crypto/credential.ts';
import { encodeScalar, modOrder, ORDER, Point } from '../crypto/group.ts';
import { sign } from '../crypto/signature.ts';
import {
  BALLOT_SIGNATURE_TAG,
  type BallotContext,
  challengeOf,
  commitmentsDigest,
  rhoOf,
} from '../crypto/statement.ts';

/** 64 random bytes as a scalar; from the operating system. */
export function drawScalar(): bigint {
  return integerOf(crypto.getRandomValues(new Uint8Array(64))) % ORDER;
}

/** The chosen options of a contest, counted from 0. */
export type Choice = readonly number[];

/** A choice that the contest's rule does not allow. */
export class ChoiceError extends Error {
  override readonly name = 'ChoiceError';
}

/** Tables for the two points that every ballot multiplies: made once, in about 50 ms. */
export class Encryptor {
  readonly context: BallotContext;
  readonly #base: Point;
  readonly #key: Point;
  /** A known multiple, so that no scalar is ever zero and no step is ever left out. */
  readonly #mask: { readonly scalar: bigint; readonly negated: Point };

  constructor(context: BallotContext, draw: () => bigint = drawScalar) {
    this.context = context;
    // The library blinds its own base point at a third of the speed; a copy has plain tables.
    this.#base = Point.fromBytes(Point.BASE.toBytes()).precompute(WINDOW_BITS, false);
    this.#key = Point.fromBytes(context.electionKey.toBytes()).precompute(WINDOW_BITS, false);
    const scalar = draw();
    this.#mask = { scalar, negated: this.#base.multiply(scalar).negate() };
  }

  #timesBase(scalar: bigint): Point {
    return this.#base.multiply(scalar);
  }

  /** Also for a scalar that may be zero. */
  #timesBaseMasked(scalar: bigint): Point {
    const masked = this.#base.multiply(modOrder(scalar + this.#mask.scalar));
    return masked.add(this.#mask.negated);
  }

  /** Makes a ballot. The order of the draws is fixed by the specification. */
  cast(
    credential: Credential,
    seq: number,
    prev: Bytes,
    choices: readonly Choice[],
    draw: () => bigint = drawScalar,
  ): Bytes {
    const signed = this.unsigned(credential.publicKey, seq, prev, choices, draw);
    return concat(signed, sign(credential.seed, BALLOT_SIGNATURE_TAG, signed));
  }

  /** All of a ballot but its signature: with the same draws the same bytes, for who checks one. */
  unsigned(
    publicKey: Bytes,
    seq: number,
    prev: Bytes,
    choices: readonly Choice[],
    draw: () => bigint,
  ): Bytes {
    const { context } = this;
    const votes = context.rules.map((rule, i) => votesOf(rule, choices[i]));
    const encrypted = votes.map((vote) => this.#encrypt(vote, draw));
    const ciphertexts = encrypted.map(({ bytes }) => bytes);
    const statement = context.statement(publicKey, seq, prev, ciphertexts);
    const drafts = context.rules.map((rule, i) => {
      const rho = rule.kind === 'one' ? rhoOf(statement, i) : 0n;
      return this.#commit(rule, rho, votes[i]!, encrypted[i]!.secrets, draw);
    });
    const commitments = drafts.map(({ bytes }) => bytes);
    const transcript = commitmentsDigest(statement, commitments);
    const contests = context.rules.map((rule, i) => {
      const scalars = drafts[i]!.answer(challengeOf(rule.kind, transcript, i));
      return concat(u8(KIND_BYTE[rule.kind]), ciphertexts[i]!, commitments[i]!, scalars);
    });
    const head = [u8(1), context.fingerprint, publicKey, u32le(seq), prev];
    return concat(...head, ...contests);
  }

  #encrypt(vote: readonly number[], draw: () => bigint): Encrypted {
    const messages = [Point.ZERO, this.#base];
    const secrets = vote.map(() => draw());
    const parts = vote.flatMap((value, i) => {
      const r = secrets[i]!;
      const b = this.#key.multiply(r).add(messages[value]!);
      return [this.#timesBase(r).toBytes(), b.toBytes()];
    });
    return { secrets, bytes: concat(...parts) };
  }

  #commit(
    rule: ContestRule,
    rho: bigint,
    vote: readonly number[],
    secrets: readonly bigint[],
    draw: () => bigint,
  ): Draft {
    const points: Bytes[] = [];
    const disjunctions = claimsOf(rule, rho).map(({ factors, values }) => {
      const sum = (numbers: readonly bigint[]) =>
        modOrder(factors.reduce((total, factor, i) => total + factor * numbers[i]!, 0n));
      const truth = sum(vote.map(BigInt));
      const secret = sum(secrets);
      const clauses = values.map((value) => {
        const [u, c] = [draw(), draw()];
        const off = modOrder(c * (value - truth));
        points.push(this.#timesBase(u).toBytes());
        points.push(this.#key.multiply(u).add(this.#timesBaseMasked(off)).toBytes());
        return { u, c, isTrue: BigInt(value === truth) };
      });
      return { secret, clauses };
    });
    const answer = (challenge: bigint) =>
      concat(...disjunctions.flatMap((one) => respond(one, challenge)));
    return { bytes: concat(...points), answer };
  }
}

/** Width of the tables' windows: more gains little and costs time at the start. */
const WINDOW_BITS = 7;

interface Encrypted {
  readonly secrets: readonly bigint[];
  readonly bytes: Bytes;
}

/** Commitments made, waiting for the challenge. */
interface Draft {
  readonly bytes: Bytes;
  readonly answer: (challenge: bigint) => Bytes;
}

interface OpenClause {
  readonly u: bigint;
  readonly c: bigint;
  /** 1 for the true clause, else 0. */
  readonly isTrue: bigint;
}

function respond(
  { secret, clauses }: { readonly secret: bigint; readonly clauses: readonly OpenClause[] },
  challenge: bigint,
): Bytes[] {
  const rest = challenge - clauses.reduce((sum, { c }) => sum + c, 0n);
  const challenges = clauses.map(({ c, isTrue }) => modOrder(c + isTrue * rest));
  const responses = clauses.map(({ u }, k) => modOrder(u + challenges[k]! * secret));
  return [...challenges.slice(0, -1), ...responses].map(encodeScalar);
}

/** 0 or 1 for each option. */
function votesOf(rule: ContestRule, choice: Choice | undefined): number[] {
  const chosen = new Set(choice);
  const [min, max] = rule.kind === 'one' ? [1, 1] : [rule.min, rule.max];
  const sound = choice?.every((option) => Number.isInteger(option) && option >= 0);
  const known = sound && choice?.every((option) => option < rule.options);
  if (choice === undefined || !known || chosen.size !== choice.length) {
    throw new ChoiceError('a choice names each of its options once');
  }
  if (choice.length < min || choice.length > max) {
    throw new ChoiceError(`choose ${min === max ? min : `${min} to ${max}`} options`);
  }
  return Array.from({ length: rule.options }, (_, option) => Number(chosen.has(option)));
}

/** Scalars that a ballot of these rules draws, for tests that replay them. */
export function drawCount(rules: readonly ContestRule[]): number {
  return rules.reduce((count, rule) => {
    const clauses = clauseCounts(rule).reduce((sum, clauses) => sum + clauses, 0);
    return count + rule.options + 2 * clauses;
  }, 0);
}
