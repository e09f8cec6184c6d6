/**
 * The rules of contests as proofs see them: how many ciphertexts and disjunctions a ballot has,
 * what each disjunction claims, and where its bytes stand.
 */

import { type Bytes, concat, u8, u16le } from './bytes.ts';
import { modOrder } from './group.ts';

export type ContestRule =
  /** Exactly one of `options`. */
  | { readonly kind: 'one'; readonly options: number }
  /** A set of `min … max` of the options. */
  | { readonly kind: 'some'; readonly options: number; readonly min: number; readonly max: number };

/** The kind's byte in rules and ballots. */
export const KIND_BYTE = { one: 1, some: 2 } as const;

/** The 7 bytes of a rule in the transcript. */
export function ruleBytes(rule: ContestRule): Bytes {
  const [min, max] = rule.kind === 'one' ? [1, 1] : [rule.min, rule.max];
  return concat(u8(KIND_BYTE[rule.kind]), u16le(rule.options), u16le(min), u16le(max));
}

/** One disjunction: the weighted sum of the ciphertexts encrypts one of the values. */
export interface Claim {
  /** The factor of each option's ciphertext; zero where it takes no part. */
  readonly factors: readonly bigint[];
  readonly values: readonly bigint[];
}

/** Numbers of clauses of a contest's disjunctions, in the order of the ballot's bytes. */
export function clauseCounts(rule: ContestRule): number[] {
  if (rule.kind === 'one') return [rule.options];
  const options = new Array<number>(rule.options).fill(2);
  return hasSumClaim(rule) ? [...options, rule.max - rule.min + 1] : options;
}

function hasSumClaim(rule: { options: number; min: number; max: number }): boolean {
  return rule.min > 0 || rule.max < rule.options;
}

/** What a contest claims. `rho` is used by kind `one` alone. */
export function claimsOf(rule: ContestRule, rho: bigint): Claim[] {
  if (rule.kind === 'one') {
    const powers: bigint[] = [];
    let power = 1n;
    for (let i = 0; i < rule.options; i++) {
      power = modOrder(power * rho);
      powers.push(power);
    }
    return [{ factors: powers, values: powers }];
  }
  const indices = Array.from({ length: rule.options }, (_, index) => index);
  const claims: Claim[] = indices.map((own) => ({
    factors: indices.map((index) => (index === own ? 1n : 0n)),
    values: [0n, 1n],
  }));
  if (hasSumClaim(rule)) {
    const sums = Array.from({ length: rule.max - rule.min + 1 }, (_, k) => BigInt(rule.min + k));
    claims.push({ factors: indices.map(() => 1n), values: sums });
  }
  return claims;
}

const POINT = 32;
const SCALAR = 32;

export function ciphertextsLength(rule: ContestRule): number {
  return 2 * POINT * rule.options;
}

export function commitmentsLength(rule: ContestRule): number {
  return clauseCounts(rule).reduce((length, clauses) => length + 2 * POINT * clauses, 0);
}

/** Bytes of a contest in a ballot: kind, ciphertexts, commitments, scalars. */
export function contestLength(rule: ContestRule): number {
  const scalars = clauseCounts(rule).reduce((sum, clauses) => sum + 2 * clauses - 1, 0);
  return 1 + ciphertextsLength(rule) + commitmentsLength(rule) + SCALAR * scalars;
}
