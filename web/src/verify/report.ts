/** What a verification says: fourteen numbered steps, one verdict, and facts. */

import { toHex } from '../crypto/bytes.ts';
import { type Manifest, originOf } from '../election/manifest.ts';
import {
  decisionsOf,
  type Electors,
  type FindingName,
  NOBODY,
  type Result,
} from '../election/result.ts';
import type { Voting } from './voting.ts';

export const TITLES = [
  'The archive is whole',
  'The authorities are those of the trust file',
  'The leaves have the root of the final checkpoint',
  'A quorum of authorities signed the final checkpoint',
  'Every earlier checkpoint is a prefix',
  'The manifest is valid and signed by all who must',
  'The roll is the one the manifest names',
  "The trustees made the election's key together",
  "Every entry has its place and its appender's signature",
  'Every ballot is by somebody on the roll and follows the rules',
  'Every ballot is proven to be a valid vote',
  'The last ballot of each voter counts, once',
  'Every decryption share is proven',
  'The result is what the shares decrypt to',
] as const;

/** Numbers of the steps. */
export const STEP = {
  archive: 1,
  trust: 2,
  tree: 3,
  cosignatures: 4,
  prefixes: 5,
  manifest: 6,
  roll: 7,
  ceremony: 8,
  entries: 9,
  ballots: 10,
  proofs: 11,
  sums: 12,
  shares: 13,
  result: 14,
} as const;

export type Finding = 'ok' | 'failed' | 'not-made';

export interface Check {
  readonly number: number;
  readonly title: string;
  readonly finding: Finding;
  readonly detail: string;
}

export type VerdictName = 'verified' | 'not-verified' | 'not-anchored' | 'could-not-check';

export interface Facts {
  readonly election: string;
  readonly origin: string;
  readonly fingerprint: string;
  /** Digest of the booth that the manifest pins. */
  readonly booth: string | null;
  readonly size: number;
  readonly root: string;
  readonly ballots: number;
  readonly voters: number;
  readonly weight: string;
  readonly paper: ElectorsFact;
  readonly roll_changes: {
    readonly added: number;
    readonly withdrawn: number;
    readonly replaced: number;
  };
  readonly result: {
    readonly ballots: number;
    readonly weight: string;
    readonly counts: readonly (readonly string[])[];
    readonly contests: readonly ContestFact[];
  } | null;
}

/** Voters and their weight. */
export interface ElectorsFact {
  readonly voters: number;
  readonly weight: string;
}

/** Who answered a contest, and what decides it. */
export interface ContestFact {
  readonly eligible: ElectorsFact;
  readonly ballots: ElectorsFact;
  readonly paper: ElectorsFact;
  readonly finding: FindingName;
  readonly winners: readonly number[];
  readonly tied: readonly number[];
}

function electorsFact({ voters, weight }: Electors): ElectorsFact {
  return { voters, weight: weight.toString() };
}

function resultFact(result: Result, { definition }: Manifest): Facts['result'] {
  const contests = decisionsOf(result, definition).map((decided, at) => {
    const { eligible, ballots, paper } = result.participation[at]!;
    return {
      eligible: electorsFact(eligible),
      ballots: electorsFact(ballots),
      paper: electorsFact(paper),
      ...decided,
    };
  });
  return {
    ballots: result.ballots,
    weight: result.weight.toString(),
    counts: result.counts.map((counts) => counts.map(String)),
    contests,
  };
}

export interface Report {
  readonly format: 'quorate-verification-v1';
  readonly verdict: VerdictName;
  readonly check: number | null;
  readonly entry: number | null;
  readonly sentence: string;
  readonly checks: readonly Check[];
  readonly facts: Facts | null;
}

const EXIT: Record<VerdictName, number> = {
  verified: 0,
  'not-verified': 1,
  'not-anchored': 3,
  'could-not-check': 3,
};

export function exitStatus({ verdict }: Report): number {
  return EXIT[verdict];
}

/** The checks by number, filled up with those that were not made. */
export function allChecks(
  made: ReadonlyMap<number, { readonly finding: Finding; readonly detail: string }>,
  otherwise: string,
): Check[] {
  return TITLES.map((title, at) => {
    const check = made.get(at + 1) ?? { finding: 'not-made' as const, detail: otherwise };
    return { number: at + 1, title, ...check };
  });
}

const SENTENCES: Partial<Record<VerdictName, string>> = {
  verified: 'Every check holds, and the signatures are those of the trust file.',
  'not-anchored':
    'Every check holds, but no trust file says whose signatures count (--trust FILE).',
};

export function makeReport(
  verdict: VerdictName,
  checks: readonly Check[],
  facts: Facts | null,
  entry: number | null = null,
  why?: string,
): Report {
  const failed = checks.find(({ finding }) => finding === 'failed');
  const sentence = why ?? failed?.detail ?? SENTENCES[verdict] ?? '';
  const check = failed?.number ?? null;
  return { format: 'quorate-verification-v1', verdict, check, entry, sentence, checks, facts };
}

export function factsOf(
  manifest: Manifest,
  size: number,
  root: Uint8Array,
  voting: Voting | undefined,
  result: Result | undefined,
): Facts {
  const { ballots, voters, weight, paper } = voting?.turnout ?? {
    ballots: 0,
    ...NOBODY,
    paper: NOBODY,
  };
  return {
    election: toHex(manifest.id),
    origin: originOf(manifest),
    fingerprint: toHex(manifest.fingerprint),
    booth: manifest.definition.booth ? toHex(manifest.definition.booth) : null,
    size,
    root: toHex(root),
    ballots,
    voters,
    weight: weight.toString(),
    paper: electorsFact(paper),
    roll_changes: { added: 0, withdrawn: 0, replaced: 0, ...voting?.changes },
    result: result ? resultFact(result, manifest) : null,
  };
}

const SHOWN: Record<Finding, string> = { ok: 'ok', failed: 'FAILED', 'not-made': 'not made' };

/** The report for people. */
export function reportText({ checks, verdict, check, entry, sentence }: Report): string {
  const lines = checks.map(
    ({ number, title, finding, detail }) =>
      `${number.toString().padStart(2)}. ${title}: ${SHOWN[finding]}. ${detail}`,
  );
  const at = [check === null ? '' : ` at check ${check}`, entry === null ? '' : `, entry ${entry}`];
  return [...lines, `${verdict.replaceAll('-', ' ')}${at.join('')}: ${sentence}`, ''].join('\n');
}
