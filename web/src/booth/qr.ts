/**
 * QR codes (ISO/IEC 18004) of bytes: versions 1 to 22, byte mode, levels L and M, the mask with
 * the lowest penalty. Enough for an address with an opening in it.
 */

export type Level = 'L' | 'M';

/** Correction codewords of a block, and number of blocks, by version from 1. */
const BLOCKS: Record<Level, readonly (readonly [number, number])[]> = {
  L: [
    [7, 1],
    [10, 1],
    [15, 1],
    [20, 1],
    [26, 1],
    [18, 2],
    [20, 2],
    [24, 2],
    [30, 2],
    [18, 4],
    [20, 4],
    [24, 4],
    [26, 4],
    [30, 4],
    [22, 6],
    [24, 6],
    [28, 6],
    [30, 6],
    [28, 7],
    [28, 8],
    [28, 8],
    [28, 9],
  ],
  M: [
    [10, 1],
    [16, 1],
    [26, 1],
    [18, 2],
    [24, 2],
    [16, 4],
    [18, 4],
    [22, 4],
    [22, 5],
    [26, 5],
    [30, 5],
    [22, 8],
    [22, 9],
    [24, 9],
    [24, 10],
    [28, 10],
    [28, 11],
    [26, 13],
    [26, 14],
    [26, 16],
    [26, 17],
    [28, 17],
  ],
};
const FORMAT_BITS: Record<Level, number> = { L: 1, M: 0 };
const VERSIONS = 22;

/** Too much for a code. */
export class QrError extends Error {
  override readonly name = 'QrError';
}

/** Modules that carry data: all but the patterns, in bits. */
function rawBits(version: number): number {
  let bits = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const align = Math.floor(version / 7) + 2;
    bits -= (25 * align - 10) * align - 55;
    if (version >= 7) bits -= 36;
  }
  return bits;
}

function dataCodewords(version: number, level: Level): number {
  const [correction, blocks] = BLOCKS[level][version - 1]!;
  return Math.floor(rawBits(version) / 8) - correction * blocks;
}

function bitsNeeded(length: number, version: number): number {
  return 4 + (version < 10 ? 8 : 16) + 8 * length;
}

function multiply(one: number, other: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((other >>> bit) & 1) * one;
  }
  return product;
}

function generator(degree: number): number[] {
  const result = new Array<number>(degree).fill(0);
  result[degree - 1] = 1;
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) {
      result[j] = multiply(result[j]!, root) ^ (result[j + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  return result;
}

function correctionOf(data: readonly number[], divisor: readonly number[]): number[] {
  const result = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ result.shift()!;
    result.push(0);
    divisor.forEach((own, at) => {
      result[at] = result[at]! ^ multiply(own, factor);
    });
  }
  return result;
}

/** Data with its correction, blocks interleaved. */
function codewords(data: readonly number[], version: number, level: Level): number[] {
  const [correction, count] = BLOCKS[level][version - 1]!;
  const total = Math.floor(rawBits(version) / 8);
  const shortBlocks = count - (total % count);
  const shortLength = Math.floor(total / count) - correction;
  const divisor = generator(correction);
  const blocks: { data: number[]; correction: number[] }[] = [];
  let at = 0;
  for (let block = 0; block < count; block++) {
    const length = shortLength + Number(block >= shortBlocks);
    const own = data.slice(at, at + length);
    at += length;
    blocks.push({ data: own, correction: correctionOf(own, divisor) });
  }
  const result: number[] = [];
  for (let i = 0; i <= shortLength; i++) {
    for (const block of blocks) if (i < block.data.length) result.push(block.data[i]!);
  }
  for (let i = 0; i < correction; i++) {
    for (const block of blocks) result.push(block.correction[i]!);
  }
  return result;
}

function encode(bytes: Uint8Array, version: number, level: Level): number[] {
  const bits: number[] = [];
  const put = (value: number, length: number) => {
    for (let bit = length - 1; bit >= 0; bit--) bits.push((value >>> bit) & 1);
  };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const capacity = 8 * dataCodewords(version, level);
  put(0, Math.min(4, capacity - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  const data: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    data.push(bits.slice(at, at + 8).reduce((byte, bit) => (byte << 1) | bit, 0));
  }
  for (let pad = 0xec; data.length < capacity / 8; pad ^= 0xec ^ 0x11) data.push(pad);
  return data;
}

function alignments(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  const positions = [6];
  for (let at = version * 4 + 10; positions.length < count; at -= step) positions.splice(1, 0, at);
  return positions;
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

class Grid {
  readonly size: number;
  readonly dark: boolean[][];
  readonly #fixed: boolean[][];
  readonly #version: number;
  readonly #level: Level;

  constructor(version: number, level: Level) {
    [this.#version, this.#level, this.size] = [version, level, 17 + 4 * version];
    const empty = () => Array.from({ length: this.size }, () => new Array(this.size).fill(false));
    [this.dark, this.#fixed] = [empty(), empty()];
    this.#drawPatterns();
  }

  #fix(x: number, y: number, isDark: boolean): void {
    if (x < 0 || y < 0 || x >= this.size || y >= this.size) return;
    this.dark[y]![x] = isDark;
    this.#fixed[y]![x] = true;
  }

  #drawPatterns(): void {
    const { size } = this;
    for (let i = 0; i < size; i++) {
      this.#fix(6, i, i % 2 === 0);
      this.#fix(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [
      [3, 3],
      [size - 4, 3],
      [3, size - 4],
    ] as const) {
      this.#drawSquare(x, y, 4, (ring) => ring !== 2 && ring !== 4);
    }
    const places = alignments(this.#version);
    const last = places.length - 1;
    places.forEach((x, i) => {
      places.forEach((y, j) => {
        const corner = (i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0);
        if (!corner) this.#drawSquare(x, y, 2, (ring) => ring !== 1);
      });
    });
    this.drawFormat(0);
    this.#drawVersion();
  }

  #drawSquare(x: number, y: number, radius: number, isDark: (ring: number) => boolean): void {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        this.#fix(x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
      }
    }
  }

  drawFormat(mask: number): void {
    const data = (FORMAT_BITS[this.#level] << 3) | mask;
    let rest = data;
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
    const bits = ((data << 10) | rest) ^ 0x5412;
    const bit = (i: number) => ((bits >>> i) & 1) === 1;
    const { size } = this;
    for (let i = 0; i <= 5; i++) this.#fix(8, i, bit(i));
    this.#fix(8, 7, bit(6));
    this.#fix(8, 8, bit(7));
    this.#fix(7, 8, bit(8));
    for (let i = 9; i < 15; i++) this.#fix(14 - i, 8, bit(i));
    for (let i = 0; i < 8; i++) this.#fix(size - 1 - i, 8, bit(i));
    for (let i = 8; i < 15; i++) this.#fix(8, size - 15 + i, bit(i));
    this.#fix(8, size - 8, true);
  }

  #drawVersion(): void {
    if (this.#version < 7) return;
    let rest = this.#version;
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
    const bits = (this.#version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const [a, b] = [this.size - 11 + (i % 3), Math.floor(i / 3)];
      this.#fix(a, b, ((bits >>> i) & 1) === 1);
      this.#fix(b, a, ((bits >>> i) & 1) === 1);
    }
  }

  fill(words: readonly number[]): void {
    let at = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.size; step++) {
        for (const x of [right, right - 1]) {
          const y = ((right + 1) & 2) === 0 ? this.size - 1 - step : step;
          if (this.#fixed[y]![x] || at >= 8 * words.length) continue;
          this.dark[y]![x] = ((words[at >>> 3]! >>> (7 - (at & 7))) & 1) === 1;
          at += 1;
        }
      }
    }
  }

  mask(number: number): void {
    const flips = MASKS[number]!;
    for (let y = 0; y < this.size; y++) {
      for (let x = 0; x < this.size; x++) {
        if (!this.#fixed[y]![x] && flips(x, y)) this.dark[y]![x] = !this.dark[y]![x];
      }
    }
  }

  penalty(): number {
    const { size, dark } = this;
    const rows = dark.map((row) => row.map((own) => (own ? '1' : '0')).join(''));
    const columns = rows.map((_, x) => dark.map((row) => (row[x] ? '1' : '0')).join(''));
    let sum = 0;
    for (const line of [...rows, ...columns]) {
      for (const run of line.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2;
      sum += 40 * (line.match(/(?=10111010000|00001011101)/g)?.length ?? 0);
    }
    for (let y = 0; y + 1 < size; y++) {
      for (let x = 0; x + 1 < size; x++) {
        const own = dark[y]![x];
        const same = dark[y]![x + 1] === own && dark[y + 1]![x] === own;
        if (same && dark[y + 1]![x + 1] === own) sum += 3;
      }
    }
    const share = rows.join('').replaceAll('0', '').length / (size * size);
    return sum + 10 * Math.floor(Math.abs(20 * share - 10));
  }
}

/** Rows of modules, true where dark, without the quiet zone. Throws a `QrError`. */
export function qrOf(text: string, level: Level): boolean[][] {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= VERSIONS; version++) {
    if (bitsNeeded(bytes.length, version) > 8 * dataCodewords(version, level)) continue;
    const words = codewords(encode(bytes, version, level), version, level);
    const grid = new Grid(version, level);
    grid.fill(words);
    const penalties = MASKS.map((_, number) => {
      grid.mask(number);
      grid.drawFormat(number);
      const penalty = grid.penalty();
      grid.mask(number);
      return penalty;
    });
    const best = penalties.indexOf(Math.min(...penalties));
    grid.mask(best);
    grid.drawFormat(best);
    return grid.dark;
  }
  throw new QrError(`${bytes.length} bytes are too many for a QR code`);
}
