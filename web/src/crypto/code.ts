/** Voters' codes: 15 random bytes as 25 digits, the last of which finds typing errors. */

import { digitsOf, digitValue, grouped } from './base32.ts';
import type { Bytes } from './bytes.ts';

export type CodeErrorCode = 'code-character' | 'code-length' | 'code-too-long' | 'code-check';

/** What is wrong with a typed code, for the person who typed it. */
export class CodeError extends Error {
  override readonly name = 'CodeError';
  readonly code: CodeErrorCode;
  /** The group that is wrong, from 1; absent when it is the whole. */
  readonly group: number | undefined;
  /** The character that no code contains. */
  readonly character: string | undefined;

  constructor(code: CodeErrorCode, sentence: string, group?: number, character?: string) {
    super(sentence);
    this.code = code;
    this.group = group;
    this.character = character;
  }
}

const GROUPS = 5;
const DIGITS = 24;

/** Multiplies by x in GF(32) = GF(2)[x]/(x⁵ + x² + 1). */
function timesX(value: number): number {
  const shifted = value << 1;
  return shifted & 32 ? shifted ^ 0b100101 : shifted;
}

function checkDigit(digits: readonly number[]): number {
  return timesX(digits.reduce((sum, digit) => timesX(sum) ^ digit, 0));
}

/** The code of 15 bytes as it is printed. */
export function printCode(bytes: Bytes): string {
  const digits = digitsOf(bytes, DIGITS);
  return grouped([...digits, checkDigit(digits)], 5);
}

/** The 15 bytes of a typed code. */
export function readCode(typed: string): Bytes {
  const digits = splitGroups(typed).flatMap(readGroup);
  const [check] = digits.splice(DIGITS, 1);
  if (checkDigit(digits) !== check) {
    throw new CodeError('code-check', 'the code has a typing error; compare it group by group');
  }
  const bits = digits.reduce((value, digit) => (value << 5n) | BigInt(digit), 0n);
  return Uint8Array.from({ length: 15 }, (_, at) => Number((bits >> BigInt(112 - 8 * at)) & 0xffn));
}

function splitGroups(typed: string): string[] {
  const parts = typed.split(/[-\s]+/u).filter((part) => part !== '');
  const [only] = parts;
  const groups = parts.length === 1 ? (only!.match(/.{1,5}/gu) ?? []) : parts;
  const missing = groups.length < GROUPS;
  groups.slice(0, GROUPS).forEach((group, index) => {
    readGroup(group, index);
  });
  if (missing) {
    throw new CodeError(
      'code-length',
      `group ${groups.length + 1} of the code is missing; a code has 5 groups`,
    );
  }
  if (groups.length > GROUPS) {
    throw new CodeError('code-too-long', 'the code is too long; it has 5 groups of 5');
  }
  return groups;
}

function readGroup(group: string, index: number): number[] {
  const characters = [...group];
  const digits = characters.map((character) => {
    const value = digitValue(character);
    if (value !== undefined) return value;
    throw new CodeError(
      'code-character',
      `group ${index + 1} of the code has '${character}', which no code contains`,
      index + 1,
      character,
    );
  });
  if (digits.length !== 5) {
    throw new CodeError(
      'code-length',
      `group ${index + 1} of the code has ${digits.length} characters instead of 5`,
      index + 1,
    );
  }
  return digits;
}
