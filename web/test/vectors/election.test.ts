/** The record of a whole small election, as Rust made it. */

import { describe, expect, it } from 'vitest';
import { type Bytes, concat, LayoutError, toHex } from '../../src/crypto/bytes.ts';
import { readEntry } from '../../src/election/entry.ts';
import { isEndorsedBy, isSignedByAdmin, readManifest } from '../../src/election/manifest.ts';
import { readSuccession, Successions } from '../../src/election/succession.ts';
import { parsePolicy } from '../../src/ledger/policy.ts';
import { Archive } from '../../src/verify/archive.ts';
import { exitStatus } from '../../src/verify/report.ts';
import { sourceOfBytes } from '../../src/verify/source.ts';
import { verify } from '../../src/verify/verifier.ts';
import { hex, readVectors } from './read.ts';

interface Election {
  readonly archive: string;
  readonly counts: number[][];
  readonly election_id: string;
  readonly fingerprint: string;
  readonly kinds: string[];
  readonly manifest: string;
  readonly roll_root: string;
  readonly root: string;
  readonly signatures: { close: string; open: string; seal: string; trustee_1: string };
  readonly trust_file: string;
  /** Other elections: every kind of contest and order, and an open poll. */
  readonly others: {
    readonly archive: string;
    readonly name: string;
    /** As verifiers report it. */
    readonly result: unknown;
    /** The body of the entry with an authority's new key, where there is one. */
    readonly succession?: string;
    readonly trust_file: string;
  }[];
}

const vector = readVectors<Election>('election');
const bytes = hex(vector.archive);
const trust = parsePolicy(vector.trust_file);

/** A source that counts how much of it is asked for at once. */
function counting(bytes: Bytes) {
  const source = sourceOfBytes(bytes);
  const asked = { most: 0 };
  const read = (offset: number, length: number) => {
    asked.most = Math.max(asked.most, length);
    return source.read(offset, length);
  };
  return { source: { size: bytes.length, read }, asked };
}

describe('the manifest', () => {
  const manifest = readManifest(hex(vector.manifest));

  it('has the fingerprint', () => {
    expect(toHex(manifest.fingerprint)).toBe(vector.fingerprint);
    expect(toHex(manifest.id)).toBe(vector.election_id);
    expect(toHex(manifest.roll.root)).toBe(vector.roll_root);
  });

  it('is signed', () => {
    const { seal, open, close, trustee_1 } = vector.signatures;
    expect(isSignedByAdmin('seal', manifest, hex(seal))).toBe(true);
    expect(isSignedByAdmin('open', manifest, hex(open))).toBe(true);
    expect(isSignedByAdmin('close', manifest, hex(close))).toBe(true);
    expect(isSignedByAdmin('close', manifest, hex(open))).toBe(false);
    expect(isEndorsedBy('trustee', 1, manifest, hex(trustee_1))).toBe(true);
    expect(isEndorsedBy('trustee', 2, manifest, hex(trustee_1))).toBe(false);
    expect(isEndorsedBy('authority', 1, manifest, hex(trustee_1))).toBe(false);
  });
});

describe.each(vector.others)('the archive of $name', (other) => {
  it('is verified with the same facts as in Rust', async () => {
    const policy = parsePolicy(other.trust_file);
    const report = await verify(sourceOfBytes(hex(other.archive)), policy);
    expect(report).toMatchObject({ verdict: 'verified', check: null, entry: null });
    expect(report.facts?.result).toEqual(other.result);
  });
});

describe('the new key of an authority', () => {
  const other = vector.others.find(({ succession }) => succession !== undefined)!;
  const policy = parsePolicy(other.trust_file);
  const succession = hex(other.succession!);

  it('is read', () => {
    const read = readSuccession(succession);
    expect(read).toMatchObject({ generation: 1, authority: 4 });
    expect(read.signatures.map(({ signer }) => signer)).toEqual([1, 2, 3]);
    expect(() => readSuccession(succession.subarray(1))).toThrow(LayoutError);
    expect(() => readSuccession(concat(succession, Uint8Array.of(0)))).toThrow(LayoutError);
  });

  it('cosigns only what is behind its own leaf', async () => {
    const archive = await Archive.open(sourceOfBytes(hex(other.archive)));
    const [leaf] = archive.newKeys;
    const manifest = readManifest((await manifestOf(archive)).manifest);
    const bytes = await archive.leaf(leaf!);
    const all = Successions.scan(manifest, [{ index: leaf!, bytes }]);
    const keyAt = (size: number) => all.policyAt(policy, BigInt(size)).authorities[3]!.key;
    expect(keyAt(leaf!)).toEqual(policy.authorities[3]!.key);
    expect(keyAt(leaf! + 1)).toEqual(readSuccession(succession).key);
  });

  it('holds in no other form', async () => {
    const archive = await Archive.open(sourceOfBytes(hex(other.archive)));
    const manifest = readManifest((await manifestOf(archive)).manifest);
    expect(new Successions().check(manifest, succession).number).toBe(4);
    for (let at = 0; at < succession.length; at += 3) {
      const changed = Uint8Array.from(succession);
      changed[at]! ^= 1;
      expect(() => new Successions().check(manifest, changed), `byte ${at}`).toThrow();
    }
  });
});

async function manifestOf(archive: Archive) {
  const { body } = readEntry(await archive.leaf(0));
  if (body.kind !== 'manifest') throw new Error('leaf 0 is the manifest');
  return body;
}

describe('the archive', () => {
  it('is verified', async () => {
    const report = await verify(sourceOfBytes(bytes), trust);
    expect(report).toMatchObject({ verdict: 'verified', check: null, entry: null });
    expect(report.checks.map(({ finding }) => finding)).toEqual(new Array(14).fill('ok'));
    expect(report.facts?.root).toBe(vector.root);
    const counts = report.facts?.result?.counts.map((counts) => counts.map(Number));
    expect(counts).toEqual(vector.counts);
    expect(exitStatus(report)).toBe(0);
  });

  it('is not anchored without a trust file', async () => {
    const report = await verify(sourceOfBytes(bytes), undefined);
    expect(report).toMatchObject({ verdict: 'not-anchored', check: null });
    expect(exitStatus(report)).toBe(3);
  });

  it('has the entries in order', async () => {
    const archive = await Archive.open(sourceOfBytes(bytes));
    const kinds: string[] = [];
    for await (const leaf of archive.leaves()) kinds.push(readEntry(leaf).body.kind);
    const names = vector.kinds.map((kind) =>
      kind.split(' ').at(kind === 'decryption share' ? 1 : 0),
    );
    const own = kinds.map((kind) => ({ open: 'opening', close: 'closing' })[kind] ?? kind);
    expect(own).toEqual(names);
    const leaf = await archive.leaf(7);
    expect(readEntry(leaf).body.kind).toBe('ceremony');
  });

  it('cannot be checked when it is something else', async () => {
    const zip = Uint8Array.of(0x50, 0x4b, 3, 4);
    const report = await verify(sourceOfBytes(zip), trust);
    expect(report).toMatchObject({ verdict: 'could-not-check', check: null, facts: null });
    expect(report.checks).toHaveLength(14);
  });

  it('may not change in any byte, nor end early, nor go on', async () => {
    for (let at = 0; at < bytes.length; at += 211) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      const { verdict } = await verify(sourceOfBytes(changed), trust);
      expect(['not-verified', 'could-not-check']).toContain(verdict);
      const cut = await verify(sourceOfBytes(bytes.subarray(0, at)), trust);
      expect(exitStatus(cut)).not.toBe(0);
    }
    const longer = concat(bytes, Uint8Array.of(10));
    expect(await verify(sourceOfBytes(longer), trust)).toMatchObject({ check: 1 });
  });

  it('is read in pieces', async () => {
    const { source, asked } = counting(bytes);
    await verify(source, trust);
    expect(asked.most).toBeLessThanOrEqual(1 << 20);
  });
});
