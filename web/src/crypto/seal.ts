/** A secret under a passphrase: Argon2id, then ChaCha20-Poly1305. */

import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { argon2id } from '@noble/hashes/argon2.js';
import { type Bytes, concat, equal, LayoutError, Reader, textBytes, u8, u32le } from './bytes.ts';

const MAGIC = textBytes('QSEAL');

export interface SealCost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

export const DEFAULT_COST: SealCost = { memoryKib: 65_536, passes: 3, lanes: 4 };

/** The bytes are no sealed secret, or the passphrase is another one. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

function isAllowed({ memoryKib, passes, lanes }: SealCost): boolean {
  const memory = memoryKib >= 8 && memoryKib <= 1_048_576 && memoryKib >= 8 * lanes;
  return memory && passes >= 1 && passes <= 64 && lanes >= 1 && lanes <= 16;
}

function keyOf(passphrase: string, salt: Bytes, { memoryKib, passes, lanes }: SealCost): Bytes {
  const options = { t: passes, m: memoryKib, p: lanes, dkLen: 32, version: 0x13 };
  return argon2id(textBytes(passphrase), salt, options);
}

/** `draw` gives fresh random bytes. */
export function seal(
  secret: Bytes,
  passphrase: string,
  cost: SealCost,
  draw: (length: number) => Bytes,
): Bytes {
  if (!isAllowed(cost)) throw new SealError('the cost is out of bounds');
  const fresh = draw(28);
  const costs = [cost.memoryKib, cost.passes, cost.lanes].map(u32le);
  const head = concat(MAGIC, u8(1), ...costs, fresh);
  const key = keyOf(passphrase, fresh.subarray(0, 16), cost);
  return concat(head, chacha20poly1305(key, fresh.subarray(16), head).encrypt(secret));
}

export function openSeal(sealed: Bytes, passphrase: string): Bytes {
  try {
    const reader = new Reader(sealed);
    if (!equal(reader.take(5, 'magic'), MAGIC)) throw new SealError('not a sealed secret');
    if (reader.u8('version') !== 1) throw new SealError('another version');
    const [memoryKib, passes, lanes] = [reader.u32le('m'), reader.u32le('t'), reader.u32le('p')];
    if (!isAllowed({ memoryKib, passes, lanes })) throw new SealError('the cost is out of bounds');
    const salt = reader.take(16, 'salt');
    const nonce = reader.take(12, 'nonce');
    const head = sealed.subarray(0, reader.offset);
    const key = keyOf(passphrase, salt, { memoryKib, passes, lanes });
    return decrypt(key, nonce, head, reader.rest());
  } catch (error) {
    if (error instanceof LayoutError) throw new SealError(error.message);
    throw error;
  }
}

function decrypt(key: Bytes, nonce: Bytes, head: Bytes, body: Bytes): Bytes {
  try {
    return chacha20poly1305(key, nonce, head).decrypt(body);
  } catch {
    throw new SealError('the passphrase is another one, or the file was changed');
  }
}
