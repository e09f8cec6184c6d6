import type { Schemas } from '../api/client.ts';

/** Minute of the closing since 1970 UTC, as extended. */
export function closingOf({
  closes,
  definition,
}: Pick<Schemas['Election'], 'closes' | 'definition'>): number | null {
  return closes ?? definition?.closes ?? null;
}
