/** What only people with accounts ask. */

import { queryOptions } from '@tanstack/react-query';
import { api, take } from '../api/client.ts';

export function roll(id: string) {
  return queryOptions({
    queryKey: ['elections', id, 'roll'],
    queryFn: async () =>
      (await take(api.GET('/api/v1/elections/{id}/roll', { params: { path: { id } } }))).chunks,
  });
}

export function ceremony(id: string, isRunning: boolean) {
  return queryOptions({
    queryKey: ['elections', id, 'ceremony'],
    queryFn: async () =>
      (await take(api.GET('/api/v1/elections/{id}/ceremony', { params: { path: { id } } })))
        .messages,
    ...(isRunning && { refetchInterval: 3_000 }),
  });
}

export function approvals() {
  return queryOptions({
    queryKey: ['approvals'],
    queryFn: async () => (await take(api.GET('/api/v1/approvals'))).items,
    refetchInterval: 5_000,
  });
}

export function accounts() {
  return queryOptions({
    queryKey: ['accounts'],
    queryFn: async () =>
      (await take(api.GET('/api/v1/accounts', { params: { query: { limit: 500 } } }))).items,
  });
}

export function sessions(name: string) {
  return queryOptions({
    queryKey: ['accounts', name, 'sessions'],
    queryFn: async () =>
      (await take(api.GET('/api/v1/accounts/{name}/sessions', { params: { path: { name } } })))
        .items,
  });
}

export function tokens(name: string) {
  return queryOptions({
    queryKey: ['accounts', name, 'tokens'],
    queryFn: async () =>
      (await take(api.GET('/api/v1/accounts/{name}/tokens', { params: { path: { name } } }))).items,
  });
}

export function outbox(id: string) {
  return queryOptions({
    queryKey: ['elections', id, 'mail'],
    queryFn: async () => {
      const params = { path: { id }, query: { limit: 500 } };
      return (await take(api.GET('/api/v1/elections/{id}/mail', { params }))).items;
    },
    refetchInterval: 5_000,
  });
}
