/** Pages in a browser's stead: with texts, a router, and a node whose answers the test chooses. */

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from '@tanstack/react-router';
import { cleanup, render, screen } from '@testing-library/react';
import axe from 'axe-core';
import i18next from 'i18next';
import type { ReactNode } from 'react';
import { initReactI18next } from 'react-i18next';
import { expect, vi } from 'vitest';
import admin from '../../src/app/i18n/admin/en.ts';
import app from '../../src/app/i18n/app/en.ts';
import nodes from '../../src/app/i18n/nodes/en.ts';

/** What the node answers, by method and path. */
export const answers = new Map<string, { status: number; body: object }>();
/** What it was asked. */
export const asked: { method: string; path: string; body: unknown }[] = [];

/** Before all tests of a file. */
export async function prepare(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    defaultNS: 'app',
    resources: { en: { app, admin, nodes } },
    interpolation: { escapeValue: false },
  });
  vi.stubGlobal('fetch', async (input: Request | string, init?: RequestInit) => {
    const request = new Request(
      new URL(input instanceof Request ? input.url : input, location.href),
      init,
    );
    const given = input instanceof Request ? input : request;
    const path = new URL(given.url).pathname;
    const text = given.method === 'GET' ? '' : await given.text();
    asked.push({ method: given.method, path, body: text === '' ? undefined : JSON.parse(text) });
    const answer = answers.get(`${given.method} ${path}`);
    const problem = { status: 404, code: 'not-found', detail: 'There is nothing.' };
    const { status, body } = answer ?? { status: 404, body: problem };
    return new Response(JSON.stringify(body), {
      status,
      headers: { 'content-type': 'application/json' },
    });
  });
}

/** After each test. */
export function forget(): void {
  cleanup();
  answers.clear();
  asked.length = 0;
}

export async function show(page: ReactNode): Promise<HTMLElement> {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const root = createRootRoute({ component: Outlet });
  const here = createRoute({
    getParentRoute: () => root,
    path: '/',
    component: () => <main>{page}</main>,
  });
  const router = createRouter({
    routeTree: root.addChildren([here]),
    history: createMemoryHistory({ initialEntries: ['/'] }),
  });
  const { container } = render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  await screen.findByRole('main');
  return container;
}

export async function expectClean(container: HTMLElement): Promise<void> {
  // Colours need a real browser; the end-to-end tests look at them.
  const { violations } = await axe.run(container, {
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  });
  expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
}
