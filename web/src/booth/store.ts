/**
 * What the booth remembers over a reload of this tab: the encrypted ballot that is under way, or
 * the receipt of the one that is final. Never a code, never a choice.
 */

import { type Bytes, fromBase64, toBase64 } from '../crypto/bytes.ts';

export interface Pending {
  readonly election: string;
  readonly ballot: Bytes;
  readonly tracker: string;
  readonly receipt: string | undefined;
}

const KEY = 'quorate-booth-v1';

/** What this file uses of `Storage`. */
export interface Shelf {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Store {
  readonly #shelf: Shelf;

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  /** Keeps it; says whether that worked (a browser may forbid it). */
  keep({ election, ballot, tracker, receipt }: Pending): boolean {
    try {
      const line = { election, ballot: toBase64(ballot), tracker, receipt: receipt ?? null };
      this.#shelf.setItem(KEY, JSON.stringify(line));
      return true;
    } catch {
      return false;
    }
  }

  read(): Pending | undefined {
    try {
      const found = JSON.parse(this.#shelf.getItem(KEY) ?? 'null');
      const ballot = fromBase64(String(found?.ballot));
      const { election, tracker, receipt } = found ?? {};
      const isWhole = typeof election === 'string' && typeof tracker === 'string';
      if (ballot === undefined || !isWhole) return undefined;
      return { election, ballot, tracker, receipt: receipt ?? undefined };
    } catch {
      return undefined;
    }
  }

  forget(): void {
    try {
      this.#shelf.removeItem(KEY);
    } catch {
      // Then nothing was kept either.
    }
  }
}
