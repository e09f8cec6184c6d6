/**
 * Archives: one file with all leaves and checkpoints. Opening reads it once from front to back,
 * checks what finds accidents, and keeps each leaf's hash and place; leaves are read again one by one.
 */

import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { type Bytes, equal, LayoutError, textBytes, textOf } from '../crypto/bytes.ts';
import { NEW_KEY } from '../election/entry.ts';
import { NoteError, parseNote, type SignedCheckpoint } from '../ledger/note.ts';
import { leafHash } from '../ledger/tree.ts';
import { Cursor, type Source } from './source.ts';

const MAGIC = textBytes('quorate archive\n');
const CHECKPOINT_BYTES_MAX = 65_536;

/** Not an archive at all, or of a version that nobody here knows. */
export class ForeignArchiveError extends Error {
  override readonly name = 'ForeignArchiveError';
}

/** An archive that is damaged. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  /** The damaged leaf, if it is one. */
  readonly entry: number | undefined;

  constructor(sentence: string, entry?: number) {
    super(sentence);
    this.entry = entry;
  }
}

/** Rows of equal length side by side, growing as needed. */
class Rows {
  #bytes = new Uint8Array(0);
  readonly #width: number;
  count = 0;

  constructor(width: number) {
    this.#width = width;
  }

  push(row: Bytes): void {
    const end = this.#width * (this.count + 1);
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(1024 * this.#width, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(row, this.#width * this.count);
    this.count += 1;
  }

  row(at: number): Bytes {
    return this.#bytes.subarray(this.#width * at, this.#width * (at + 1));
  }
}

export class Archive {
  readonly #source: Source;
  readonly #hashes: Rows;
  readonly #offsets: readonly number[];
  /** Indices of the leaves that call themselves an authority's new key. */
  readonly newKeys: readonly number[];
  readonly checkpoints: readonly SignedCheckpoint[];

  private constructor(
    source: Source,
    { hashes, offsets, newKeys }: Leaves,
    checkpoints: readonly SignedCheckpoint[],
  ) {
    this.#source = source;
    this.#hashes = hashes;
    this.#offsets = offsets;
    this.newKeys = newKeys;
    this.checkpoints = checkpoints;
  }

  /** Throws a `ForeignArchiveError` or the first thing that is damaged as an `ArchiveError`. */
  static async open(source: Source): Promise<Archive> {
    try {
      return await Archive.#read(source);
    } catch (error) {
      if (error instanceof LayoutError) throw new ArchiveError(error.message);
      throw error;
    }
  }

  static async #read(source: Source): Promise<Archive> {
    const whole = nobleSha256.create();
    const cursor = new Cursor(source, (bytes) => whole.update(bytes));
    const isOurs = source.size >= MAGIC.length && equal(await cursor.take(16, 'magic'), MAGIC);
    if (!isOurs) throw new ForeignArchiveError('this file is not an archive of an election');
    const [version] = await cursor.take(1, 'version');
    if (version !== 1) throw new ForeignArchiveError(`format version ${version} is unknown`);
    const leaves = await readLeaves(cursor);
    const { hashes } = leaves;
    for (let index = 0; index < hashes.count; index++) {
      if (!equal(await cursor.take(32, "leaf's hash"), hashes.row(index))) {
        throw new ArchiveError(`leaf ${index} does not have its hash`, index);
      }
    }
    const checkpoints = await readCheckpoints(cursor);
    const computed = whole.digest();
    const checksum = await new Cursor(cursorRest(source, cursor)).take(32, 'checksum');
    if (cursor.left !== 32) throw new ArchiveError('the archive goes on after its end');
    if (!equal(checksum, computed)) throw new ArchiveError('the checksum is wrong');
    return new Archive(source, leaves, checkpoints);
  }

  get size(): number {
    return this.#hashes.count;
  }

  get last(): SignedCheckpoint {
    return this.checkpoints.at(-1)!;
  }

  hash(index: number): Bytes {
    return this.#hashes.row(index);
  }

  async leaf(index: number): Promise<Bytes> {
    const start = this.#offsets[index]!;
    const end = this.#offsets[index + 1]! - 2;
    return this.#source.read(start, end - start);
  }

  /** All leaves in order, read in large pieces. */
  async *leaves(): AsyncGenerator<Bytes> {
    const first = this.#offsets[0]! - 2;
    const end = this.#offsets[this.size]! - 2;
    const part: Source = {
      size: end - first,
      read: (offset, length) => this.#source.read(first + offset, length),
    };
    const cursor = new Cursor(part);
    for (let index = 0; index < this.size; index++) {
      yield Uint8Array.from(await cursor.take(await cursor.u16be('length'), 'leaf'));
    }
  }
}

function cursorRest(source: Source, { offset }: Cursor): Source {
  return { size: source.size - offset, read: (at, length) => source.read(offset + at, length) };
}

interface Leaves {
  readonly hashes: Rows;
  /** Where each leaf begins; one more than leaves. */
  readonly offsets: readonly number[];
  readonly newKeys: readonly number[];
}

async function readLeaves(cursor: Cursor): Promise<Leaves> {
  const count = await cursor.u32be('number of leaves');
  if (count === 0) throw new ArchiveError('an archive has at least one leaf');
  const hashes = new Rows(32);
  const offsets: number[] = [];
  const newKeys: number[] = [];
  for (let index = 0; index < count; index++) {
    const length = await cursor.u16be("leaf's length");
    offsets.push(cursor.offset);
    const leaf = await cursor.take(length, 'leaf');
    hashes.push(leafHash(leaf));
    if (leaf[1] === NEW_KEY) newKeys.push(index);
  }
  offsets.push(cursor.offset + 2);
  return { hashes, offsets, newKeys };
}

async function readCheckpoints(cursor: Cursor): Promise<SignedCheckpoint[]> {
  const count = await cursor.u32be('number of checkpoints');
  if (count === 0) throw new ArchiveError('an archive has at least one checkpoint');
  const notes: SignedCheckpoint[] = [];
  for (let number = 0; number < count; number++) {
    const length = await cursor.u32be("checkpoint's length");
    if (length > CHECKPOINT_BYTES_MAX) throw new ArchiveError(`checkpoint ${number} is too long`);
    const note = readNote(await cursor.take(length, 'checkpoint'), number);
    const before = notes.at(-1)?.checkpoint.size;
    if (before !== undefined && before >= note.checkpoint.size) {
      throw new ArchiveError(`checkpoint ${number} is not larger than the one before it`);
    }
    notes.push(note);
  }
  return notes;
}

function readNote(bytes: Bytes, number: number): SignedCheckpoint {
  const text = textOf(bytes);
  if (text === undefined) throw new ArchiveError(`checkpoint ${number} is no text`);
  try {
    return parseNote(text);
  } catch (error) {
    if (error instanceof NoteError) {
      throw new ArchiveError(`checkpoint ${number}: ${error.message}`);
    }
    throw error;
  }
}
