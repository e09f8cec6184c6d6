/** The demonstration that the nodes are part of, if they are. */

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { api, type Schemas, take } from '../../api/client.ts';
import { ApiError } from '../../api/problem.ts';
import { useSession } from '../../api/useSession.ts';
import type { DemoSettings, DemoView, FaultKind } from '../types.ts';

const EVERY_MS = 400;
const KEY = ['demo'];

export interface Actions {
  fault(kind: FaultKind, node: number | null): void;
  choose(change: Partial<DemoSettings>): void;
  /** Why the last act was not done. */
  readonly refused: unknown;
}

export interface Demo extends Actions {
  /** None where the nodes are no demonstration. */
  readonly view: DemoView | undefined;
  /** Whether the viewer may do something. */
  readonly canAct: boolean;
}

function isNone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** The document describes it loosely, since it grows; here it is as this version knows it. */
function viewOf(answer: Schemas['Demo']): DemoView {
  return answer as unknown as DemoView;
}

export function useDemo(): Demo {
  const session = useSession();
  const cache = useQueryClient();
  const [refused, setRefused] = useState<unknown>();
  /** What was chosen and is not answered yet: it is shown as it will be. */
  const [chosen, setChosen] = useState<Partial<DemoSettings>>({});
  const asked = useQuery({
    queryKey: KEY,
    queryFn: async () => viewOf(await take(api.GET('/api/v1/demo'))),
    refetchInterval: ({ state }) => (isNone(state.error) ? false : EVERY_MS),
    retry: false,
    staleTime: 0,
  });
  const keep = useCallback(
    async (answer: Promise<Schemas['Demo']>) => {
      try {
        const view = viewOf(await answer);
        // What was asked before may be answered later, and would be older.
        await cache.cancelQueries({ queryKey: KEY });
        cache.setQueryData(KEY, view);
        setRefused(undefined);
      } catch (error) {
        setRefused(error);
      }
    },
    [cache],
  );
  const grants = session.kind === 'somebody' ? session.account.grants : [];
  const canAct = grants.some(({ role, election }) => role === 'administrator' && !election);
  const view = isNone(asked.error) ? undefined : asked.data;
  return {
    view: view && { ...view, settings: { ...view.settings, ...chosen } },
    canAct,
    refused,
    fault: (kind, node) => {
      const body = node === null ? { kind } : { kind, node };
      void keep(take(api.POST('/api/v1/demo/faults', { body })));
    },
    choose: (body) => {
      const own = { ...chosen, ...body };
      setChosen(own);
      void keep(take(api.PUT('/api/v1/demo/settings', { body }))).then(() =>
        setChosen((present) => (present === own ? {} : present)),
      );
    },
  };
}
