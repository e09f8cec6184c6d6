/**
 * The rules of contests as proofs see them: how many counters (encrypted numbers) and disjunctions
 * a ballot has, what each disjunction claims, and where its bytes stand.
 */

import { type Bytes, concat, u8, u16le } from './bytes.ts';
import { modOrder } from './group.ts';

export type ContestRule =
  /** Exactly one of `options`; a blank answer is one of them. */
  | { readonly kind: 'one'; readonly options: number }
  /** A set of `min … max` of the options, or a blank answer. */
  | {
      readonly kind: 'some';
      readonly options: number;
      readonly min: number;
      readonly max: number;
      readonly blank?: boolean;
    }
  /** A score `0 … highest` for each option, together `min … max`, or a blank answer. */
  | {
      readonly kind: 'score';
      readonly options: number;
      readonly highest: number;
      readonly min: number;
      readonly max: number;
      readonly blank?: boolean;
    }
  /** One list and `min … max` of its candidates, or a blank answer. */
  | {
      readonly kind: 'lists';
      /** How many candidates each list has. */
      readonly candidates: readonly number[];
      readonly min: number;
      readonly max: number;
      readonly blank?: boolean;
    };

/** The kind's byte in rules and ballots. */
export const KIND_BYTE = { one: 1, some: 2, score: 3, lists: 4 } as const;

export function hasBlank(rule: ContestRule): boolean {
  return rule.kind !== 'one' && rule.blank === true;
}

/** How many numbers a ballot encrypts for a contest. */
export function countersOf(rule: ContestRule): number {
  const named =
    rule.kind === 'lists'
      ? rule.candidates.reduce((sum, count) => sum + count + 1, 0)
      : rule.options;
  return named + Number(hasBlank(rule));
}

/** The highest number that one ballot adds to a counter, before weights. */
export function highestOf(rule: ContestRule): number {
  return rule.kind === 'score' ? rule.highest : 1;
}

/** A rule in the transcript, with the contest's number in the manifest. */
export function ruleBytes(rule: ContestRule, number: number): Bytes {
  const count = rule.kind === 'lists' ? rule.candidates.length : rule.options;
  const [min, max] = rule.kind === 'one' ? [1, 1] : [rule.min, rule.max];
  const lists = rule.kind === 'lists' ? rule.candidates : [];
  return concat(
    u16le(number),
    u8(KIND_BYTE[rule.kind]),
    u8(Number(hasBlank(rule))),
    ...[count, highestOf(rule), min, max, ...lists].map(u16le),
  );
}

/** A sum of counters, and the values it may have. */
interface Rule {
  readonly factors: readonly number[];
  readonly values: readonly number[];
}

function upTo(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, k) => from + k);
}

/** The rule about one counter. */
function bounded(at: number, highest: number, counters: number): Rule {
  const factors = new Array<number>(counters).fill(0);
  factors[at] = 1;
  return { factors, values: upTo(0, highest) };
}

type Summed = Extract<ContestRule, { kind: 'some' | 'score' }>;

/** The rule about all options together, unless it would allow everything. */
function totalRules(rule: Summed, counters: number): Rule[] {
  const most = rule.options * highestOf(rule);
  const blank = hasBlank(rule);
  if (rule.min === 0 && rule.max === most && !blank) return [];
  const factors = upTo(0, counters - 1).map((at) => (at < rule.options ? 1 : most + 1));
  const values = upTo(rule.min, rule.max);
  return [{ factors, values: blank ? [...values, most + 1] : values }];
}

function listRules(rule: Extract<ContestRule, { kind: 'lists' }>, counters: number): Rule[] {
  const { candidates, min, max } = rule;
  let start = candidates.length;
  const lists = candidates.map((count, list) => {
    const [from, to] = [start, start + count];
    start = to;
    const factors = upTo(0, counters - 1).map((at) =>
      at === list ? count + 1 : Number(at >= from && at < to),
    );
    return { factors, values: [0, ...upTo(count + 1 + min, count + 1 + Math.min(max, count))] };
  });
  const selects = upTo(0, counters - 1).map((at) => {
    const isBlank = hasBlank(rule) && at === counters - 1;
    return Number(at < candidates.length || isBlank);
  });
  return [...lists, { factors: selects, values: [1] }];
}

/** What must hold of a contest that is not of kind `one`, in the order of the proofs. */
function rulesOf(rule: Exclude<ContestRule, { kind: 'one' }>): Rule[] {
  const counters = countersOf(rule);
  const options = rule.kind === 'lists' ? 0 : rule.options;
  const each = upTo(0, counters - 1).map((at) =>
    bounded(at, at < options ? highestOf(rule) : 1, counters),
  );
  const sums = rule.kind === 'lists' ? listRules(rule, counters) : totalRules(rule, counters);
  return [...each, ...sums];
}

/** Whether these numbers, one for each counter, are a valid answer. */
export function admits(rule: ContestRule, numbers: readonly number[]): boolean {
  if (numbers.length !== countersOf(rule)) return false;
  if (rule.kind === 'one') {
    const sum = numbers.reduce((total, number) => total + number, 0);
    return sum === 1 && numbers.every((number) => number <= 1);
  }
  return rulesOf(rule).every(({ factors, values }) => {
    const sum = factors.reduce((total, factor, at) => total + factor * numbers[at]!, 0);
    return values.includes(sum);
  });
}

/** Whether ballots of this total weight can have given these counts. */
export function admitsCounts(
  rule: ContestRule,
  counts: readonly bigint[],
  weight: bigint,
): boolean {
  const sum = (some: readonly bigint[]) => some.reduce((total, count) => total + count, 0n);
  const most = weight * BigInt(highestOf(rule));
  if (counts.length !== countersOf(rule) || counts.some((count) => count > most)) return false;
  const within = (total: bigint, min: number, max: number, of: bigint) =>
    total >= BigInt(min) * of && total <= BigInt(max) * of;
  if (rule.kind === 'one') return sum(counts) === weight;
  const blank = hasBlank(rule) ? counts.at(-1)! : 0n;
  if (rule.kind !== 'lists') {
    const valid = weight - blank;
    return valid >= 0n && within(sum(counts.slice(0, rule.options)), rule.min, rule.max, valid);
  }
  const selectors = counts.slice(0, rule.candidates.length);
  let start = selectors.length;
  const lists = rule.candidates.every((count, list) => {
    const own = counts.slice(start, start + count);
    start += count;
    return within(sum(own), rule.min, Math.min(rule.max, count), selectors[list]!);
  });
  return lists && sum(selectors) + blank === weight;
}

/** Whether a rule can be met at all, within the bounds of the specification. */
export function isPossible(rule: ContestRule): boolean {
  if (countersOf(rule) > 2000) return false;
  if (rule.kind === 'one') return rule.options >= 1;
  if (rule.min > rule.max) return false;
  if (rule.kind === 'lists') {
    const { candidates, min, max } = rule;
    return candidates.length >= 1 && max >= 1 && candidates.every((m) => m >= Math.max(min, 1));
  }
  const most = rule.options * highestOf(rule);
  return rule.options >= 1 && most >= 1 && most < 65_535 && rule.max <= most;
}

/** One disjunction: the weighted sum of the ciphertexts encrypts one of the values. */
export interface Claim {
  /** The factor of each counter's ciphertext; zero where it takes no part. */
  readonly factors: readonly bigint[];
  readonly values: readonly bigint[];
}

/** What a rule that does not depend on ρ claims; rules are few and used for every ballot. */
const fixedClaims = new WeakMap<ContestRule, readonly Claim[]>();

function fixedClaimsOf(rule: Exclude<ContestRule, { kind: 'one' }>): readonly Claim[] {
  const known = fixedClaims.get(rule);
  if (known !== undefined) return known;
  const claims = rulesOf(rule).map(({ factors, values }) => ({
    factors: factors.map(BigInt),
    values: values.map(BigInt),
  }));
  fixedClaims.set(rule, claims);
  return claims;
}

/** Numbers of clauses of a contest's disjunctions, in the order of the ballot's bytes. */
export function clauseCounts(rule: ContestRule): number[] {
  if (rule.kind === 'one') return [rule.options];
  return fixedClaimsOf(rule).map(({ values }) => values.length);
}

/** What a contest claims. `rho` is used by kind `one` alone. */
export function claimsOf(rule: ContestRule, rho: bigint): readonly Claim[] {
  if (rule.kind !== 'one') return fixedClaimsOf(rule);
  const powers: bigint[] = [];
  let power = 1n;
  for (let i = 0; i < rule.options; i++) {
    power = modOrder(power * rho);
    powers.push(power);
  }
  return [{ factors: powers, values: powers }];
}

const POINT = 32;
const SCALAR = 32;

export function ciphertextsLength(rule: ContestRule): number {
  return 2 * POINT * countersOf(rule);
}

export function commitmentsLength(rule: ContestRule): number {
  return clauseCounts(rule).reduce((length, clauses) => length + 2 * POINT * clauses, 0);
}

/** Bytes of a contest in a ballot: kind, ciphertexts, commitments, scalars. */
export function contestLength(rule: ContestRule): number {
  const scalars = clauseCounts(rule).reduce((sum, clauses) => sum + 2 * clauses - 1, 0);
  return 1 + ciphertextsLength(rule) + commitmentsLength(rule) + SCALAR * scalars;
}

/** A contest with its number in the manifest. */
export interface Asked {
  readonly number: number;
  readonly rule: ContestRule;
}

/** The contests of an election, and which of them the voters of each group answer. */
export class Questions {
  readonly rules: readonly ContestRule[];
  readonly #groups: readonly (readonly number[])[];
  readonly #asked = new Map<number, readonly Asked[]>();

  /** No groups for a contest means that everybody answers it. */
  constructor(rules: readonly ContestRule[], groups: readonly (readonly number[])[] = []) {
    this.rules = rules;
    this.#groups = rules.map((_, number) => groups[number] ?? []);
  }

  /** The contests of a group, by number. */
  asked(group: number): readonly Asked[] {
    const known = this.#asked.get(group);
    if (known !== undefined) return known;
    const numbered = this.rules.map((rule, number) => ({ number, rule }));
    const asked = numbered.filter(({ number }) => {
      const groups = this.#groups[number]!;
      return groups.length === 0 || groups.includes(group);
    });
    this.#asked.set(group, asked);
    return asked;
  }

  /** All groups that differ in what they answer: those named, and one that is not. */
  get groups(): readonly number[] {
    const named = new Set(this.#groups.flat());
    const other = upTo(0, 255).find((group) => !named.has(group));
    return other === undefined ? [...named] : [...named, other];
  }
}
