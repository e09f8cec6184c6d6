/** After the close: shares come in, and the result is what they decrypt to. */

import { type Bytes, equal, LayoutError } from '../crypto/bytes.ts';
import { admitsCounts } from '../crypto/contest.ts';
import { BASE, modOrder, multiplyPublic, type Point } from '../crypto/group.ts';
import {
  lagrangeAtZero,
  ShareError,
  type TallyStatement,
  type VerifiedShare,
  verifyShare,
} from '../crypto/tally.ts';
import { need, refuse } from '../election/refusal.ts';
import {
  type Electors,
  type Participation,
  printResult,
  type Result,
  readResult,
} from '../election/result.ts';
import type { Charter } from './setup.ts';
import type { Turnout } from './voting.ts';

export class Counting {
  readonly #charter: Charter;
  readonly #statement: TallyStatement;
  readonly #turnout: Turnout;
  readonly #participation: readonly Participation[];
  /** The counts of an open poll, which has no shares. */
  readonly #live: Counts | undefined;
  readonly #shares = new Map<number, VerifiedShare>();

  constructor(
    charter: Charter,
    statement: TallyStatement,
    turnout: Turnout,
    participation: readonly Participation[],
    live: Counts | undefined,
  ) {
    this.#charter = charter;
    this.#statement = statement;
    this.#turnout = turnout;
    this.#participation = participation;
    this.#live = live;
  }

  /** What shares must decrypt. */
  get statement(): TallyStatement {
    return this.#statement;
  }

  /** The shares that are there, in their order. */
  get shares(): readonly VerifiedShare[] {
    return [...this.#shares.values()];
  }

  /** What a result says beside the counts. */
  get known(): Omit<Result, 'counts'> {
    const { voters: ballots, weight, paper } = this.#turnout;
    return { ballots, weight, paper, participation: this.#participation };
  }

  addShare(trustee: number, share: Bytes): void {
    const { definition, trustees } = this.#charter.manifest;
    need(!definition.openPoll, 'wrong-phase', 'An open poll has nothing to decrypt.');
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

  /** Checks a claimed result: everything that is known, then the counts. */
  checkResult(bytes: Bytes): Result {
    const claimed = layoutChecked(() => readResult(bytes));
    if (this.#live === undefined) this.#needShares();
    const { known } = this;
    const { ballots: voters, weight } = known;
    const shaped = claimed.counts.length === this.#participation.length;
    need(shaped, 'bad-result', 'The result has other contests.');
    const same = equal(printResult({ ...claimed, ...known }), bytes);
    need(same, 'bad-result', `${voters} ballots of weight ${weight} count.`);
    if (this.#live === undefined) this.#checkDecrypted(claimed.counts);
    else {
      const right = printResult({ ...known, counts: this.#live });
      need(equal(right, bytes), 'bad-result', 'The answers add up to other counts.');
    }
    return claimed;
  }

  #needShares(): void {
    const { threshold } = this.#charter.manifest.definition;
    need(this.#shares.size >= threshold, 'not-ready', 'Too few shares are there.');
  }

  /** Each count times G must be what the shares leave of its sum. */
  #checkDecrypted(counts: Counts): void {
    const { definition } = this.#charter.manifest;
    const shares = [...this.#shares.values()].slice(0, definition.threshold);
    const { sums } = this.#statement;
    const withheld = withheldOf(this.#participation, definition.minimumBallots);
    const lambdas = lagrangeAtZero(shares.map(({ trustee }) => trustee));
    counts.forEach((own, contest) => {
      if (withheld.has(contest)) {
        need(own.length === 0, 'bad-result', `Contest ${contest} must be withheld.`);
        return;
      }
      this.#checkPossible(own, contest);
      own.forEach((count, counter) => {
        const factors = shares.map((share) => share.factors[contest]![counter]!);
        const left = decrypt(sums[contest]![counter]!.b, factors, lambdas);
        const holds = multiplyPublic(BASE, modOrder(count)).equals(left);
        need(holds, 'bad-result', `Contest ${contest}, counter ${counter}: another count.`);
      });
    });
  }

  /** Counts that the ballots' proofs allow. */
  #checkPossible(counts: readonly bigint[], contest: number): void {
    const rule = this.#charter.questions.rules[contest]!;
    const { weight } = this.#participation[contest]!.ballots;
    const possible = admitsCounts(rule, counts, weight);
    need(possible, 'bad-result', `The counts of contest ${contest} are not possible.`);
  }
}

type Counts = readonly (readonly bigint[])[];

/** Contests that some, but fewer than the minimum have answered. */
export function withheldOf(
  participation: readonly { readonly ballots: Electors }[],
  minimum: number,
): ReadonlySet<number> {
  const few = participation.flatMap(({ ballots: { voters } }, contest) =>
    voters > 0 && voters < minimum ? [contest] : [],
  );
  return new Set(few);
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
