/**
 * ristretto255: points and scalars in their one byte form, and sums of many multiples.
 *
 * The curve itself is @noble/curves. Everything in this file works in time that depends on the
 * numbers, except `multiply`; secrets go through `multiply` alone.
 */

import { mulAddUnsafe } from '@noble/curves/abstract/curve.js';
import { ristretto255 } from '@noble/curves/ed25519.js';
import { type Bytes, integerOf } from './bytes.ts';

export const Point = ristretto255.Point;
export type Point = InstanceType<typeof Point>;

/** ℓ, the order of the group. */
export const ORDER: bigint = Point.Fn.ORDER;
/** G. */
export const BASE: Point = Point.BASE;
export const IDENTITY: Point = Point.ZERO;

/** The scalar in 0 … ℓ−1 that differs from `value` by a multiple of ℓ. */
export function modOrder(value: bigint): bigint {
  const rest = value % ORDER;
  return rest < 0n ? rest + ORDER : rest;
}

/** 1/value; the value must not be zero. */
export function invert(value: bigint): bigint {
  return Point.Fn.inv(value);
}

/** A point of its canonical 32 bytes; `undefined` for other bytes. */
export function decodePoint(bytes: Bytes): Point | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

/** A point that is not the identity, of its canonical bytes. */
export function decodeKeyPoint(bytes: Bytes): Point | undefined {
  const point = decodePoint(bytes);
  return point?.is0() ? undefined : point;
}

/** A scalar of 32 little-endian bytes below ℓ; `undefined` for other bytes. */
export function decodeScalar(bytes: Bytes): bigint | undefined {
  if (bytes.length !== 32) return undefined;
  const value = integerOf(bytes);
  return value < ORDER ? value : undefined;
}

export function encodeScalar(scalar: bigint): Bytes {
  const bytes = new Uint8Array(32);
  let left = scalar;
  for (let at = 0; at < 32; at++) {
    bytes[at] = Number(left & 0xffn);
    left >>= 8n;
  }
  return bytes;
}

/** A secret multiple. Zero, which the library refuses, gives the identity. */
export function multiply(point: Point, scalar: bigint): Point {
  return scalar === 0n || point.is0() ? IDENTITY : point.multiply(scalar);
}

/** A multiple of public numbers; faster. */
export function multiplyPublic(point: Point, scalar: bigint): Point {
  return point.multiplyUnsafe(modOrder(scalar));
}

/** The sum of a few public multiples, which share their doublings. */
export function sumOfFew(points: readonly Point[], scalars: readonly bigint[]): Point {
  return mulAddUnsafe(Point, [...points], scalars.map(modOrder));
}

/** What a sum of multiples needs of a point; Edwards and ristretto points both have it. */
export interface Summand<P> {
  add(other: P): P;
  double(): P;
  negate(): P;
}

/** Bits that a bucket's number has, by how many summands there are. */
function windowBits(count: number): number {
  return Math.max(2, Math.floor(Math.log2(count + 1)) - 2);
}

/**
 * Σ scalar·point over public numbers, by buckets (Pippenger's method). The work depends on the
 * longest scalar, so short ones are best summed apart from long ones.
 */
export function sumOfMultiples<P extends Summand<P>>(
  zero: P,
  points: readonly P[],
  scalars: readonly bigint[],
): P {
  const longest = scalars.reduce((most, scalar) => (scalar > most ? scalar : most), 0n);
  const bits = longest.toString(2).length;
  const width = Math.min(windowBits(points.length), 13);
  const mask = (1n << BigInt(width)) - 1n;
  let sum = zero;
  for (let window = Math.ceil(bits / width) - 1; window >= 0; window--) {
    for (let bit = 0; bit < width && sum !== zero; bit++) sum = sum.double();
    const shift = BigInt(window * width);
    const digits = scalars.map((scalar) => Number((scalar >> shift) & mask));
    const part = sumOfBuckets(points, digits, 1 << width);
    if (part !== undefined) sum = sum === zero ? part : sum.add(part);
  }
  return sum;
}

/** Σ digit·point for digits below `size`; `undefined` stands for nothing. */
function sumOfBuckets<P extends Summand<P>>(
  points: readonly P[],
  digits: readonly number[],
  size: number,
): P | undefined {
  const buckets = new Array<P | undefined>(size);
  digits.forEach((digit, at) => {
    if (digit === 0) return;
    const bucket = buckets[digit];
    buckets[digit] = bucket === undefined ? points[at]! : bucket.add(points[at]!);
  });
  let running: P | undefined;
  let sum: P | undefined;
  for (let digit = size - 1; digit > 0; digit--) {
    const bucket = buckets[digit];
    if (bucket !== undefined) running = running === undefined ? bucket : running.add(bucket);
    if (running !== undefined) sum = sum === undefined ? running : sum.add(running);
  }
  return sum;
}
