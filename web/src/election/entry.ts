/** Entries: what is appended to the ledger, with stamp, appender and signature around it. */

import { type Bytes, concat, LayoutError, Reader } from '../crypto/bytes.ts';
import type { Role } from './manifest.ts';
import { ORDER_KINDS, type OrderKind, readOrder, type SignedOrder } from './order.ts';

export type Body =
  | { readonly kind: 'manifest'; readonly manifest: Bytes; readonly signature: Bytes }
  | { readonly kind: 'roll'; readonly chunk: Bytes }
  | { readonly kind: 'ceremony'; readonly message: Bytes }
  | {
      readonly kind: 'endorsement';
      readonly role: Role;
      readonly number: number;
      readonly signature: Bytes;
    }
  | { readonly kind: 'open'; readonly signature: Bytes }
  | { readonly kind: 'ballot'; readonly ballot: Bytes }
  | { readonly kind: 'close'; readonly signature: Bytes }
  | { readonly kind: 'share'; readonly trustee: number; readonly share: Bytes }
  | { readonly kind: 'result'; readonly result: Bytes }
  | { readonly kind: OrderKind; readonly order: SignedOrder }
  | { readonly kind: 'new-key'; readonly succession: Bytes };

export type Kind = Body['kind'];

const KINDS: readonly Kind[] = [
  'manifest',
  'roll',
  'ceremony',
  'endorsement',
  'open',
  'ballot',
  'close',
  'share',
  'result',
  ...ORDER_KINDS,
];

/** The byte of an authority's new key. */
export const NEW_KEY = 30;

function kindOf(byte: number): Kind | undefined {
  return byte === NEW_KEY ? 'new-key' : KINDS[byte - 1];
}

export interface Entry {
  /** Minutes since 1970 UTC. */
  readonly stamp: number;
  readonly appender: number;
  readonly body: Body;
  readonly signature: Bytes;
  readonly signed: Bytes;
}

export const ENTRY_TAG = 'quorate/entry/v1';
const ENTRY_BYTES_MAX = 65_535;

/** Throws a `LayoutError`. */
export function readEntry(bytes: Bytes): Entry {
  if (bytes.length > ENTRY_BYTES_MAX) throw new LayoutError('an entry has at most 65535 bytes');
  if (bytes.length < 64) throw new LayoutError('the bytes end inside the signature');
  const signed = bytes.subarray(0, -64);
  const reader = new Reader(signed);
  if (reader.u8('version') !== 1) reader.fail('version', 'is not 1');
  const kind = kindOf(reader.u8('kind')) ?? reader.fail('kind', 'is unknown');
  const stamp = reader.u32be('stamp');
  const appender = reader.u8('appender');
  const body = readBody(kind, reader);
  reader.end();
  return { stamp, appender, body, signature: bytes.subarray(-64), signed };
}

function readBody(kind: Kind, reader: Reader): Body {
  switch (kind) {
    case 'manifest': {
      const manifest = reader.take(Math.max(0, reader.left - 64), 'manifest');
      return { kind, manifest, signature: reader.take(64, 'signature') };
    }
    case 'roll':
      return { kind, chunk: reader.rest() };
    case 'ceremony':
      return { kind, message: reader.rest() };
    case 'endorsement': {
      const role = reader.u8('role');
      if (role !== 1 && role !== 2) reader.fail('role', 'is 1 or 2');
      const number = reader.u8('number');
      const signature = reader.take(64, 'signature');
      return { kind, role: role === 1 ? 'trustee' : 'authority', number, signature };
    }
    case 'open':
    case 'close':
      return { kind, signature: reader.take(64, 'signature') };
    case 'ballot':
      return { kind, ballot: reader.rest() };
    case 'share':
      return { kind, trustee: reader.u8('trustee'), share: reader.rest() };
    case 'result':
      return { kind, result: reader.rest() };
    case 'new-key':
      return { kind, succession: reader.rest() };
    default:
      return { kind, order: readOrder(kind, reader) };
  }
}

/** What the appender signs. */
export function appendedMessage(election: Bytes, { signed }: Entry): Bytes {
  return concat(election, signed);
}
