/**
 * Ed25519 under this project's own equation: `[8]SB = [8]R + [8]kA`, with R and the key canonical,
 * S reduced and the key free of torsion. The same equation holds single and in batches, so that
 * whoever batches agrees with whoever does not. @noble/curves supplies the curve; its own `verify`
 * draws the line elsewhere and is not used.
 */

import { ed25519 } from '@noble/curves/ed25519.js';
import { type Bytes, concat, integerOf } from './bytes.ts';
import { decodeScalar, ORDER, sumOfMultiples } from './group.ts';
import { framed, sha512 } from './hash.ts';

const Edwards = ed25519.Point;
type Edwards = InstanceType<typeof Edwards>;

export type KeyFault = 'key-not-canonical' | 'key-small-order';
export type SignatureFault = 'signature-not-canonical' | 'signature-invalid';

/** A point whose bytes are canonical: `y` below p, no sign bit where x is zero, on the curve. */
function decodeCanonical(bytes: Bytes): Edwards | undefined {
  try {
    return Edwards.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

/** A public key that passed the checks which every key passes where it enters. */
export class PublicKey {
  readonly bytes: Bytes;
  readonly point: Edwards;

  private constructor(bytes: Bytes, point: Edwards) {
    this.bytes = bytes;
    this.point = point;
  }

  /** Canonical, not the identity, no torsion component. */
  static read(bytes: Bytes): PublicKey | KeyFault {
    const point = decodeCanonical(bytes);
    if (point === undefined) return 'key-not-canonical';
    if (point.is0() || !point.isTorsionFree()) return 'key-small-order';
    return new PublicKey(Uint8Array.from(bytes), point);
  }

  /** A key that was checked where it entered, such as one of a roll. */
  static trusted(bytes: Bytes): PublicKey | undefined {
    const point = decodeCanonical(bytes);
    return point && new PublicKey(Uint8Array.from(bytes), point);
  }
}

/** The halves of a signature: R on the curve and S below ℓ, both canonical. */
export interface SignatureParts {
  readonly r: Edwards;
  readonly rBytes: Bytes;
  readonly s: bigint;
}

export function readSignature(signature: Bytes): SignatureParts | undefined {
  if (signature.length !== 64) return undefined;
  const rBytes = signature.subarray(0, 32);
  const r = decodeCanonical(rBytes);
  const s = decodeScalar(signature.subarray(32));
  return r === undefined || s === undefined ? undefined : { r, rBytes, s };
}

function challenge(rBytes: Bytes, key: Bytes, signed: Bytes): bigint {
  return integerOf(sha512(concat(rBytes, key, signed))) % ORDER;
}

/** One equation of a batch: a signature with its key and what it signs. */
export interface SignatureClaim {
  readonly key: PublicKey;
  readonly parts: SignatureParts;
  /** What Ed25519 signs: the framed message. */
  readonly signed: Bytes;
}

export function claimHolds({ key, parts, signed }: SignatureClaim): boolean {
  const k = challenge(parts.rBytes, key.bytes, signed);
  const left = Edwards.BASE.multiplyUnsafe(parts.s);
  const right = parts.r.add(key.point.multiplyUnsafe(k));
  return left.subtract(right).clearCofactor().is0();
}

/** All of them at once; `weight` draws a fresh number of 128 random bits. */
export function claimsHold(claims: readonly SignatureClaim[], weight: () => bigint): boolean {
  let base = 0n;
  const weights: bigint[] = [];
  const multiples: bigint[] = [];
  for (const { key, parts, signed } of claims) {
    const own = weight();
    base = (base + own * parts.s) % ORDER;
    weights.push(own);
    multiples.push((own * challenge(parts.rBytes, key.bytes, signed)) % ORDER);
  }
  const points = claims.map(({ parts }) => parts.r);
  const keys = claims.map(({ key }) => key.point);
  const left = Edwards.BASE.multiplyUnsafe(base);
  const right = sumOfMultiples(Edwards.ZERO, points, weights);
  const sum = right.add(sumOfMultiples(Edwards.ZERO, keys, multiples));
  return left.subtract(sum).clearCofactor().is0();
}

/** `undefined` when the signature of `Framed(tag; message)` is valid. */
export function checkSignature(
  key: PublicKey,
  tag: string,
  message: Bytes,
  signature: Bytes,
): SignatureFault | undefined {
  const parts = readSignature(signature);
  if (parts === undefined) return 'signature-not-canonical';
  const holds = claimHolds({ key, parts, signed: framed(tag, message) });
  return holds ? undefined : 'signature-invalid';
}

/** Whether `key` are the bytes of a sound key that signed the message. */
export function isSignedBy(key: Bytes, tag: string, message: Bytes, signature: Bytes): boolean {
  const read = PublicKey.read(key);
  return typeof read !== 'string' && checkSignature(read, tag, message, signature) === undefined;
}

/** RFC 8032 over the framed message, with the key of a seed of 32 bytes. */
export function sign(seed: Bytes, tag: string, message: Bytes): Bytes {
  return ed25519.sign(framed(tag, message), seed);
}

export function publicKeyOf(seed: Bytes): Bytes {
  return ed25519.getPublicKey(seed);
}

/** Whether the bytes are a canonical key that is not of small order. */
export function isLargeOrderKey(key: Bytes): boolean {
  const point = decodeCanonical(key);
  return point !== undefined && !point.isSmallOrder();
}

/**
 * A cosignature on a checkpoint, where foreign tools must agree: RFC 8032 without the cofactor,
 * canonical key, R and S, no key and no R of small order.
 */
export function isPlainSignature(key: Bytes, message: Bytes, signature: Bytes): boolean {
  const point = decodeCanonical(key);
  const parts = readSignature(signature);
  if (point === undefined || parts === undefined || point.isSmallOrder()) return false;
  if (parts.r.isSmallOrder()) return false;
  const k = challenge(parts.rBytes, key, message);
  const left = Edwards.BASE.multiplyUnsafe(parts.s);
  return left.equals(parts.r.add(point.multiplyUnsafe(k)));
}
