/** Who may vote: the roll of the manifest, and what orders have changed of it. */

import { type Bytes, toHex } from '../crypto/bytes.ts';
import type { Roll, Voter } from '../election/roll.ts';

/** Why a credential of the roll has no online vote. */
export type Standing = 'withdrawn' | 'replaced' | 'paper';

/** Places count the manifest's roll first, then those who were added. */
export class Electorate {
  readonly roll: Roll;
  readonly #added: Voter[] = [];
  readonly #places = new Map<string, number>();
  readonly #standing = new Map<number, Standing>();
  readonly #classes: Map<string, number>;
  /** Total weight of everybody who may vote. */
  weight: bigint;

  constructor(roll: Roll) {
    this.roll = roll;
    this.#classes = new Map(roll.classes);
    this.weight = roll.totalWeight;
  }

  get size(): number {
    return this.roll.count + this.#added.length;
  }

  find(key: Bytes): number | undefined {
    return this.roll.find(key) ?? this.#places.get(toHex(key));
  }

  voter(place: number): Voter {
    return place < this.roll.count ? this.roll.voter(place) : this.#added[place - this.roll.count]!;
  }

  standing(place: number): Standing | undefined {
    return this.#standing.get(place);
  }

  /** How many voters share weight and group. */
  classSize({ weight, group }: Voter): number {
    return this.#classes.get(`${weight}.${group}`) ?? 0;
  }

  #count(voter: Voter, more: number): void {
    this.#classes.set(`${voter.weight}.${voter.group}`, this.classSize(voter) + more);
    this.weight += BigInt(more * voter.weight);
  }

  add(voter: Voter): void {
    this.#places.set(toHex(voter.key), this.size);
    this.#added.push(voter);
    this.#count(voter, 1);
  }

  remove(place: number, why: 'withdrawn' | 'replaced'): void {
    this.#count(this.voter(place), -1);
    this.#standing.set(place, why);
  }

  markPaper(place: number): void {
    this.#standing.set(place, 'paper');
  }
}
