/** A leaf is proven with the keys that count where its checkpoint ends. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Bytes, concat, textBytes, toBase64 } from '../../src/crypto/bytes.ts';
import { readEntry } from '../../src/election/entry.ts';
import { printNote } from '../../src/ledger/note.ts';
import { printReceipt } from '../../src/ledger/receipt.ts';
import { tilePath } from '../../src/ledger/tiles.ts';
import { inclusionPath, leafHash } from '../../src/ledger/tree.ts';
import { Archive } from '../../src/verify/archive.ts';
import { sourceOfBytes } from '../../src/verify/source.ts';
import { hex, readVectors } from '../vectors/read.ts';

interface Vector {
  readonly others: {
    readonly archive: string;
    readonly succession?: string;
    readonly trust_file: string;
  }[];
}

const { others } = readVectors<Vector>('election');
const vector = others.find(({ succession }) => succession !== undefined)!;
const archive = await Archive.open(sourceOfBytes(hex(vector.archive)));
const leaves: Bytes[] = [];
for await (const leaf of archive.leaves()) leaves.push(leaf);
const hashes = leaves.map(leafHash);
const [at] = archive.newKeys as [number];

const change = {
  entry: toBase64(leaves[at]!),
  receipt: printReceipt({
    extra: new Uint8Array(0),
    index: BigInt(at),
    path: inclusionPath(hashes, at),
    note: archive.last,
  }),
};

/** What a node serves below the election; `successions` as given. */
function serve(successions: readonly object[]): void {
  const [founding] = leaves.map((leaf) => readEntry(leaf).body);
  if (founding?.kind !== 'manifest') throw new Error('leaf 0 is the manifest');
  const { manifest } = founding;
  vi.stubGlobal('fetch', async (request: Request) => {
    const { pathname, searchParams } = new URL(request.url);
    const what = pathname.split('/').slice(5).join('/');
    const json = (body: object) =>
      new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
    const bytes = (body: Bytes) => new Response(Uint8Array.from(body));
    switch (what) {
      case 'leaves': {
        const from = Number(searchParams.get('from'));
        return json({ leaves: [toBase64(leaves[from]!)], next: null });
      }
      case 'successions':
        return json({ successions });
      case 'checkpoint':
        return bytes(textBytes(printNote(archive.last)));
      case 'trust':
        return bytes(textBytes(vector.trust_file));
      case 'manifest':
        return bytes(manifest);
      case tilePath(0, 0, leaves.length):
        return bytes(concat(...hashes));
      default:
        return new Response('{}', { status: 404 });
    }
  });
}

let prove: (index: number) => Promise<object>;

beforeEach(async () => {
  vi.stubGlobal('location', { origin: 'http://n1' });
  // Nobody is signed in.
  vi.stubGlobal('localStorage', { getItem: () => null });
  const { proveLeaf } = await import('../../src/app/election/proveLeaf.ts');
  prove = (index) => proveLeaf('00'.repeat(16), index);
});

afterEach(() => vi.unstubAllGlobals());

describe('a leaf', () => {
  it('is proven by the signature of a key that has followed another', async () => {
    serve([change]);
    const proof = await prove(at + 1);
    expect(proof).toMatchObject({ kind: 'proven', size: leaves.length });
    expect(proof).toHaveProperty('signers', [
      'node-4.vote.example',
      'node-3.vote.example',
      'node-2.vote.example',
    ]);
  });

  it('is not proven when the node tells of no change', async () => {
    serve([]);
    const why = '2 authorities signed; 3 are needed';
    expect(await prove(at + 1)).toEqual({ kind: 'false', why });
  });

  it('is not proven by a change that too few have signed', async () => {
    const entry = Uint8Array.from(leaves[at]!);
    entry[entry.length - 70]! ^= 1;
    serve([{ ...change, entry: toBase64(entry) }]);
    expect(await prove(at + 1)).toMatchObject({ kind: 'false' });
    serve([change, change]);
    expect(await prove(at + 1)).toMatchObject({ kind: 'false' });
  });
});
