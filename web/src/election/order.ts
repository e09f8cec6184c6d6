/** Orders: what the administrator does to an election that is under way. */

import { type Bytes, concat, Reader, u8, u32be } from '../crypto/bytes.ts';
import { isSignedBy, sign } from '../crypto/signature.ts';
import type { Manifest } from './manifest.ts';
import type { Voter } from './roll.ts';
import { readVoter } from './roll.ts';

const ORDER_TAG = 'quorate/order/v1';
/** Of the entries' kinds. */
const FIRST_KIND = 10;

/** In the order of their bytes. */
export const ORDER_KINDS = [
  'pause',
  'resume',
  'extension',
  'reset',
  'roll-change',
  'paper-mark',
] as const;

export type OrderKind = (typeof ORDER_KINDS)[number];

export type Order =
  | { readonly act: 'pause' | 'resume' | 'reset' }
  | { readonly act: 'extend'; readonly closes: number }
  | { readonly act: 'add'; readonly voter: Voter }
  | { readonly act: 'withdraw'; readonly key: Bytes }
  | { readonly act: 'paper'; readonly key: Bytes }
  | { readonly act: 'replace'; readonly key: Bytes; readonly by: Bytes };

export interface SignedOrder {
  /** How many orders stand on the ledger before it. */
  readonly number: number;
  readonly order: Order;
  readonly signature: Bytes;
  /** What is signed, behind the fingerprint. */
  readonly signed: Bytes;
}

function readPayload(kind: OrderKind, reader: Reader): Order {
  switch (kind) {
    case 'pause':
    case 'resume':
    case 'reset':
      return { act: kind };
    case 'extension':
      return { act: 'extend', closes: reader.u32be('closing') };
    case 'paper-mark':
      return { act: 'paper', key: reader.take(32, 'key') };
    case 'roll-change': {
      const change = reader.u8('change');
      if (change === 1) return { act: 'add', voter: readVoter(reader) };
      if (change === 2) return { act: 'withdraw', key: reader.take(32, 'key') };
      if (change !== 3) reader.fail('change', 'is not 1 to 3');
      return { act: 'replace', key: reader.take(32, 'key'), by: reader.take(32, 'new key') };
    }
  }
}

function payloadOf(order: Order): Bytes {
  switch (order.act) {
    case 'pause':
    case 'resume':
    case 'reset':
      return concat();
    case 'extend':
      return u32be(order.closes);
    case 'withdraw':
      return concat(u8(2), order.key);
    case 'replace':
      return concat(u8(3), order.key, order.by);
    case 'paper':
      return order.key;
    case 'add': {
      const { key, weight, group } = order.voter;
      return concat(u8(1), key, u32be(weight), u8(group));
    }
  }
}

function kindOf({ act }: Order): OrderKind {
  if (act === 'extend') return 'extension';
  if (act === 'paper') return 'paper-mark';
  return act === 'add' || act === 'withdraw' || act === 'replace' ? 'roll-change' : act;
}

/**
 * An order with the administrator's signature, as it is sent: the kind of its entry, then its body.
 * `number` is how many orders stand before it.
 */
export function writeOrder(seed: Bytes, fingerprint: Bytes, number: number, order: Order): Bytes {
  const said = concat(u8(FIRST_KIND + ORDER_KINDS.indexOf(kindOf(order))), u32be(number));
  const signed = concat(said, payloadOf(order));
  return concat(signed, sign(seed, ORDER_TAG, concat(fingerprint, signed)));
}

/** Reads an order that ends with its signature. Throws a `LayoutError`. */
export function readOrder(kind: OrderKind, reader: Reader): SignedOrder {
  const body = reader.rest();
  const own = new Reader(body);
  const number = own.u32be('number');
  const order = readPayload(kind, own);
  const signature = own.take(64, 'signature');
  own.end();
  const payload = body.subarray(4, body.length - 64);
  const signed = concat(u8(FIRST_KIND + ORDER_KINDS.indexOf(kind)), u32be(number), payload);
  return { number, order, signature, signed };
}

export function isOrderSigned({ signed, signature }: SignedOrder, manifest: Manifest): boolean {
  const message = concat(manifest.fingerprint, signed);
  return isSignedBy(manifest.admin, ORDER_TAG, message, signature);
}
