/** A definition as a form holds it, and as files hold it (the keys of the command line's TOML). */

import { parse, stringify } from 'smol-toml';
import { checkDefinition, type Definition } from '../../election/definition.ts';

export interface ContestForm {
  readonly title: string;
  readonly kind: 'one' | 'some';
  readonly min: number;
  readonly max: number;
  /** One option a line. */
  readonly options: string;
  readonly blank: boolean;
}

export interface ElectionForm {
  readonly title: string;
  readonly domain: string;
  readonly contests: readonly ContestForm[];
  /** One name a line. */
  readonly trustees: string;
  readonly threshold: number;
  /** Minutes since 1970 UTC. */
  readonly opens: number | undefined;
  readonly closes: number | undefined;
  readonly revote: boolean;
  readonly minimumBallots: number;
  readonly acceptsSmallClasses: boolean;
  readonly isTest: boolean;
}

export const EMPTY_CONTEST: ContestForm = {
  title: '',
  kind: 'one',
  min: 0,
  max: 2,
  options: '',
  blank: true,
};

export function emptyForm(domain: string): ElectionForm {
  return {
    title: '',
    domain,
    contests: [EMPTY_CONTEST],
    trustees: '',
    threshold: 2,
    opens: undefined,
    closes: undefined,
    revote: true,
    minimumBallots: 10,
    acceptsSmallClasses: false,
    isTest: false,
  };
}

export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The definition that the form describes; nothing is checked. */
export function definitionOf(form: ElectionForm): Definition {
  return {
    title: form.title.trim(),
    domain: form.domain.trim(),
    contests: form.contests.map(({ title, kind, min, max, options, blank }) => {
      const lines = linesOf(options);
      const count = lines.length + Number(blank && kind === 'one');
      return {
        title: title.trim(),
        rule: kind === 'one' ? { kind, options: count } : { kind, options: count, min, max },
        options: lines,
        blank,
      };
    }),
    trustees: linesOf(form.trustees),
    threshold: form.threshold,
    opens: form.opens,
    closes: form.closes,
    revote: form.revote,
    clusterIssues: false,
    minimumBallots: form.minimumBallots,
    acceptsSmallClasses: form.acceptsSmallClasses,
    isTest: form.isTest,
  };
}

/** What is wrong with the form, as a sentence of the rules; nothing when all is well. */
export function problemOfForm(form: ElectionForm): string | undefined {
  try {
    checkDefinition(definitionOf(form));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A file cannot be taken over; the message says why. */
export class FormFileError extends Error {
  override readonly name = 'FormFileError';
}

type Table = Record<string, unknown>;

/** UTC, as the command line reads it. */
function isoMinute(minutes: number): string {
  return new Date(60_000 * minutes).toISOString().slice(0, 16).replace('T', ' ');
}

function tableOf(form: ElectionForm): Table {
  const contests = form.contests.map(({ title, kind, min, max, options, blank }) => ({
    title,
    kind,
    ...(kind === 'some' && { min, max }),
    blank,
    options: linesOf(options),
  }));
  return {
    title: form.title,
    domain: form.domain,
    trustees: linesOf(form.trustees),
    threshold: form.threshold,
    ...(form.opens !== undefined && { opens: isoMinute(form.opens) }),
    ...(form.closes !== undefined && { closes: isoMinute(form.closes) }),
    revote: form.revote ? 'last-counts' : 'off',
    minimum_ballots: form.minimumBallots,
    accept_small_classes: form.acceptsSmallClasses,
    test: form.isTest,
    contests,
  };
}

export function printToml(form: ElectionForm): string {
  return stringify(tableOf(form));
}

export function printJson(form: ElectionForm): string {
  return `${JSON.stringify(tableOf(form), null, 2)}\n`;
}

const KEYS = new Set([
  'title',
  'domain',
  'trustees',
  'threshold',
  'opens',
  'closes',
  'revote',
  'issuer',
  'minimum_ballots',
  'accept_small_classes',
  'test',
  'contests',
]);

/** Reads TOML or JSON. Unknown keys are refused, so that no rule gets lost unseen. */
export function parseForm(text: string, domain: string): ElectionForm {
  const table = readTable(text);
  const unknown = Object.keys(table).filter((key) => !KEYS.has(key));
  if (unknown.length > 0) {
    throw new FormFileError(`This page does not know the key “${unknown[0]}”.`);
  }
  const empty = emptyForm(domain);
  return {
    title: textIn(table, 'title', ''),
    domain: textIn(table, 'domain', domain),
    contests: listIn(table, 'contests').map(readContest),
    trustees: textsIn(table, 'trustees').join('\n'),
    threshold: numberIn(table, 'threshold', empty.threshold),
    opens: minuteIn(table, 'opens'),
    closes: minuteIn(table, 'closes'),
    revote: textIn(table, 'revote', 'last-counts') !== 'off',
    minimumBallots: numberIn(table, 'minimum_ballots', empty.minimumBallots),
    acceptsSmallClasses: table.accept_small_classes === true,
    isTest: table.test === true,
  };
}

function readTable(text: string): Table {
  try {
    const table: unknown = text.trimStart().startsWith('{') ? JSON.parse(text) : parse(text);
    if (typeof table === 'object' && table !== null && !Array.isArray(table)) return table as Table;
  } catch (error) {
    throw new FormFileError((error as Error).message.split('\n')[0] ?? 'unreadable');
  }
  throw new FormFileError('The file holds no definition of an election.');
}

function readContest(value: unknown): ContestForm {
  const table = (typeof value === 'object' && value !== null ? value : {}) as Table;
  const kind = textIn(table, 'kind', 'one');
  if (kind !== 'one' && kind !== 'some') {
    throw new FormFileError(`This page cannot edit contests of the kind “${kind}”.`);
  }
  const options = textsIn(table, 'options');
  return {
    title: textIn(table, 'title', ''),
    kind,
    min: numberIn(table, 'min', 0),
    max: numberIn(table, 'max', options.length),
    options: options.join('\n'),
    blank: table.blank === true,
  };
}

function textIn(table: Table, key: string, otherwise: string): string {
  const value = table[key] ?? otherwise;
  if (typeof value !== 'string') throw new FormFileError(`“${key}” must be a text.`);
  return value;
}

function numberIn(table: Table, key: string, otherwise: number): number {
  const value = table[key] ?? otherwise;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new FormFileError(`“${key}” must be a whole number.`);
  }
  return value;
}

function listIn(table: Table, key: string): unknown[] {
  const value = table[key] ?? [];
  if (!Array.isArray(value)) throw new FormFileError(`“${key}” must be a list.`);
  return value;
}

function textsIn(table: Table, key: string): string[] {
  return listIn(table, key).map((value) => {
    if (typeof value !== 'string') throw new FormFileError(`“${key}” must be a list of texts.`);
    return value;
  });
}

function minuteIn(table: Table, key: string): number | undefined {
  const value = table[key];
  if (value === undefined || value === null) return undefined;
  const text = value instanceof Date ? value.toISOString() : String(value);
  const parts = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})/.exec(text);
  const ms = Date.parse(`${parts?.[1]}T${parts?.[2]}Z`);
  if (Number.isNaN(ms)) {
    throw new FormFileError(`“${key}” must be a UTC time like 2027-03-01 08:00.`);
  }
  return Math.floor(ms / 60_000);
}

/** What most people begin with. */
export const TEMPLATES = ['decision', 'office', 'committee'] as const;
export type Template = (typeof TEMPLATES)[number];

/** Texts that a template needs, in the language of the page. */
export interface TemplateTexts {
  readonly title: string;
  readonly question: string;
  readonly options: readonly string[];
}

export function fromTemplate(
  name: Template,
  texts: TemplateTexts,
  form: ElectionForm,
): ElectionForm {
  const options = texts.options.join('\n');
  const contest: ContestForm =
    name === 'committee'
      ? {
          ...EMPTY_CONTEST,
          title: texts.question,
          kind: 'some',
          min: 0,
          max: 3,
          options,
          blank: true,
        }
      : { ...EMPTY_CONTEST, title: texts.question, options };
  return { ...form, title: texts.title, contests: [contest] };
}
