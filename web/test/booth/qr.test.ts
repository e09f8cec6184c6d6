/** QR codes: another program reads what ours writes. */

import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { type Level, QrError, qrOf } from '../../src/booth/qr.ts';

/** The other program; it is a CommonJS module. */
const jsQR: (pixels: Uint8ClampedArray, width: number, height: number) => { data: string } | null =
  createRequire(import.meta.url)('jsqr');

/** Draws the modules four pixels wide with their quiet zone, and reads the picture. */
function readBack(rows: boolean[][]): string | undefined {
  const side = 4 * (rows.length + 8);
  const pixels = new Uint8ClampedArray(4 * side * side).fill(255);
  rows.forEach((row, y) => {
    row.forEach((dark, x) => {
      if (!dark) return;
      for (let dy = 0; dy < 4; dy++) {
        for (let dx = 0; dx < 4; dx++) {
          const at = 4 * ((4 * (y + 4) + dy) * side + 4 * (x + 4) + dx);
          pixels.fill(0, at, at + 3);
        }
      }
    });
  });
  return jsQR(pixels, side, side)?.data;
}

describe.each<Level>(['L', 'M'])('level %s', (level) => {
  it.each([1, 14, 17, 60, 84, 120, 180, 250, 331, 460, 600])(
    'reads back %i characters',
    (length) => {
      const text = Array.from({ length }, (_, at) => 'abcDEF019-._#='[(at * 7 + length) % 14]).join(
        '',
      );
      const rows = qrOf(text, level);
      expect((rows.length - 17) % 4).toBe(0);
      expect(readBack(rows)).toBe(text);
    },
  );
});

it('reads back every version', () => {
  const sides = new Set<number>();
  for (let length = 1; length <= 1000; length += 13) {
    const rows = qrOf('x'.repeat(length), 'L');
    if (sides.has(rows.length)) continue;
    sides.add(rows.length);
    expect(readBack(rows)).toBe('x'.repeat(length));
  }
  expect(sides.size).toBe(22);
});

it('reads back letters of every script', () => {
  expect(readBack(qrOf('für alle – للجميع', 'M'))).toBe('für alle – للجميع');
});

it('refuses what does not fit', () => {
  expect(() => qrOf('x'.repeat(1004), 'L')).toThrow(QrError);
});
