/** Hashes of framed fields, as the page about ballots defines them: tag and fields carry lengths. */

import { sha256 as nobleSha256, sha512 } from '@noble/hashes/sha2.js';
import { type Bytes, concat, integerOf, textBytes, u32le } from './bytes.ts';
import { ORDER } from './group.ts';

export { sha512 };

export function sha256(...parts: readonly Bytes[]): Bytes {
  const hash = nobleSha256.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** `len32(tag) ‖ tag ‖ len32(f1) ‖ f1 ‖ …` */
export function framed(tag: string, ...fields: readonly Bytes[]): Bytes {
  const parts = [textBytes(tag), ...fields];
  return concat(...parts.flatMap((part) => [u32le(part.length), part]));
}

/** SHA-512 of the framed fields, 64 bytes. */
export function digest(tag: string, ...fields: readonly Bytes[]): Bytes {
  return sha512(framed(tag, ...fields));
}

/** The first 32 bytes of the digest. */
export function short(tag: string, ...fields: readonly Bytes[]): Bytes {
  return digest(tag, ...fields).subarray(0, 32);
}

/** The digest as a scalar: 512 bits, little-endian, modulo the group order. */
export function hashToScalar(tag: string, ...fields: readonly Bytes[]): bigint {
  return integerOf(digest(tag, ...fields)) % ORDER;
}
