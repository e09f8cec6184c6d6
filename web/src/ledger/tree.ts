/** The Merkle tree of RFC 6962, section 2.1: roots that grow, and paths that prove. */

import { type Bytes, equal } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function leafHash(leaf: Bytes): Bytes {
  return sha256(LEAF, leaf);
}

export function nodeHash(left: Bytes, right: Bytes): Bytes {
  return sha256(NODE, left, right);
}

/** The root of no leaves. */
export const EMPTY_ROOT: Bytes = sha256();

/** A tree that only grows and keeps no more than one hash for each level. */
export class TreeHead {
  /** Roots of complete subtrees, the largest first. */
  readonly #peaks: Bytes[] = [];
  #size = 0;

  /** A copy with one more leaf. */
  with(hash: Bytes): { readonly size: number; readonly root: Bytes } {
    const copy = new TreeHead();
    copy.#peaks.push(...this.#peaks);
    copy.#size = this.#size;
    copy.append(hash);
    return { size: copy.#size, root: copy.root() };
  }

  get size(): number {
    return this.#size;
  }

  append(hash: Bytes): void {
    let top = hash;
    for (let left = this.#size; left % 2 === 1; left = Math.floor(left / 2)) {
      top = nodeHash(this.#peaks.pop()!, top);
    }
    this.#peaks.push(top);
    this.#size += 1;
  }

  root(): Bytes {
    const [last, ...others] = [...this.#peaks].reverse();
    if (last === undefined) return EMPTY_ROOT;
    return others.reduce((right, left) => nodeHash(left, right), last);
  }
}

export function rootOf(hashes: readonly Bytes[]): Bytes {
  const tree = new TreeHead();
  for (const hash of hashes) tree.append(hash);
  return tree.root();
}

/** The largest power of two below `size`. */
function split(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** The path that proves the leaf at `index` among all of these hashes. */
export function inclusionPath(hashes: readonly Bytes[], index: number): Bytes[] {
  if (hashes.length <= 1) return [];
  const half = split(hashes.length);
  const [left, right] = [hashes.slice(0, half), hashes.slice(half)];
  return index < half
    ? [...inclusionPath(left, index), rootOf(right)]
    : [...inclusionPath(right, index - half), rootOf(left)];
}

/** The path that proves that the first `old` hashes are a prefix of all of them. */
export function consistencyPath(hashes: readonly Bytes[], old: number): Bytes[] {
  const walk = (part: readonly Bytes[], size: number, whole: boolean): Bytes[] => {
    if (size === part.length) return whole ? [] : [rootOf(part)];
    const half = split(part.length);
    const [left, right] = [part.slice(0, half), part.slice(half)];
    return size <= half
      ? [...walk(left, size, whole), rootOf(right)]
      : [...walk(right, size - half, false), rootOf(left)];
  };
  return old === 0 ? [] : walk(hashes, old, true);
}

/** The largest power of two below `size`. */
function splitOf(size: bigint): bigint {
  return 1n << BigInt((size - 1n).toString(2).length - 1);
}

/** The root that a path leads to; `undefined` when it has one hash too many or too few. */
function climb(
  hash: Bytes,
  index: bigint,
  size: bigint,
  path: readonly Bytes[],
): Bytes | undefined {
  const steps = [...path];
  const walk = (at: bigint, count: bigint): Bytes | undefined => {
    if (count === 1n) return hash;
    const half = splitOf(count);
    const inner = at < half ? walk(at, half) : walk(at - half, count - half);
    const sibling = steps.shift();
    if (inner === undefined || sibling === undefined) return undefined;
    return at < half ? nodeHash(inner, sibling) : nodeHash(sibling, inner);
  };
  const root = walk(index, size);
  return steps.length === 0 ? root : undefined;
}

export function provesInclusion(
  hash: Bytes,
  index: bigint,
  size: bigint,
  path: readonly Bytes[],
  root: Bytes,
): boolean {
  if (index < 0n || index >= size) return false;
  const reached = climb(hash, index, size, path);
  return reached !== undefined && equal(reached, root);
}

export interface SizedRoot {
  readonly size: bigint;
  readonly root: Bytes;
}

/** Whether the path proves that the old tree is a prefix of the new one. */
export function provesConsistency(
  old: SizedRoot,
  next: SizedRoot,
  path: readonly Bytes[],
): boolean {
  if (old.size > next.size) return false;
  if (old.size === next.size) return path.length === 0 && equal(old.root, next.root);
  if (old.size === 0n) return path.length === 0 && equal(old.root, EMPTY_ROOT);
  const steps = [...path];
  /** Old and new root of the part, while the old tree ends in it. */
  const walk = (size: bigint, count: bigint, whole: boolean): [Bytes, Bytes] | undefined => {
    if (size === count) {
      const own = whole ? old.root : steps.shift();
      return own && [own, own];
    }
    const half = splitOf(count);
    const inner = size <= half ? walk(size, half, whole) : walk(size - half, count - half, false);
    const sibling = steps.shift();
    if (inner === undefined || sibling === undefined) return undefined;
    const [before, after] = inner;
    if (size <= half) return [before, nodeHash(after, sibling)];
    return [nodeHash(sibling, before), nodeHash(sibling, after)];
  };
  const roots = walk(old.size, next.size, true);
  if (roots === undefined || steps.length > 0) return false;
  return equal(roots[0], old.root) && equal(roots[1], next.root);
}
