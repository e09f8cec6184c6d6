/**
 * Encrypts, proves and signs a ballot.
 *
 * Every choice of a contest takes the same steps over the same bytes: all clauses are computed
 * alike, the true one is told apart by arithmetic and by picking from a table, never by a branch.
 * Numbers of JavaScript do not take constant time; on a voter's own device that is accepted, and
 * said in the threat model.
 */

import { type Bytes, concat, integerOf, u8, u16le } from '../crypto/bytes.ts';
import {
  admits,
  type ContestRule,
  claimsOf,
  clauseCounts,
  countersOf,
  hasBlank,
  highestOf,
  KIND_BYTE,
  type Questions,
} from '../crypto/contest.ts';
import type { Credential } from '../crypto/credential.ts';
import {
  BASE,
  CurvePoint,
  encodeDoubles,
  encodeScalar,
  half,
  modOrder,
  ORDER,
  representative,
} from '../crypto/group.ts';
import { sign } from '../crypto/signature.ts';
import {
  BALLOT_SIGNATURE_TAG,
  type BallotContext,
  challengeOf,
  commitmentsDigest,
  headerBytes,
  OPEN_SIGNATURE_TAG,
  rhoOf,
  type Voter,
} from '../crypto/statement.ts';

/** 64 random bytes as a scalar; from the operating system. */
export function drawScalar(): bigint {
  return integerOf(crypto.getRandomValues(new Uint8Array(64))) % ORDER;
}

/** The answer to a contest. */
export type Choice =
  /** Kinds `one` and `some`: the chosen options, counted from 0. */
  | readonly number[]
  /** Kind `score`: a score for each option. */
  | { readonly scores: readonly number[] }
  /** Kind `lists`: a list, and candidates of it, both counted from 0. */
  | { readonly list: number; readonly candidates: readonly number[] }
  /** Explicitly nothing. With kind `one` a blank answer is the last option instead. */
  | 'blank';

/** A choice that the contest's rule does not allow. */
export class ChoiceError extends Error {
  override readonly name = 'ChoiceError';
}

/**
 * Tables for the two points that every ballot multiplies: made once, in about 50 ms. All points are
 * computed as halves, since doubles are what can be encoded fast.
 */
export class Encryptor {
  readonly context: BallotContext;
  readonly #base: CurvePoint;
  readonly #key: CurvePoint;
  readonly #halfBase: CurvePoint;
  /** A known multiple, so that no scalar is ever zero and no step is ever left out. */
  readonly #mask: { readonly scalar: bigint; readonly negated: CurvePoint };

  constructor(context: BallotContext, draw: () => bigint = drawScalar) {
    this.context = context;
    // The library blinds its own base point at a third of the speed; a copy has plain tables.
    this.#base = representative(BASE).precompute(WINDOW_BITS, false);
    this.#key = representative(context.electionKey).precompute(WINDOW_BITS, false);
    this.#halfBase = this.#base.multiply(half(1n));
    const scalar = draw();
    this.#mask = { scalar, negated: this.#base.multiply(scalar).negate() };
  }

  /** Also for a scalar that may be zero. */
  #timesBaseMasked(scalar: bigint): CurvePoint {
    const masked = this.#base.multiply(modOrder(scalar + this.#mask.scalar));
    return masked.add(this.#mask.negated);
  }

  /**
   * Makes a ballot with one choice for each contest of the group. The order of the draws is fixed
   * by the specification.
   */
  cast(
    credential: Credential,
    seq: number,
    prev: Bytes,
    choices: readonly Choice[],
    draw: () => bigint = drawScalar,
    group = 0,
  ): Bytes {
    const voter = { credential: credential.publicKey, group, seq, prev };
    const signed = this.unsigned(voter, choices, draw);
    return concat(signed, sign(credential.seed, BALLOT_SIGNATURE_TAG, signed));
  }

  /** All of a ballot but its signature: with the same draws the same bytes, for who checks one. */
  unsigned(voter: Voter, choices: readonly Choice[], draw: () => bigint): Bytes {
    const { context } = this;
    const asked = context.asked(voter.group);
    const votes = answersOf(asked, choices);
    const encrypted = votes.map((vote, i) => this.#encrypt(vote, asked[i]!.rule, draw));
    const ciphertexts = encrypted.map(({ bytes }) => bytes);
    const statement = context.statement(voter, ciphertexts);
    const drafts = asked.map(({ rule, number }, i) => {
      const rho = rule.kind === 'one' ? rhoOf(statement, number) : 0n;
      return this.#commit(rule, rho, votes[i]!, encrypted[i]!.secrets, draw);
    });
    const commitments = drafts.map(({ bytes }) => bytes);
    const transcript = commitmentsDigest(statement, commitments);
    const contests = asked.map(({ rule, number }, i) => {
      const scalars = drafts[i]!.answer(challengeOf(rule.kind, transcript, number));
      return concat(u8(KIND_BYTE[rule.kind]), ciphertexts[i]!, commitments[i]!, scalars);
    });
    return concat(headerBytes(context.fingerprint, voter), ...contests);
  }

  #encrypt(vote: readonly number[], rule: ContestRule, draw: () => bigint): Encrypted {
    const messages = [CurvePoint.ZERO];
    while (messages.length <= highestOf(rule)) messages.push(messages.at(-1)!.add(this.#halfBase));
    const secrets = vote.map(() => draw());
    const halves = vote.flatMap((value, i) => {
      const r = half(secrets[i]!);
      return [this.#base.multiply(r), this.#key.multiply(r).add(messages[value]!)];
    });
    return { secrets, bytes: concat(...encodeDoubles(halves)) };
  }

  #commit(
    rule: ContestRule,
    rho: bigint,
    vote: readonly number[],
    secrets: readonly bigint[],
    draw: () => bigint,
  ): Draft {
    const halves: CurvePoint[] = [];
    const disjunctions = claimsOf(rule, rho).map(({ factors, values }) => {
      const sum = (numbers: readonly bigint[]) =>
        modOrder(factors.reduce((total, factor, i) => total + factor * numbers[i]!, 0n));
      const truth = sum(vote.map(BigInt));
      const secret = sum(secrets);
      const clauses = values.map((value) => {
        const [u, c] = [draw(), draw()];
        const [halfU, off] = [half(u), half(c * (value - truth))];
        halves.push(this.#base.multiply(halfU));
        halves.push(this.#key.multiply(halfU).add(this.#timesBaseMasked(off)));
        return { u, c, isTrue: BigInt(value === truth) };
      });
      return { secret, clauses };
    });
    const answer = (challenge: bigint) =>
      concat(...disjunctions.flatMap((one) => respond(one, challenge)));
    return { bytes: concat(...encodeDoubles(halves)), answer };
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

/** The numbers of each contest of a group. */
function answersOf(
  asked: readonly { readonly rule: ContestRule }[],
  choices: readonly Choice[],
): number[][] {
  if (choices.length !== asked.length) {
    throw new ChoiceError(`give one answer to each of ${asked.length} questions`);
  }
  return asked.map(({ rule }, at) => numbersOf(rule, choices[at]!));
}

/** Signs the choices of an open poll in clear. */
export function castOpen(
  fingerprint: Bytes,
  questions: Questions,
  credential: Credential,
  place: { readonly group: number; readonly seq: number; readonly prev: Bytes },
  choices: readonly Choice[],
): Bytes {
  const asked = questions.asked(place.group);
  const answers = answersOf(asked, choices).map((numbers, at) =>
    concat(u8(KIND_BYTE[asked[at]!.rule.kind]), ...numbers.map(u16le)),
  );
  const voter = { credential: credential.publicKey, ...place };
  const signed = concat(headerBytes(fingerprint, voter), ...answers);
  return concat(signed, sign(credential.seed, OPEN_SIGNATURE_TAG, signed));
}

/** One number for each counter. */
function numbersOf(rule: ContestRule, choice: Choice): number[] {
  const numbers = new Array<number>(countersOf(rule)).fill(0);
  if (choice === 'blank') {
    if (!hasBlank(rule)) throw new ChoiceError('this question has no blank answer');
    numbers[numbers.length - 1] = 1;
    return numbers;
  }
  if ('scores' in choice) return scoresOf(rule, choice.scores, numbers);
  if ('list' in choice) return listOf(rule, choice, numbers);
  if (rule.kind !== 'one' && rule.kind !== 'some') throw new ChoiceError(OTHER_KIND);
  const [min, max] = rule.kind === 'one' ? [1, 1] : [rule.min, rule.max];
  for (const option of chosenOf(choice, rule.options, min, max)) numbers[option] = 1;
  return numbers;
}

const OTHER_KIND = 'the answer is of another kind than the question';

/** The options of a set, after they were checked. */
function chosenOf(
  chosen: readonly number[],
  options: number,
  min: number,
  max: number,
): readonly number[] {
  const known = chosen.every((one) => Number.isInteger(one) && one >= 0 && one < options);
  if (!known || new Set(chosen).size !== chosen.length) {
    throw new ChoiceError('a choice names each of its options once');
  }
  if (chosen.length < min || chosen.length > max) {
    throw new ChoiceError(`choose ${min === max ? min : `${min} to ${max}`} options`);
  }
  return chosen;
}

function scoresOf(rule: ContestRule, scores: readonly number[], numbers: number[]): number[] {
  if (rule.kind !== 'score') throw new ChoiceError(OTHER_KIND);
  const sound = scores.every((score) => Number.isInteger(score) && score >= 0);
  if (!sound || scores.length !== rule.options) {
    throw new ChoiceError('give a score to each option');
  }
  scores.forEach((score, option) => {
    numbers[option] = score;
  });
  if (!admits(rule, numbers)) {
    const sums = `together ${rule.min} to ${rule.max}`;
    throw new ChoiceError(`scores are 0 to ${rule.highest}, ${sums}`);
  }
  return numbers;
}

function listOf(
  rule: ContestRule,
  { list, candidates }: { readonly list: number; readonly candidates: readonly number[] },
  numbers: number[],
): number[] {
  if (rule.kind !== 'lists') throw new ChoiceError(OTHER_KIND);
  const count = rule.candidates[list];
  if (count === undefined) throw new ChoiceError('there is no such list');
  const lists = rule.candidates.length;
  const start = rule.candidates.slice(0, list).reduce((sum, own) => sum + own, lists);
  numbers[list] = 1;
  for (const one of chosenOf(candidates, count, rule.min, Math.min(rule.max, count))) {
    numbers[start + one] = 1;
  }
  return numbers;
}

/** Scalars that a ballot of these rules draws, for tests that replay them. */
export function drawCount(rules: readonly ContestRule[]): number {
  return rules.reduce((count, rule) => {
    const clauses = clauseCounts(rule).reduce((sum, clauses) => sum + clauses, 0);
    return count + countersOf(rule) + 2 * clauses;
  }, 0);
}
