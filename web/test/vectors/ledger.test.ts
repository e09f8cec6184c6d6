/** Tree, checkpoints, trust file, tiles and receipt, as Rust has them. */

import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { concat, fromBase64, toHex } from '../../src/crypto/bytes.ts';
import {
  cosignatureBytes,
  cosignedMessage,
  isCosignature,
  keyIdOf,
  NoteError,
  parseKey,
  parseNote,
  printKey,
  printNote,
} from '../../src/ledger/note.ts';
import {
  covers,
  PolicyError,
  parsePolicy,
  printPolicy,
  QuorumError,
  verifyFinal,
} from '../../src/ledger/policy.ts';
import { parseReceipt, printReceipt, verifyReceipt } from '../../src/ledger/receipt.ts';
import { parseBundle, parseTile, printBundle, tilePath } from '../../src/ledger/tiles.ts';
import {
  consistencyPath,
  inclusionPath,
  leafHash,
  provesConsistency,
  provesInclusion,
  rootOf,
  TreeHead,
} from '../../src/ledger/tree.ts';
import { hex, readVectors } from './read.ts';

interface Ledger {
  readonly bundle: string;
  readonly consistency: { old: number; new: number; path: string[] }[];
  readonly inclusion: { index: number; size: number; path: string[] }[];
  readonly leaves: string[];
  readonly receipt: string;
  readonly roots: string[];
  readonly signed_checkpoint: string;
  readonly tiles: { bytes: string; path: string }[];
  readonly trust_file: string;
  readonly verifier_keys: string[];
}

const vector = readVectors<Ledger>('ledger');
const hashes = vector.leaves.map((leaf) => leafHash(hex(leaf)));
const roots = vector.roots.map(hex);
const policy = parsePolicy(vector.trust_file);

describe('the tree', () => {
  it('has the roots of every size', () => {
    const tree = new TreeHead();
    roots.forEach((root, size) => {
      expect(toHex(tree.root())).toBe(toHex(root));
      expect(tree.size).toBe(size);
      if (size < hashes.length) tree.append(hashes[size]!);
    });
  });

  it.each(vector.inclusion)('proves leaf $index of $size', ({ index, size, path }) => {
    const own = inclusionPath(hashes.slice(0, size), index);
    expect(own.map(toHex)).toEqual(path);
    const proves = (at: number, steps: readonly Uint8Array[]) =>
      provesInclusion(hashes[index]!, BigInt(at), BigInt(size), steps, roots[size]!);
    expect(proves(index, own)).toBe(true);
    expect(proves(index, [...own, roots[0]!])).toBe(false);
    if (own.length > 0) expect(proves(index, own.slice(1))).toBe(false);
    for (let at = -1; at <= size; at++) expect(proves(at, own)).toBe(at === index);
  });

  it.each(vector.consistency)('proves $old to be a prefix of $new', (vector) => {
    const { old, path } = vector;
    const next = { size: BigInt(vector.new), root: roots[vector.new]! };
    const oldTree = (root: Uint8Array) => ({ size: BigInt(old), root });
    expect(consistencyPath(hashes.slice(0, vector.new), old).map(toHex)).toEqual(path);
    const steps = path.map(hex);
    expect(provesConsistency(oldTree(roots[old]!), next, steps)).toBe(true);
    const foreign = rootOf([roots[0]!]);
    expect(provesConsistency(oldTree(foreign), next, steps)).toBe(false);
    const longer = [...steps, foreign];
    expect(provesConsistency(oldTree(roots[old]!), next, longer)).toBe(false);
  });
});

describe('notes', () => {
  const note = parseNote(vector.signed_checkpoint);

  it('have one text', () => {
    expect(printNote(note)).toBe(vector.signed_checkpoint);
    const text = vector.signed_checkpoint;
    const wrong = [
      text.replace('\n8\n', '\n08\n'),
      text.replace('\n8\n', '\n 8\n'),
      text.replace('\n8\n', '\n8\nextension\n'),
      text.replaceAll('\n', '\r\n'),
      text.trimEnd(),
      `${text}\n`,
      `${text}${text.split('\n')[4]}\n`,
      text.replace('—', '-'),
      text.replace('=\n\n', '\n\n'),
      text.replace('wG==', 'wH=='),
    ];
    for (const changed of wrong) {
      if (changed !== text) expect(() => parseNote(changed)).toThrow(NoteError);
    }
  });

  it('have keys with one text', () => {
    expect(policy.authorities.map(printKey)).toEqual(vector.verifier_keys);
    const [text] = vector.verifier_keys;
    expect(parseKey(text!.replace('+1', '+2'))).toBeUndefined();
    expect(parseKey(`${text} `)).toBeUndefined();
  });

  it('are signed by authorities 1 and 3', () => {
    expect(verifyFinal(policy, note)).toEqual([1, 3]);
    const { signatures, checkpoint } = note;
    const [one, other] = signatures;
    expect(() => verifyFinal(policy, { checkpoint, signatures: [one!] })).toThrow(QuorumError);
    const bytes = Uint8Array.from(other!.bytes);
    bytes[10]! ^= 1;
    const spoiled = { checkpoint, signatures: [one!, { ...other!, bytes }] };
    expect(() => verifyFinal(policy, spoiled)).toThrow(QuorumError);
    const stranger = { ...other!, name: 'stranger', bytes };
    const strange = { checkpoint, signatures: [one!, other!, stranger] };
    expect(verifyFinal(policy, strange)).toEqual([1, 3]);
  });

  it('are cosigned as the format says', () => {
    const seed = new Uint8Array(32).fill(2);
    const authority = policy.authorities[1]!;
    expect(toHex(ed25519.getPublicKey(seed))).toBe(toHex(authority.key));
    const message = cosignedMessage(note.checkpoint, 77n);
    const bytes = cosignatureBytes(77n, ed25519.sign(message, seed));
    expect(isCosignature(authority, note.checkpoint, bytes)).toBe(true);
    expect(isCosignature(policy.authorities[0]!, note.checkpoint, bytes)).toBe(false);
    expect(keyIdOf(authority)).toEqual(hex(vector.verifier_keys[1]!.split('+')[1]!));
    // R the identity and S = k·a satisfies the equation without being a signature.
    const identity = new Uint8Array(72);
    identity[8] = 1;
    expect(isCosignature(authority, note.checkpoint, identity)).toBe(false);
  });
});

describe('the trust file', () => {
  it('has one layout', () => {
    expect(printPolicy(policy)).toBe(vector.trust_file);
    const wrong = [
      vector.trust_file.trimEnd(),
      `${vector.trust_file}\n`,
      vector.trust_file.replace('group authorities 2', 'group authorities 1'),
      vector.trust_file.replace('# faulty 0', '# faulty 1'),
      vector.trust_file.replace('witness 2', 'witness 3'),
      vector.trust_file.replace('v1', 'v2'),
      vector.trust_file.replace('quorum authorities', 'quorum none'),
    ];
    for (const text of wrong) expect(() => parsePolicy(text)).toThrow(PolicyError);
  });

  it('covers one log or all below a prefix', () => {
    const wide = { ...policy, origin: 'vote.example/e/*' };
    expect(covers(wide, 'vote.example/e/00')).toBe(true);
    expect(covers(wide, 'vote.example.org/e/00')).toBe(false);
    expect(covers(policy, policy.origin)).toBe(true);
    expect(covers(policy, `${policy.origin}0`)).toBe(false);
  });
});

it('serves tiles and bundles', () => {
  expect(toHex(printBundle(parseBundle(hex(vector.bundle))))).toBe(vector.bundle);
  expect(printBundle(vector.leaves.map(hex))).toEqual(hex(vector.bundle));
  const [tile] = vector.tiles;
  expect(tilePath(0, 0, 8)).toBe(tile!.path);
  expect(concat(...parseTile(hex(tile!.bytes), 8)!)).toEqual(concat(...hashes));
  expect(tilePath(1, 1_234_067)).toBe('tile/1/x001/x234/067');
  expect(tilePath('entries', 7, 3)).toBe('tile/entries/007.p/3');
});

it('receipts prove a leaf', () => {
  const receipt = parseReceipt(vector.receipt);
  expect(printReceipt(receipt)).toBe(vector.receipt);
  verifyReceipt(receipt, hashes[Number(receipt.index)]!, policy);
  expect(() => verifyReceipt(receipt, hashes[0]!, policy)).toThrow(QuorumError);
  expect(() => parseReceipt(vector.receipt.replace('index 5', 'index 05'))).toThrow(NoteError);
  expect(() => parseReceipt(vector.receipt.replace('extra', 'extras'))).toThrow(NoteError);
  expect(fromBase64('AQI')).toBeUndefined();
});
