/**
 * What the booth's worker does, told as messages: prepare once for an election, then make ballots.
 * The page holds no key longer than it needs to hand it over.
 */

import { trackerOf } from '../crypto/base32.ts';
import type { Bytes } from '../crypto/bytes.ts';
import type { ContestRule } from '../crypto/contest.ts';
import { credentialOfSeed } from '../crypto/credential.ts';
import { sha256 } from '../crypto/hash.ts';
import { BallotContext } from '../crypto/statement.ts';
import { type Choice, ChoiceError, Encryptor } from './cast.ts';
import { drawsOf } from './opening.ts';

export type Request =
  | {
      readonly kind: 'prepare';
      readonly fingerprint: Bytes;
      readonly electionKey: Bytes;
      readonly rules: readonly ContestRule[];
    }
  | {
      readonly kind: 'cast';
      readonly seed: Bytes;
      readonly seq: number;
      readonly prev: Bytes;
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

  answer(request: Request): Answer {
    try {
      return request.kind === 'prepare' ? this.#prepare(request) : this.#cast(request);
    } catch (error) {
      if (error instanceof ChoiceError) return { kind: 'refused', why: error.message };
      throw error;
    }
  }

  #prepare({ fingerprint, electionKey, rules }: Extract<Request, { kind: 'prepare' }>): Answer {
    const context = BallotContext.make(fingerprint, electionKey, rules);
    if (context === undefined) {
      return { kind: 'refused', why: "the election's key or rules make no ballot" };
    }
    this.#encryptor = new Encryptor(context);
    return { kind: 'ready', ballotLength: context.ballotLength };
  }

  #cast({ seed, seq, prev, choices, draws }: Extract<Request, { kind: 'cast' }>): Answer {
    if (this.#encryptor === undefined) return { kind: 'refused', why: 'nothing is prepared' };
    const credential = credentialOfSeed(seed);
    const ballot = this.#encryptor.cast(credential, seq, prev, choices, drawsOf(draws));
    seed.fill(0);
    draws.fill(0);
    return { kind: 'ballot', ballot, tracker: trackerOf(sha256(ballot)) };
  }
}
