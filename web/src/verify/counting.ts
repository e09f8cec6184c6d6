/** After the close: shares come in, and the result is what they decrypt to. */

import { type Bytes, LayoutError } from '../crypto/bytes.ts';
import { BASE, modOrder, multiplyPublic, type Point } from '../crypto/group.ts';
import {
  lagrangeAtZero,
  ShareError,
  type TallyStatement,
  type VerifiedShare,
  verifyShare,
} from '../crypto/tally.ts';
import type { Contest } from '../election/definition.ts';
import { need, refuse } from '../election/refusal.ts';
import { type Result, readResult } from '../election/result.ts';
import type { Charter } from './setup.ts';
import type { Turnout } from './voting.ts';

export class Counting {
  readonly #charter: Charter;
  readonly #statement: TallyStatement;
  readonly #turnout: Turnout;
  readonly #shares = new Map<number, VerifiedShare>();

  constructor(charter: Charter, statement: TallyStatement, turnout: Turnout) {
    this.#charter = charter;
    this.#statement = statement;
    this.#turnout = turnout;
  }

  /** What shares must decrypt. */
  get statement(): TallyStatement {
    return this.#statement;
  }

  /** The shares that are there, in their order. */
  get shares(): readonly VerifiedShare[] {
    return [...this.#shares.values()];
  }

  addShare(trustee: number, share: Bytes): void {
    const { definition, trustees } = this.#charter.manifest;
    const enough = this.#turnout.voters >= definition.minimumBallots;
    need(enough, 'too-few-ballots', 'Fewer ballots count than the manifest demands.');
    need(!this.#shares.has(trustee), 'repeated', `Trustee ${trustee} has given a share already.`);
    const named = trustees[trustee - 1];
    need(named !== undefined, 'bad-share', `There is no trustee ${trustee}.`);
    try {
      const verified = verifyShare(share, this.#statement, trustee, named.verification);
      this.#shares.set(trustee, verified);
    } catch (error) {
      if (error instanceof ShareError) refuse('bad-share', `The share: ${error.message}.`);
      throw error;
    }
  }

  /** Checks a claimed result against the shares: each count times G must be what they leave. */
  checkResult(bytes: Bytes): Result {
    const claimed = layoutChecked(() => readResult(bytes));
    const { definition } = this.#charter.manifest;
    const shares = [...this.#shares.values()].slice(0, definition.threshold);
    need(shares.length === definition.threshold, 'not-ready', 'Too few shares are there.');
    const { voters, weight } = this.#turnout;
    const same = claimed.ballots === voters && claimed.weight === weight;
    need(same, 'bad-result', `${voters} ballots of weight ${weight} count.`);
    const { sums } = this.#statement;
    const shaped =
      claimed.counts.length === sums.length &&
      claimed.counts.every((counts, at) => counts.length === sums[at]!.length);
    need(shaped, 'bad-result', 'The result has other contests or options.');
    const lambdas = lagrangeAtZero(shares.map(({ trustee }) => trustee));
    claimed.counts.forEach((counts, contest) => {
      checkPossible(counts, definition.contests[contest]!, weight);
      counts.forEach((count, option) => {
        const factors = shares.map((share) => share.factors[contest]![option]!);
        const left = decrypt(sums[contest]![option]!.b, factors, lambdas);
        const holds = multiplyPublic(BASE, modOrder(count)).equals(left);
        need(holds, 'bad-result', `Contest ${contest}, option ${option}: another count.`);
      });
    });
    return claimed;
  }
}

function layoutChecked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LayoutError) return refuse('malformed', error.message);
    throw error;
  }
}

function decrypt(b: Point, factors: readonly Point[], lambdas: readonly bigint[]): Point {
  return factors.reduce((left, f, at) => left.subtract(multiplyPublic(f, lambdas[at]!)), b);
}

/** Counts that the ballots' proofs allow. */
function checkPossible(counts: readonly bigint[], { rule }: Contest, weight: bigint): void {
  const sum = counts.reduce((total, count) => total + count, 0n);
  const [min, max] = rule.kind === 'one' ? [1, 1] : [rule.min, rule.max];
  const possible =
    counts.every((count) => count <= weight) &&
    sum >= BigInt(min) * weight &&
    sum <= BigInt(max) * weight;
  need(possible, 'bad-result', `Counts that add up to ${sum} are not possible.`);
}
