/** What is asked of the nodes, by name; live messages write into the same places. */

import { QueryClient, queryOptions } from '@tanstack/react-query';
import { api, take } from './client.ts';
import { ApiError } from './problem.ts';

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) =>
        failures < 3 && error instanceof ApiError && (error.isPassing || error.status === 0),
      retryDelay: (attempt, error) => {
        const wished = error instanceof ApiError ? error.retryAfter : undefined;
        return wished === undefined ? Math.min(500 * 2 ** attempt, 8_000) : 1000 * wished;
      },
    },
    mutations: { retry: false },
  },
});

export function elections() {
  return queryOptions({
    queryKey: ['elections'],
    queryFn: async () => (await take(api.GET('/api/v1/elections'))).elections,
    refetchInterval: 10_000,
  });
}

export function election(id: string) {
  return queryOptions({
    queryKey: ['elections', id],
    queryFn: () => take(api.GET('/api/v1/elections/{id}', { params: { path: { id } } })),
  });
}

export function cluster() {
  return queryOptions({
    queryKey: ['cluster'],
    queryFn: () => take(api.GET('/api/v1/cluster')),
  });
}

export function waysToLogin() {
  return queryOptions({
    queryKey: ['login'],
    queryFn: () => take(api.GET('/api/v1/login')),
    staleTime: 60_000,
  });
}
