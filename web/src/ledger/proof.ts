/** Paths of inclusion out of tiles: the few hashes that prove a leaf, fetched instead of all. */

import type { Bytes } from '../crypto/bytes.ts';
import { parseTile, TILE_WIDTH, tilePath } from './tiles.ts';
import { nodeHash, rootOf } from './tree.ts';

const HASHES_BITS = 8;

/** Bytes of a tile by its path (`tile/0/000`); throws when it cannot be had. */
export type FetchTile = (path: string) => Promise<Bytes>;

/** Reads hashes of a tree of `size` leaves out of its tiles; each tile is fetched once. */
export class TileTree {
  readonly #size: number;
  readonly #fetch: FetchTile;
  readonly #tiles = new Map<string, Promise<Bytes[]>>();

  constructor(size: number, fetch: FetchTile) {
    this.#size = size;
    this.#fetch = fetch;
  }

  /** The path that proves the leaf at `index`, from the leaf upwards. */
  async inclusionPath(index: number): Promise<Bytes[]> {
    if (index < 0 || index >= this.#size) throw new RangeError(`there is no leaf ${index}`);
    const siblings: Promise<Bytes>[] = [];
    let [low, high] = [0, this.#size];
    while (high - low > 1) {
      const middle = low + half(high - low);
      if (index < middle) {
        siblings.push(this.#hash(middle, high));
        high = middle;
      } else {
        siblings.push(this.#hash(low, middle));
        low = middle;
      }
    }
    return (await Promise.all(siblings)).reverse();
  }

  /** The root of the leaves from `low` to before `high`, as the tree divides them. */
  async #hash(low: number, high: number): Promise<Bytes> {
    const count = high - low;
    const level = Math.log2(count);
    if (!Number.isInteger(level)) {
      const middle = low + half(count);
      const [left, right] = await Promise.all([this.#hash(low, middle), this.#hash(middle, high)]);
      return nodeHash(left, right);
    }
    const row = Math.floor(level / HASHES_BITS);
    const unit = TILE_WIDTH ** row;
    const first = low / unit;
    const tile = await this.#tile(row, Math.floor(first / TILE_WIDTH));
    const at = first % TILE_WIDTH;
    return rootOf(tile.slice(at, at + count / unit));
  }

  #tile(row: number, index: number): Promise<Bytes[]> {
    const hashes = Math.floor(this.#size / TILE_WIDTH ** row);
    const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH);
    const path = tilePath(row, index, width);
    const known = this.#tiles.get(path);
    if (known !== undefined) return known;
    const asked = this.#fetch(path).then((bytes) => {
      const tile = parseTile(bytes, width);
      if (tile === undefined) throw new RangeError(`${path} is no tile of ${width} hashes`);
      return tile;
    });
    this.#tiles.set(path, asked);
    return asked;
  }
}

/** The largest power of two below `count`. */
function half(count: number): number {
  let size = 1;
  while (size * 2 < count) size *= 2;
  return size;
}
