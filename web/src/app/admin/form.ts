/** A definition as a form holds it: texts by line, numbers that may be missing. */

import { type Bytes, fromHex, toHex } from '../../crypto/bytes.ts';
import {
  type Contest,
  checkDefinition,
  type Definition,
  type Majority,
  type Tie,
} from '../../election/definition.ts';

export const KINDS = ['one', 'some', 'score', 'lists'] as const;
export type Kind = (typeof KINDS)[number];

/** One list of a contest of lists. */
export interface ListForm {
  readonly name: string;
  /** One candidate a line. */
  readonly candidates: string;
}

export interface ContestForm {
  readonly title: string;
  readonly kind: Kind;
  readonly min: number;
  /** Without it, as many as there are. */
  readonly max: number | undefined;
  /** The highest score of an option. */
  readonly highest: number;
  /** One option a line; lists have `lists` instead. */
  readonly options: string;
  readonly lists: readonly ListForm[];
  readonly blank: boolean;
  /** Names of the groups that answer it; none means everybody. */
  readonly groups: readonly string[];
  readonly seats: number;
  readonly quorumPercent: number;
  readonly majority: Majority;
  readonly tie: Tie;
}

export interface ElectionForm {
  readonly title: string;
  readonly domain: string;
  readonly contests: readonly ContestForm[];
  /** One name a line. */
  readonly groups: string;
  readonly openPoll: boolean;
  /** One name a line. */
  readonly trustees: string;
  readonly threshold: number;
  /** Minutes since 1970 UTC. */
  readonly opens: number | undefined;
  readonly closes: number | undefined;
  readonly extendableUntil: number | undefined;
  readonly revote: boolean;
  readonly clusterIssues: boolean;
  readonly minimumBallots: number;
  readonly rollChanges: boolean;
  readonly paper: boolean;
  readonly acceptsSmallClasses: boolean;
  readonly isTest: boolean;
  /** Digest of the booth that is pinned, 64 hex digits; empty where none is. */
  readonly booth: string;
}

export const EMPTY_LIST: ListForm = { name: '', candidates: '' };

export const EMPTY_CONTEST: ContestForm = {
  title: '',
  kind: 'one',
  min: 0,
  max: undefined,
  highest: 5,
  options: '',
  lists: [],
  blank: true,
  groups: [],
  seats: 1,
  quorumPercent: 0,
  majority: 'relative',
  tie: 'lot',
};

export function emptyForm(domain: string): ElectionForm {
  return {
    title: '',
    domain,
    contests: [EMPTY_CONTEST],
    groups: '',
    openPoll: false,
    trustees: '',
    threshold: 2,
    opens: undefined,
    closes: undefined,
    extendableUntil: undefined,
    revote: true,
    clusterIssues: false,
    minimumBallots: 10,
    rollChanges: false,
    paper: false,
    acceptsSmallClasses: false,
    isTest: false,
    booth: '',
  };
}

/** The digest that pins a booth, if it is one. */
function readBooth(text: string): Bytes | undefined {
  const digest = fromHex(text.trim());
  return digest?.length === 32 ? digest : undefined;
}

export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The most that can be chosen, when the form does not say. */
export function mostOf({ kind, options, lists, highest }: ContestForm): number {
  const count = linesOf(options).length;
  if (kind === 'score') return count * highest;
  if (kind !== 'lists') return count;
  return Math.max(0, ...lists.map(({ candidates }) => linesOf(candidates).length));
}

function ruleOf(form: ContestForm, options: number, candidates: readonly string[][]) {
  const { kind, min, blank, highest } = form;
  const max = form.max ?? mostOf(form);
  switch (kind) {
    case 'one':
      return { kind, options: options + Number(blank) };
    case 'some':
      return { kind, options, min, max, blank };
    case 'score':
      return { kind, options, highest, min, max, blank };
    case 'lists':
      return { kind, candidates: candidates.map(({ length }) => length), min, max, blank };
  }
}

function contestOf(form: ContestForm, groups: readonly string[]): Contest {
  const { title, kind, blank, seats, quorumPercent, majority, tie } = form;
  const isLists = kind === 'lists';
  const options = isLists ? form.lists.map(({ name }) => name.trim()) : linesOf(form.options);
  const candidates = isLists ? form.lists.map((list) => linesOf(list.candidates)) : [];
  return {
    title: title.trim(),
    rule: ruleOf(form, options.length, candidates),
    options,
    candidates,
    blank,
    groups: form.groups.map((name) => groups.indexOf(name) + 1).sort((one, other) => one - other),
    decision: { seats, quorumPercent, majority, tie },
  };
}

/** The definition that the form describes; nothing is checked. */
export function definitionOf(form: ElectionForm): Definition {
  const { contests, openPoll, opens, closes, extendableUntil, revote, clusterIssues } = form;
  const groups = linesOf(form.groups);
  const booth = readBooth(form.booth);
  return {
    title: form.title.trim(),
    domain: form.domain.trim(),
    contests: contests.map((contest) => contestOf(contest, groups)),
    groups,
    openPoll,
    trustees: openPoll ? [] : linesOf(form.trustees),
    threshold: openPoll ? 0 : form.threshold,
    opens,
    closes,
    extendableUntil: closes === undefined ? undefined : extendableUntil,
    revote,
    clusterIssues,
    minimumBallots: form.minimumBallots,
    rollChanges: form.rollChanges,
    paper: form.paper,
    acceptsSmallClasses: form.acceptsSmallClasses,
    isTest: form.isTest,
    ...(booth !== undefined && { booth }),
  };
}

function contestForm(contest: Contest, groups: readonly string[]): ContestForm {
  const { title, rule, options, candidates, blank, decision } = contest;
  const isLists = rule.kind === 'lists';
  return {
    ...EMPTY_CONTEST,
    ...decision,
    title,
    kind: rule.kind,
    ...(rule.kind !== 'one' && { min: rule.min, max: rule.max }),
    ...(rule.kind === 'score' && { highest: rule.highest }),
    options: isLists ? '' : options.join('\n'),
    lists: candidates.map((names, at) => ({
      name: options[at] ?? '',
      candidates: names.join('\n'),
    })),
    blank,
    groups: contest.groups.flatMap((group) => groups[group - 1] ?? []),
  };
}

/** The form that describes a definition, such as that of another election. */
export function formOf(definition: Definition): ElectionForm {
  const { groups, trustees, contests, booth, ...same } = definition;
  return {
    ...same,
    booth: booth === undefined ? '' : toHex(booth),
    groups: groups.join('\n'),
    trustees: trustees.join('\n'),
    contests: contests.map((contest) => contestForm(contest, groups)),
  };
}

/** Something that is wrong with the form; the texts are below `create.problem`. */
export interface FormProblem {
  readonly code: string;
  readonly values: Readonly<Record<string, string | number>>;
}

const hasTwice = (names: readonly string[]) => new Set(names).size !== names.length;

function* contestProblems(form: ContestForm, number: number): Generator<FormProblem> {
  const problem = (code: string, values = {}) => ({ code, values: { number, ...values } });
  const { kind, seats, quorumPercent } = form;
  const isLists = kind === 'lists';
  const options = isLists ? form.lists.map(({ name }) => name.trim()) : linesOf(form.options);
  if (form.title.trim() === '') yield problem('contest-title');
  if (options.length === 0) yield problem(isLists ? 'lists' : 'options');
  if (isLists && options.includes('')) yield problem('list-name');
  if (hasTwice(options)) yield problem('option-twice');
  if (isLists && form.lists.some((list) => linesOf(list.candidates).length === 0)) {
    yield problem('candidates');
  }
  const [max, most] = [form.max ?? mostOf(form), mostOf(form)];
  const isBound = kind === 'one' || (form.min <= max && max >= 1 && max <= most);
  if (options.length > 0 && !isBound) yield problem('bounds', { most });
  if (kind === 'score' && form.highest < 1) yield problem('highest');
  if (seats < 1 || (options.length > 0 && seats > options.length)) {
    yield problem('seats', { count: options.length });
  }
  if (quorumPercent > 100) yield problem('quorum');
}

function* problems(form: ElectionForm): Generator<FormProblem> {
  const problem = (code: string, values = {}) => ({ code, values });
  const { opens, closes, extendableUntil, openPoll, threshold } = form;
  const trustees = linesOf(form.trustees);
  if (form.title.trim() === '') yield problem('title');
  if (hasTwice(linesOf(form.groups))) yield problem('group-twice');
  for (const [at, contest] of form.contests.entries()) yield* contestProblems(contest, at + 1);
  if (!openPoll && trustees.length === 0) yield problem('trustees');
  else if (!openPoll && hasTwice(trustees)) yield problem('trustee-twice');
  else if (!openPoll && (threshold < 1 || threshold > trustees.length)) {
    yield problem('threshold', { count: trustees.length });
  }
  if (opens !== undefined && closes !== undefined && closes <= opens) yield problem('times');
  if (closes !== undefined && extendableUntil !== undefined && extendableUntil <= closes) {
    yield problem('extension');
  }
  if (form.minimumBallots < 1) yield problem('minimum');
  const booth = form.booth.trim();
  if (booth !== '' && readBooth(booth) === undefined) {
    yield problem('booth', { count: booth.length });
  }
}

/** Everything that is wrong with the form. What only the rules find is told in their words. */
export function problemsOfForm(form: ElectionForm): readonly FormProblem[] {
  const found = [...problems(form)];
  if (found.length > 0) return found;
  try {
    checkDefinition(definitionOf(form));
    return [];
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    return [{ code: 'rule', values: { sentence } }];
  }
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
