/** Questions and rules of an election, as the administrator wrote them and the manifest holds them. */

import type { Reader } from '../crypto/bytes.ts';
import { textBytes } from '../crypto/bytes.ts';
import { type ContestRule, contestLength } from '../crypto/contest.ts';
import { HEADER_BYTES, SIGNATURE_BYTES } from '../crypto/statement.ts';
import { need } from './refusal.ts';

export interface Contest {
  readonly title: string;
  readonly rule: ContestRule;
  /** The options that were written down, without the blank one. */
  readonly options: readonly string[];
  /** With kind `one` a last option; with `some` the empty set. */
  readonly blank: boolean;
}

export interface Definition {
  readonly title: string;
  readonly domain: string;
  readonly contests: readonly Contest[];
  readonly trustees: readonly string[];
  readonly threshold: number;
  /** Minutes since 1970 UTC. */
  readonly opens: number | undefined;
  readonly closes: number | undefined;
  /** Whether a voter may vote again; then the last ballot counts. */
  readonly revote: boolean;
  /** Whether the cluster itself makes the codes. */
  readonly clusterIssues: boolean;
  readonly minimumBallots: number;
  readonly acceptsSmallClasses: boolean;
  readonly isTest: boolean;
}

export const BLANK = '(blank)';

function readContest(reader: Reader): Contest {
  const title = reader.text('title');
  const kind = reader.u8('kind');
  if (kind !== 1 && kind !== 2) reader.fail('kind', `is ${kind}; kinds are 1 and 2`);
  const [min, max] = kind === 1 ? [1, 1] : [reader.u16be('min'), reader.u16be('max')];
  const blank = reader.flag('blank');
  const options = reader.list(reader.u16be('options'), () => reader.text('option'));
  const count = options.length + Number(blank && kind === 1);
  const rule: ContestRule =
    kind === 1 ? { kind: 'one', options: count } : { kind: 'some', options: count, min, max };
  return { title, rule, options, blank };
}

export function readDefinition(reader: Reader): Definition {
  return {
    title: reader.text('title'),
    domain: reader.text('domain'),
    contests: reader.list(reader.u8('contests'), () => readContest(reader)),
    trustees: reader.list(reader.u8('trustees'), () => reader.text('name')),
    threshold: reader.u8('threshold'),
    opens: reader.optional('opens', () => reader.u32be('opens')),
    closes: reader.optional('closes', () => reader.u32be('closes')),
    revote: reader.flag('revote'),
    clusterIssues: reader.flag('issuer'),
    minimumBallots: reader.u32be('minimum of ballots'),
    acceptsSmallClasses: reader.flag('small classes'),
    isTest: reader.flag('test'),
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

function checkContest({ title, rule: own, options, blank }: Contest): void {
  checkText(title, "a contest's title");
  rule(options.length >= 1 && options.length <= 1000, 'a contest has 1 to 1000 options');
  for (const option of options) checkText(option, 'an option');
  const texts = new Set(blank && own.kind === 'one' ? [...options, BLANK] : options);
  rule(texts.size === own.options, 'an option appears twice');
  if (own.kind === 'one') return;
  const fits = own.min <= own.max && own.max >= 1 && own.max <= own.options;
  rule(fits, `${own.min} to ${own.max} of ${own.options} options cannot be chosen`);
  rule(!blank || own.min === 0, 'a blank answer needs min = 0');
}

export function checkDefinition(definition: Definition): void {
  const { contests, trustees, threshold, opens, closes } = definition;
  checkText(definition.title, 'the title');
  rule(isDomain(definition.domain), 'the domain is none');
  rule(contests.length >= 1 && contests.length <= 64, 'there are 1 to 64 contests');
  contests.forEach(checkContest);
  const rules = contests.map((contest) => contest.rule);
  const length = rules.reduce((sum, own) => sum + contestLength(own), 0);
  rule(HEADER_BYTES + length + SIGNATURE_BYTES <= BODY_BYTES_MAX, 'a ballot would be too long');
  rule(trustees.length >= 1 && trustees.length <= 16, 'there are 1 to 16 trustees');
  for (const name of trustees) checkText(name, "a trustee's name");
  rule(new Set(trustees).size === trustees.length, 'two trustees have one name');
  rule(threshold >= 1 && threshold <= trustees.length, 'the threshold is 1 to all trustees');
  const ordered = opens === undefined || closes === undefined || opens < closes;
  rule(ordered, 'the election closes before it opens');
  rule(definition.minimumBallots >= 1, 'nothing is decrypted without a ballot');
}
