/**
 * Byte strings: hexadecimal, base64, comparison, and a reader that names the field and the offset
 * of whatever is not as it must be.
 */

export type Bytes = Uint8Array;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of ASCII or any other text as UTF-8. */
export function textBytes(text: string): Bytes {
  return utf8.encode(text);
}

/** Text of UTF-8; `undefined` when the bytes are no UTF-8. */
export function textOf(bytes: Bytes): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function concat(...parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Not in constant time: for public data. */
export function equal(one: Bytes, other: Bytes): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** Lexicographic order, -1, 0 or 1. */
export function compare(one: Bytes, other: Bytes): number {
  const shorter = Math.min(one.length, other.length);
  for (let at = 0; at < shorter; at++) {
    const difference = one[at]! - other[at]!;
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(one.length - other.length);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Bytes): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Lower or upper case; `undefined` for anything else. */
export function fromHex(text: string): Bytes | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

/** Standard base64 with padding. */
export function toBase64(bytes: Bytes): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Standard base64 with padding, in its one canonical form; `undefined` for anything else. */
export function fromBase64(text: string): Bytes | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    return undefined;
  }
  const raw = atob(text);
  const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : undefined;
}

export function u8(value: number): Bytes {
  return Uint8Array.of(value);
}

export function u16le(value: number): Bytes {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff);
}

export function u32le(value: number): Bytes {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

export function u64le(value: bigint): Bytes {
  return u64be(value).reverse();
}

export function u16be(value: number): Bytes {
  return u16le(value).reverse();
}

export function u32be(value: number): Bytes {
  return u32le(value).reverse();
}

export function u64be(value: bigint): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** The integer that little-endian bytes stand for. */
export function integerOf(bytes: Bytes): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse()) || '0'}`);
}

/** Bytes are not laid out as they must be. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
}

/** Reads fields one after the other; every failure names the field and its offset. */
export class Reader {
  readonly #bytes: Bytes;
  #at = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  fail(field: string, why: string): never {
    throw new LayoutError(`${field} at byte ${this.#at} ${why}`);
  }

  take(length: number, field: string): Bytes {
    if (this.left < length) this.fail(field, `needs ${length} bytes; ${this.left} are left`);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  rest(): Bytes {
    return this.take(this.left, 'the rest');
  }

  u8(field: string): number {
    return this.take(1, field)[0]!;
  }

  u16be(field: string): number {
    return new Reader(this.take(2, field)).#big(2);
  }

  u32be(field: string): number {
    return new Reader(this.take(4, field)).#big(4);
  }

  u64be(field: string): bigint {
    const bytes = this.take(8, field);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  }

  u16le(field: string): number {
    const bytes = this.take(2, field);
    return bytes[0]! | (bytes[1]! << 8);
  }

  u32le(field: string): number {
    const bytes = this.take(4, field);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  u64le(field: string): bigint {
    const bytes = this.take(8, field);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  #big(length: number): number {
    let value = 0;
    for (const byte of this.take(length, 'integer')) value = value * 256 + byte;
    return value;
  }

  flag(field: string): boolean {
    const value = this.u8(field);
    if (value > 1) this.fail(field, `is ${value}; a flag is 0 or 1`);
    return value === 1;
  }

  /** A u16 length and UTF-8. */
  text(field: string): string {
    const length = this.u16be(field);
    return textOf(this.take(length, field)) ?? this.fail(field, 'is no UTF-8');
  }

  optional<T>(field: string, read: () => T): T | undefined {
    return this.flag(field) ? read() : undefined;
  }

  list<T>(count: number, read: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => read(index));
  }

  end(): void {
    if (this.left > 0) this.fail('the end', `is followed by ${this.left} bytes`);
  }
}
