/**
 * Enrolment: the voter's client makes the voter's code, and asks the issuer to put its key on the
 * roll. The request is bound to the key by the voter's one-time token, but does not hold it.
 */

import { hkdf } from '@noble/hashes/hkdf.js';
import { type Bytes, concat, textBytes, toHex, u8 } from './bytes.ts';
import type { Credential } from './credential.ts';
import { sha512 } from './hash.ts';
import { sign } from './signature.ts';

const TAG = 'quorate/enrolment/v1/request';
const LINE_DIGITS = 64;

function derived(token: Bytes, electionId: Bytes, info: Bytes, length: number): Bytes {
  return hkdf(sha512, token, electionId, info, length);
}

/** Under which name requests speak of a token. */
export function tokenName(token: Bytes, electionId: Bytes): Bytes {
  return derived(token, electionId, textBytes('enrolment/v1/name'), 16);
}

/** The request of whoever holds the token (15 bytes), for the key of the credential. */
export function makeRequest(token: Bytes, electionId: Bytes, credential: Credential): Bytes {
  const { publicKey, seed } = credential;
  const info = concat(textBytes('enrolment/v1/mac'), publicKey);
  const mac = derived(token, electionId, info, 32);
  const signed = concat(u8(1), electionId, tokenName(token, electionId), publicKey, mac);
  return concat(signed, sign(seed, TAG, signed));
}

/** The text form, for a letter. */
export function printRequest(request: Bytes): string {
  const lines = toHex(request).match(new RegExp(`.{1,${LINE_DIGITS}}`, 'g')) ?? [];
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} QUORATE ENROLMENT-----`);
  return [begin, ...lines, end, ''].join('\n');
}
