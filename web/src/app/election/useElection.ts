/** One election, kept up to date by the feed. */

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { Schemas } from '../api/client.ts';
import { election } from '../api/queries.ts';
import { useFeed } from '../feed/useFeed.ts';

export type Election = Schemas['Election'];
type Turnout = Schemas['Turnout'];

const route = getRouteApi('/e/$id');

interface Status {
  readonly phase: Election['phase'];
  readonly title: string | null;
  readonly blockers: Schemas['Sentence'][];
  readonly closes: number | null;
  readonly entries: number;
  readonly leaves: number;
  readonly final_size: number;
  readonly settled: boolean;
  readonly shares: number[];
}

/** The id in the address of the page. */
export function useElectionId(): string {
  return route.useParams().id;
}

/** Asks once and then listens; a change of phase asks again, since it brings more than it tells. */
export function useElection(id: string) {
  const cache = useQueryClient();
  const options = election(id);
  const asked = useQuery(options);
  const change = (with_: (before: Election) => Election) =>
    cache.setQueryData<Election>(options.queryKey, (before) => before && with_(before));
  useFeed<Status>(`elections/${id}/status`, (status) => {
    const before = cache.getQueryData<Election>(options.queryKey);
    change((known) => ({ ...known, ...status }));
    if (before !== undefined && before.phase !== status.phase) {
      void cache.invalidateQueries({ queryKey: options.queryKey });
    }
  });
  useFeed<Turnout>(`elections/${id}/turnout`, (turnout) =>
    change((known) => ({ ...known, turnout })),
  );
  useFeed<Schemas['Result'] | null>(`elections/${id}/results`, (result) =>
    change((known) => ({ ...known, result })),
  );
  return asked;
}

/** The election of the page; its layout has made sure that it is there. */
export function useLoadedElection(): Election {
  const { data } = useQuery(election(useElectionId()));
  if (data === undefined) throw new Error('the election is shown before it was loaded');
  return data;
}
