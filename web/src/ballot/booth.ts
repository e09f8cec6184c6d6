/**
 * What the booth's worker does, told as messages: prepare once for an election, then make ballots.
 * The page holds no key longer than it needs to hand it over.
 */

import { trackerOf } from '../crypto/base32.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { type ContestRule, Questions } from '../crypto/contest.ts';
import { credentialOfSeed } from '../crypto/credential.ts';
import { sha256 } from '../crypto/hash.ts';
import { BallotContext } from '../crypto/statement.ts';
import { type Choice, ChoiceError, Encryptor } from './cast.ts';

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
    }
  | {
      readonly kind: 'cast';
      readonly seed: Bytes;
      readonly seq: number;
      readonly prev: Bytes;
      /** One answer for each contest of the voter's group. */
      readonly choices: readonly Choice[];
    };

export type Answer =
  | { readonly kind: 'ready'; readonly ballotLength: number }
  | { readonly kind: 'ballot'; readonly ballot: Bytes; readonly tracker: string }
  | { readonly kind: 'refused'; readonly why: string };

export class Booth {
  #encryptor: Encryptor | undefined;
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
    const context = BallotContext.make(fingerprint, electionKey, questions);
    if (context === undefined) {
      return { kind: 'refused', why: "the election's key or rules make no ballot" };
    }
    this.#encryptor = new Encryptor(context);
    this.#group = group ?? 0;
    return { kind: 'ready', ballotLength: context.ballotLengthOf(this.#group) };
  }

  #cast({ seed, seq, prev, choices }: Extract<Request, { kind: 'cast' }>): Answer {
    if (this.#encryptor === undefined) return { kind: 'refused', why: 'nothing is prepared' };
    const credential = credentialOfSeed(seed);
    const group = this.#group;
    const ballot = this.#encryptor.cast(credential, seq, prev, choices, undefined, group);
    seed.fill(0);
    return { kind: 'ballot', ballot, tracker: trackerOf(sha256(ballot)) };
  }
}
