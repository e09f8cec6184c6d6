/** Tiles (`tlog-tiles`): how a ledger is served, 256 hashes or entries at a time. */

import { type Bytes, concat, Reader, u16be } from '../crypto/bytes.ts';

export const TILE_WIDTH = 256;

/** `012` or `x001/x234/067`. */
function indexPath(index: number): string {
  const groups: string[] = [];
  let left = index;
  do {
    groups.unshift((left % 1000).toString().padStart(3, '0'));
    left = Math.floor(left / 1000);
  } while (left > 0);
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
}

/** The path of a tile of hashes; `width` below 256 marks a tile that is not full yet. */
export function tilePath(level: number | 'entries', index: number, width = TILE_WIDTH): string {
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`;
  return `tile/${level}/${indexPath(index)}${partial}`;
}

export function printBundle(entries: readonly Bytes[]): Bytes {
  return concat(...entries.flatMap((entry) => [u16be(entry.length), entry]));
}

export function parseBundle(bytes: Bytes): Bytes[] {
  const reader = new Reader(bytes);
  const entries: Bytes[] = [];
  while (reader.left > 0) entries.push(reader.take(reader.u16be('length'), 'entry'));
  return entries;
}

/** The hashes of a tile; `undefined` when it does not have exactly `width` of them. */
export function parseTile(bytes: Bytes, width: number): Bytes[] | undefined {
  if (bytes.length !== 32 * width) return undefined;
  return Array.from({ length: width }, (_, at) => bytes.slice(32 * at, 32 * at + 32));
}
