/** The first steps: which election, and which code. */

import { CodeError, readCode } from '../../crypto/code.ts';
import type { App, Drawn, View } from '../app.ts';
import { h } from '../dom.ts';
import { loadElection } from '../keys.ts';
import { NodeError } from '../nodeError.ts';
import { ContradictionError, OfflineError, type Summary } from '../nodes.ts';
import { actions, note, paragraph, primary } from '../parts.ts';
import { questionsOf } from '../questions.ts';
import { RemoteError } from '../remote.ts';
import { questionsView } from './ballot.ts';

/** Rolls of more leaves than this are not loaded whole; then a node says who is on them. */
const ROLL_CHUNKS_MAX = 6;

/** Something went wrong before there was anything to lose. */
export function messageView(key: string, again?: () => unknown, detail?: string): View {
  return ({ words }) => ({
    heading: words.say(`${key}.title`),
    body: [
      paragraph(words.say(`${key}.text`)),
      ...(detail === undefined ? [] : [h('p', { class: 'detail', dir: 'auto' }, detail)]),
      ...(again === undefined ? [] : [actions(primary(words.say('again'), again))]),
    ],
  });
}

export const loadingView: View = ({ words }) => ({
  heading: words.say('loading.title'),
  body: [h('p', { class: 'busy' }, words.say('loading.text'))],
});

/** The elections that take votes now. */
export function electionsView(elections: readonly Summary[], enter: (id: string) => unknown): View {
  return ({ words }) => {
    const open = elections.filter(({ phase }) => phase === 'open');
    const items = open.map(({ id, title }) =>
      h(
        'li',
        {},
        h(
          'button',
          { type: 'button', class: 'election-choice', onclick: () => enter(id) },
          h('span', { dir: 'auto' }, title ?? id),
        ),
      ),
    );
    const list = h('ul', { class: 'elections' }, ...items);
    const body = open.length > 0 ? list : paragraph(words.say('elections.none'));
    return { heading: words.say('elections.title'), body: [body] };
  };
}

/** Loads an election and goes to its code. `typed` is a code that came with the address. */
export async function enterElection(app: App, id: string, typed: string): Promise<void> {
  app.show(loadingView);
  const again = () => enterElection(app, id, typed);
  try {
    const facts = await loadElection(app.nodes, app.engine, id);
    if (facts.id !== id) throw new ContradictionError('the manifest is of another election');
    const phase = await app.nodes.phase(id);
    app.facts = facts;
    if (phase === 'draft' || phase === 'setup') return app.show(messageView('early', again));
    if (phase === 'paused') return app.show(messageView('paused', again));
    if (phase !== 'open') return app.show(messageView('closed'));
    if (facts.rollChunks <= ROLL_CHUNKS_MAX) {
      const leaves = await app.nodes.leaves(id, 1, facts.rollChunks);
      if (!(await app.engine.addRoll(leaves))) {
        throw new ContradictionError('the roll is not the one that the manifest names');
      }
    }
    app.show(codeView(typed));
  } catch (error) {
    app.show(failureView(error, again));
  }
}

/** What went wrong while nothing was under way. */
export function failureView(error: unknown, again: () => unknown): View {
  if (error instanceof OfflineError) return messageView('offline', again);
  if (error instanceof ContradictionError)
    return messageView('contradiction', again, error.message);
  if (error instanceof NodeError && error.status === 404) return messageView('unknown', again);
  if (error instanceof RemoteError && error.code === 'bad-manifest') {
    return messageView('contradiction', again, error.message);
  }
  return messageView('trouble', again, (error as Error).message);
}

/** The code is typed in groups; it is checked here before anything is asked. */
export function codeView(typed = ''): View {
  return (app: App): Drawn => {
    const { words, facts } = app;
    const error = h('p', { class: 'error', id: 'code-error', hidden: true });
    const input = h('input', {
      id: 'code',
      name: 'code',
      type: 'text',
      class: 'code-input',
      dir: 'ltr',
      value: typed,
      autocomplete: 'off',
      autocapitalize: 'characters',
      autocorrect: 'off',
      spellcheck: 'false',
      'aria-describedby': 'code-hint code-error',
      required: true,
    });
    const complain = (sentence: string) => {
      error.textContent = sentence;
      error.hidden = false;
      input.setAttribute('aria-invalid', 'true');
      input.focus();
    };
    const button = h('button', { type: 'submit', class: 'primary' }, words.say('code.go'));
    const form = h(
      'form',
      { novalidate: true },
      h('label', { class: 'field-label', for: 'code' }, words.say('code.label')),
      h('p', { class: 'hint', id: 'code-hint' }, words.say('code.hint')),
      input,
      error,
      actions(button),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      button.disabled = true;
      useCode(app, input.value)
        .catch((reason) => complain(codeSentence(app, reason)))
        .finally(() => {
          button.disabled = false;
        });
    });
    return {
      step: 'code',
      heading: words.say('code.title'),
      body: [
        paragraph(words.say('code.intro')),
        ...(facts?.closes === undefined
          ? []
          : [h('p', { class: 'hint' }, words.say('closes', { time: words.moment(facts.closes) }))]),
        form,
        details(words.say('code.secret'), words.say('code.secret.more')),
      ],
    };
  };
}

export function details(title: string, ...texts: string[]): HTMLDetailsElement {
  return h('details', {}, h('summary', {}, title), ...texts.map(paragraph));
}

async function useCode(app: App, typed: string): Promise<void> {
  const { facts } = app;
  if (facts === undefined) return;
  const code = readCode(typed);
  const { key, place } = await app.engine.identify(Uint8Array.from(code));
  const standing = await chainOf(app, facts.id, key, place !== undefined);
  const { onRoll, group, barred, last, isChainKnown } = standing;
  if (place === undefined && !onRoll) throw new RemoteError('not-on-roll', 'not on the roll');
  if (barred !== undefined) {
    code.fill(0);
    return app.show(messageView(`barred.${barred}`));
  }
  if (last !== undefined && !facts.revote) {
    code.fill(0);
    return app.show(messageView('voted'));
  }
  app.voter = {
    code,
    key,
    group: place?.group ?? group,
    weight: place?.weight,
    last,
    isChainKnown,
  };
  app.questions = questionsOf(facts.contests, app.voter.group);
  app.answers = app.questions.map(() => undefined);
  app.isOneByOne = app.questions.length > 3;
  app.at = 0;
  app.show(questionsView);
}

/** Where the code stands. Who is on the roll for sure may fill in a ballot without a network. */
async function chainOf(app: App, id: string, key: string, isOnRoll: boolean) {
  try {
    return { ...(await app.nodes.last(id, key)), isChainKnown: true };
  } catch (error) {
    if (!(error instanceof OfflineError) || !isOnRoll) throw error;
    return { onRoll: true, group: 0, barred: undefined, last: undefined, isChainKnown: false };
  }
}

export function codeSentence({ words }: App, reason: unknown): string {
  if (reason instanceof CodeError) {
    const { code, group, character = '' } = reason;
    if (group === undefined) return words.say(code);
    return words.say(`${code}.group`, { group, character });
  }
  if (reason instanceof RemoteError && reason.code === 'not-on-roll') {
    return words.say('not-on-roll');
  }
  if (reason instanceof OfflineError) return words.say('offline.text');
  return `${words.say('trouble.text')} (${(reason as Error).message})`;
}

/** Told above the questions to somebody who has voted before. */
export function againNote({ words }: App): HTMLElement {
  return note(
    'info',
    h('p', {}, h('strong', {}, words.say('revote.title'))),
    paragraph(words.say('revote.text')),
  );
}
