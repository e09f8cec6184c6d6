/** The last minutes of a cluster, kept while the page is open: what charts and time line draw. */

import type { ClusterView, NodeView } from './types.ts';

/** What a time line shows of a node. */
export type Part = 'leads' | 'follows' | 'away';

export interface Sample {
  /** By the judging node's clock, milliseconds since 1970 UTC. */
  readonly timeMs: number;
  readonly leader: number | null;
  readonly term: number;
  readonly nodes: ReadonlyMap<number, NodeSample>;
  /** Of the slowest node that took writes, in milliseconds. */
  readonly p50: number | null;
  readonly p99: number | null;
}

export interface NodeSample {
  readonly part: Part;
  /** Entries that it does not hold yet. */
  readonly lag: number | null;
}

/** How long samples are kept. */
export const WINDOW_MS = 180_000;

/** Without news for longer than this there is a gap in what is drawn. */
export const GAP_MS = 5_000;

/** Who has not answered the leader for so long is away, before its beats are missed. */
const SILENT_MS = 1_500;

function partOf(node: NodeView, leader: number | null): Part {
  if (node.node !== leader && (node.silent_ms ?? 0) > SILENT_MS) return 'away';
  if (node.state === 'unreachable' || node.state === 'stopped') return 'away';
  return node.node === leader ? 'leads' : 'follows';
}

/** A node holds everything that the leader has, if it is the leader. */
function lagOf(node: NodeView, leader: number | null): number | null {
  return node.node === leader ? 0 : node.lag;
}

export function sampleOf(view: ClusterView): Sample {
  const nodes = new Map(
    view.nodes.map((node) => [
      node.node,
      { part: partOf(node, view.leader), lag: lagOf(node, view.leader) },
    ]),
  );
  const commits = view.nodes
    .filter(({ state }) => state === 'healthy' || state === 'slow')
    .flatMap(({ last }) => last?.commits ?? []);
  const worst = (figures: number[]) => (figures.length === 0 ? null : Math.max(...figures));
  return {
    timeMs: view.time_ms,
    leader: view.leader,
    term: view.term,
    nodes,
    p50: worst(commits.map(({ p50_ms }) => p50_ms)),
    p99: worst(commits.map(({ p99_ms }) => p99_ms)),
  };
}

/**
 * Adds a view. Views of another node may be judged by another clock: time never goes back, and a
 * view of the same moment takes the place of the one before.
 */
export function append(samples: readonly Sample[], view: ClusterView): readonly Sample[] {
  const last = samples.at(-1);
  const sample = sampleOf(view);
  if (last !== undefined && sample.timeMs < last.timeMs) return samples;
  const kept = samples.filter(
    ({ timeMs }) => timeMs !== sample.timeMs && timeMs > sample.timeMs - WINDOW_MS,
  );
  return [...kept, sample];
}

/** A stretch in which a node did the same. */
export interface Stretch {
  readonly part: Part;
  readonly from: number;
  readonly to: number;
}

/** What a node did, from its first sample to `until`. */
export function stretches(
  samples: readonly Sample[],
  node: number,
  until: number,
): readonly Stretch[] {
  const found: Stretch[] = [];
  for (const [place, sample] of samples.entries()) {
    const part = sample.nodes.get(node)?.part;
    if (part === undefined) continue;
    const next = samples[place + 1]?.timeMs ?? until;
    const to = Math.min(Math.max(next, sample.timeMs), sample.timeMs + GAP_MS);
    const last = found.at(-1);
    if (last?.part === part && last.to >= sample.timeMs) found[found.length - 1] = { ...last, to };
    else found.push({ part, from: sample.timeMs, to });
  }
  return found;
}

/** When another node took the lead, with its term. */
export interface Change {
  readonly timeMs: number;
  readonly leader: number | null;
  readonly term: number;
}

export function leaderChanges(samples: readonly Sample[]): readonly Change[] {
  return samples.flatMap(({ timeMs, leader, term }, place) => {
    const before = samples[place - 1];
    const isNew = before === undefined || before.leader !== leader || before.term !== term;
    return isNew ? [{ timeMs, leader, term }] : [];
  });
}

/** Columns for a chart: seconds since 1970, then one column for each line; a gap is null. */
export function columns(
  samples: readonly Sample[],
  lines: readonly ((sample: Sample) => number | null)[],
): (number | null)[][] {
  const rows: (number | null)[][] = [[], ...lines.map(() => [])];
  let before: number | undefined;
  for (const sample of samples) {
    if (before !== undefined && sample.timeMs - before > GAP_MS) {
      rows[0]?.push((before + 1) / 1000);
      for (const row of rows.slice(1)) row.push(null);
    }
    rows[0]?.push(sample.timeMs / 1000);
    for (const [place, line] of lines.entries()) rows[place + 1]?.push(line(sample));
    before = sample.timeMs;
  }
  return rows;
}
