import { describe, expect, it } from 'vitest';
import { type Bytes, concat, u32be } from '../src/crypto/bytes.ts';
import { TileTree } from '../src/ledger/proof.ts';
import { TILE_WIDTH, tilePath } from '../src/ledger/tiles.ts';
import { inclusionPath, leafHash, provesInclusion, rootOf } from '../src/ledger/tree.ts';

/** Every tile of a tree, by path, made from all its leaves. */
function tilesOf(leaves: readonly Bytes[]): Map<string, Bytes> {
  const tiles = new Map<string, Bytes>();
  let [row, hashes] = [0, leaves];
  while (hashes.length > 0) {
    for (let at = 0; at < hashes.length; at += TILE_WIDTH) {
      const part = hashes.slice(at, at + TILE_WIDTH);
      tiles.set(tilePath(row, at / TILE_WIDTH, part.length), concat(...part));
    }
    const full = Math.floor(hashes.length / TILE_WIDTH);
    const below = hashes;
    hashes = Array.from({ length: full }, (_, at) =>
      rootOf(below.slice(at * TILE_WIDTH, (at + 1) * TILE_WIDTH)),
    );
    row += 1;
  }
  return tiles;
}

describe('paths out of tiles', () => {
  it.each([1, 2, 3, 255, 256, 257, 511, 1000, 65_536 + 300])(
    'proves leaves of %i',
    async (size) => {
      const leaves = Array.from({ length: size }, (_, at) => leafHash(u32be(at)));
      const tiles = tilesOf(leaves);
      const fetched: string[] = [];
      const tree = new TileTree(size, async (path) => {
        fetched.push(path);
        const tile = tiles.get(path);
        if (tile === undefined) throw new Error(`no ${path}`);
        return tile;
      });
      const root = rootOf(leaves);
      for (const index of new Set([0, 1, size >> 1, size - 2, size - 1])) {
        if (index < 0 || index >= size) continue;
        const path = await tree.inclusionPath(index);
        const hash = leaves[index] as Bytes;
        expect(provesInclusion(hash, BigInt(index), BigInt(size), path, root)).toBe(true);
        if (size <= 1000) expect(path).toEqual(inclusionPath(leaves, index));
      }
      expect(new Set(fetched).size).toBe(fetched.length);
    },
  );

  it('refuses leaves that are none and tiles of another width', async () => {
    const tree = new TileTree(3, async () => new Uint8Array(64));
    await expect(tree.inclusionPath(3)).rejects.toThrow('no leaf 3');
    await expect(tree.inclusionPath(0)).rejects.toThrow('no tile of 3 hashes');
  });
});
