/**
 * Opening a ballot: with what it was made of, anybody makes it again and sees what is in it.
 *
 * All randomness of a ballot follows from 32 random bytes. An opening is these bytes, the choices,
 * and what else stands in the ballot; whoever has it and the manifest makes the same bytes, and
 * compares the tracker with the one that the booth showed before it was asked to open. An opened
 * ballot shows a choice, so it is never cast, and an opening goes to a second device only.
 *
 * As text: `quorate-opening-v1.` and base64url of version 1 · election id (16) · credential (32) ·
 * seq (u32 LE) · prev (32) · group (u8) · draws (32) · signature (64) · u8 count of answers, each a
 * kind (u8: 0 options, 1 scores, 2 a list and candidates of it, 3 blank), a u16 LE count and as many
 * u16 LE numbers.
 */

import { trackerOf } from '../crypto/base32.ts';
import {
  type Bytes,
  concat,
  fromBase64,
  LayoutError,
  Reader,
  toBase64,
  u8,
  u16le,
  u32le,
} from '../crypto/bytes.ts';
import { hashToScalar, sha256 } from '../crypto/hash.ts';
import { readHeader } from '../crypto/parsed.ts';
import { isSignedBy } from '../crypto/signature.ts';
import { BALLOT_SIGNATURE_TAG, type BallotContext, SIGNATURE_BYTES } from '../crypto/statement.ts';
import { type Choice, Encryptor } from './cast.ts';

const PREFIX = 'quorate-opening-v1.';
const VERSION = 1;

/** Scalars in their order, from 32 bytes. */
export function drawsOf(seed: Bytes): () => bigint {
  const own = Uint8Array.from(seed);
  let count = 0;
  return () => hashToScalar('quorate/booth/v1/draw', own, u32le(count++));
}

export interface Opening {
  readonly election: Bytes;
  readonly credential: Bytes;
  readonly seq: number;
  readonly prev: Bytes;
  readonly group: number;
  readonly draws: Bytes;
  readonly signature: Bytes;
  readonly choices: readonly Choice[];
}

/** The opening of a ballot that was made with these draws. */
export function openingOf(
  election: Bytes,
  ballot: Bytes,
  draws: Bytes,
  choices: readonly Choice[],
): Opening {
  const { credential, seq, prev, group } = readHeader(ballot);
  const signature = ballot.subarray(-SIGNATURE_BYTES);
  return { election, credential, seq, prev, group, draws, signature, choices };
}

export function printOpening(opening: Opening): string {
  const { election, credential, seq, prev, group, draws, signature, choices } = opening;
  const head = [u8(VERSION), election, credential, u32le(seq), prev, u8(group), draws, signature];
  const bytes = concat(...head, u8(choices.length), ...choices.map(choiceBytes));
  const text = toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  return `${PREFIX}${text}`;
}

function choiceBytes(choice: Choice): Bytes {
  const tagged = (kind: number, numbers: readonly number[]) =>
    concat(u8(kind), u16le(numbers.length), ...numbers.map(u16le));
  if (choice === 'blank') return tagged(3, []);
  if ('scores' in choice) return tagged(1, choice.scores);
  if ('list' in choice) return tagged(2, [choice.list, ...choice.candidates]);
  return tagged(0, choice);
}

function readChoice(reader: Reader): Choice {
  const kind = reader.u8('kind of an answer');
  const numbers = reader.list(reader.u16le('numbers'), () => reader.u16le('number'));
  if (kind === 0) return numbers;
  if (kind === 1) return { scores: numbers };
  const [list, ...candidates] = numbers;
  if (kind === 2 && list !== undefined) return { list, candidates };
  return kind === 3 && numbers.length === 0 ? 'blank' : reader.fail('answer', 'is of no kind');
}

/** Throws a `LayoutError` that says what is wrong. */
export function parseOpening(text: string): Opening {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) throw new LayoutError('this is no opening of a ballot');
  const plain = trimmed.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
  const bytes = fromBase64(plain.padEnd(Math.ceil(plain.length / 4) * 4, '='));
  if (bytes === undefined) throw new LayoutError('the opening is cut off or has a typing error');
  const reader = new Reader(bytes);
  if (reader.u8('version') !== VERSION) reader.fail('version', 'is not 1');
  const opening = {
    election: reader.take(16, 'election'),
    credential: reader.take(32, 'credential'),
    seq: reader.u32le('seq'),
    prev: reader.take(32, 'prev'),
    group: reader.u8('group'),
    draws: reader.take(32, 'draws'),
    signature: reader.take(64, 'signature'),
    choices: reader.list(reader.u8('answers'), () => readChoice(reader)),
  };
  reader.end();
  return opening;
}

/** What an opening shows. */
export interface Opened {
  readonly tracker: string;
  /** Whether the ballot bears its credential's signature, as a ballot that is cast must. */
  readonly isSigned: boolean;
}

/** Makes the opened ballot again. Throws a `ChoiceError` when its choices are not allowed. */
export function remake(opening: Opening, context: BallotContext): Opened {
  const { credential, draws, signature, choices } = opening;
  const encryptor = new Encryptor(context);
  const signed = encryptor.unsigned(opening, choices, drawsOf(draws));
  const tracker = trackerOf(sha256(signed, signature));
  const isSigned = isSignedBy(credential, BALLOT_SIGNATURE_TAG, signed, signature);
  return { tracker, isSigned };
}
