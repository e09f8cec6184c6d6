/**
 * The roll: keys with weight and group, ascending by key. Voters stand side by side in one array of
 * bytes, so that a million of them cost no million objects.
 */

import { type Bytes, compare, equal, LayoutError, Reader, textBytes } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { PublicKey } from '../crypto/signature.ts';
import type { RollSummary } from './manifest.ts';
import { need, refuse } from './refusal.ts';

const CHUNK_VOTERS = 1700;
const VOTER_BYTES = 37;
export const SMALL_CLASS = 20;

/** A voter as the roll and orders name it. */
export interface Voter {
  readonly key: Bytes;
  readonly weight: number;
  readonly group: number;
}

/** Throws a `LayoutError`. */
export function readVoter(reader: Reader): Voter {
  return {
    key: reader.take(32, 'key'),
    weight: reader.u32be('weight'),
    group: reader.u8('group'),
  };
}

/** A roll that grows chunk by chunk until it is what the manifest names. */
export class Roll {
  readonly #expected: RollSummary;
  readonly #hasVote: (group: number) => boolean;
  readonly #hashes: Bytes[] = [];
  readonly #classes = new Map<string, number>();
  #weight = 0n;
  /** Voters chunk by chunk, as they come: a manifest's word alone must not cost memory. */
  readonly #chunks: Bytes[] = [];
  count = 0;

  /** `hasVote` says whether the voters of a group have any question to answer. */
  constructor(expected: RollSummary, hasVote: (group: number) => boolean) {
    this.#expected = expected;
    this.#hasVote = hasVote;
  }

  get isComplete(): boolean {
    return this.count === this.#expected.voters;
  }

  /** Adds the next chunk, or refuses it. */
  add(chunk: Bytes): void {
    const { number, count, voters } = readChunk(chunk);
    need(number === this.#hashes.length, 'bad-roll', `chunk ${this.#hashes.length} was expected`);
    const left = this.#expected.voters - this.count;
    need(left > 0, 'bad-roll', 'the roll is complete');
    const wanted = Math.min(CHUNK_VOTERS, left);
    need(count === wanted, 'bad-roll', `the chunk must hold ${wanted} voters`);
    const weight = this.#checkVoters(voters, count);
    for (let at = 0; at < count; at++) {
      const asked = this.#hasVote(voters[VOTER_BYTES * at + 36]!);
      need(asked, 'bad-roll', `voter ${this.count + at} has no question to answer`);
    }
    const hashes = [...this.#hashes, sha256(chunk)];
    if (count === left) this.#checkWhole(hashes, this.#weight + weight);
    this.#hashes.push(hashes.at(-1)!);
    this.#chunks.push(Uint8Array.from(voters));
    this.#weight += weight;
    this.count += count;
    this.#addClasses(voters, count);
  }

  #checkVoters(voters: Bytes, count: number): bigint {
    let weight = 0n;
    let before = this.count > 0 ? this.key(this.count - 1) : undefined;
    for (let at = 0; at < count; at++) {
      const voter = voters.subarray(VOTER_BYTES * at, VOTER_BYTES * (at + 1));
      const key = voter.subarray(0, 32);
      const own = weightOf(voter);
      const ascends = before === undefined || compare(before, key) < 0;
      need(ascends, 'bad-roll', `voter ${this.count + at} does not ascend`);
      need(own > 0, 'bad-roll', `voter ${this.count + at} has weight 0`);
      const usable = typeof PublicKey.read(key) !== 'string';
      need(usable, 'bad-roll', `voter ${this.count + at} has no usable key`);
      weight += BigInt(own);
      before = key;
    }
    return weight;
  }

  #checkWhole(hashes: readonly Bytes[], weight: bigint): void {
    const root = sha256(textBytes('quorate/roll/v1'), ...hashes);
    const same = equal(root, this.#expected.root) && weight === this.#expected.weight;
    need(same, 'bad-roll', 'the roll is not the one the manifest names');
  }

  #addClasses(voters: Bytes, count: number): void {
    for (let at = 0; at < count; at++) {
      const { weight, group } = readVoter(new Reader(voters.subarray(VOTER_BYTES * at)));
      const own = `${weight}.${group}`;
      this.#classes.set(own, (this.#classes.get(own) ?? 0) + 1);
    }
  }

  /** How many voters each class (weight.group) has. */
  get classes(): ReadonlyMap<string, number> {
    return this.#classes;
  }

  get totalWeight(): bigint {
    return this.#weight;
  }

  /** Whether a class (group × weight) is so small that its secrecy is narrow. */
  get hasSmallClass(): boolean {
    return [...this.#classes.values()].some((count) => count < SMALL_CLASS);
  }

  #voter(place: number): Bytes {
    const chunk = this.#chunks[Math.floor(place / CHUNK_VOTERS)]!;
    const at = VOTER_BYTES * (place % CHUNK_VOTERS);
    return chunk.subarray(at, at + VOTER_BYTES);
  }

  key(place: number): Bytes {
    return this.#voter(place).subarray(0, 32);
  }

  voter(place: number): Voter {
    return readVoter(new Reader(this.#voter(place)));
  }

  /** The place of a key, by halving. */
  find(key: Bytes): number | undefined {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = compare(this.key(middle), key);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }
}

function weightOf(voter: Bytes): number {
  return new DataView(voter.buffer, voter.byteOffset + 32, 4).getUint32(0);
}

function readChunk(chunk: Bytes): { number: number; count: number; voters: Bytes } {
  try {
    const reader = new Reader(chunk);
    const number = reader.u16be('number');
    const count = reader.u16be('count');
    if (count < 1 || count > CHUNK_VOTERS) reader.fail('count', 'is not 1 to 1700');
    const voters = reader.take(VOTER_BYTES * count, 'voters');
    reader.end();
    return { number, count, voters };
  } catch (error) {
    if (error instanceof LayoutError) return refuse('malformed', error.message);
    throw error;
  }
}
