/**
 * An election with the keys that its authorities have now. Receipts are checked against them; an
 * authority may get another key at any time, also between the loading and the receipt.
 */

import type { Bytes } from '../crypto/bytes.ts';
import type { Confirmation, ElectionFacts } from './engine.ts';
import type { Nodes } from './nodes.ts';
import { type RemoteEngine, RemoteError } from './remote.ts';

type Keeper = Pick<RemoteEngine, 'found' | 'follow' | 'confirm'>;

/** Loads an election and the changes of its authorities' keys. */
export async function loadElection(
  nodes: Nodes,
  engine: Keeper,
  id: string,
): Promise<ElectionFacts> {
  const [manifest, told] = await Promise.all([nodes.manifest(id), nodes.successions(id)]);
  const facts = await engine.found(manifest);
  await engine.follow(told);
  return facts;
}

/** Checks a receipt; one that does not hold once more when nodes tell of a key that is new here. */
export async function confirmReceipt(
  nodes: Nodes,
  engine: Keeper,
  id: string,
  receipt: string,
  ballot: Bytes,
): Promise<Confirmation> {
  try {
    return await engine.confirm(receipt, ballot);
  } catch (error) {
    if (!(error instanceof RemoteError) || error.code !== 'bad-receipt') throw error;
    if (!(await engine.follow(await nodes.successions(id)))) throw error;
    return await engine.confirm(receipt, ballot);
  }
}
