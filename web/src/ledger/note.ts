/**
 * Checkpoints and the signatures below them. One note has one text: whatever differs from what
 * printing gives is refused.
 */

import {
  type Bytes,
  concat,
  fromBase64,
  textBytes,
  toBase64,
  toHex,
  u64be,
} from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { isLargeOrderKey, isPlainSignature } from '../crypto/signature.ts';

/** A text is not what it must be. */
export class NoteError extends Error {
  override readonly name = 'NoteError';
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: bigint;
  readonly root: Bytes;
}

export interface NoteSignature {
  readonly name: string;
  /** Key id (4 bytes) and what follows it. */
  readonly keyId: Bytes;
  readonly bytes: Bytes;
}

export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly signatures: readonly NoteSignature[];
}

const SIGNATURES_MAX = 64;

/** Names of logs and keys: 1 to 255 bytes, no white space, no control character, no `+`. */
export function isName(text: string): boolean {
  const length = textBytes(text).length;
  return length >= 1 && length <= 255 && !/[\p{White_Space}\p{Cc}+]/u.test(text);
}

/** Names of keys are shorter. */
function isKeyName(text: string): boolean {
  return isName(text) && textBytes(text).length <= 128;
}

/** A decimal number below 2^64 without leading zeros. */
export function readDecimal(text: string): bigint | undefined {
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < 1n << 64n ? value : undefined;
}

export function printCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

export function parseCheckpoint(text: string): Checkpoint {
  const [origin, sizeText, rootText, end, ...more] = text.split('\n');
  if (origin === undefined || !isName(origin)) throw new NoteError('line 1 is no origin');
  const size = readDecimal(sizeText ?? '');
  if (size === undefined) throw new NoteError('line 2 is no size');
  const root = fromBase64(rootText ?? '');
  if (root?.length !== 32) throw new NoteError('line 3 is no root');
  if (end !== '' || more.length > 0) {
    throw new NoteError('a checkpoint has three lines, each ended by a newline');
  }
  return { origin, size, root };
}

export function printNote({ checkpoint, signatures }: SignedCheckpoint): string {
  const lines = signatures.map(
    ({ name, keyId, bytes }) => `— ${name} ${toBase64(concat(keyId, bytes))}\n`,
  );
  return `${printCheckpoint(checkpoint)}\n${lines.join('')}`;
}

export function parseNote(text: string): SignedCheckpoint {
  const at = text.indexOf('\n\n');
  if (at < 0) throw new NoteError('no empty line separates text and signatures');
  const checkpoint = parseCheckpoint(text.slice(0, at + 1));
  const lines = text.slice(at + 2).split('\n');
  if (lines.pop() !== '') throw new NoteError('the last line has no newline');
  if (lines.length > SIGNATURES_MAX) throw new NoteError('more than 64 signatures');
  const signatures = lines.map(parseSignatureLine);
  const keys = new Set(signatures.map(({ name, keyId }) => `${name} ${toHex(keyId)}`));
  if (keys.size < signatures.length) throw new NoteError('two signatures of one key');
  return { checkpoint, signatures };
}

function parseSignatureLine(line: string): NoteSignature {
  const parts = line.split(' ');
  const [dash, name, encoded] = parts;
  const bytes = fromBase64(encoded ?? '');
  if (parts.length !== 3 || dash !== '—' || bytes === undefined || !isKeyName(name!)) {
    throw new NoteError('a signature line is not well-formed');
  }
  if (bytes.length < 5 || bytes.length > 4 + 8192) {
    throw new NoteError('a signature is too short or too long');
  }
  return { name: name!, keyId: bytes.slice(0, 4), bytes: bytes.slice(4) };
}

/** The public key of an authority. */
export interface AuthorityKey {
  readonly name: string;
  readonly key: Bytes;
}

const COSIGNATURE_TYPE = 4;

export function keyIdOf({ name, key }: AuthorityKey): Bytes {
  const type = Uint8Array.of(0x0a, COSIGNATURE_TYPE);
  return sha256(textBytes(name), type, key).slice(0, 4);
}

export function printKey(authority: AuthorityKey): string {
  const typed = concat(Uint8Array.of(COSIGNATURE_TYPE), authority.key);
  return `${authority.name}+${toHex(keyIdOf(authority))}+${toBase64(typed)}`;
}

/** Whether name and key are what an authority's may be. */
export function isUsable({ name, key }: AuthorityKey): boolean {
  return isKeyName(name) && isLargeOrderKey(key);
}

/** `undefined` when the text is no key of the one type that authorities have. */
export function parseKey(text: string): AuthorityKey | undefined {
  const [name, , ...encoded] = text.split('+');
  const typed = fromBase64(encoded.join('+'));
  if (typed?.length !== 33 || typed[0] !== COSIGNATURE_TYPE) {
    return undefined;
  }
  const authority = { name: name!, key: typed.slice(1) };
  return isUsable(authority) && printKey(authority) === text ? authority : undefined;
}

/** What a cosignature signs. */
export function cosignedMessage(checkpoint: Checkpoint, seconds: bigint): Bytes {
  return textBytes(`cosignature/v1\ntime ${seconds}\n${printCheckpoint(checkpoint)}`);
}

/** Whether the bytes after a key id are this key's cosignature of the checkpoint. */
export function isCosignature(
  { key }: AuthorityKey,
  checkpoint: Checkpoint,
  bytes: Bytes,
): boolean {
  if (bytes.length !== 72) return false;
  const seconds = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  if (seconds >= 1n << 63n) return false;
  const message = cosignedMessage(checkpoint, seconds);
  return isPlainSignature(key, message, bytes.subarray(8));
}

/** The bytes of a cosignature, given its signature. */
export function cosignatureBytes(seconds: bigint, signature: Bytes): Bytes {
  return concat(u64be(seconds), signature);
}
