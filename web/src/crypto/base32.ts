/** Crockford's base32: digits that people can read out and type. */

import type { Bytes } from './bytes.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export function digitText(digit: number): string {
  return ALPHABET[digit]!;
}

/** The value of a typed character: any case, `o` is 0, `i` and `l` are 1. */
export function digitValue(character: string): number | undefined {
  const upper = character.toUpperCase().replace('O', '0').replace(/[IL]/, '1');
  const value = ALPHABET.indexOf(upper);
  return upper.length === 1 && value >= 0 ? value : undefined;
}

/** The first `count` groups of five bits, most significant bit first. */
export function digitsOf(bytes: Bytes, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const bit = 5 * index;
    const at = bit >> 3;
    const pair = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    return (pair >> (11 - (bit & 7))) & 31;
  });
}

/** Digits in groups with dashes between them. */
export function grouped(digits: readonly number[], size: number): string {
  const text = digits.map(digitText).join('');
  return text.match(new RegExp(`.{1,${size}}`, 'g'))?.join('-') ?? '';
}

/** The first 100 bits of a ballot's hash as 20 digits in 5 groups of 4: its tracker. */
export function trackerOf(ballotHash: Bytes): string {
  return grouped(digitsOf(ballotHash, 20), 4);
}
