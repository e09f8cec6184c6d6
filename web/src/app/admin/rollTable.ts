/**
 * Reads a table of voters' keys: detects encoding and delimiter, finds the columns, and tells what
 * is wrong with line, column and the cell itself.
 */

import { type Bytes, compare, concat, fromHex, u8, u16be, u32be } from '../../crypto/bytes.ts';

export interface Decoded {
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
  readonly hasMark: boolean;
}

/** UTF-8, UTF-16 with a mark, or else Windows-1252. */
export function decodeText(bytes: Uint8Array): Decoded {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) {
    return { text: decode(bytes, 'utf-16le'), encoding: 'utf-16le', hasMark: true };
  }
  if (first === 0xfe && second === 0xff) {
    return { text: decode(bytes, 'utf-16be'), encoding: 'utf-16be', hasMark: true };
  }
  const hasMark = first === 0xef && second === 0xbb && third === 0xbf;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { text, encoding: 'utf-8', hasMark };
  } catch {
    return { text: decode(bytes, 'windows-1252'), encoding: 'windows-1252', hasMark: false };
  }
}

function decode(bytes: Uint8Array, encoding: string): string {
  return new TextDecoder(encoding).decode(bytes);
}

const DELIMITERS = ['\t', ';', ','] as const;
export type Delimiter = (typeof DELIMITERS)[number];

/** The delimiter that the first line has most of; the first of equal ones. */
export function delimiterOf(text: string): Delimiter {
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  const count = (delimiter: string) => line.split(delimiter).length;
  return DELIMITERS.reduce((best, next) => (count(next) > count(best) ? next : best));
}

export interface Row {
  /** From 1, as an editor counts. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** Rows of a table (RFC 4180); blank lines are left out, invisible characters are removed. */
export function parseRows(text: string, delimiter: Delimiter): Row[] {
  const rows: Row[] = [];
  let [cells, cell, isQuoted, line, start]: [string[], string, boolean, number, number] = [
    [],
    '',
    false,
    1,
    1,
  ];
  const endCell = () => {
    cells.push(tidy(cell));
    cell = '';
  };
  const endRow = () => {
    endCell();
    if (cells.some((one) => one !== '')) rows.push({ line: start, cells });
    cells = [];
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '\n') line += 1;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (character === '"' && cell.trim() === '') {
      cell = '';
      isQuoted = true;
    } else if (character === delimiter) endCell();
    else if (character === '\n') {
      endRow();
      start = line;
    } else cell += character;
  }
  endRow();
  return rows;
}

function tidy(cell: string): string {
  return cell.replace(/[\u200b-\u200f\u2060\ufeff]/g, '').trim();
}

export const FIELDS = ['credential', 'weight', 'group'] as const;
export type Field = (typeof FIELDS)[number];

/** Which column holds which field; a field without a column has its default (1 and 0). */
export type Mapping = Readonly<Record<Field, number | undefined>>;

const ALIASES: Record<Field, readonly string[]> = {
  credential: ['credential', 'key', 'public_key', 'publickey', 'public key'],
  weight: ['weight', 'votes', 'shares'],
  group: ['group', 'class'],
};

const KEY = /^[0-9a-f]{64}$/i;

/** Guesses the columns out of the header; a file of the issuer has none and three columns. */
export function guessMapping(rows: readonly Row[]): { hasHeader: boolean; mapping: Mapping } {
  const first = rows[0]?.cells ?? [];
  const keyAt = first.findIndex((cell) => KEY.test(cell));
  if (keyAt >= 0) {
    const others = first.map((_, at) => at).filter((at) => at !== keyAt);
    return {
      hasHeader: false,
      mapping: { credential: keyAt, weight: others[0], group: others[1] },
    };
  }
  const find = (field: Field) => {
    const at = first.findIndex((cell) => ALIASES[field].includes(cell.toLowerCase()));
    return at < 0 ? undefined : at;
  };
  const mapping = { credential: find('credential'), weight: find('weight'), group: find('group') };
  return { hasHeader: true, mapping };
}

export interface Voter {
  readonly key: Bytes;
  readonly weight: number;
  readonly group: number;
}

export type MistakeCode = 'no-key' | 'bad-key' | 'bad-weight' | 'bad-group' | 'twice';

export interface Mistake {
  readonly line: number;
  /** From 1. */
  readonly column: number;
  readonly cell: string;
  readonly code: MistakeCode;
  /** Line of the first one, for what stands twice. */
  readonly other?: number;
}

export interface RollTable {
  readonly voters: readonly Voter[];
  readonly mistakes: readonly Mistake[];
  /** Rows that have a mistake. */
  readonly rejected: readonly Row[];
  readonly weight: bigint;
}

const WEIGHT_MAX = 0xffff_ffff;

/** Reads the rows; each is taken as a whole or rejected. */
export function readRoll(rows: readonly Row[], mapping: Mapping): RollTable {
  const voters: Voter[] = [];
  const mistakes: Mistake[] = [];
  const rejected: Row[] = [];
  const seen = new Map<string, number>();
  let weight = 0n;
  for (const row of rows) {
    const read = readRow(row, mapping, seen);
    if ('mistakes' in read) {
      mistakes.push(...read.mistakes);
      rejected.push(row);
    } else {
      voters.push(read);
      weight += BigInt(read.weight);
    }
  }
  return { voters, mistakes, rejected, weight };
}

function readRow(
  { line, cells }: Row,
  mapping: Mapping,
  seen: Map<string, number>,
): Voter | { mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];
  const cellOf = (field: Field) => {
    const at = mapping[field];
    return at === undefined ? '' : (cells[at] ?? '');
  };
  const wrong = (field: Field, code: MistakeCode, other?: number) => {
    const column = (mapping[field] ?? 0) + 1;
    mistakes.push({ line, column, cell: cellOf(field), code, ...(other && { other }) });
  };
  const number = (field: Field, otherwise: number, min: number, max: number) => {
    const text = cellOf(field);
    const value = text === '' ? otherwise : Number(text);
    const fits = /^[0-9]*$/.test(text) && value >= min && value <= max;
    if (!fits) wrong(field, field === 'weight' ? 'bad-weight' : 'bad-group');
    return value;
  };
  const digits = cellOf('credential').toLowerCase();
  const key = KEY.test(digits) ? fromHex(digits) : undefined;
  const earlier = seen.get(digits);
  if (digits === '') wrong('credential', 'no-key');
  else if (key === undefined) wrong('credential', 'bad-key');
  else if (earlier !== undefined) wrong('credential', 'twice', earlier);
  else seen.set(digits, line);
  const weight = number('weight', 1, 1, WEIGHT_MAX);
  const group = number('group', 0, 0, 255);
  return mistakes.length > 0 || key === undefined ? { mistakes } : { key, weight, group };
}

const CHUNK_VOTERS = 1700;

/** The canonical chunks of a roll: voters ascending by key, 1,700 in each. */
export function chunksOf(voters: readonly Voter[]): Bytes[] {
  const sorted = [...voters].sort((one, other) => compare(one.key, other.key));
  const count = Math.ceil(sorted.length / CHUNK_VOTERS);
  return Array.from({ length: count }, (_, number) => {
    const part = sorted.slice(number * CHUNK_VOTERS, (number + 1) * CHUNK_VOTERS);
    const lines = part.flatMap(({ key, weight, group }) => [key, u32be(weight), u8(group)]);
    return concat(u16be(number), u16be(part.length), ...lines);
  });
}
