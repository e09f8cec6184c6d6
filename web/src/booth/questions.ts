/**
 * What a voter is asked, as the page sees it: a contest becomes a question, an answer becomes the
 * choice that is encrypted. A new kind of contest is a new case here and a widget in `widgets.ts`.
 */

import type { Choice } from '../ballot/cast.ts';
import type { Contest } from '../election/definition.ts';

interface Base {
  readonly title: string;
  /** What can be chosen, without a blank answer; with kind `lists` the lists. */
  readonly options: readonly string[];
  /** Whether a blank answer may be given. */
  readonly blank: boolean;
}

export type Question =
  /** Exactly one option. */
  | (Base & { readonly kind: 'one' })
  /** `min … max` of the options. */
  | (Base & { readonly kind: 'some'; readonly min: number; readonly max: number })
  /** Points from 0 to `top` for each option, together `min … max`. */
  | (Base & {
      readonly kind: 'score';
      readonly top: number;
      readonly min: number;
      readonly max: number;
    })
  /** One list, and `min … max` of its candidates. */
  | (Base & {
      readonly kind: 'lists';
      readonly candidates: readonly (readonly string[])[];
      readonly min: number;
      readonly max: number;
    });

/** What is filled in: numbers of options, points by option, or a list and candidates of it. */
export type Answer =
  | { readonly kind: 'options'; readonly chosen: readonly number[] }
  | { readonly kind: 'blank' }
  | { readonly kind: 'points'; readonly points: readonly number[] }
  | { readonly kind: 'list'; readonly list: number; readonly chosen: readonly number[] };

export function questionOf({ title, rule, options, candidates, blank }: Contest): Question {
  switch (rule.kind) {
    case 'one':
      return { kind: 'one', title, options, blank };
    case 'some':
      return { kind: 'some', title, options, blank, min: rule.min, max: rule.max };
    case 'score': {
      const { highest: top, min, max } = rule;
      return { kind: 'score', title, options, blank, top, min, max };
    }
    case 'lists':
      return { kind: 'lists', title, options, blank, candidates, min: rule.min, max: rule.max };
  }
}

/** The questions of voters of a group, in the order of the answers. */
export function questionsOf(contests: readonly Contest[], group: number): Question[] {
  const isAsked = ({ groups }: Contest) => groups.length === 0 || groups.includes(group);
  return contests.filter(isAsked).map(questionOf);
}

const ascending = (numbers: readonly number[]) => [...numbers].sort((one, other) => one - other);

/** What is encrypted. A blank answer is the last option with kind `one`. */
export function choiceOf(question: Question, answer: Answer): Choice {
  switch (answer.kind) {
    case 'blank':
      return question.kind === 'one' ? [question.options.length] : 'blank';
    case 'options':
      return ascending(answer.chosen);
    case 'points':
      return { scores: answer.points };
    case 'list':
      return { list: answer.list, candidates: ascending(answer.chosen) };
  }
}

/** The other way round, for who opens a ballot. */
export function answerOf(question: Question, choice: Choice): Answer {
  if (choice === 'blank') return { kind: 'blank' };
  if ('scores' in choice) return { kind: 'points', points: choice.scores };
  if ('list' in choice) return { kind: 'list', list: choice.list, chosen: choice.candidates };
  const isBlank =
    question.kind === 'one' && question.blank && choice[0] === question.options.length;
  return isBlank ? { kind: 'blank' } : { kind: 'options', chosen: choice };
}

/** What nothing filled in means: no option, no points; of lists there is no such answer. */
export function emptyAnswer(question: Question): Answer {
  return question.kind === 'score'
    ? { kind: 'points', points: question.options.map(() => 0) }
    : { kind: 'options', chosen: [] };
}
