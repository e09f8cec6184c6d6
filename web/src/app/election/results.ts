/** Results as rows, for bars, tables and files. */

import type { Schemas } from '../api/client.ts';
import { csvOf } from '../ui/save.ts';
import type { Election } from './useElection.ts';

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
}

/** Rows by contest in ballot order. */
export function rowsOf(
  contests: readonly Schemas['Contest'][],
  counts: readonly (readonly number[])[],
) {
  return contests.map((contest, at): ContestRows => {
    const rows = contest.options.map((option, place) => ({
      option,
      votes: counts[at]?.[place] ?? 0,
      isBlank: option === BLANK,
    }));
    const best = Math.max(0, ...rows.filter((row) => !row.isBlank).map((row) => row.votes));
    const { title, kind, highest } = contest;
    return { title, kind, rows, best, highest, isWithheld: counts[at]?.length === 0 };
  });
}

export function resultCsv(contests: readonly ContestRows[], weight: number): string {
  const rows = contests.flatMap(({ title, rows: own, isWithheld }) =>
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
