/** The cluster as it is now, and as it was in the last minutes. */

import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { cluster } from '../api/queries.ts';
import { useFeed, useFeedState, useNow } from '../feed/useFeed.ts';
import { append, type Sample } from './history.ts';
import type { ClusterView } from './types.ts';

/** Older than this and what is shown is stale: four messages did not come. */
const FRESH_MS = 4_500;

export interface Freshness {
  readonly kind: 'live' | 'stale' | 'disconnected';
  /** How old the newest view is, in milliseconds. */
  readonly ageMs: number;
}

export interface Watched {
  readonly view: ClusterView | undefined;
  readonly samples: readonly Sample[];
  readonly freshness: Freshness;
  readonly error: unknown;
  readonly retry: () => void;
}

export function useCluster(): Watched {
  const asked = useQuery({ ...cluster(), refetchInterval: 15_000 });
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const arrived = useRef(Date.now());
  const heard = useFeed<ClusterView>('cluster/nodes', (view) => {
    arrived.current = Date.now();
    setSamples((before) => append(before, view));
  });
  const state = useFeedState();
  useNow(500);
  const view = newest(heard.data, asked.data as ClusterView | undefined);
  const ageMs = Date.now() - (heard.data === undefined ? asked.dataUpdatedAt : arrived.current);
  const kind =
    state.kind === 'disconnected'
      ? 'disconnected'
      : state.kind === 'stale' || ageMs > FRESH_MS
        ? 'stale'
        : 'live';
  return {
    view,
    samples,
    freshness: { kind, ageMs: Math.max(0, ageMs) },
    error: asked.error,
    retry: () => void asked.refetch(),
  };
}

function newest(heard: ClusterView | undefined, asked: ClusterView | undefined) {
  if (heard === undefined || asked === undefined) return heard ?? asked;
  return heard.time_ms >= asked.time_ms ? heard : asked;
}
