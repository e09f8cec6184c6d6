/**
 * ristretto255: points and scalars in their one byte form, and sums of many multiples.
 *
 * The curve itself is @noble/curves. Everything in this file works in time that depends on the
 * numbers, except `multiply` and what a point of the curve does to multiply itself; secrets go
 * through these alone.
 */

import { mulAddUnsafe } from '@noble/curves/abstract/curve.js';
import { ed25519, ristretto255 } from '@noble/curves/ed25519.js';
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

/** Points of the curve of which the group is made; eight of them stand for one of the group. */
export const CurvePoint = ed25519.Point;
export type CurvePoint = InstanceType<typeof CurvePoint>;

/** One of the points of the curve that stand for this point of the group. */
export function representative(point: Point): CurvePoint {
  return CurvePoint.fromAffine(point.toAffine());
}

const HALF = invert(2n);

/** scalar/2 */
export function half(scalar: bigint): bigint {
  return modOrder(scalar * HALF);
}

const Fp = CurvePoint.Fp;
const { d: CURVE_D } = CurvePoint.CURVE();
/** √−1 as RFC 9496 section 4.1 fixes it. */
const SQRT_MINUS_1 = BigInt(
  '19681161376707505956807079304988542015446066515923890162744021073123829784752',
);
/** 1/√(a−d), there too. */
const INVSQRT_A_MINUS_D = BigInt(
  '54469307008909316920995813868745141605393597292927456921205312896311721017578',
);

/**
 * The bytes of twice each point. Encoding a point takes a square root (RFC 9496 section 4.3.2); of
 * a double the root is known, and the one division left is shared by all of them (Hamburg; also
 * `double_and_compress_batch` of curve25519-dalek). Who can halve the scalars encodes so.
 */
export function encodeDoubles(points: readonly CurvePoint[]): Bytes[] {
  const doubled = points.map(({ X, Y, Z, T }) => {
    const [zz, dtt] = [Fp.sqr(Z), Fp.mul(CURVE_D, Fp.sqr(T))];
    const e = Fp.mul(Fp.add(X, X), Y);
    const f = Fp.add(zz, dtt);
    const g = Fp.add(Fp.sqr(X), Fp.sqr(Y));
    const h = Fp.sub(zz, dtt);
    return { e, f, g, h, eg: Fp.mul(e, g), fh: Fp.mul(f, h) };
  });
  // The product is zero for the identity, whose bytes are zero whatever stands for 1/0.
  const inverses = Fp.invertBatch(doubled.map(({ eg, fh }) => Fp.mul(eg, fh) || 1n));
  return doubled.map(({ e, f, g, h, eg, fh }, at) => {
    const [zInverse, tInverse] = [Fp.mul(eg, inverses[at]!), Fp.mul(fh, inverses[at]!)];
    const turned = Fp.isOdd!(Fp.mul(eg, zInverse));
    const [e1, g1] = turned ? [g, Fp.neg(e)] : [e, g];
    const h1 = turned ? Fp.mul(f, SQRT_MINUS_1) : h;
    const factor = turned ? SQRT_MINUS_1 : INVSQRT_A_MINUS_D;
    const g2 = Fp.isOdd!(Fp.mul(Fp.mul(h1, e1), zInverse)) ? Fp.neg(g1) : g1;
    const s = Fp.mul(Fp.mul(Fp.sub(h1, g2), factor), Fp.mul(g2, tInverse));
    return Fp.toBytes(Fp.isOdd!(s) ? Fp.neg(s) : s);
  });
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
