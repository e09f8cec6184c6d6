/** What the dashboard works with. */

import type { Schemas } from '../api/client.ts';

export type ClusterView = Schemas['Cluster'];
export type NodeView = Schemas['ClusterNode'];
export type ClusterEvent = Schemas['ClusterEvent'];

export type Process = 'running' | 'starting' | 'paused' | 'killed';

export const FAULT_KINDS = [
  'kill',
  'pause',
  'cut',
  'cut-in',
  'cut-out',
  'slow-disk',
  'restart',
  'resume',
  'heal',
  'fast-disk',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number] | 'repair';

/** Faults that mend. */
export const MENDING: readonly FaultKind[] = ['restart', 'resume', 'heal', 'fast-disk', 'repair'];

export type Effect = 'leader-change' | 'goes-on' | 'stops' | 'begins' | 'returns' | 'slower';

/** What a fault would do, said by the supervisor before it is done. */
export interface Forecast {
  readonly effect: Effect;
  readonly text: string;
  readonly stops_cluster: boolean;
  readonly left: number;
  readonly all: number;
  readonly quorum: number;
  readonly leads: boolean;
}

export interface DemoNode {
  readonly node: number;
  readonly process: Process;
  readonly cut_in: boolean;
  readonly cut_out: boolean;
  readonly disk_delay_ms: number;
  readonly web: string;
  readonly effects: Partial<Record<FaultKind, Forecast>>;
}

/** What has come of a fault so far. */
export interface Outcome {
  readonly is_settled: boolean;
  readonly done_ms: number | null;
  readonly leader: number | null;
  readonly leader_after_ms: number | null;
  readonly ready_after_ms: number | null;
  readonly gap_ms: number | null;
  readonly lost: number | null;
  readonly retried: number;
  readonly text: string;
}

export interface FaultRecord {
  readonly number: number;
  readonly time_ms: number;
  readonly kind: FaultKind;
  readonly node: number | null;
  readonly effect: Effect;
  readonly expected: string;
  readonly outcome: Outcome;
}

export interface Invariant {
  readonly id: 'writes' | 'finals' | 'once' | 'roots' | 'counts';
  readonly holds: boolean;
  readonly checked: number;
  readonly violations: number;
  readonly text: string;
  readonly age_ms: number | null;
}

export interface LoadFigures {
  readonly accepted_per_second: number;
  readonly refused_per_second: number;
  readonly accepted: number;
  readonly refused: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
}

export interface Scene {
  readonly number: number;
  readonly id: string | null;
  readonly title: string;
  readonly step: '' | 'preparing' | 'voting' | 'counting' | 'done' | 'waiting' | 'stopped';
  readonly ballots: number;
  readonly ordered: number;
  readonly finals: number;
  readonly retried: number;
  readonly trouble: string | null;
  readonly guest_code: string | null;
}

export interface DemoSettings {
  readonly load_per_second: number;
  readonly tour: boolean;
  readonly script: boolean;
}

/** The supervisor's view of the demonstration. */
export interface DemoView {
  readonly time_ms: number;
  readonly leader: number | null;
  readonly term: number;
  readonly quorum: number;
  readonly nodes: readonly DemoNode[];
  readonly repair: Forecast;
  readonly faults: readonly FaultRecord[];
  readonly load: LoadFigures;
  readonly invariants: readonly Invariant[];
  readonly election: Scene;
  readonly settings: DemoSettings;
}
