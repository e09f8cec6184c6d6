/** The key with which a voter signs: of a code, or of a seed made in the browser. */

import { hkdf } from '@noble/hashes/hkdf.js';
import { type Bytes, textBytes } from './bytes.ts';
import { sha512 } from './hash.ts';
import { publicKeyOf } from './signature.ts';

export interface Credential {
  /** Ed25519 seed, 32 bytes; secret. */
  readonly seed: Bytes;
  readonly publicKey: Bytes;
}

export function credentialOfSeed(seed: Bytes): Credential {
  return { seed, publicKey: publicKeyOf(seed) };
}

/** The credential of a code (15 bytes) in an election (id of 16 bytes). */
export function credentialOfCode(code: Bytes, electionId: Bytes): Credential {
  return credentialOfSeed(hkdf(sha512, code, electionId, textBytes('cred/v1'), 32));
}
