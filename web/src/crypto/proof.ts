/**
 * The equations of a ballot's proofs: exactly, one after the other, or many ballots as one sum in
 * which every equation has its own random weight.
 */

import {
  BASE,
  IDENTITY,
  modOrder,
  multiplyPublic,
  ORDER,
  type Point,
  sumOfMultiples,
} from './group.ts';
import type { Ciphertext, Disjunction, ParsedBallot } from './parsed.ts';
import { BallotError } from './parsed.ts';
import { claimHolds, claimsHold } from './signature.ts';
import type { BallotContext } from './statement.ts';

/** 128 random bits of the verifier's own, never zero. */
export function randomWeight(): bigint {
  const words = crypto.getRandomValues(new BigUint64Array(2));
  return (words[0]! << 64n) | words[1]! | 1n;
}

/** The ciphertext that a disjunction speaks about. */
function combined({ claim }: Disjunction, ciphertexts: readonly Ciphertext[]): Ciphertext {
  let a = IDENTITY;
  let b = IDENTITY;
  claim.factors.forEach((factor, i) => {
    if (factor === 0n) return;
    a = a.add(multiplyPublic(ciphertexts[i]!.a, factor));
    b = b.add(multiplyPublic(ciphertexts[i]!.b, factor));
  });
  return { a, b };
}

function disjunctionHolds(
  disjunction: Disjunction,
  ciphertexts: readonly Ciphertext[],
  key: Point,
): boolean {
  const { a, b } = combined(disjunction, ciphertexts);
  return disjunction.clauses.every((clause, k) => {
    const { commitmentA, commitmentB, challenge, response } = clause;
    const rest = b.subtract(multiplyPublic(BASE, disjunction.claim.values[k]!));
    const left = commitmentA.add(multiplyPublic(a, challenge));
    const right = commitmentB.add(multiplyPublic(rest, challenge));
    return (
      multiplyPublic(BASE, response).equals(left) && multiplyPublic(key, response).equals(right)
    );
  });
}

/** Checks signature and proofs of one ballot, each equation by itself. Throws a `BallotError`. */
export function verifyExactly(ballot: ParsedBallot, context: BallotContext): void {
  if (!claimHolds(ballot.signature)) throw new BallotError('ballot-signature');
  const holds = ballot.contests.every(({ ciphertexts, disjunctions }) =>
    disjunctions.every((one) => disjunctionHolds(one, ciphertexts, context.electionKey)),
  );
  if (!holds) throw new BallotError('ballot-proof');
}

/** A sum Σ scalar·point that must vanish; short scalars are summed apart from long ones. */
class VanishingSum {
  #base = 0n;
  #key = 0n;
  readonly #short: { points: Point[]; scalars: bigint[] } = { points: [], scalars: [] };
  readonly #long: { points: Point[]; scalars: bigint[] } = { points: [], scalars: [] };

  /** Adds the two equations of every clause, each with its own weight. */
  add(contest: ParsedBallot['contests'][number], weight: () => bigint): void {
    const { ciphertexts, disjunctions } = contest;
    const factorsA = ciphertexts.map(() => 0n);
    const factorsB = ciphertexts.map(() => 0n);
    for (const { claim, clauses } of disjunctions) {
      clauses.forEach(({ commitmentA, commitmentB, challenge, response }, k) => {
        const [first, second] = [weight(), weight()];
        this.#short.points.push(commitmentA, commitmentB);
        this.#short.scalars.push(first, second);
        this.#base -= first * response + second * challenge * claim.values[k]!;
        this.#key -= second * response;
        claim.factors.forEach((factor, i) => {
          factorsA[i]! += first * challenge * factor;
          factorsB[i]! += second * challenge * factor;
        });
      });
    }
    ciphertexts.forEach(({ a, b }, i) => {
      this.#long.points.push(a, b);
      this.#long.scalars.push(modOrder(factorsA[i]!), modOrder(factorsB[i]!));
    });
    this.#base %= ORDER;
    this.#key %= ORDER;
  }

  vanishes(key: Point): boolean {
    const short = sumOfMultiples(IDENTITY, this.#short.points, this.#short.scalars);
    const long = sumOfMultiples(IDENTITY, this.#long.points, this.#long.scalars);
    const fixed = multiplyPublic(BASE, this.#base).add(multiplyPublic(key, this.#key));
    return short.add(long).add(fixed).is0();
  }
}

/** A bad ballot of a batch. */
export interface BadBallot {
  readonly at: number;
  readonly error: BallotError;
}

/**
 * Checks signatures and proofs of many ballots together. A sum that does not vanish is halved
 * until the ballots that spoil it stand alone; each of those is then checked exactly.
 */
export function verifyBatch(
  ballots: readonly ParsedBallot[],
  context: BallotContext,
  weight: () => bigint = randomWeight,
): BadBallot[] {
  const check = (from: number, to: number): BadBallot[] => {
    if (to - from === 1) return verifyOne(ballots[from]!, context, from);
    if (to === from || sumsVanish(ballots.slice(from, to), context, weight)) return [];
    const middle = (from + to) >> 1;
    return [...check(from, middle), ...check(middle, to)];
  };
  return check(0, ballots.length);
}

function sumsVanish(
  ballots: readonly ParsedBallot[],
  context: BallotContext,
  weight: () => bigint,
): boolean {
  const signatures = ballots.map(({ signature }) => signature);
  if (!claimsHold(signatures, weight)) return false;
  const sum = new VanishingSum();
  for (const contest of ballots.flatMap(({ contests }) => contests)) sum.add(contest, weight);
  return sum.vanishes(context.electionKey);
}

function verifyOne(ballot: ParsedBallot, context: BallotContext, at: number): BadBallot[] {
  try {
    verifyExactly(ballot, context);
    return [];
  } catch (error) {
    if (error instanceof BallotError) return [{ at, error }];
    throw error;
  }
}
