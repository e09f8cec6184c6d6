/** Ballots against each other: chains of each credential, and ciphertexts that stand once only. */

import { type Bytes, equal } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import type { BallotHeader, ParsedBallot } from '../crypto/parsed.ts';
import { aPrefixes, BallotError, checkEnvelope, parseBallot } from '../crypto/parsed.ts';
import { need, Refusal, type RefusalCode, refuse } from '../election/refusal.ts';
import type { Roll } from '../election/roll.ts';
import type { Charter } from './setup.ts';

const KEY_BYTES = 16;

/** A set of 16-byte keys in one array: a million ballots cost no million strings. */
export class KeySet {
  #slots = new Uint32Array(4 * 1024);
  #used = new Uint8Array(1024);
  size = 0;

  #find(words: Uint32Array): number {
    const mask = this.#used.length - 1;
    let slot = (words[0]! ^ Math.imul(words[1]!, 0x9e3779b1)) & mask;
    while (this.#used[slot] === 1 && !this.#holds(slot, words)) slot = (slot + 1) & mask;
    return slot;
  }

  #holds(slot: number, words: Uint32Array): boolean {
    return words.every((word, at) => this.#slots[4 * slot + at] === word);
  }

  has(key: Bytes): boolean {
    return this.#used[this.#find(wordsOf(key))] === 1;
  }

  /** False when it was there. */
  add(key: Bytes): boolean {
    const words = wordsOf(key);
    const slot = this.#find(words);
    if (this.#used[slot] === 1) return false;
    this.#slots.set(words, 4 * slot);
    this.#used[slot] = 1;
    this.size += 1;
    if (2 * this.size > this.#used.length) this.#grow();
    return true;
  }

  #grow(): void {
    const [slots, used] = [this.#slots, this.#used];
    this.#slots = new Uint32Array(2 * slots.length);
    this.#used = new Uint8Array(2 * used.length);
    for (let slot = 0; slot < used.length; slot++) {
      if (used[slot] === 0) continue;
      const words = slots.slice(4 * slot, 4 * slot + 4);
      const place = this.#find(words);
      this.#slots.set(words, 4 * place);
      this.#used[place] = 1;
    }
  }
}

function wordsOf(key: Bytes): Uint32Array {
  return new Uint32Array(key.slice(0, KEY_BYTES).buffer);
}

/** A ballot that breaks no rule; its equations are still to be checked. */
export interface Vote {
  readonly parsed: ParsedBallot;
  readonly weight: bigint;
  /** The leaf that it replaces. */
  readonly replaces: number | undefined;
}

export interface Turnout {
  readonly ballots: number;
  readonly voters: number;
  readonly weight: bigint;
}

const FAULT_CODES: Record<BallotError['code'], RefusalCode> = {
  'ballot-length': 'malformed',
  'ballot-version': 'wrong-version',
  'ballot-election': 'wrong-election',
  'ballot-credential': 'malformed',
  'ballot-kind': 'malformed',
  'ballot-encoding': 'malformed',
  'ballot-signature': 'bad-signature',
  'ballot-proof': 'bad-proof',
};

export function refusalOf(error: BallotError): Refusal {
  return new Refusal(FAULT_CODES[error.code], `In this ballot: ${error.code}.`);
}

/** Runs what may throw a `BallotError` and turns that into a refusal. */
export function orRefuse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof BallotError) throw refusalOf(error);
    throw error;
  }
}

/** Version, election and length of a ballot. */
export function checkHeader(ballot: Bytes, { context }: Charter): BallotHeader {
  return orRefuse(() => checkEnvelope(ballot, context));
}

export class Voting {
  readonly #charter: Charter;
  readonly roll: Roll;
  /** By place in the roll: 1 + number of the last accepted ballot, its hash, its leaf. */
  readonly #sequence: Float64Array;
  readonly #hashes: Bytes;
  readonly #leaves: Float64Array;
  readonly #accepted = new KeySet();
  readonly #seen = new KeySet();
  #turnout = { ballots: 0, voters: 0, weight: 0n };

  constructor(charter: Charter, roll: Roll) {
    this.#charter = charter;
    this.roll = roll;
    this.#sequence = new Float64Array(roll.count);
    this.#hashes = new Uint8Array(32 * roll.count);
    this.#leaves = new Float64Array(roll.count);
  }

  get turnout(): Turnout {
    return this.#turnout;
  }

  checkNew(hash: Bytes): void {
    need(!this.#accepted.has(hash), 'already-accepted', 'These bytes are a leaf already.');
  }

  /** Judges a ballot by all rules but its equations, and takes it in. */
  add(ballot: Bytes, leaf: number): Vote {
    const header = checkHeader(ballot, this.#charter);
    const hash = sha256(ballot);
    this.checkNew(hash);
    const place = this.roll.find(header.credential);
    if (place === undefined) return refuse('not-on-roll', 'The credential is not on the roll.');
    this.#checkChain(place, header);
    const prefixes = orRefuse(() => aPrefixes(ballot, this.#charter.context));
    const own = new KeySet();
    const fresh = prefixes.every((prefix) => own.add(prefix) && !this.#seen.has(prefix));
    need(fresh, 'repeated-ciphertext', 'A ciphertext stands in an accepted ballot already.');
    const parsed = orRefuse(() => parseBallot(ballot, this.#charter.context));
    for (const prefix of prefixes) this.#seen.add(prefix);
    this.#accepted.add(hash);
    const again = this.#sequence[place] !== 0;
    const replaces = again ? this.#leaves[place] : undefined;
    this.#sequence[place] = header.seq + 1;
    this.#hashes.set(hash, 32 * place);
    this.#leaves[place] = leaf;
    const weight = BigInt(this.roll.weight(place));
    this.#count(again, weight);
    return { parsed, weight, replaces };
  }

  #count(again: boolean, weight: bigint): void {
    const { ballots, voters, weight: before } = this.#turnout;
    this.#turnout = again
      ? { ballots: ballots + 1, voters, weight: before }
      : { ballots: ballots + 1, voters: voters + 1, weight: before + weight };
  }

  #checkChain(place: number, { seq, prev }: BallotHeader): void {
    const next = this.#sequence[place]!;
    if (next === 0) {
      const first = seq === 0 && prev.every((byte) => byte === 0);
      need(first, 'broken-chain', 'The first ballot has number 0 and no predecessor.');
      return;
    }
    const { revote } = this.#charter.manifest.definition;
    need(revote, 'revote-not-allowed', 'This credential has voted already.');
    const follows = seq === next && equal(prev, this.#hashes.subarray(32 * place, 32 * place + 32));
    need(follows, 'broken-chain', "The ballot does not follow its credential's last one.");
  }
}
