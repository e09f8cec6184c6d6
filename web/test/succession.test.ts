/** Changed keys, told without the ledger between them: what holds is followed, nothing else. */

import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, u8, u32be } from '../src/crypto/bytes.ts';
import { framed } from '../src/crypto/hash.ts';
import { readEntry } from '../src/election/entry.ts';
import { type Manifest, policyOf, readManifest } from '../src/election/manifest.ts';
import { followKeys, type KeyChange, SuccessionError } from '../src/election/succession.ts';
import {
  type Checkpoint,
  cosignatureBytes,
  cosignedMessage,
  keyIdOf,
  printNote,
  type SignedCheckpoint,
} from '../src/ledger/note.ts';
import { QuorumError, verifyFinal } from '../src/ledger/policy.ts';
import { parseReceipt, printReceipt } from '../src/ledger/receipt.ts';
import { inclusionPath, leafHash, rootOf } from '../src/ledger/tree.ts';
import { Archive } from '../src/verify/archive.ts';
import { sourceOfBytes } from '../src/verify/source.ts';
import { hex, readVectors } from './vectors/read.ts';

interface Vector {
  readonly manifest: string;
  readonly others: { readonly archive: string; readonly succession?: string }[];
}

const vector = readVectors<Vector>('election');
const changed = vector.others.find(({ succession }) => succession !== undefined)!;
const archive = await Archive.open(sourceOfBytes(hex(changed.archive)));
const leaves: Bytes[] = [];
for await (const leaf of archive.leaves()) leaves.push(leaf);
const [at] = archive.newKeys as [number];
const founding = readEntry(leaves[0]!).body;
if (founding.kind !== 'manifest') throw new Error('leaf 0 is the manifest');
const manifest = readManifest(founding.manifest);
const policy = policyOf(manifest);

function receiptOf(all: readonly Bytes[], index: number, note: SignedCheckpoint): string {
  const path = inclusionPath(all.map(leafHash), index);
  return printReceipt({ extra: new Uint8Array(0), index: BigInt(index), path, note });
}

const honest = { entry: leaves[at]!, receipt: receiptOf(leaves, at, archive.last) };

function refused(changes: readonly KeyChange[], why: string, by: Manifest = manifest): void {
  const follow = () => followKeys(by, policyOf(by), changes);
  expect(follow).toThrow(SuccessionError);
  expect(follow).toThrow(why);
}

/** The entry with another body of the same kind. */
function withBody(entry: Bytes, change: (body: Bytes) => Bytes): Bytes {
  return concat(entry.subarray(0, 7), change(entry.subarray(7, -64)), entry.subarray(-64));
}

describe('the change that the frozen election has', () => {
  it('is followed, and without it the ledger is not final', () => {
    const keys = followKeys(manifest, policy, [honest]);
    expect(keys.count).toBe(1);
    const { size } = archive.last.checkpoint;
    expect(verifyFinal(keys.policyAt(policy, size), archive.last)).toHaveLength(3);
    expect(() => verifyFinal(policy, archive.last)).toThrow(QuorumError);
    // Before its leaf the old key counts.
    expect(keys.policyAt(policy, BigInt(at))).toEqual(policy);
    expect(followKeys(manifest, policy, []).count).toBe(0);
  });

  it('needs a quorum of signatures, each of which holds', () => {
    const fewer = withBody(honest.entry, (body) => {
      const short = Uint8Array.from(body.subarray(0, -65));
      short[37]! -= 1;
      return short;
    });
    refused([{ ...honest, entry: fewer }], 'Fewer than a quorum');
    const forged = Uint8Array.from(honest.entry);
    forged[forged.length - 70]! ^= 1;
    refused([{ ...honest, entry: forged }], 'signature of authority 3');
  });

  it('is not one of another election', () => {
    refused([honest], 'no key, or of no authority', readManifest(hex(vector.manifest)));
    const sister = { ...manifest, fingerprint: new Uint8Array(32) };
    refused([honest], 'signature of authority 1', sister);
  });

  it('is not another leaf, nor told twice, nor another kind of entry', () => {
    const moved = honest.receipt.replace(`index ${at}`, `index ${at - 1}`);
    refused([{ ...honest, receipt: moved }], 'does not lead to the signed root');
    const other = receiptOf(leaves, at + 1, archive.last);
    refused([{ ...honest, receipt: other }], 'does not lead to the signed root');
    refused([honest, honest], 'next change of a key is 2');
    refused([{ entry: leaves[at + 1]!, receipt: other }], 'no change of a key');
    refused([{ entry: new Uint8Array(3), receipt: '' }], 'bytes end');
  });
});

describe('a chain of changes', () => {
  const seed = (number: number) => new Uint8Array(32).fill(number);
  const publicKey = (number: number) => ed25519.getPublicKey(seed(number));
  /** The same election with authorities whose secrets are their numbers. */
  const own: Manifest = {
    ...manifest,
    authorities: manifest.authorities.map((one) => ({ ...one, key: publicKey(one.number) })),
  };

  /** The entry that gives `authority` the key of a seed, signed with `[signer, seed]`. */
  function entryOf(
    generation: number,
    authority: number,
    fresh: number,
    by: readonly (readonly [number, number])[],
  ): Bytes {
    const told = concat(u32be(generation), u8(authority), publicKey(fresh));
    const signatures = by.map(([signer, secret]) => {
      const message = framed('quorate/succession/v1', concat(own.fingerprint, u8(signer), told));
      return concat(u8(signer), ed25519.sign(message, seed(secret)));
    });
    const body = concat(told, u8(by.length), ...signatures);
    return concat(u8(1), u8(30), u32be(0), u8(1), body, new Uint8Array(64));
  }

  /** A checkpoint of the leaves, cosigned with `[authority, seed]`. */
  function noteOf(all: readonly Bytes[], by: readonly (readonly [number, number])[]) {
    const { origin } = policyOf(own);
    const root = rootOf(all.map(leafHash));
    const checkpoint: Checkpoint = { origin, size: BigInt(all.length), root };
    const signatures = by.map(([number, secret]) => {
      const { name } = own.authorities[number - 1]!;
      const signature = ed25519.sign(cosignedMessage(checkpoint, 9n), seed(secret));
      const keyId = keyIdOf({ name, key: publicKey(secret) });
      return { name, keyId, bytes: cosignatureBytes(9n, signature) };
    });
    return { checkpoint, signatures };
  }

  const first = entryOf(1, 4, 14, [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  // Signed with the first one's new key.
  const second = entryOf(2, 3, 13, [
    [1, 1],
    [2, 2],
    [4, 14],
  ]);
  const all = [u8(0), u8(1), first, u8(3), second, u8(5)];
  const told = (note: SignedCheckpoint) => [
    { entry: first, receipt: receiptOf(all, 2, note) },
    { entry: second, receipt: receiptOf(all, 4, note) },
  ];

  it('is followed by the keys that each left', () => {
    const note = noteOf(all, [
      [2, 2],
      [3, 13],
      [4, 14],
    ]);
    const keys = followKeys(own, policyOf(own), told(note));
    expect(keys.count).toBe(2);
    const keyAt = (size: bigint) =>
      keys.policyAt(policyOf(own), size).authorities.map(({ key }) => key[0]);
    const numbers = (secrets: number[]) => secrets.map((secret) => publicKey(secret)[0]);
    expect(keyAt(2n)).toEqual(numbers([1, 2, 3, 4]));
    expect(keyAt(4n)).toEqual(numbers([1, 2, 3, 14]));
    expect(keyAt(5n)).toEqual(numbers([1, 2, 13, 14]));
  });

  it('is refused when a key that was replaced has signed the end of the ledger', () => {
    const note = noteOf(all, [
      [2, 2],
      [3, 3],
      [4, 14],
    ]);
    const follow = () => followKeys(own, policyOf(own), told(note));
    expect(follow).toThrow(SuccessionError);
    expect(follow).toThrow('2 authorities signed; 3 are needed');
  });

  it('is refused with a change in it that a replaced key has signed', () => {
    const stale = entryOf(2, 3, 13, [
      [1, 1],
      [2, 2],
      [4, 4],
    ]);
    const follow = () =>
      followKeys(own, policyOf(own), [
        { entry: first, receipt: honest.receipt },
        { entry: stale, receipt: honest.receipt },
      ]);
    expect(follow).toThrow('signature of authority 4 does not hold');
  });
});

it('a receipt of a leaf that is given by itself has no extra line', () => {
  const read = parseReceipt(honest.receipt);
  expect([read.extra.length, read.index, printNote(read.note)]).toEqual([
    0,
    BigInt(at),
    printNote(archive.last),
  ]);
  expect(printReceipt(read)).toBe(honest.receipt);
  const empty = honest.receipt.replace('index', 'extra \nindex');
  expect(() => parseReceipt(empty)).toThrow('extra line');
});
