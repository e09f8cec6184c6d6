/**
 * Who is logged in. The access token is held in memory only; a cookie that scripts cannot read
 * renews it. What stays in the browser's storage is a mark that there may be such a cookie, so that
 * visitors without an account are not asked for.
 */

import { problemOf } from './problem.ts';
import type { components } from './schema.gen.ts';

export type SessionView = components['schemas']['Session'];
export type Account = SessionView['account'];
export type Grant = components['schemas']['Grant'];
export type RoleName = components['schemas']['Role'];

const MARK = 'quorate.session';
/** Renew this long before the token ends, in milliseconds. */
const EARLY_MS = 30_000;

export type SessionState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'nobody'; readonly ended: boolean }
  | { readonly kind: 'somebody'; readonly account: Account; readonly expires: number };

export class SessionKeeper {
  state: SessionState = { kind: 'unknown' };
  #token: string | undefined;
  #renewAt = 0;
  #renewing: Promise<void> | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #fetch: typeof fetch;
  readonly #storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

  constructor(
    fetcher: typeof fetch = (...given) => fetch(...given),
    storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> = localStorage,
  ) {
    this.#fetch = fetcher;
    this.#storage = storage;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): SessionState => this.state;

  /** Takes a session over from before, if there is one. */
  async start(): Promise<void> {
    if (this.#storage.getItem(MARK) === null) this.#become({ kind: 'nobody', ended: false });
    else await this.renew();
  }

  /** Notes that a login is about to happen elsewhere (at an identity provider). */
  expectLogin(): void {
    this.#storage.setItem(MARK, '1');
  }

  async login(name: string, password: string): Promise<void> {
    const response = await this.#fetch('/api/v1/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password }),
    });
    if (!response.ok) throw await problemOf(response);
    this.#take((await response.json()) as SessionView);
  }

  async logout(): Promise<void> {
    const headers = new Headers();
    if (this.#token !== undefined) headers.set('authorization', `Bearer ${this.#token}`);
    try {
      await this.#fetch('/api/v1/session', { method: 'DELETE', headers });
    } finally {
      this.#forget(false);
    }
  }

  /** A token that is still good for a while, or nothing for visitors. */
  async token(): Promise<string | undefined> {
    if (this.#token !== undefined && Date.now() > this.#renewAt) await this.renew();
    return this.#token;
  }

  /** The session has ended at the nodes. */
  end(): void {
    if (this.state.kind === 'somebody') this.#forget(true);
  }

  /** Asks for another token; several callers share one request. */
  async renew(): Promise<void> {
    this.#renewing ??= this.#ask().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async #ask(): Promise<void> {
    try {
      const response = await this.#fetch('/api/v1/session/refresh', { method: 'POST' });
      if (response.ok) this.#take((await response.json()) as SessionView);
      else if (response.status === 401 || response.status === 403) {
        this.#forget(this.state.kind === 'somebody');
      } else if (this.state.kind === 'unknown') this.#become({ kind: 'nobody', ended: false });
    } catch {
      // No answer: the token may still be good at another moment.
      if (this.state.kind === 'unknown') this.#become({ kind: 'nobody', ended: false });
    }
  }

  #take(view: SessionView): void {
    this.#token = view.access_token;
    this.#renewAt = Date.now() + Math.max(1000 * view.expires_in - EARLY_MS, 1000);
    this.#storage.setItem(MARK, '1');
    const expires = 1000 * view.session_expires;
    this.#become({ kind: 'somebody', account: view.account, expires });
  }

  #forget(ended: boolean): void {
    this.#token = undefined;
    this.#storage.removeItem(MARK);
    this.#become({ kind: 'nobody', ended });
  }

  #become(state: SessionState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Whether one of the grants gives the role, for this election or for all. */
export function hasRole(grants: readonly Grant[], role: RoleName, election?: string): boolean {
  return grants.some(
    (grant) => grant.role === role && (grant.election === undefined || grant.election === election),
  );
}
