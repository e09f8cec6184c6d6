/** The result of an election: counts that everybody can recompute, and what decides. */

import { type Bytes, concat, Reader, u8, u16be, u32be, u64be } from '../crypto/bytes.ts';
import { highestOf } from '../crypto/contest.ts';
import type { Contest, Definition } from './definition.ts';

/** Voters and their total weight. */
export interface Electors {
  readonly voters: number;
  readonly weight: bigint;
}

export const NOBODY: Electors = { voters: 0, weight: 0n };

/** Who answered one contest. */
export interface Participation {
  readonly eligible: Electors;
  readonly ballots: Electors;
  readonly paper: Electors;
}

export interface Result {
  readonly ballots: number;
  readonly weight: bigint;
  readonly paper: Electors;
  readonly participation: readonly Participation[];
  /** By contest and counter; empty for a contest that is withheld. */
  readonly counts: readonly (readonly bigint[])[];
}

function readElectors(reader: Reader): Electors {
  return { voters: reader.u32be('voters'), weight: reader.u64be('weight') };
}

function electorsBytes({ voters, weight }: Electors): Bytes {
  return concat(u32be(voters), u64be(weight));
}

/** Throws a `LayoutError`. */
export function readResult(bytes: Bytes): Result {
  const reader = new Reader(bytes);
  if (reader.u8('version') !== 1) reader.fail('version', 'is not 1');
  const { voters: ballots, weight } = readElectors(reader);
  const paper = readElectors(reader);
  const contests = reader.list(reader.u8('contests'), () => ({
    participation: {
      eligible: readElectors(reader),
      ballots: readElectors(reader),
      paper: readElectors(reader),
    },
    counts: reader.list(reader.u16be('counters'), () => reader.u64be('count')),
  }));
  reader.end();
  const participation = contests.map((contest) => contest.participation);
  return { ballots, weight, paper, participation, counts: contests.map(({ counts }) => counts) };
}

export function printResult(result: Result): Bytes {
  const contests = result.counts.map((counts, at) => {
    const { eligible, ballots, paper } = result.participation[at]!;
    const parts = [eligible, ballots, paper].map(electorsBytes);
    return concat(...parts, u16be(counts.length), ...counts.map(u64be));
  });
  const counted = electorsBytes({ voters: result.ballots, weight: result.weight });
  const paper = electorsBytes(result.paper);
  return concat(u8(1), counted, paper, u8(result.counts.length), ...contests);
}

export type FindingName = 'decided' | 'lot' | 'runoff' | 'no-quorum' | 'no-majority' | 'withheld';

/** What quorum, majority and tie rule make of a contest. */
export interface Decided {
  readonly finding: FindingName;
  readonly winners: readonly number[];
  readonly tied: readonly number[];
}

export function decisionsOf(result: Result, { contests }: Definition): Decided[] {
  return contests.map((contest, at) =>
    decide(contest, result.counts[at]!, result.participation[at]!),
  );
}

function decide(contest: Contest, counts: readonly bigint[], part: Participation): Decided {
  const nothing = (finding: FindingName) => ({ finding, winners: [], tied: [] });
  const { quorumPercent, majority, seats, tie } = contest.decision;
  const voted = part.ballots.weight + part.paper.weight;
  if (voted * 100n < BigInt(quorumPercent) * part.eligible.weight) return nothing('no-quorum');
  if (counts.length === 0) return nothing('withheld');
  const blank = contest.blank ? counts.at(-1)! : 0n;
  const base = (part.ballots.weight - blank) * BigInt(highestOf(contest.rule));
  const reached: Record<typeof majority, (count: bigint) => boolean> = {
    relative: () => true,
    absolute: (count) => count * 2n > base,
    'two-thirds': (count) => count * 3n >= base * 2n,
    'three-quarters': (count) => count * 4n >= base * 3n,
  };
  const able = counts
    .slice(0, contest.options.length)
    .map((count, option) => ({ count, option }))
    .filter(({ count }) => count > 0n && reached[majority](count))
    .sort((one, two) => Number(two.count - one.count) || one.option - two.option);
  if (able.length === 0) return nothing('no-majority');
  const names = (some: typeof able) => some.map(({ option }) => option);
  const level = able[seats - 1]?.count;
  if (tie === 'first-listed' || level === undefined || able[seats]?.count !== level) {
    return { finding: 'decided', winners: names(able.slice(0, seats)), tied: [] };
  }
  const winners = names(able.filter(({ count }) => count > level));
  return { finding: tie, winners, tied: names(able.filter(({ count }) => count === level)) };
}
