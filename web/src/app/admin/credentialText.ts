/** Keys of voters as somebody types them: 64 digits, or the code that the key is made from. */

import { type Bytes, fromHex } from '../../crypto/bytes.ts';
import { CodeError, readCode } from '../../crypto/code.ts';
import { credentialOfCode } from '../../crypto/credential.ts';
import { PublicKey } from '../../crypto/signature.ts';

const KEY_DIGITS = 64;
/** Nothing longer is taken for a code of 25 characters. */
const CODE_CHARACTERS_MAX = 30;

export type Reading =
  | { readonly kind: 'empty' }
  | { readonly kind: 'key'; readonly key: Bytes }
  /** The texts are below `credential.problem`. */
  | { readonly kind: 'wrong'; readonly code: string; readonly values: Values }
  /** The texts are below `code` of the public pages. */
  | { readonly kind: 'wrong-code'; readonly code: string };

type Values = Readonly<Record<string, string | number>>;

/** Reads a key. With `election`, the bytes of its id, a voter's code is read, too. */
export function readCredential(text: string, election?: Bytes): Reading {
  const digits = text.replace(/\s/gu, '');
  if (digits === '') return { kind: 'empty' };
  const plain = digits.replaceAll('-', '');
  return election !== undefined && plain.length <= CODE_CHARACTERS_MAX
    ? readOwnCode(text, election)
    : readKey(digits);
}

function readOwnCode(text: string, election: Bytes): Reading {
  try {
    return { kind: 'key', key: credentialOfCode(readCode(text), election).publicKey };
  } catch (error) {
    if (error instanceof CodeError) return { kind: 'wrong-code', code: error.code };
    throw error;
  }
}

function readKey(digits: string): Reading {
  const wrong = (code: string, values: Values = {}): Reading => ({ kind: 'wrong', code, values });
  const characters = [...digits];
  const at = characters.findIndex((character) => !/[0-9a-f]/i.test(character));
  if (at >= 0) return wrong('digit', { place: at + 1, character: characters[at] as string });
  if (digits.length !== KEY_DIGITS) return wrong('length', { count: digits.length });
  const key = fromHex(digits) as Bytes;
  return typeof PublicKey.read(key) === 'string' ? wrong('unusable') : { kind: 'key', key };
}
