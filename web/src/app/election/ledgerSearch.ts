/** The filter of the ledger as it stands in the address. */

import type { LedgerFilter } from './ledgerStore.ts';

export interface LedgerSearch extends LedgerFilter {
  readonly entry?: number | undefined;
}

/** What of an address is a filter; the rest is left out. */
export function readLedgerSearch(search: Record<string, unknown>): LedgerSearch {
  const { kind, q, refused, entry } = search;
  return {
    ...(typeof kind === 'string' && kind !== '' && { kind }),
    ...((typeof q === 'string' || typeof q === 'number') && q !== '' && { q: String(q) }),
    ...(refused === true && { refused: true }),
    ...(typeof entry === 'number' && entry >= 1 && { entry: Math.floor(entry) }),
  };
}
