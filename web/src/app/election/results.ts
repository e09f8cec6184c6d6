/** Results as rows, for bars, tables and files. */

import type { Schemas } from '../api/client.ts';
import { csvOf } from '../ui/save.ts';
import type { Election } from './useElection.ts';

type Decision = Schemas['Decision'];

/** How the ballot writes a vote for none of the options. */
export const BLANK = '(blank)';

export interface Row {
  readonly option: string;
  readonly votes: number;
  readonly isBlank: boolean;
}

export interface ContestRows {
  readonly title: string;
  readonly kind: string;
  readonly rows: readonly Row[];
  /** The most votes of an option. */
  readonly best: number;
  /** The highest score that one ballot may give an option; 1 where options are chosen. */
  readonly highest: number;
  /** Too few have answered: nothing was decrypted. */
  readonly isWithheld: boolean;
  /** Weight of the ballots that answered: the whole of which votes are shares. */
  readonly weight: number;
  /** What the rules make of the counts; nothing while they may still change. */
  readonly decision: Decision | undefined;
  /** Least share of the weight that must vote, in per cent. */
  readonly quorumPercent: number;
}

/** Rows by contest in ballot order; `decisions` once the result is published. */
export function rowsOf(
  contests: readonly Schemas['Contest'][],
  counts: readonly (readonly number[])[],
  participation: readonly Schemas['Participation'][],
  decisions: readonly Decision[] = [],
) {
  return contests.map((contest, at): ContestRows => {
    const rows = contest.options.map((option, place) => ({
      option,
      votes: counts[at]?.[place] ?? 0,
      isBlank: option === BLANK,
    }));
    const best = Math.max(0, ...rows.filter((row) => !row.isBlank).map((row) => row.votes));
    const { title, kind, highest, quorum_percent: quorumPercent } = contest;
    const isWithheld = counts[at]?.length === 0;
    const weight = participation[at]?.ballots.weight ?? 0;
    const decision = decisions[at];
    return { title, kind, rows, best, highest, isWithheld, weight, decision, quorumPercent };
  });
}

export function resultCsv(contests: readonly ContestRows[]): string {
  const rows = contests.flatMap(({ title, rows: own, isWithheld, weight }) =>
    (isWithheld ? [] : own).map(({ option, votes }): (string | number)[] => [
      title,
      option,
      votes,
      weight === 0 ? 0 : Number((votes / weight).toFixed(6)),
    ]),
  );
  return csvOf([['contest', 'option', 'votes', 'share'], ...rows]);
}

/** Everything about the result in one file, for programs. */
export function resultJson(election: Election, publishedMs: number | undefined): string {
  const { id, title, definition, result, turnout, fingerprint } = election;
  const contests = definition?.contests.map((contest, at) => ({
    ...contest,
    votes: result?.counts[at],
    decision: result?.decisions[at],
  }));
  const published = publishedMs === undefined ? null : new Date(publishedMs).toISOString();
  return JSON.stringify(
    {
      election: id,
      title,
      fingerprint,
      published,
      ballots: result?.ballots,
      weight: result?.weight,
      roll: { voters: turnout.roll_voters, weight: turnout.roll_weight },
      contests,
    },
    null,
    2,
  );
}
