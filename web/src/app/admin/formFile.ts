/** Definitions as files: TOML with the keys of the command line, and the same as JSON. */

import { parse, stringify } from 'smol-toml';
import { MAJORITIES, TIES } from '../../election/definition.ts';
import {
  type ContestForm,
  type ElectionForm,
  EMPTY_CONTEST,
  emptyForm,
  KINDS,
  type ListForm,
  linesOf,
  mostOf,
} from './form.ts';

/** A file cannot be taken over; the texts are below `create.fileProblem`. */
export class FormFileError extends Error {
  override readonly name = 'FormFileError';
  readonly code: string;
  readonly values: Readonly<Record<string, string>>;

  constructor(code: string, values: Readonly<Record<string, string>> = {}) {
    super(`${code} ${Object.values(values).join(' ')}`);
    [this.code, this.values] = [code, values];
  }
}

type Table = Record<string, unknown>;

/** UTC, as the command line reads it. */
function isoMinute(minutes: number): string {
  return new Date(60_000 * minutes).toISOString().slice(0, 16).replace('T', ' ');
}

function contestTable(contest: ContestForm): Table {
  const { title, kind, min, max, highest, lists, blank, groups } = contest;
  const { seats, quorumPercent, majority, tie } = contest;
  const tables = lists.map((list) => ({
    name: list.name,
    candidates: linesOf(list.candidates),
  }));
  return {
    title,
    kind,
    ...(kind !== 'one' && { min, max: max ?? mostOf(contest) }),
    ...(kind === 'score' && { highest }),
    blank,
    ...(kind !== 'lists' && { options: linesOf(contest.options) }),
    ...(groups.length > 0 && { groups }),
    ...(seats !== 1 && { seats }),
    ...(quorumPercent !== 0 && { quorum_percent: quorumPercent }),
    ...(majority !== 'relative' && { majority }),
    ...(tie !== 'lot' && { tie }),
    ...(kind === 'lists' && { lists: tables }),
  };
}

function tableOf(form: ElectionForm): Table {
  const { opens, closes, extendableUntil, openPoll } = form;
  const groups = linesOf(form.groups);
  return {
    title: form.title,
    domain: form.domain,
    ...(groups.length > 0 && { groups }),
    ...(openPoll
      ? { open_poll: true }
      : { trustees: linesOf(form.trustees), threshold: form.threshold }),
    ...(opens !== undefined && { opens: isoMinute(opens) }),
    ...(closes !== undefined && { closes: isoMinute(closes) }),
    ...(extendableUntil !== undefined && { extendable_until: isoMinute(extendableUntil) }),
    revote: form.revote ? 'last-counts' : 'off',
    issuer: form.clusterIssues ? 'cluster' : 'separate',
    minimum_ballots: form.minimumBallots,
    roll_changes: form.rollChanges,
    paper: form.paper,
    accept_small_classes: form.acceptsSmallClasses,
    test: form.isTest,
    ...(form.booth.trim() !== '' && { booth: form.booth.trim() }),
    contests: form.contests.map(contestTable),
  };
}

export function printToml(form: ElectionForm): string {
  return `${stringify(tableOf(form))}\n`;
}

export function printJson(form: ElectionForm): string {
  return `${JSON.stringify(tableOf(form), null, 2)}\n`;
}

const KEYS = new Set([
  'title',
  'domain',
  'groups',
  'open_poll',
  'trustees',
  'threshold',
  'opens',
  'closes',
  'extendable_until',
  'revote',
  'issuer',
  'minimum_ballots',
  'roll_changes',
  'paper',
  'accept_small_classes',
  'test',
  'booth',
  'contests',
]);
const CONTEST_KEYS = new Set([
  'title',
  'kind',
  'min',
  'max',
  'highest',
  'blank',
  'options',
  'lists',
  'groups',
  'seats',
  'quorum_percent',
  'majority',
  'tie',
]);

/** Unknown keys are refused, so that no rule gets lost unseen. */
function checkKeys(table: Table, known: ReadonlySet<string>): void {
  const [unknown] = Object.keys(table).filter((key) => !known.has(key));
  if (unknown !== undefined) throw new FormFileError('unknown-key', { key: unknown });
}

/** Reads TOML or JSON. */
export function parseForm(text: string, domain: string): ElectionForm {
  const table = readTable(text);
  checkKeys(table, KEYS);
  const empty = emptyForm(domain);
  return {
    title: textIn(table, 'title', ''),
    domain: textIn(table, 'domain', domain),
    contests: listIn(table, 'contests').map(readContest),
    groups: textsIn(table, 'groups').join('\n'),
    openPoll: table.open_poll === true,
    trustees: textsIn(table, 'trustees').join('\n'),
    threshold: numberIn(table, 'threshold', empty.threshold),
    opens: minuteIn(table, 'opens'),
    closes: minuteIn(table, 'closes'),
    extendableUntil: minuteIn(table, 'extendable_until'),
    revote: oneOf(table, 'revote', ['last-counts', 'off'], 'last-counts') !== 'off',
    clusterIssues: oneOf(table, 'issuer', ['separate', 'cluster'], 'separate') === 'cluster',
    minimumBallots: numberIn(table, 'minimum_ballots', empty.minimumBallots),
    rollChanges: table.roll_changes === true,
    paper: table.paper === true,
    acceptsSmallClasses: table.accept_small_classes === true,
    isTest: table.test === true,
    booth: textIn(table, 'booth', ''),
  };
}

function readTable(text: string): Table {
  try {
    const table: unknown = text.trimStart().startsWith('{') ? JSON.parse(text) : parse(text);
    if (isTable(table)) return table;
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    throw new FormFileError('unreadable', { reason });
  }
  throw new FormFileError('no-definition');
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readContest(value: unknown): ContestForm {
  const table = isTable(value) ? value : {};
  checkKeys(table, CONTEST_KEYS);
  const { max } = table;
  return {
    title: textIn(table, 'title', ''),
    kind: oneOf(table, 'kind', KINDS, 'one'),
    min: numberIn(table, 'min', 0),
    max: max === undefined || max === null ? undefined : numberIn(table, 'max', 0),
    highest: numberIn(table, 'highest', EMPTY_CONTEST.highest),
    options: textsIn(table, 'options').join('\n'),
    lists: listIn(table, 'lists').map(readList),
    blank: table.blank === true,
    groups: textsIn(table, 'groups'),
    seats: numberIn(table, 'seats', 1),
    quorumPercent: numberIn(table, 'quorum_percent', 0),
    majority: oneOf(table, 'majority', MAJORITIES, 'relative'),
    tie: oneOf(table, 'tie', TIES, 'lot'),
  };
}

function readList(value: unknown): ListForm {
  const table = isTable(value) ? value : {};
  checkKeys(table, new Set(['name', 'candidates']));
  return {
    name: textIn(table, 'name', ''),
    candidates: textsIn(table, 'candidates').join('\n'),
  };
}

function oneOf<T extends string>(table: Table, key: string, known: readonly T[], otherwise: T): T {
  const value = textIn(table, key, otherwise);
  const found = known.find((one) => one === value);
  if (found === undefined) {
    throw new FormFileError('choice', { key, value, known: known.join(', ') });
  }
  return found;
}

function textIn(table: Table, key: string, otherwise: string): string {
  const value = table[key] ?? otherwise;
  if (typeof value !== 'string') throw new FormFileError('text', { key });
  return value;
}

function numberIn(table: Table, key: string, otherwise: number): number {
  const value = table[key] ?? otherwise;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new FormFileError('whole-number', { key });
  }
  return value;
}

function listIn(table: Table, key: string): unknown[] {
  const value = table[key] ?? [];
  if (!Array.isArray(value)) throw new FormFileError('list', { key });
  return value;
}

function textsIn(table: Table, key: string): string[] {
  return listIn(table, key).map((value) => {
    if (typeof value !== 'string') throw new FormFileError('texts', { key });
    return value;
  });
}

function minuteIn(table: Table, key: string): number | undefined {
  const value = table[key];
  if (value === undefined || value === null) return undefined;
  const text = value instanceof Date ? value.toISOString() : String(value);
  const parts = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})/.exec(text);
  const ms = Date.parse(`${parts?.[1]}T${parts?.[2]}Z`);
  if (Number.isNaN(ms)) throw new FormFileError('minute', { key });
  return Math.floor(ms / 60_000);
}
