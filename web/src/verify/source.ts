/** Where an archive's bytes come from: memory, a file, or a Blob of the browser; read in pieces. */

import { type Bytes, LayoutError } from '../crypto/bytes.ts';

export interface Source {
  /** Bytes in all. */
  readonly size: number;
  /** Exactly these bytes, which lie within the size. */
  read(offset: number, length: number): Promise<Bytes>;
}

export function sourceOfBytes(bytes: Bytes): Source {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}

export function sourceOfBlob(blob: Blob): Source {
  return {
    size: blob.size,
    read: async (offset, length) =>
      new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

const PIECE_BYTES = 1 << 20;

/** Reads a source from front to back, one piece in memory at a time. */
export class Cursor {
  readonly #source: Source;
  readonly #see: (bytes: Bytes) => void;
  #piece: Bytes = new Uint8Array(0);
  #start = 0;
  offset = 0;

  /** `see` is shown every byte that is taken, in order. */
  constructor(source: Source, see: (bytes: Bytes) => void = () => {}) {
    this.#source = source;
    this.#see = see;
  }

  get left(): number {
    return this.#source.size - this.offset;
  }

  async take(length: number, field: string): Promise<Bytes> {
    if (this.left < length) {
      throw new LayoutError(`${field} at byte ${this.offset} needs ${length} bytes`);
    }
    if (this.offset + length > this.#start + this.#piece.length) {
      this.#start = this.offset;
      const wanted = Math.min(this.left, Math.max(length, PIECE_BYTES));
      this.#piece = await this.#source.read(this.offset, wanted);
    }
    const at = this.offset - this.#start;
    const bytes = this.#piece.subarray(at, at + length);
    this.offset += length;
    this.#see(bytes);
    return bytes;
  }

  async u16be(field: string): Promise<number> {
    const [high, low] = await this.take(2, field);
    return high! * 256 + low!;
  }

  async u32be(field: string): Promise<number> {
    const bytes = await this.take(4, field);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  }
}
