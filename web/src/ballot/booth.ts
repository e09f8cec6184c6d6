/**
 * What the booth's worker does, told as messages: prepare once for an election, then make ballots.
 * The page holds no key longer than it needs to hand it over.
 */

import { trackerOf } from '../crypto/base32.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { type ContestRule, Questions } from '../crypto/contest.ts';
import { credentialOfSeed } from '../crypto/credential.ts';
import { sha256 } from '../crypto/hash.ts';
import { openBallotLength } from '../crypto/parsed.ts';
import { BallotContext } from '../crypto/statement.ts';
import { type Choice, ChoiceError, castOpen, Encryptor } from './cast.ts';
import { drawsOf } from './opening.ts';

export type Request =
  | {
      readonly kind: 'prepare';
      readonly fingerprint: Bytes;
      readonly electionKey: Bytes;
      readonly rules: readonly ContestRule[];
      /** The groups that answer each contest; none, or an empty list, means everybody. */
      readonly groups?: readonly (readonly number[])[];
      /** The voter's group. */
      readonly group?: number;
      /** Whether ballots are in clear; then the key does not matter. */
      readonly openPoll?: boolean;
    }
  | {
      readonly kind: 'cast';
      readonly seed: Bytes;
      readonly seq: number;
      readonly prev: Bytes;
      /** One answer for each contest of the voter's group. */
      readonly choices: readonly Choice[];
      /** 32 fresh random bytes that all randomness follows from, so that it can be opened. */
      readonly draws: Bytes;
    };

export type Answer =
  | { readonly kind: 'ready'; readonly ballotLength: number }
  | { readonly kind: 'ballot'; readonly ballot: Bytes; readonly tracker: string }
  | { readonly kind: 'refused'; readonly why: string };

export class Booth {
  #encryptor: Encryptor | undefined;
  #open: { readonly fingerprint: Bytes; readonly questions: Questions } | undefined;
  #group = 0;

  answer(request: Request): Answer {
    try {
      return request.kind === 'prepare' ? this.#prepare(request) : this.#cast(request);
    } catch (error) {
      if (error instanceof ChoiceError) return { kind: 'refused', why: error.message };
      throw error;
    }
  }

  #prepare(request: Extract<Request, { kind: 'prepare' }>): Answer {
    const { fingerprint, electionKey, rules, groups, group } = request;
    const questions = new Questions(rules, groups);
    this.#group = group ?? 0;
    if (request.openPoll === true) {
      this.#open = { fingerprint, questions };
      return { kind: 'ready', ballotLength: openBallotLength(questions, this.#group) };
    }
    const context = BallotContext.make(fingerprint, electionKey, questions);
    if (context === undefined) {
      return { kind: 'refused', why: "the election's key or rules make no ballot" };
    }
    this.#encryptor = new Encryptor(context);
    return { kind: 'ready', ballotLength: context.ballotLengthOf(this.#group) };
  }

  #cast({ seed, seq, prev, choices, draws }: Extract<Request, { kind: 'cast' }>): Answer {
    const ballot = this.#make(seed, seq, prev, choices, draws);
    if (ballot === undefined) return { kind: 'refused', why: 'nothing is prepared' };
    seed.fill(0);
    draws.fill(0);
    return { kind: 'ballot', ballot, tracker: trackerOf(sha256(ballot)) };
  }

  #make(
    seed: Bytes,
    seq: number,
    prev: Bytes,
    choices: readonly Choice[],
    draws: Bytes,
  ): Bytes | undefined {
    const credential = credentialOfSeed(seed);
    const group = this.#group;
    if (this.#open !== undefined) {
      const { fingerprint, questions } = this.#open;
      return castOpen(fingerprint, questions, credential, { group, seq, prev }, choices);
    }
    return this.#encryptor?.cast(credential, seq, prev, choices, drawsOf(draws), group);
  }
}
