/**
 * What a booth shows and does: the questions of an election's manifest as a voter of a group has
 * them, and a ballot from the answers. Everything else of the cryptography stays behind this.
 */

import { trackerOf } from '../crypto/base32.ts';
import type { Bytes } from '../crypto/bytes.ts';
import { highestOf } from '../crypto/contest.ts';
import { credentialOfSeed } from '../crypto/credential.ts';
import { sha256 } from '../crypto/hash.ts';
import { BallotContext } from '../crypto/statement.ts';
import type { Contest } from '../election/definition.ts';
import { questionsOf } from '../election/definition.ts';
import type { Manifest } from '../election/manifest.ts';
import { type Choice, ChoiceError, castOpen, Encryptor } from './cast.ts';

export { BLANK, counterText, readDefinition } from '../election/definition.ts';
export { type Manifest, readManifest } from '../election/manifest.ts';
export { type Choice, ChoiceError } from './cast.ts';

/** A question as a voter sees it. */
export interface Question {
  /** Its number in the manifest, from 0. */
  readonly number: number;
  readonly title: string;
  readonly kind: 'one' | 'some' | 'score' | 'lists';
  /** The options, without a blank answer; with kind `lists` the names of the lists. */
  readonly options: readonly string[];
  /** With kind `lists` the candidates of each list. */
  readonly candidates: readonly (readonly string[])[];
  /** Fewest and most options, candidates, or points in all. */
  readonly min: number;
  readonly max: number;
  /** The highest score of one option. */
  readonly highest: number;
  /** Whether a blank answer may be given; `blankChoice` makes it. */
  readonly blank: boolean;
  /** Numbers of the groups that answer it; none means everybody. */
  readonly groups: readonly number[];
}

function questionOf(contest: Contest, number: number): Question {
  const { title, rule, options, candidates, blank, groups } = contest;
  const [min, max] = rule.kind === 'one' ? [1, 1] : [rule.min, rule.max];
  const highest = highestOf(rule);
  const { kind } = rule;
  return { number, title, kind, options, candidates, min, max, highest, blank, groups };
}

/** The questions that voters of a group answer, in the order of the answers. */
export function questionsFor({ definition }: Manifest, group: number): Question[] {
  return definition.contests
    .map(questionOf)
    .filter(({ groups }) => groups.length === 0 || groups.includes(group));
}

/** The blank answer to a question, where it has one. */
export function blankChoice({ kind, options, blank }: Question): Choice | undefined {
  if (!blank) return undefined;
  return kind === 'one' ? [options.length] : 'blank';
}

/** What a worker's `prepare` message needs of a manifest. */
export function preparation({ definition, fingerprint, jointKey }: Manifest, group: number) {
  return {
    kind: 'prepare' as const,
    fingerprint,
    electionKey: jointKey,
    rules: definition.contests.map(({ rule }) => rule),
    groups: definition.contests.map(({ groups }) => groups),
    group,
    openPoll: definition.openPoll,
  };
}

/** Who votes, and where in the credential's own chain. */
export interface Place {
  /** The credential's seed; it is not wiped here. */
  readonly seed: Bytes;
  /** The group that the roll gives the credential. */
  readonly group: number;
  /** 0 for the first ballot, else one more than the last accepted one's. */
  readonly seq: number;
  /** Zeros for the first ballot, else the hash of the last accepted one. */
  readonly prev: Bytes;
}

export interface MadeBallot {
  readonly ballot: Bytes;
  readonly tracker: string;
  /** SHA-256 of the bytes: `prev` of the next ballot. */
  readonly hash: Bytes;
}

/**
 * Makes and signs a ballot with one answer to each question of `questionsFor`: encrypted and
 * proven, or in clear in an open poll. Throws a `ChoiceError` for an answer that does not fit.
 */
export function encryptAndSign(
  manifest: Manifest,
  { seed, group, seq, prev }: Place,
  choices: readonly Choice[],
): MadeBallot {
  const { definition, fingerprint, jointKey } = manifest;
  const questions = questionsOf(definition);
  const credential = credentialOfSeed(seed);
  const made = (ballot: Bytes) => {
    const hash = sha256(ballot);
    return { ballot, hash, tracker: trackerOf(hash) };
  };
  if (definition.openPoll) {
    return made(castOpen(fingerprint, questions, credential, { group, seq, prev }, choices));
  }
  const context = BallotContext.make(fingerprint, jointKey, questions);
  if (context === undefined) throw new ChoiceError("the election's key or rules make no ballot");
  const encryptor = new Encryptor(context);
  return made(encryptor.cast(credential, seq, prev, choices, undefined, group));
}
