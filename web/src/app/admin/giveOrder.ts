/** Orders, signed here with the administrator's key and sent: one, or one for each newcomer. */

import { type Bytes, toBase64, toHex } from '../../crypto/bytes.ts';
import { type Order, writeOrder } from '../../election/order.ts';
import type { Voter } from '../../election/roll.ts';
import { api, idempotencyKey, type Schemas, take } from '../api/client.ts';
import type { Election } from '../election/useElection.ts';
import { fingerprintBytes, readDraft } from './seal.ts';

/**
 * Sends an order with the number that follows those on the ledger. The answer comes when the order
 * is on the ledger; one that waits for a second person is answered with the proposal.
 */
export async function giveOrder(
  election: Election,
  seed: Bytes,
  order: Order,
): Promise<Schemas['Done'] | Schemas['Proposal']> {
  const { id, draft, fingerprint, next_order } = election;
  if (draft != null) readDraft(draft, seed);
  const bytes = writeOrder(seed, fingerprintBytes(fingerprint), next_order ?? 0, order);
  const params = { path: { id }, header: { 'Idempotency-Key': idempotencyKey() } };
  const body = { order: toBase64(bytes) };
  return await take(api.POST('/api/v1/elections/{id}/orders', { params, body }));
}

/** What the node knows about a key. */
export async function askCredential(id: string, key: Bytes): Promise<Schemas['Credential']> {
  const params = { path: { id, key: toHex(key) } };
  return await take(api.GET('/api/v1/elections/{id}/credentials/{key}', { params }));
}

/** How far the newcomers of a file are. */
export interface Enrolled {
  readonly added: number;
  /** They are, or were, on the roll already. */
  readonly known: number;
}

/**
 * Adds everybody who is not on the roll, each by an order of their own. When one is refused the
 * others before it stay added; doing it again goes on with the rest.
 */
export async function addNewcomers(
  { id }: Election,
  seed: Bytes,
  voters: readonly Voter[],
  onProgress: (enrolled: Enrolled) => void,
): Promise<Enrolled> {
  let [added, known] = [0, 0];
  const params = { path: { id } };
  const election = await take(api.GET('/api/v1/elections/{id}', { params }));
  const first = election.next_order ?? 0;
  for (const voter of voters) {
    if ((await askCredential(id, voter.key)).on_roll) known += 1;
    else {
      await giveOrder({ ...election, next_order: first + added }, seed, { act: 'add', voter });
      added += 1;
    }
    onProgress({ added, known });
  }
  return { added, known };
}
