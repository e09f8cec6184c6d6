/** Questions and rules of an election, as the administrator wrote them and the manifest holds them. */

import type { Bytes, Reader } from '../crypto/bytes.ts';
import { textBytes } from '../crypto/bytes.ts';
import {
  type ContestRule,
  contestLength,
  countersOf,
  isPossible,
  Questions,
} from '../crypto/contest.ts';
import { openBallotLength } from '../crypto/parsed.ts';
import { HEADER_BYTES, SIGNATURE_BYTES } from '../crypto/statement.ts';
import { need } from './refusal.ts';

export interface Contest {
  readonly title: string;
  readonly rule: ContestRule;
  /** The options that were written down, without the blank one. */
  readonly options: readonly string[];
  /** With kind `lists` the candidates of each list; the options are the lists. */
  readonly candidates: readonly (readonly string[])[];
  /** Whether a blank answer may be given: the last counter. */
  readonly blank: boolean;
  /** Numbers of the groups that answer it; none means everybody. */
  readonly groups: readonly number[];
  readonly decision: Decision;
}

export type Majority = 'relative' | 'absolute' | 'two-thirds' | 'three-quarters';
export type Tie = 'lot' | 'runoff' | 'first-listed';

/** What decides a contest. */
export interface Decision {
  readonly seats: number;
  readonly quorumPercent: number;
  readonly majority: Majority;
  readonly tie: Tie;
}

export const MAJORITIES: readonly Majority[] = [
  'relative',
  'absolute',
  'two-thirds',
  'three-quarters',
];
export const TIES: readonly Tie[] = ['lot', 'runoff', 'first-listed'];

export interface Definition {
  readonly title: string;
  readonly domain: string;
  readonly contests: readonly Contest[];
  /** Names of the groups of voters; their numbers count from 1, and 0 is no group. */
  readonly groups: readonly string[];
  /** Whether ballots are in clear. */
  readonly openPoll: boolean;
  readonly trustees: readonly string[];
  readonly threshold: number;
  /** Minutes since 1970 UTC. */
  readonly opens: number | undefined;
  readonly closes: number | undefined;
  readonly extendableUntil: number | undefined;
  /** Whether a voter may vote again; then the last ballot counts. */
  readonly revote: boolean;
  /** Whether the cluster itself makes the codes. */
  readonly clusterIssues: boolean;
  readonly minimumBallots: number;
  readonly rollChanges: boolean;
  readonly paper: boolean;
  readonly acceptsSmallClasses: boolean;
  readonly isTest: boolean;
  /** Digest over the files of the booth that nodes must hand out, if it is pinned. */
  readonly booth?: Bytes;
}

export const BLANK = '(blank)';

const KINDS = ['one', 'some', 'score', 'lists'] as const;

function readTexts(reader: Reader): string[] {
  return reader.list(reader.u16be('options'), () => reader.text('option'));
}

function readContest(reader: Reader): Contest {
  const title = reader.text('title');
  const kind = KINDS[reader.u8('kind') - 1] ?? reader.fail('kind', 'is not 1 to 4');
  const highest = kind === 'score' ? reader.u16be('highest score') : 1;
  const [min, max] = kind === 'one' ? [1, 1] : [reader.u16be('min'), reader.u16be('max')];
  const blank = reader.flag('blank');
  const options = readTexts(reader);
  const candidates = kind === 'lists' ? options.map(() => readTexts(reader)) : [];
  const groups = [...reader.take(reader.u8('groups'), 'groups')];
  const decision = {
    seats: reader.u16be('seats'),
    quorumPercent: reader.u8('quorum'),
    majority: MAJORITIES[reader.u8('majority')] ?? reader.fail('majority', 'is not 0 to 3'),
    tie: TIES[reader.u8('tie')] ?? reader.fail('tie', 'is not 0 to 2'),
  };
  const count = options.length;
  const rules: Record<typeof kind, ContestRule> = {
    one: { kind: 'one', options: count + Number(blank) },
    some: { kind: 'some', options: count, min, max, blank },
    score: { kind: 'score', options: count, highest, min, max, blank },
    lists: { kind: 'lists', candidates: candidates.map((list) => list.length), min, max, blank },
  };
  return { title, rule: rules[kind], options, candidates, blank, groups, decision };
}

/** The contests as ballots have them, and who answers which. */
export function questionsOf({ contests }: Definition): Questions {
  const rules = contests.map(({ rule: own }) => own);
  return new Questions(
    rules,
    contests.map(({ groups }) => groups),
  );
}

/** The text of a counter of a contest. */
export function counterText(contest: Contest, counter: number): string | undefined {
  const texts = [...contest.options, ...contest.candidates.flat()];
  return contest.blank && counter === texts.length ? BLANK : texts[counter];
}

/** The last byte marks a test (1), and that the digest of a booth follows (2). */
function readMarks(reader: Reader): Pick<Definition, 'isTest' | 'booth'> {
  const marks = reader.u8('marks');
  if (marks > 3) reader.fail('marks', 'is more than 3');
  const isTest = (marks & 1) === 1;
  return marks < 2 ? { isTest } : { isTest, booth: reader.take(32, "booth's digest") };
}

export function readDefinition(reader: Reader): Definition {
  return {
    title: reader.text('title'),
    domain: reader.text('domain'),
    contests: reader.list(reader.u8('contests'), () => readContest(reader)),
    groups: reader.list(reader.u8('groups'), () => reader.text('group')),
    openPoll: reader.flag('open poll'),
    trustees: reader.list(reader.u8('trustees'), () => reader.text('name')),
    threshold: reader.u8('threshold'),
    opens: reader.optional('opens', () => reader.u32be('opens')),
    closes: reader.optional('closes', () => reader.u32be('closes')),
    extendableUntil: reader.optional('extendable until', () => reader.u32be('extendable until')),
    revote: reader.flag('revote'),
    clusterIssues: reader.flag('issuer'),
    minimumBallots: reader.u32be('minimum of ballots'),
    rollChanges: reader.flag('roll changes'),
    paper: reader.flag('paper'),
    acceptsSmallClasses: reader.flag('small classes'),
    ...readMarks(reader),
  };
}

/** Longest body of an entry: version, kind, stamp, appender and signature are 71 bytes. */
export const BODY_BYTES_MAX = 65_535 - 71;

function rule(holds: boolean, sentence: string): asserts holds {
  need(holds, 'bad-manifest', sentence);
}

/** A line of text: 1 to 500 bytes, no control character, no blank at its ends. */
function checkText(text: string, what: string): void {
  const length = textBytes(text).length;
  const plain = !/\p{Cc}/u.test(text) && !hasBlankEnd(text);
  rule(length >= 1 && length <= 500 && plain, `${what} is no line of 1 to 500 bytes`);
}

/** Unicode's White_Space, which JavaScript's `trim` almost is. */
function hasBlankEnd(text: string): boolean {
  return /^\p{White_Space}|\p{White_Space}$/u.test(text);
}

function isDomain(text: string): boolean {
  const [host, port, ...more] = text.split(':');
  const labels = host!.split('.').every((label) => /^[a-z0-9-]+$/.test(label));
  const portFits = port === undefined || (/^[1-9][0-9]{0,4}$/.test(port) && Number(port) < 65_536);
  return more.length === 0 && labels && portFits && text.length <= 100;
}

/** Different lines of text, none of which is what a blank answer is called. */
function checkTexts(texts: readonly string[], what: string): void {
  for (const text of texts) checkText(text, what);
  rule(new Set(texts).size === texts.length, `${what} appears twice`);
  rule(!texts.includes(BLANK), `${what} is called like a blank answer`);
}

function checkContest(contest: Contest, groupCount: number): void {
  const { title, rule: own, options, candidates, groups, decision } = contest;
  checkText(title, "a contest's title");
  rule(options.length >= 1 && options.length <= 1000, 'a contest has 1 to 1000 options');
  checkTexts(options, 'an option');
  for (const list of candidates) checkTexts(list, 'a candidate');
  rule(isPossible(own) && (own.kind === 'one' || own.max >= 1), 'the rule cannot be met');
  const known = groups.every((group, at) => group > (groups[at - 1] ?? 0) && group <= groupCount);
  rule(known, 'the groups of a contest ascend and are groups of the election');
  const { seats, quorumPercent } = decision;
  rule(seats >= 1 && seats <= options.length, 'there are 1 seat to as many as options');
  rule(quorumPercent <= 100, 'the quorum is 0 to 100 per cent');
}

function checkTrustees({ trustees, threshold, openPoll }: Definition): void {
  if (openPoll) {
    rule(trustees.length === 0 && threshold === 0, 'an open poll has no trustees');
    return;
  }
  rule(trustees.length >= 1 && trustees.length <= 16, 'there are 1 to 16 trustees');
  for (const name of trustees) checkText(name, "a trustee's name");
  rule(new Set(trustees).size === trustees.length, 'two trustees have one name');
  rule(threshold >= 1 && threshold <= trustees.length, 'the threshold is 1 to all trustees');
}

function longestBallot(definition: Definition): number {
  const questions = questionsOf(definition);
  const lengths = questions.groups.map((group) => {
    if (definition.openPoll) return openBallotLength(questions, group);
    const contests = questions.asked(group);
    const body = contests.reduce((sum, { rule: own }) => sum + contestLength(own), 0);
    return HEADER_BYTES + body + SIGNATURE_BYTES;
  });
  return Math.max(...lengths);
}

export function checkDefinition(definition: Definition): void {
  const { contests, groups, opens, closes, extendableUntil } = definition;
  checkText(definition.title, 'the title');
  rule(isDomain(definition.domain), 'the domain is none');
  rule(groups.length <= 200, 'there are at most 200 groups');
  checkTexts(groups, 'a group');
  rule(contests.length >= 1 && contests.length <= 64, 'there are 1 to 64 contests');
  for (const contest of contests) checkContest(contest, groups.length);
  const counters = contests.every(({ rule: own }) => countersOf(own) <= 2000);
  rule(counters && longestBallot(definition) <= BODY_BYTES_MAX, 'a ballot would be too long');
  checkTrustees(definition);
  const ordered = opens === undefined || closes === undefined || opens < closes;
  rule(ordered, 'the election closes before it opens');
  const later = extendableUntil === undefined || (closes !== undefined && closes < extendableUntil);
  rule(later, 'the closing can be extended to a later minute only');
  rule(definition.minimumBallots >= 1, 'nothing is decrypted without a ballot');
}
