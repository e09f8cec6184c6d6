/** The frozen vectors that Rust reads too. */

import { readFileSync } from 'node:fs';
import { type Bytes, fromHex, integerOf } from '../../src/crypto/bytes.ts';
import type { ContestRule } from '../../src/crypto/contest.ts';
import { ORDER } from '../../src/crypto/group.ts';

export function readVectors<T>(name: string): T {
  const path = new URL(`../../../spec/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

export function hex(text: string): Bytes {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new Error(`not hexadecimal: ${text}`);
  return bytes;
}

/** Replays draws; asking for one too many is an error, and `done` says whether all were taken. */
export function replay(draws: readonly string[]) {
  const left = draws.map(hex);
  const next = (): Bytes => {
    const draw = left.shift();
    if (draw === undefined) throw new Error('more draws than the vector has');
    return draw;
  };
  return { bytes: next, scalar: () => integerOf(next()) % ORDER, done: () => left.length === 0 };
}

export interface VectorContest {
  readonly kind: 'one' | 'some';
  readonly options: number;
  readonly min?: number;
  readonly max?: number;
}

export function ruleOf({ kind, options, min, max }: VectorContest): ContestRule {
  if (kind === 'one') return { kind, options };
  return { kind, options, min: min!, max: max! };
}
