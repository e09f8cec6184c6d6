/**
 * All lines of a ledger, page by page, then live. Lines stay in one array in the order of their
 * numbers; a hundred thousand of them are some ten megabytes.
 */

import { api, take } from '../api/client.ts';
import { feed } from '../feed/useFeed.ts';
import type { Line } from './curve.ts';

export interface LedgerState {
  readonly lines: readonly Line[];
  /** Entries that the node holds, as far as known. */
  readonly last: number;
  readonly isComplete: boolean;
  readonly error: unknown;
}

export interface LineSource {
  page(from: number): Promise<{ lines: readonly Line[]; next: number | null; last: number }>;
  /** Lines after a number, as they come. */
  follow(after: number, take: (lines: readonly Line[]) => void): () => void;
}

/** The nodes. */
export function nodeSource(id: string): LineSource {
  return {
    page: async (from) => {
      const params = { path: { id }, query: { from } };
      const answer = await take(api.GET('/api/v1/elections/{id}/entries', { params }));
      return { lines: answer.entries, next: answer.next, last: answer.last };
    },
    follow: (after, lines) =>
      feed.subscribe(
        `elections/${id}/ledger`,
        { message: ({ data }) => lines((data as { entries: Line[] }).entries) },
        after,
      ),
  };
}

export class LedgerStore {
  #state: LedgerState = { lines: [], last: 0, isComplete: false, error: undefined };
  readonly #source: LineSource;
  readonly #watchers = new Set<() => void>();
  #unfollow: (() => void) | undefined;
  #isRunning = false;

  constructor(source: LineSource) {
    this.#source = source;
  }

  /** Loads as long as somebody watches; goes on where it stopped. */
  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    void this.load();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      this.#unfollow?.();
      this.#unfollow = undefined;
    };
  };

  readonly snapshot = (): LedgerState => this.#state;

  async load(): Promise<void> {
    if (this.#isRunning || this.#unfollow !== undefined) return;
    this.#isRunning = true;
    this.#become({ error: undefined });
    try {
      for (let from: number | null = this.#state.lines.length + 1; from !== null; ) {
        if (this.#watchers.size === 0) return;
        const page = await this.#source.page(from);
        this.#add(page.lines, page.last);
        from = page.next;
      }
      this.#become({ isComplete: true });
      if (this.#watchers.size === 0) return;
      this.#unfollow = this.#source.follow(this.#state.lines.length, (lines) => this.#add(lines));
    } catch (error) {
      this.#become({ error });
    } finally {
      this.#isRunning = false;
    }
  }

  /** Adds what follows the lines that are there; anything else came twice. */
  #add(given: readonly Line[], last = 0): void {
    const next = this.#state.lines.length + 1;
    const fresh = given.filter((line) => line.entry >= next);
    if (fresh.length === 0 && last <= this.#state.last) return;
    const lines = fresh.length === 0 ? this.#state.lines : [...this.#state.lines, ...fresh];
    this.#become({ lines, last: Math.max(last, lines.length, this.#state.last) });
  }

  #become(change: Partial<LedgerState>): void {
    this.#state = { ...this.#state, ...change };
    for (const watcher of this.#watchers) watcher();
  }
}

/** What is looked for, as it stands in the address. */
export interface LedgerFilter {
  readonly kind?: string | undefined;
  readonly q?: string | undefined;
  readonly refused?: boolean | undefined;
}

/** Places of the lines that match, the newest first. */
export function filterLines(lines: readonly Line[], { kind, q, refused }: LedgerFilter): number[] {
  const wanted = q?.trim().toUpperCase().replace(/^#/, '') ?? '';
  const number = /^[0-9]+$/.test(wanted) ? Number(wanted) : undefined;
  const places: number[] = [];
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at] as Line;
    if (kind !== undefined && line.kind !== kind) continue;
    if (refused === true && line.refused === null) continue;
    const fits =
      wanted === '' || line.entry === number || line.tracker?.startsWith(wanted) === true;
    if (fits) places.push(at);
  }
  return places;
}
