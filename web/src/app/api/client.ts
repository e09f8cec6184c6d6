/** The nodes' HTTP API with its types: every path and body is checked against the document. */

import createClient from 'openapi-fetch';
import { ApiError, type ProblemBody, problemOf } from './problem.ts';
import type { components, paths } from './schema.gen.ts';
import { SessionKeeper } from './session.ts';

export type Schemas = components['schemas'];

export const session = new SessionKeeper();

/** Adds the token; asks once more with a fresh one when a node does not know it any more. */
async function send(request: Request): Promise<Response> {
  const token = await session.token();
  const again = token === undefined ? undefined : request.clone();
  if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(request);
  } catch {
    const detail = 'No node answered. Is this computer connected? It will be tried again.';
    throw new ApiError({ status: 0, code: 'no-answer', detail });
  }
  if (response.status !== 401 || again === undefined) return response;
  await session.renew();
  const fresh = await session.token();
  if (fresh === undefined) return response;
  again.headers.set('authorization', `Bearer ${fresh}`);
  return await fetch(again);
}

export const api = createClient<paths>({ baseUrl: globalThis.location.origin, fetch: send });

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** What was answered, or the problem as an exception. */
export async function take<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const told = typeof error === 'object' && error !== null ? (error as Partial<ProblemBody>) : {};
  const after = Number(response.headers.get('retry-after') ?? Number.NaN);
  const unreadable = { code: 'unreadable', detail: `The node answered ${response.status}.` };
  const body = { ...unreadable, status: response.status, ...told };
  throw new ApiError(body, Number.isFinite(after) ? after : undefined);
}

/** Bytes or text of a public path. */
export async function fetchBytes(
  path: string,
  onProgress?: (loaded: number, total: number | undefined) => void,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await send(
    new Request(new URL(path, location.origin), { signal: signal ?? null }),
  );
  if (!response.ok) throw await problemOf(response);
  if (onProgress === undefined || response.body === null) {
    return new Uint8Array(await response.arrayBuffer());
  }
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const total = Number.isFinite(length) ? length : undefined;
  const parts: Uint8Array[] = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress(loaded, total);
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** A key that lets a request be repeated without being done twice. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
