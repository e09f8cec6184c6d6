/** Ballots against each other: chains of each credential, and ciphertexts that stand once only. */

import { type Bytes, equal } from '../crypto/bytes.ts';
import { countersOf } from '../crypto/contest.ts';
import { sha256 } from '../crypto/hash.ts';
import type { BallotHeader, OpenBallot, ParsedBallot } from '../crypto/parsed.ts';
import {
  aPrefixes,
  BallotError,
  checkEnvelope,
  checkOpenEnvelope,
  parseBallot,
  parseOpenBallot,
} from '../crypto/parsed.ts';
import { claimHolds } from '../crypto/signature.ts';
import type { BallotContext } from '../crypto/statement.ts';
import { need, Refusal, type RefusalCode, refuse } from '../election/refusal.ts';
import { type Electors, NOBODY, type Participation } from '../election/result.ts';
import type { Roll, Voter } from '../election/roll.ts';
import { Electorate } from './electorate.ts';
import type { Charter } from './setup.ts';

const KEY_BYTES = 16;

/** A set of 16-byte keys in one array: a million ballots cost no million strings. */
export class KeySet {
  #slots = new Uint32Array(4 * 1024);
  #used = new Uint8Array(1024);
  size = 0;

  #find(words: Uint32Array): number {
    const mask = this.#used.length - 1;
    let slot = (words[0]! ^ Math.imul(words[1]!, 0x9e3779b1)) & mask;
    while (this.#used[slot] === 1 && !this.#holds(slot, words)) slot = (slot + 1) & mask;
    return slot;
  }

  #holds(slot: number, words: Uint32Array): boolean {
    return words.every((word, at) => this.#slots[4 * slot + at] === word);
  }

  has(key: Bytes): boolean {
    return this.#used[this.#find(wordsOf(key))] === 1;
  }

  /** False when it was there. */
  add(key: Bytes): boolean {
    const words = wordsOf(key);
    const slot = this.#find(words);
    if (this.#used[slot] === 1) return false;
    this.#slots.set(words, 4 * slot);
    this.#used[slot] = 1;
    this.size += 1;
    if (2 * this.size > this.#used.length) this.#grow();
    return true;
  }

  #grow(): void {
    const [slots, used] = [this.#slots, this.#used];
    this.#slots = new Uint32Array(2 * slots.length);
    this.#used = new Uint8Array(2 * used.length);
    for (let slot = 0; slot < used.length; slot++) {
      if (used[slot] === 0) continue;
      const words = slots.slice(4 * slot, 4 * slot + 4);
      const place = this.#find(words);
      this.#slots.set(words, 4 * place);
      this.#used[place] = 1;
    }
  }
}

function wordsOf(key: Bytes): Uint32Array {
  return new Uint32Array(key.slice(0, KEY_BYTES).buffer);
}

/** A ballot that breaks no rule; its equations are still to be checked. */
export interface Vote {
  readonly parsed: ParsedBallot;
  readonly weight: bigint;
  /** The leaf that it replaces. */
  readonly replaces: number | undefined;
}

export interface Turnout {
  readonly ballots: number;
  readonly voters: number;
  readonly weight: bigint;
  readonly paper: Electors;
}

const FAULT_CODES: Record<BallotError['code'], RefusalCode> = {
  'ballot-length': 'malformed',
  'ballot-version': 'wrong-version',
  'ballot-election': 'wrong-election',
  'ballot-credential': 'malformed',
  'ballot-group': 'malformed',
  'ballot-kind': 'malformed',
  'ballot-encoding': 'malformed',
  'ballot-signature': 'bad-signature',
  'ballot-proof': 'bad-proof',
};

export function refusalOf(error: BallotError): Refusal {
  return new Refusal(FAULT_CODES[error.code], `In this ballot: ${error.code}.`);
}

/** Runs what may throw a `BallotError` and turns that into a refusal. */
export function orRefuse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof BallotError) throw refusalOf(error);
    throw error;
  }
}

/** Version, election and length of a ballot. */
export function checkHeader(ballot: Bytes, charter: Charter): BallotHeader {
  const { context, manifest, questions } = charter;
  return orRefuse(() =>
    context === undefined
      ? checkOpenEnvelope(ballot, manifest.fingerprint, questions)
      : checkEnvelope(ballot, context),
  );
}

const BARRED = {
  withdrawn: { code: 'withdrawn', sentence: 'The credential was withdrawn from the roll.' },
  replaced: { code: 'withdrawn', sentence: 'The credential was replaced by another one.' },
  paper: { code: 'votes-on-paper', sentence: 'The holder of this credential votes on paper.' },
} as const;

function plus({ voters, weight }: Electors, more: number): Electors {
  return { voters: voters + 1, weight: weight + BigInt(more) };
}

/** The last accepted ballot of a place. */
interface Last {
  readonly seq: number;
  readonly hash: Bytes;
  readonly leaf: number;
  /** In an open poll: what it adds to each contest. */
  readonly open: OpenBallot | undefined;
}

export class Voting {
  readonly #charter: Charter;
  readonly electorate: Electorate;
  readonly #last = new Map<number, Last>();
  readonly #accepted = new KeySet();
  readonly #seen = new KeySet();
  #turnout: Turnout = { ballots: 0, voters: 0, weight: 0n, paper: NOBODY };
  #live: bigint[][] = [];
  isPaused = false;
  /** First minute in which no more ballots are taken. */
  closes: number | undefined;
  /** How many orders have been carried out. */
  orders = 0;
  readonly changes = { added: 0, withdrawn: 0, replaced: 0 };

  constructor(charter: Charter, roll: Roll) {
    this.#charter = charter;
    this.electorate = new Electorate(roll);
    this.closes = charter.manifest.definition.closes;
    this.forgetBallots();
  }

  get turnout(): Turnout {
    return this.#turnout;
  }

  /** The weighted sums of an open poll so far. */
  get live(): readonly (readonly bigint[])[] {
    return this.#live;
  }

  /** Begins again, but for ciphertexts and ballots, which may not come back, and the roll. */
  forgetBallots(): void {
    this.#last.clear();
    const { rules } = this.#charter.questions;
    this.#live = rules.map((rule) => new Array<bigint>(countersOf(rule)).fill(0n));
    this.#turnout = { ...this.#turnout, ballots: 0, voters: 0, weight: 0n };
  }

  checkNew(hash: Bytes): void {
    need(!this.#accepted.has(hash), 'already-accepted', 'These bytes are a leaf already.');
  }

  hasVoted(place: number): boolean {
    return this.#last.has(place);
  }

  enrol(voter: Voter): void {
    this.electorate.add(voter);
  }

  markPaper(place: number): void {
    this.electorate.markPaper(place);
    const paper = plus(this.#turnout.paper, this.electorate.voter(place).weight);
    this.#turnout = { ...this.#turnout, paper };
  }

  /** The place of a credential that has an online vote. */
  placeOf(key: Bytes): number {
    const place = this.electorate.find(key);
    if (place === undefined) return refuse('not-on-roll', 'The credential is not on the roll.');
    const standing = this.electorate.standing(place);
    if (standing !== undefined) {
      const { code, sentence } = BARRED[standing];
      return refuse(code, sentence);
    }
    return place;
  }

  /** Rules about other ballots, up to the credential's chain. */
  #place(ballot: Bytes, hash: Bytes): { place: number; header: BallotHeader } {
    const header = checkHeader(ballot, this.#charter);
    this.checkNew(hash);
    need(!this.isPaused, 'paused', 'The election is paused.');
    const place = this.placeOf(header.credential);
    const { group } = this.electorate.voter(place);
    need(header.group === group, 'wrong-group', 'The ballot is for another group.');
    this.#checkChain(place, header);
    return { place, header };
  }

  /** Judges a ballot by all rules but its equations, and takes it in. */
  add(ballot: Bytes, leaf: number, context: BallotContext): Vote {
    const hash = sha256(ballot);
    const { place, header } = this.#place(ballot, hash);
    const prefixes = orRefuse(() => aPrefixes(ballot, context));
    const own = new KeySet();
    const fresh = prefixes.every((prefix) => own.add(prefix) && !this.#seen.has(prefix));
    need(fresh, 'repeated-ciphertext', 'A ciphertext stands in an accepted ballot already.');
    const parsed = orRefuse(() => parseBallot(ballot, context));
    for (const prefix of prefixes) this.#seen.add(prefix);
    const before = this.#take(place, { seq: header.seq, hash, leaf, open: undefined });
    const weight = BigInt(this.electorate.voter(place).weight);
    return { parsed, weight, replaces: before?.leaf };
  }

  /** Judges a ballot of an open poll whole, and counts it. */
  addOpen(ballot: Bytes, leaf: number): void {
    const hash = sha256(ballot);
    const { place, header } = this.#place(ballot, hash);
    const { manifest, questions } = this.#charter;
    const open = openOrRefuse(() => {
      const read = parseOpenBallot(ballot, manifest.fingerprint, questions);
      if (!claimHolds(read.signature)) throw new BallotError('ballot-signature');
      return read;
    });
    const before = this.#take(place, { seq: header.seq, hash, leaf, open });
    const weight = BigInt(this.electorate.voter(place).weight);
    this.#addLive(open, weight);
    if (before?.open !== undefined) this.#addLive(before.open, -weight);
  }

  #addLive({ header, values }: OpenBallot, weight: bigint): void {
    this.#charter.questions.asked(header.group).forEach(({ number }, at) => {
      this.#live[number] = this.#live[number]!.map(
        (count, counter) => count + weight * BigInt(values[at]![counter]!),
      );
    });
  }

  /** Puts down the last ballot of a place; gives the one before. */
  #take(place: number, last: Last): Last | undefined {
    const before = this.#last.get(place);
    this.#accepted.add(last.hash);
    this.#last.set(place, last);
    const { ballots, voters, weight, paper } = this.#turnout;
    const { weight: own } = this.electorate.voter(place);
    this.#turnout =
      before !== undefined
        ? { ballots: ballots + 1, voters, weight, paper }
        : { ballots: ballots + 1, voters: voters + 1, weight: weight + BigInt(own), paper };
    return before;
  }

  #checkChain(place: number, { seq, prev }: BallotHeader): void {
    const last = this.#last.get(place);
    if (last === undefined) {
      const first = seq === 0 && prev.every((byte) => byte === 0);
      need(first, 'broken-chain', 'The first ballot has number 0 and no predecessor.');
      return;
    }
    const { revote } = this.#charter.manifest.definition;
    need(revote, 'revote-not-allowed', 'This credential has voted already.');
    const follows = seq === last.seq + 1 && equal(prev, last.hash);
    need(follows, 'broken-chain', "The ballot does not follow its credential's last one.");
  }

  /** Who may answer each contest, and who did. */
  participation(): Participation[] {
    const { questions } = this.#charter;
    const all = questions.rules.map(() => ({ eligible: NOBODY, ballots: NOBODY, paper: NOBODY }));
    for (let place = 0; place < this.electorate.size; place++) {
      const standing = this.electorate.standing(place);
      if (standing === 'withdrawn' || standing === 'replaced') continue;
      const { group, weight } = this.electorate.voter(place);
      for (const { number } of questions.asked(group)) {
        const part = all[number]!;
        part.eligible = plus(part.eligible, weight);
        if (standing === 'paper') part.paper = plus(part.paper, weight);
        if (this.#last.has(place)) part.ballots = plus(part.ballots, weight);
      }
    }
    return all;
  }
}

/** Like `orRefuse`; an answer that is not valid has a code of its own. */
function openOrRefuse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof BallotError)) throw error;
    if (error.code !== 'ballot-proof') throw refusalOf(error);
    return refuse('bad-answer', 'The answer to a question is not valid.');
  }
}
