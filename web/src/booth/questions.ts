/**
 * What a voter is asked, as the page sees it: a contest becomes a question, an answer becomes the
 * choice that is encrypted. A new kind of contest is a new case here and a widget in `widgets.ts`.
 */

import type { Choice } from '../ballot/cast.ts';
import type { Contest } from '../election/definition.ts';

interface Base {
  readonly title: string;
  /** What can be chosen, without a blank option. */
  readonly options: readonly string[];
}

export type Question =
  /** Exactly one option, or none where blank is offered. */
  | (Base & { readonly kind: 'one'; readonly blank: boolean })
  /** `min … max` of the options. */
  | (Base & {
      readonly kind: 'some';
      readonly blank: boolean;
      readonly min: number;
      readonly max: number;
    })
  /** Points from 0 to `top` for each option. */
  | (Base & { readonly kind: 'score'; readonly blank: boolean; readonly top: number });

/** What is filled in: numbers of options (kinds one and some) or points by option (score). */
export type Answer =
  | { readonly kind: 'options'; readonly chosen: readonly number[] }
  | { readonly kind: 'blank' }
  | { readonly kind: 'points'; readonly points: readonly number[] };

export function questionOf({ title, rule, options, blank }: Contest): Question {
  if (rule.kind === 'one') return { kind: 'one', title, options, blank };
  return { kind: 'some', title, options, blank, min: rule.min, max: rule.max };
}

/** What is encrypted. A blank answer is the last option with kind `one`, else the empty set. */
export function choiceOf(question: Question, answer: Answer): Choice {
  switch (answer.kind) {
    case 'blank':
      return question.kind === 'one' ? [question.options.length] : [];
    case 'options':
      return [...answer.chosen].sort((one, other) => one - other);
    case 'points':
      return answer.points;
  }
}

/** The other way round, for who opens a ballot. */
export function answerOf(question: Question, choice: Choice): Answer {
  if (question.kind === 'score') return { kind: 'points', points: choice };
  const isBlank =
    question.kind === 'one'
      ? question.blank && choice[0] === question.options.length
      : question.blank && choice.length === 0;
  return isBlank ? { kind: 'blank' } : { kind: 'options', chosen: choice };
}

/** Whether an answer may be cast. */
export function isComplete(question: Question, answer: Answer | undefined): boolean {
  if (answer === undefined) return question.kind === 'some' && question.min === 0;
  switch (answer.kind) {
    case 'blank':
      return question.blank;
    case 'points':
      return question.kind === 'score' && answer.points.length === question.options.length;
    case 'options': {
      const count = answer.chosen.length;
      if (question.kind === 'one') return count === 1;
      return question.kind === 'some' && count >= question.min && count <= question.max;
    }
  }
}
