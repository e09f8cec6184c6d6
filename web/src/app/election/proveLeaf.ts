/** Proves, in this browser, that a leaf stands on the ledger that a quorum has signed. */

import { fromBase64, LayoutError, textOf, toHex } from '../../crypto/bytes.ts';
import { readManifest } from '../../election/manifest.ts';
import { followKeys, SuccessionError } from '../../election/succession.ts';
import { NoteError, parseNote } from '../../ledger/note.ts';
import { PolicyError, parsePolicy, QuorumError, verifyFinal } from '../../ledger/policy.ts';
import { TileTree } from '../../ledger/proof.ts';
import { leafHash, provesInclusion } from '../../ledger/tree.ts';
import { api, fetchBytes, take } from '../api/client.ts';

export type Proof =
  | { readonly kind: 'not-final' }
  | {
      readonly kind: 'proven';
      readonly size: number;
      /** Hashes from the leaf upwards, hex. */
      readonly path: readonly string[];
      /** Names of the authorities that signed. */
      readonly signers: readonly string[];
    }
  | { readonly kind: 'false'; readonly why: string };

/** Fetches leaf, checkpoint, keys and tiles, and checks what they say against each other. */
export async function proveLeaf(id: string, index: number): Promise<Proof> {
  const base = `/api/v1/elections/${id}`;
  const params = { path: { id }, query: { from: index, limit: 1 } };
  const [{ leaves }, noteBytes, trustBytes, manifestBytes] = await Promise.all([
    take(api.GET('/api/v1/elections/{id}/leaves', { params })),
    fetchBytes(`${base}/checkpoint`),
    fetchBytes(`${base}/trust`),
    fetchBytes(`${base}/manifest`),
  ]);
  // After the checkpoint: whichever keys have signed it are told now.
  const { successions } = await take(
    api.GET('/api/v1/elections/{id}/successions', { params: { path: { id } } }),
  );
  try {
    const trust = parsePolicy(textOf(trustBytes) ?? '');
    const note = parseNote(textOf(noteBytes) ?? '');
    const changes = successions.map(({ entry, receipt }) => ({
      entry: fromBase64(entry) ?? new Uint8Array(0),
      receipt,
    }));
    const keys = followKeys(readManifest(manifestBytes), trust, changes);
    const policy = keys.policyAt(trust, note.checkpoint.size);
    const signers = verifyFinal(policy, note).map((at) => policy.authorities[at - 1]?.name ?? '?');
    const size = Number(note.checkpoint.size);
    if (index >= size) return { kind: 'not-final' };
    const leaf = fromBase64(leaves[0] ?? '*');
    if (leaf === undefined) return { kind: 'false', why: 'no leaf' };
    const tree = new TileTree(size, (path) => fetchBytes(`${base}/${path}`));
    const path = await tree.inclusionPath(index);
    const { root } = note.checkpoint;
    if (!provesInclusion(leafHash(leaf), BigInt(index), BigInt(size), path, root)) {
      return { kind: 'false', why: 'root' };
    }
    return { kind: 'proven', size, path: path.map(toHex), signers };
  } catch (error) {
    const told = [NoteError, PolicyError, QuorumError, RangeError, LayoutError, SuccessionError];
    if (!told.some((kind) => error instanceof kind)) throw error;
    return { kind: 'false', why: (error as Error).message };
  }
}
