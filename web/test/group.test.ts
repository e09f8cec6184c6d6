import { describe, expect, it } from 'vitest';
import { toHex } from '../src/crypto/bytes.ts';
import {
  BASE,
  CurvePoint,
  decodePoint,
  encodeDoubles,
  half,
  multiply,
  ORDER,
  representative,
} from '../src/crypto/group.ts';

/** Many different scalars, the same in each run. */
const SCALARS = Array.from({ length: 200 }, (_, at) => (BigInt(at) ** 40n * 7919n + 1n) % ORDER);

describe('encoding doubles', () => {
  it('gives the bytes of twice each point, the identity among them', () => {
    const points = SCALARS.map((scalar) => multiply(BASE, scalar));
    points[7] = BASE.subtract(BASE);
    const bytes = encodeDoubles(points.map(representative)).map(toHex);
    expect(bytes).toEqual(points.map((point) => toHex(point.double().toBytes())));
    expect(bytes[7]).toBe('0'.repeat(64));
    expect(encodeDoubles([])).toEqual([]);
  });

  it('gives the same for whatever stands for a point', () => {
    // A point of order eight; what differs by a multiple of its double stands for the same.
    const eighth = CurvePoint.fromHex(
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    );
    expect(eighth.double().double().is0()).toBe(false);
    expect(eighth.double().double().double().is0()).toBe(true);
    for (const scalar of SCALARS.slice(0, 20)) {
      const point = multiply(BASE, scalar);
      const fresh = representative(decodePoint(point.toBytes())!);
      const expected = toHex(point.double().toBytes());
      let same = fresh;
      for (let turn = 0; turn < 4; turn++) {
        expect(encodeDoubles([same]).map(toHex)).toEqual([expected]);
        same = same.add(eighth.double());
      }
    }
  });

  it('of halved scalars gives the bytes of what they halve', () => {
    for (const scalar of [1n, 2n, 3n, ORDER - 1n, ...SCALARS.slice(0, 20)]) {
      const [bytes] = encodeDoubles([CurvePoint.BASE.multiply(half(scalar))]);
      expect(toHex(bytes!)).toBe(toHex(multiply(BASE, scalar).toBytes()));
      expect((2n * half(scalar)) % ORDER).toBe(scalar);
    }
  });
});
