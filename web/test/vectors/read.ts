/** The frozen vectors that Rust reads too. */

import { readFileSync } from 'node:fs';
import { type Bytes, fromHex, integerOf } from '../../src/crypto/bytes.ts';
import { type ContestRule, Questions } from '../../src/crypto/contest.ts';
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

/** A rule as vectors have it, and the groups that answer it. */
export type VectorContest = ContestRule & { readonly groups: number[] };

export function ruleOf({ groups, ...rule }: VectorContest): ContestRule {
  return rule;
}

export function questionsOf(contests: readonly VectorContest[]): Questions {
  return new Questions(
    contests.map(ruleOf),
    contests.map(({ groups }) => groups),
  );
}
