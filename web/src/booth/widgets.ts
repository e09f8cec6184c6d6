/**
 * One widget for each kind of question, of native controls: radio buttons, check boxes, numbers.
 * Nothing is ever disabled because of another choice; what does not fit is said, not prevented.
 */

import { h } from './dom.ts';
import type { Answer, Question } from './questions.ts';
import type { Words } from './words.ts';

export interface Setting {
  readonly words: Words;
  /** Makes names and ids of this question unique on the page. */
  readonly name: string;
  /** Place of the question, from 1, and how many there are. */
  readonly number: number;
  readonly total: number;
  readonly answer: Answer | undefined;
  changed(answer: Answer | undefined): void;
}

export interface Widget {
  readonly element: HTMLElement;
  /** Says what is wrong, or takes it back; the first control gets the focus. */
  complain(sentence: string | undefined): void;
}

/** Which numbers may be chosen, in words. */
export function hintOf(question: Question, words: Words): string {
  switch (question.kind) {
    case 'one':
      return words.say('hint.one');
    case 'score': {
      const { top, min, max, options } = question;
      const isFree = min === 0 && max >= top * options.length;
      return words.say(isFree ? 'hint.score' : 'hint.scoreSum', { top, min, max });
    }
    case 'lists': {
      const { min, max } = question;
      if (max === 0) return words.say('hint.listOnly');
      return words.say(min === max ? 'hint.listExactly' : 'hint.list', { min, max });
    }
    case 'some': {
      const { min, max, options } = question;
      if (min === max) return words.say('hint.exactly', { max });
      if (min > 0) return words.say('hint.between', { min, max });
      const isAny = max >= options.length;
      return isAny ? words.say('hint.any') : words.say('hint.upTo', { max });
    }
  }
}

/** How many are chosen, without praise or blame. */
export function countOf(question: Question, answer: Answer | undefined, words: Words): string {
  if (answer?.kind === 'blank') return words.say('count.blank');
  if (question.kind === 'score') {
    const points = answer?.kind === 'points' ? answer.points : [];
    const sum = points.reduce((total, own) => total + own, 0);
    return words.say('count.points', { sum });
  }
  const n = answer !== undefined && 'chosen' in answer ? answer.chosen.length : 0;
  if (question.kind === 'one') return words.say(n === 1 ? 'count.oneOfOne' : 'count.noneOfOne');
  if (question.kind === 'lists' && (question.max === 0 || answer?.kind !== 'list')) {
    return words.say(answer?.kind === 'list' ? 'count.oneOfOne' : 'count.noneOfOne');
  }
  const { min, max } = question;
  return words.say(min === max ? 'count.exactly' : 'count.upTo', { n, max });
}

/** What keeps an answer from being cast, if anything. */
export function problemOf(
  question: Question,
  answer: Answer | undefined,
  words: Words,
): string | undefined {
  if (answer?.kind === 'blank') return undefined;
  const n = answer !== undefined && 'chosen' in answer ? answer.chosen.length : 0;
  if (question.kind === 'one') return n === 1 ? undefined : words.say('problem.one');
  if (question.kind === 'score') return problemOfScores(question, answer, words);
  if (question.kind === 'lists' && answer?.kind !== 'list') return words.say('problem.list');
  const { min, max } = question;
  if (n < min) return words.say('problem.few', { n, min });
  return n > max ? words.say('problem.many', { n, max }) : undefined;
}

function problemOfScores(
  { top, min, max, options }: Extract<Question, { kind: 'score' }>,
  answer: Answer | undefined,
  words: Words,
): string | undefined {
  const points = answer?.kind === 'points' ? answer.points : options.map(() => 0);
  const fits = (value: number) => Number.isInteger(value) && value >= 0 && value <= top;
  if (!points.every(fits)) return words.say('problem.score', { top });
  const sum = points.reduce((total, own) => total + own, 0);
  return sum >= min && sum <= max ? undefined : words.say('problem.sum', { sum, min, max });
}

function optionCard(input: HTMLInputElement, text: string, isOurs: boolean): HTMLLabelElement {
  const label = h('span', { class: 'option-text', dir: isOurs ? undefined : 'auto' }, text);
  return h('label', { class: 'option' }, input, label);
}

/** Legend, hint, options, count and complaint: what all questions have. */
function frame(question: Question, setting: Setting, body: Node): Widget & { count: HTMLElement } {
  const { words, name, number, total } = setting;
  const ids = { hint: `${name}-hint`, error: `${name}-error` };
  const count = h(
    'p',
    { class: 'count', role: 'status' },
    countOf(question, setting.answer, words),
  );
  const error = h('p', { class: 'error', id: ids.error, hidden: true });
  const place = total > 1 ? words.say('question.place', { number, total }) : undefined;
  const element = h(
    'fieldset',
    { class: 'question', 'aria-describedby': `${ids.hint} ${ids.error}` },
    h(
      'legend',
      {},
      place === undefined ? undefined : h('span', { class: 'place' }, place),
      h('span', { class: 'question-title', dir: 'auto' }, question.title),
    ),
    h('p', { class: 'hint', id: ids.hint }, hintOf(question, words)),
    body,
    count,
    error,
  );
  const complain = (sentence: string | undefined) => {
    error.hidden = sentence === undefined;
    error.textContent = sentence ?? '';
    element.classList.toggle('has-error', sentence !== undefined);
    if (sentence === undefined) return;
    const inputs = element.querySelectorAll('input');
    (Array.from(inputs).find(({ checked }) => checked) ?? inputs[0])?.focus();
  };
  return { element, complain, count };
}

function one(question: Extract<Question, { kind: 'one' }>, setting: Setting): Widget {
  const { words, name, answer } = setting;
  const chosen = answer?.kind === 'options' ? answer.chosen[0] : undefined;
  const body = h('div', { class: 'options' });
  const radio = (own: Answer, text: string, isChosen: boolean, isOurs: boolean) => {
    const input = h('input', { type: 'radio', name, checked: isChosen });
    input.addEventListener('change', () => update(own));
    body.append(optionCard(input, text, isOurs));
  };
  question.options.forEach((text, option) => {
    radio({ kind: 'options', chosen: [option] }, text, chosen === option, false);
  });
  if (question.blank) {
    radio({ kind: 'blank' }, words.say('blank.option'), answer?.kind === 'blank', true);
  }
  const framed = frame(question, setting, body);
  const update = (next: Answer) => {
    framed.complain(undefined);
    framed.count.textContent = countOf(question, next, words);
    setting.changed(next);
  };
  return framed;
}

function some(question: Extract<Question, { kind: 'some' }>, setting: Setting): Widget {
  const { words, name, answer } = setting;
  const chosen = answer?.kind === 'options' ? answer.chosen : [];
  const boxes = question.options.map((_, option) =>
    h('input', { type: 'checkbox', name: `${name}-${option}`, checked: chosen.includes(option) }),
  );
  const isBlank = answer?.kind === 'blank';
  const blank = h('input', { type: 'checkbox', name: `${name}-blank`, checked: isBlank });
  const cards = boxes.map((box, at) => optionCard(box, question.options[at]!, false));
  const blankCard = question.blank ? optionCard(blank, words.say('blank.option'), true) : undefined;
  const body = h('div', { class: 'options' }, ...cards, blankCard);
  const framed = frame(question, setting, body);
  const tell = () => {
    const now = boxes.flatMap((box, option) => (box.checked ? [option] : []));
    const next: Answer = blank.checked ? { kind: 'blank' } : { kind: 'options', chosen: now };
    framed.complain(undefined);
    framed.count.textContent = countOf(question, next, words);
    setting.changed(next);
  };
  for (const box of boxes) {
    box.addEventListener('change', () => {
      if (box.checked) blank.checked = false;
      tell();
    });
  }
  blank.addEventListener('change', () => {
    if (blank.checked) for (const box of boxes) box.checked = false;
    tell();
  });
  return framed;
}

function score(question: Extract<Question, { kind: 'score' }>, setting: Setting): Widget {
  const { words, name, answer } = setting;
  const points = answer?.kind === 'points' ? answer.points : [];
  const inputs = question.options.map((_, option) =>
    h('input', {
      type: 'number',
      name: `${name}-${option}`,
      min: 0,
      max: question.top,
      step: 1,
      inputmode: 'numeric',
      value: points[option] ?? (answer === undefined ? undefined : 0),
    }),
  );
  const cards = inputs.map((input, at) =>
    h(
      'label',
      { class: 'option scored' },
      h('span', { class: 'option-text', dir: 'auto' }, question.options[at]!),
      input,
    ),
  );
  const isBlank = answer?.kind === 'blank';
  const blank = h('input', { type: 'checkbox', name: `${name}-blank`, checked: isBlank });
  const blankCard = question.blank ? optionCard(blank, words.say('blank.option'), true) : undefined;
  const framed = frame(question, setting, h('div', { class: 'options' }, ...cards, blankCard));
  const tell = () => {
    // An empty field is nought.
    const now = inputs.map((input) => (input.value.trim() === '' ? 0 : Number(input.value)));
    const next: Answer = blank.checked ? { kind: 'blank' } : { kind: 'points', points: now };
    framed.complain(undefined);
    framed.count.textContent = countOf(question, next, words);
    setting.changed(next);
  };
  for (const input of inputs) {
    input.addEventListener('input', () => {
      blank.checked = false;
      tell();
    });
  }
  blank.addEventListener('change', () => {
    if (blank.checked) for (const input of inputs) input.value = '';
    tell();
  });
  return framed;
}

/** Radio buttons for the lists; under the chosen one the boxes of its candidates. */
function lists(question: Extract<Question, { kind: 'lists' }>, setting: Setting): Widget {
  const { words, name } = setting;
  let { answer } = setting;
  const isBlank = () => answer?.kind === 'blank';
  const isChosen = (list: number) => answer?.kind === 'list' && answer.list === list;
  const body = h('div', { class: 'options' });
  const framed = frame(question, setting, body);
  const tell = (next: Answer) => {
    answer = next;
    framed.complain(undefined);
    framed.count.textContent = countOf(question, next, words);
    setting.changed(next);
  };
  const boxesOf = (list: number, texts: readonly string[]) => {
    const chosen = answer?.kind === 'list' && answer.list === list ? answer.chosen : [];
    const boxes = texts.map((_, at) =>
      h('input', {
        type: 'checkbox',
        name: `${name}-${list}-${at}`,
        checked: chosen.includes(at),
      }),
    );
    for (const box of boxes) {
      box.addEventListener('change', () => {
        const now = boxes.flatMap((own, at) => (own.checked ? [at] : []));
        tell({ kind: 'list', list, chosen: now });
      });
    }
    return boxes.map((box, at) => optionCard(box, texts[at]!, false));
  };
  const groups = question.options.map((text, list) => {
    const input = h('input', { type: 'radio', name, checked: isChosen(list) });
    const inner = h('div', { class: 'candidates', role: 'group', 'aria-label': text });
    const draw = () => {
      const isOpen = isChosen(list) && question.max > 0;
      inner.replaceChildren(...(isOpen ? boxesOf(list, question.candidates[list] ?? []) : []));
      inner.hidden = !isOpen;
    };
    input.addEventListener('change', () => {
      tell({ kind: 'list', list, chosen: [] });
      for (const group of groups) group.draw();
    });
    draw();
    body.append(optionCard(input, text, false), inner);
    return { draw };
  });
  if (question.blank) {
    const input = h('input', { type: 'radio', name, checked: isBlank() });
    input.addEventListener('change', () => {
      tell({ kind: 'blank' });
      for (const group of groups) group.draw();
    });
    body.append(optionCard(input, words.say('blank.option'), true));
  }
  return framed;
}

/** The widget of a question. */
export function widgetOf(question: Question, setting: Setting): Widget {
  switch (question.kind) {
    case 'one':
      return one(question, setting);
    case 'some':
      return some(question, setting);
    case 'score':
      return score(question, setting);
    case 'lists':
      return lists(question, setting);
  }
}

/** An answer in lines, for the review; texts of options are the manifest's own. */
export function linesOf(
  question: Question,
  answer: Answer | undefined,
  words: Words,
): { readonly text: string; readonly isOurs: boolean }[] {
  if (answer?.kind === 'blank') return [{ text: words.say('blank.option'), isOurs: true }];
  if (answer?.kind === 'points') {
    return answer.points.map((own, at) => ({
      text: `${question.options[at] ?? ''}: ${own}`,
      isOurs: false,
    }));
  }
  if (answer?.kind === 'list' && question.kind === 'lists') {
    const texts = question.candidates[answer.list] ?? [];
    const own = [question.options[answer.list], ...answer.chosen.map((at) => texts[at])];
    return own.map((text) => ({ text: text ?? '', isOurs: false }));
  }
  const chosen = answer?.chosen ?? [];
  if (chosen.length === 0) return [{ text: words.say('review.nothing'), isOurs: true }];
  return chosen.map((option) => ({ text: question.options[option] ?? '', isOurs: false }));
}
