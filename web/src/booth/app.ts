/**
 * The booth as a person walks through it: code, choices, review, receipt. One object holds what is
 * known; a view draws it and names the next one. Changing the language draws the same view again.
 */

import type { Bytes } from '../crypto/bytes.ts';
import { h, ICONS, icon } from './dom.ts';
import type { Confirmation, ElectionFacts } from './engine.ts';
import type { Last, Nodes } from './nodes.ts';
import { footerOf, headerOf } from './parts.ts';
import type { Answer, Question } from './questions.ts';
import type { RemoteEngine } from './remote.ts';
import type { Store } from './store.ts';
import { loadWords } from './texts.ts';
import type { Language, Words } from './words.ts';

export type Step = 'code' | 'choices' | 'review' | 'receipt';
const STEPS: readonly Step[] = ['code', 'choices', 'review', 'receipt'];

/** The voter, from the code to the cast. */
export interface Voter {
  /** Secret; wiped once the ballot is final. */
  readonly code: Bytes;
  readonly key: string;
  /** Group on the roll, which decides the questions. */
  readonly group: number;
  readonly weight: number | undefined;
  /** The ballot that this one will replace. */
  readonly last: Last | undefined;
  /** Whether nodes have told `last`; else they are asked before the ballot is made. */
  readonly isChainKnown: boolean;
}

/** An encrypted ballot on its way. */
export interface Sending {
  readonly ballot: Bytes;
  readonly tracker: string;
  readonly replaces: boolean;
}

export interface Drawn {
  readonly step?: Step;
  readonly heading: string;
  /** What stands above everything until a ballot is final. */
  readonly banner?: 'not-cast' | 'practice' | 'final' | undefined;
  readonly body: readonly Node[];
  /** Where the focus goes; the heading otherwise. */
  readonly focus?: HTMLElement | undefined;
}

export type View = (app: App) => Drawn;

export class App {
  readonly nodes: Nodes;
  readonly engine: RemoteEngine;
  readonly store: Store;
  words: Words;
  facts: ElectionFacts | undefined;
  questions: readonly Question[] = [];
  voter: Voter | undefined;
  answers: (Answer | undefined)[] = [];
  /** Answers of a ballot that is only made to be opened. */
  practice: (Answer | undefined)[] | undefined;
  /** The question that is shown, when they are shown one by one. */
  at = 0;
  isOneByOne = false;
  sending: Sending | undefined;
  receipt: { readonly text: string; readonly confirmed: Confirmation } | undefined;
  readonly #root: HTMLElement;
  readonly #live: HTMLElement;
  #view: View | undefined;

  constructor(root: HTMLElement, nodes: Nodes, engine: RemoteEngine, store: Store, words: Words) {
    [this.#root, this.nodes, this.engine, this.store] = [root, nodes, engine, store];
    this.words = words;
    this.#live = h('p', { class: 'unseen', 'aria-live': 'polite', role: 'status' });
    document.body.append(this.#live);
  }

  /** Shows a view and puts the focus where reading begins. */
  show(view: View): void {
    this.#view = view;
    this.#draw(true);
  }

  /** Draws the present view again, with the focus left alone where that is possible. */
  redraw(): void {
    this.#draw(false);
  }

  /** Says something to those who listen. */
  announce(sentence: string): void {
    if (this.#live.textContent !== sentence) this.#live.textContent = sentence;
  }

  async speak(language: Language): Promise<void> {
    // Without the node that served this page a language may not come; then the present one stays.
    this.words = await loadWords(language).catch(() => this.words);
    this.#draw(false);
    document.querySelector<HTMLSelectElement>('#language')?.focus();
  }

  /** What is asked now: real answers, or those of a practice ballot. */
  get filled(): (Answer | undefined)[] {
    return this.practice ?? this.answers;
  }

  /** Forgets code and choices. */
  wipe(): void {
    this.voter?.code.fill(0);
    this.voter = undefined;
    this.answers = this.questions.map(() => undefined);
    this.practice = undefined;
    this.at = 0;
  }

  #draw(moves: boolean): void {
    if (this.#view === undefined) return;
    const { words, facts } = this;
    const drawn = this.#view(this);
    const title = facts?.title ?? words.say('booth');
    document.documentElement.lang = words.language;
    document.documentElement.dir = words.direction;
    document.title = `${drawn.heading} – ${title}`;
    const heading = h('h1', { tabindex: -1 }, drawn.heading);
    const main = h('main', { id: 'main', class: 'page' }, heading, ...drawn.body);
    this.#root.replaceChildren(
      this.#header(),
      ...(drawn.banner === undefined ? [] : [bannerOf(drawn.banner, words)]),
      ...(drawn.step === undefined ? [] : [stepsOf(drawn.step, words)]),
      main,
      footerOf(words),
    );
    if (!moves) return;
    globalThis.scrollTo(0, 0);
    (drawn.focus ?? heading).focus({ preventScroll: drawn.focus === undefined });
  }

  #header(): HTMLElement {
    const { words, facts } = this;
    return headerOf(words, facts?.title, facts?.isTest ?? false, (language) =>
      this.speak(language),
    );
  }
}

function bannerOf(kind: 'not-cast' | 'practice' | 'final', words: Words): HTMLElement {
  const path = kind === 'final' ? ICONS.check : kind === 'practice' ? ICONS.info : ICONS.warn;
  return h(
    'aside',
    { class: `banner ${kind}`, 'aria-label': words.say('banner.label') },
    h(
      'p',
      {},
      icon(path),
      h(
        'span',
        {},
        h('strong', {}, words.say(`banner.${kind}`)),
        ' ',
        words.say(`banner.${kind}.more`),
      ),
    ),
  );
}

function stepsOf(step: Step, words: Words): HTMLElement {
  const now = STEPS.indexOf(step);
  const items = STEPS.map((own, at) =>
    h(
      'li',
      {
        class: at < now ? 'done' : at === now ? 'now' : 'later',
        'aria-current': at === now ? 'step' : undefined,
      },
      h('span', {}, words.say(`step.${own}`)),
    ),
  );
  const label = words.say('step.label', { number: now + 1, total: STEPS.length });
  return h('nav', { class: 'steps', 'aria-label': label }, h('ol', {}, ...items));
}
