/** Errors as the nodes tell them (RFC 9457), and those that never reached a node. */

import type { components } from './schema.gen.ts';

export type ProblemBody = components['schemas']['Problem'];

/** A request that was refused, or got no answer (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  /** Stable, kebab-case. `no-answer` when nothing came back. */
  readonly code: string;
  /** A few words in English, if the node gave any. */
  readonly title: string | undefined;
  /** What was wrong and what to do. */
  readonly detail: string;
  readonly requestId: string | undefined;
  readonly errors: readonly { pointer: string; detail: string }[];
  /** Seconds to wait, if the node said so. */
  readonly retryAfter: number | undefined;

  constructor(body: Partial<ProblemBody>, retryAfter?: number) {
    super(body.detail ?? body.title ?? 'No answer.');
    this.name = 'ApiError';
    this.status = body.status ?? 0;
    this.code = body.code ?? 'no-answer';
    this.title = body.title;
    this.detail = this.message;
    this.requestId = body.request_id;
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later without being changed. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Reads an answer that is no success; whatever it holds, the result can be shown. */
export async function problemOf(response: Response): Promise<ApiError> {
  const after = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(after) ? after : undefined;
  try {
    const body = (await response.json()) as Partial<ProblemBody>;
    return new ApiError({ status: response.status, ...body }, retryAfter);
  } catch {
    const detail = `The node answered ${response.status} ${response.statusText}.`;
    return new ApiError({ status: response.status, code: 'unreadable', detail }, retryAfter);
  }
}
