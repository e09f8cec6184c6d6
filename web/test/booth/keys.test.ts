/** The booth follows the keys of authorities: those it finds at first, and those that come later. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Engine, EngineError } from '../../src/booth/engine.ts';
import { confirmReceipt, loadElection } from '../../src/booth/keys.ts';
import { Nodes } from '../../src/booth/nodes.ts';
import { RemoteError } from '../../src/booth/remote.ts';
import { type Bytes, concat, fromBase64, toBase64 } from '../../src/crypto/bytes.ts';
import { readEntry } from '../../src/election/entry.ts';
import { printReceipt } from '../../src/ledger/receipt.ts';
import { inclusionPath, leafHash } from '../../src/ledger/tree.ts';
import { Archive } from '../../src/verify/archive.ts';
import { sourceOfBytes } from '../../src/verify/source.ts';
import { hex, readVectors } from '../vectors/read.ts';

interface Vector {
  readonly others: { readonly archive: string; readonly succession?: string }[];
}

const { others } = readVectors<Vector>('election');
const vector = others.find(({ succession }) => succession !== undefined)!;
const archive = await Archive.open(sourceOfBytes(hex(vector.archive)));
const leaves: Bytes[] = [];
for await (const leaf of archive.leaves()) leaves.push(leaf);
const bodies = leaves.map((leaf) => readEntry(leaf).body);
const [founding] = bodies;
if (founding?.kind !== 'manifest') throw new Error('leaf 0 is the manifest');
const manifest = founding.manifest;
const [changeAt] = archive.newKeys as [number];
const ballotAt = bodies.findIndex(({ kind }) => kind === 'ballot');

function receiptOf(index: number, extra: Bytes): string {
  const path = inclusionPath(leaves.map(leafHash), index);
  return printReceipt({ extra, index: BigInt(index), path, note: archive.last });
}

const leaf = leaves[ballotAt]!;
const receipt = receiptOf(ballotAt, concat(leaf.subarray(0, 7), leaf.subarray(-64)));
const change = {
  entry: toBase64(leaves[changeAt]!),
  receipt: receiptOf(changeAt, new Uint8Array(0)),
};
/** The same change with the signature of one authority spoilt. */
const forged = { ...change, entry: toBase64(spoilt(leaves[changeAt]!)) };

function spoilt(entry: Bytes): Bytes {
  const bytes = Uint8Array.from(entry);
  bytes[bytes.length - 70]! ^= 1;
  return bytes;
}

/** The engine as the page calls it. */
function remote(engine: Engine) {
  const call = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new RemoteError(error.code, error.message);
    }
  };
  return {
    found: (bytes: Bytes) => call(() => engine.found(bytes)),
    follow: (told: Parameters<Engine['follow']>[0]) => call(() => engine.follow(told)),
    confirm: (text: string, own: Bytes) => call(() => engine.confirm(text, own)),
  };
}

/** Nodes of which each tells these changes; a number is a node that answers with this status. */
function nodesTelling(tell: () => readonly (readonly object[] | number)[]) {
  const asked: string[] = [];
  const origins = tell().map((_, at) => `http://n${at + 1}`);
  const nodes = new Nodes(origins[0]!, async (address) => {
    asked.push(address);
    if (address.endsWith('/manifest')) return new Response(Uint8Array.from(manifest));
    const told = tell()[origins.findIndex((origin) => address.startsWith(`${origin}/`))];
    if (typeof told === 'number') return new Response('{}', { status: told });
    return new Response(JSON.stringify({ successions: told }));
  });
  nodes.origins = origins;
  return { nodes, asked };
}

let engine: Engine;
let ballot: Bytes;

beforeEach(() => {
  engine = new Engine();
  ballot = engine.ballotOfLeaf(leaf)!;
});

describe('a receipt that a replaced key has cosigned', () => {
  it('holds with the changes that any node tells at first', async () => {
    const { nodes } = nodesTelling(() => [[], 404, [change]]);
    await loadElection(nodes, remote(engine), 'e');
    const { signers, leaf: index } = engine.confirm(receipt, ballot);
    expect([signers.length, index]).toEqual([3, ballotAt]);
    expect(signers).toContain('node-4.vote.example');
  });

  it('holds with a change that nodes tell only later', async () => {
    let isChanged = false;
    const { nodes, asked } = nodesTelling(() => [[], isChanged ? [change] : []]);
    await loadElection(nodes, remote(engine), 'e');
    const confirm = () => confirmReceipt(nodes, remote(engine), 'e', receipt, ballot);
    await expect(confirm()).rejects.toMatchObject({ code: 'bad-receipt' });
    isChanged = true;
    expect((await confirm()).leaf).toBe(ballotAt);
    // What is known is not asked for again.
    const before = asked.length;
    expect((await confirm()).leaf).toBe(ballotAt);
    expect(asked.length).toBe(before);
  });

  it('does not hold with a forged change, and a true one is taken beside it', async () => {
    const confirm = (told: readonly object[][]) =>
      confirmReceipt(nodesTelling(() => told).nodes, remote(engine), 'e', receipt, ballot);
    engine.found(manifest);
    await expect(confirm([[forged]])).rejects.toMatchObject({ code: 'bad-receipt' });
    for (const strange of [{ ...change, receipt: 7 }, { ...change, entry: null }, {}]) {
      await expect(confirm([[strange]])).rejects.toMatchObject({ code: 'bad-receipt' });
    }
    expect((await confirm([[forged, change], [forged], [change]])).leaf).toBe(ballotAt);
  });

  it('is still the receipt of one ballot', async () => {
    const { nodes } = nodesTelling(() => [[change]]);
    await loadElection(nodes, remote(engine), 'e');
    const other = Uint8Array.from(ballot);
    other[90]! ^= 1;
    expect(() => engine.confirm(receipt, other)).toThrow(EngineError);
  });
});

it('what is known of keys is not unlearnt, and begins anew with another election', () => {
  const told = [{ entry: fromBase64(change.entry)!, receipt: change.receipt }];
  engine.found(manifest);
  expect(engine.follow([told])).toBe(true);
  expect(engine.follow([[], told])).toBe(false);
  expect(engine.confirm(receipt, ballot).signers).toHaveLength(3);
  engine.found(manifest);
  expect(() => engine.confirm(receipt, ballot)).toThrow('2 authorities signed; 3 are needed');
});
