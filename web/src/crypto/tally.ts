/** Sums of ciphertexts, decryption shares, and the counts that follow from enough of them. */

import { type Bytes, concat, equal, LayoutError, Reader, u8, u16le, u64le } from './bytes.ts';
import { type ContestRule, countersOf } from './contest.ts';
import {
  BASE,
  decodePoint,
  decodeScalar,
  encodeScalar,
  IDENTITY,
  invert,
  modOrder,
  multiply,
  multiplyPublic,
  type Point,
  sumOfFew,
} from './group.ts';
import { hashToScalar, short } from './hash.ts';
import type { Ciphertext } from './parsed.ts';

/** (α, β) of each option of each contest. */
export type Sums = readonly (readonly Ciphertext[])[];

/** Sums over the counted ballots, which can also be taken out again. */
export class EncryptedTally {
  #sums: Ciphertext[][];

  constructor(rules: readonly ContestRule[]) {
    const nothing = { a: IDENTITY, b: IDENTITY };
    this.#sums = rules.map((rule) => new Array<Ciphertext>(countersOf(rule)).fill(nothing));
  }

  /** Adds a ballot's ciphertexts `weight` times; a negative weight takes them out. */
  add(
    contests: readonly { readonly number: number; readonly ciphertexts: readonly Ciphertext[] }[],
    weight: bigint,
  ): void {
    for (const { number, ciphertexts } of contests) {
      this.#sums[number] = this.#sums[number]!.map(({ a, b }, counter) => {
        const more = ciphertexts[counter]!;
        return { a: a.add(times(more.a, weight)), b: b.add(times(more.b, weight)) };
      });
    }
  }

  /** The same sums with the identity in the contests that are withheld. */
  without(withheld: ReadonlySet<number>): Sums {
    const nothing = { a: IDENTITY, b: IDENTITY };
    return this.#sums.map((sums, contest) =>
      withheld.has(contest) ? sums.map(() => nothing) : sums,
    );
  }

  get sums(): Sums {
    return this.#sums;
  }
}

function times(point: Point, weight: bigint): Point {
  if (weight === 1n) return point;
  return weight === -1n ? point.negate() : multiplyPublic(point, weight);
}

/** What a share speaks about. */
export interface TallyStatement {
  readonly fingerprint: Bytes;
  readonly root: Bytes;
  readonly size: bigint;
  readonly sums: Sums;
}

export function statementDigest({ fingerprint, root, size, sums }: TallyStatement): Bytes {
  const fields = sums.map((contest) =>
    concat(...contest.flatMap(({ a, b }) => [a.toBytes(), b.toBytes()])),
  );
  return short('quorate/tally/v1/statement', fingerprint, root, u64le(size), ...fields);
}

function factorChallenge(
  statement: TallyStatement,
  trustee: number,
  contest: number,
  option: number,
  verificationKey: Bytes,
  factor: { readonly f: Bytes; readonly a: Bytes; readonly b: Bytes },
): bigint {
  const sum = statement.sums[contest]![option]!;
  return hashToScalar(
    'quorate/tally/v1/factor',
    statement.fingerprint,
    statement.root,
    u64le(statement.size),
    u16le(trustee),
    u16le(contest),
    u16le(option),
    sum.b.toBytes(),
    verificationKey,
    sum.a.toBytes(),
    factor.f,
    factor.a,
    factor.b,
  );
}

/** The decryption factors F of each option of each contest, proven. */
export interface VerifiedShare {
  readonly trustee: number;
  readonly factors: readonly (readonly Point[])[];
}

/** A share is not what it must be. */
export class ShareError extends Error {
  override readonly name = 'ShareError';
}

/** Checks a share of `trustee` (from 1) against that trustee's verification key. */
export function verifyShare(
  share: Bytes,
  statement: TallyStatement,
  trustee: number,
  verificationKey: Bytes,
): VerifiedShare {
  try {
    const reader = new Reader(share);
    checkShareHeader(reader, statement, trustee);
    const key = decodePoint(verificationKey);
    if (key === undefined) throw new ShareError('the verification key is no point');
    const factors = statement.sums.map((options, contest) =>
      options.map((_, option) => {
        const fields = {
          f: reader.take(32, 'factor'),
          a: reader.take(32, 'commitment'),
          b: reader.take(32, 'commitment'),
        };
        const response = reader.take(32, 'response');
        const c = factorChallenge(statement, trustee, contest, option, verificationKey, fields);
        return checkFactor(statement.sums[contest]![option]!.a, key, fields, response, c);
      }),
    );
    reader.end();
    return { trustee, factors };
  } catch (error) {
    if (error instanceof LayoutError) throw new ShareError(error.message);
    throw error;
  }
}

function checkShareHeader(reader: Reader, statement: TallyStatement, trustee: number): void {
  if (reader.u8('version') !== 1) throw new ShareError('another version');
  if (!equal(reader.take(32, 'fingerprint'), statement.fingerprint)) {
    throw new ShareError('made for another election');
  }
  const root = reader.take(32, 'root');
  const size = reader.u64le('size');
  if (!equal(root, statement.root) || size !== statement.size) {
    throw new ShareError('made for another checkpoint');
  }
  if (reader.u16le('trustee') !== trustee) throw new ShareError('made by another trustee');
}

function checkFactor(
  alpha: Point,
  key: Point,
  bytes: { readonly f: Bytes; readonly a: Bytes; readonly b: Bytes },
  responseBytes: Bytes,
  c: bigint,
): Point {
  const [f, a, b] = [decodePoint(bytes.f), decodePoint(bytes.a), decodePoint(bytes.b)];
  const z = decodeScalar(responseBytes);
  if (f === undefined || a === undefined || b === undefined || z === undefined) {
    throw new ShareError('a point or scalar is not canonical');
  }
  const first = multiplyPublic(BASE, z).equals(a.add(multiplyPublic(key, c)));
  const second = sumOfFew([alpha, f], [z, -c]).equals(b);
  if (!first || !second) throw new ShareError('a factor is not proven');
  return f;
}

/** Makes a trustee's share; `draw` gives a fresh random scalar. */
export function makeShare(
  statement: TallyStatement,
  trustee: number,
  secret: bigint,
  draw: () => bigint,
): Bytes {
  const key = multiply(BASE, secret).toBytes();
  const head = [
    u8(1),
    statement.fingerprint,
    statement.root,
    u64le(statement.size),
    u16le(trustee),
  ];
  const factors = statement.sums.flatMap((options, contest) =>
    options.map(({ a: alpha }, option) => {
      const w = draw();
      const f = multiply(alpha, secret).toBytes();
      const a = multiply(BASE, w).toBytes();
      const b = multiply(alpha, w).toBytes();
      const c = factorChallenge(statement, trustee, contest, option, key, { f, a, b });
      return concat(f, a, b, encodeScalar(modOrder(w + c * secret)));
    }),
  );
  return concat(...head, ...factors);
}

/** λ of each trustee: the factor of its share in the combination. */
export function lagrangeAtZero(trustees: readonly number[]): bigint[] {
  return trustees.map((own) => {
    let numerator = 1n;
    let denominator = 1n;
    for (const other of trustees) {
      if (other === own) continue;
      numerator = modOrder(numerator * BigInt(other));
      denominator = modOrder(denominator * BigInt(other - own));
    }
    return modOrder(numerator * invert(denominator));
  });
}

/** Counts of each option; `undefined` when one is not in 0 … bound. */
export function decryptCounts(
  sums: Sums,
  shares: readonly VerifiedShare[],
  bound: bigint,
): bigint[][] | undefined {
  const lambdas = lagrangeAtZero(shares.map(({ trustee }) => trustee));
  const points = sums.map((options, contest) =>
    options.map(({ b }, option) =>
      shares.reduce((left, share, i) => {
        const factor = share.factors[contest]![option]!;
        return left.subtract(multiplyPublic(factor, lambdas[i]!));
      }, b),
    ),
  );
  const counts = discreteLogs(points.flat(), bound);
  if (counts === undefined) return undefined;
  return points.map((options) => counts.splice(0, options.length));
}

/** Steps of the giant-step table: it is made once and serves all points. */
const TABLE_MAX = 1 << 20;

/** Each `m` with `mG = point` and `0 ≤ m ≤ bound`, by small steps and big steps. */
export function discreteLogs(points: readonly Point[], bound: bigint): bigint[] | undefined {
  const size = Math.min(TABLE_MAX, Math.ceil(Math.sqrt(Number(bound) + 1)) + 1);
  const small = new Map<string, number>();
  let step = IDENTITY;
  for (let m = 0; m < size; m++) {
    small.set(step.toHex(), m);
    step = step.add(BASE);
  }
  const back = step.negate();
  const logs = points.map((point) => {
    let left = point;
    for (let base = 0n; base <= bound; base += BigInt(size)) {
      const found = small.get(left.toHex());
      if (found !== undefined) {
        const m = base + BigInt(found);
        return m <= bound ? m : undefined;
      }
      left = left.add(back);
    }
    return undefined;
  });
  return logs.every((log) => log !== undefined) ? logs : undefined;
}
