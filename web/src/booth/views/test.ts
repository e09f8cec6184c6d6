/**
 * Testing the machine: a ballot is encrypted, its code is shown, and only then the voter says
 * whether it is opened or cast. An opened ballot shows a choice, so it is destroyed; the opening
 * goes to a second device and is never sent.
 *
 * A practice ballot finds a machine that errs. Only a ballot of real choices also finds one that
 * cheats, since it cannot know beforehand which of the two will be asked of it.
 */

import type { App, Drawn, View } from '../app.ts';
import { h, qrPicture, trackerText } from '../dom.ts';
import { actions, note, paragraph, primary, secondary } from '../parts.ts';
import { qrOf } from '../qr.ts';
import { choiceOf, emptyAnswer } from '../questions.ts';
import { questionsView, reviewView } from './ballot.ts';
import { refreshChain, startSending } from './casting.ts';
import { details, failureView, loadingView } from './start.ts';

/** What a test is, and with which choices. */
export function testView(app: App): Drawn {
  const { words } = app;
  const radio = (value: string, key: string, checked: boolean) =>
    h(
      'label',
      { class: 'option' },
      h('input', { type: 'radio', name: 'test', value, checked }),
      h(
        'span',
        { class: 'option-text' },
        h('strong', {}, words.say(key)),
        ' ',
        words.say(`${key}.more`),
      ),
    );
  const form = h(
    'form',
    {},
    h(
      'fieldset',
      { class: 'question' },
      h('legend', {}, h('span', { class: 'question-title' }, words.say('test.with'))),
      h(
        'div',
        { class: 'options' },
        radio('practice', 'test.practice', true),
        radio('real', 'test.real', false),
      ),
    ),
    actions(
      h('button', { type: 'submit', class: 'primary' }, words.say('test.go')),
      secondary(words.say('test.leave'), () => app.show(reviewView)),
    ),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (new FormData(form).get('test') === 'real') return commitView(app);
    app.practice = app.questions.map(() => undefined);
    app.at = 0;
    app.show(questionsView);
  });
  return {
    step: 'review',
    heading: words.say('test.title'),
    banner: 'not-cast',
    body: [
      paragraph(words.say('test.intro')),
      h(
        'ol',
        { class: 'plan' },
        ...['test.plan1', 'test.plan2', 'test.plan3'].map((key) => h('li', {}, words.say(key))),
      ),
      form,
    ],
  };
}

interface Committed {
  readonly ballot: Uint8Array;
  readonly tracker: string;
  readonly opening: string;
}

/** Encrypts, and shows the code that the machine is bound to from here on. */
export function commitView(app: App): void {
  app.show(loadingView);
  commit(app).then(
    (committed) => app.show(committedView(committed)),
    (error: unknown) => app.show(failureView(error, () => app.show(reviewView))),
  );
}

async function commit(app: App): Promise<Committed> {
  if (app.voter?.isChainKnown === false) await refreshChain(app);
  const { voter, questions, filled } = app;
  if (voter === undefined) throw new Error('no code');
  const choices = questions.map((question, at) =>
    choiceOf(question, filled[at] ?? emptyAnswer(question)),
  );
  const seq = voter.last === undefined ? 0 : voter.last.seq + 1;
  const prev = voter.last?.hash ?? new Uint8Array(32);
  const code = Uint8Array.from(voter.code);
  const place = { group: voter.group, seq, prev };
  const { ballot, tracker, opening } = await app.engine.cast(code, place, choices, true);
  code.fill(0);
  return { ballot, tracker, opening: opening ?? '' };
}

function committedView({ ballot, tracker, opening }: Committed): View {
  return (app) => {
    const { words, practice } = app;
    const cast = () => {
      app.sending = { ballot, tracker, replaces: app.voter?.last !== undefined };
      startSending(app);
    };
    const leave = () => {
      app.practice = undefined;
      app.show(reviewView);
    };
    return {
      step: 'review',
      heading: words.say('commit.title'),
      banner: practice === undefined ? 'not-cast' : 'practice',
      body: [
        paragraph(words.say('commit.text')),
        h(
          'div',
          { class: 'tracker-card' },
          h('p', { class: 'hint' }, words.say('receipt.tracker')),
          trackerText(tracker),
        ),
        actions(
          primary(words.say('commit.open'), () => app.show(openedView(tracker, opening))),
          ...(practice === undefined ? [secondary(words.say('commit.cast'), cast)] : []),
          secondary(words.say('test.leave'), leave),
        ),
      ],
    };
  };
}

function openedView(tracker: string, opening: string): View {
  return (app) => {
    const { words } = app;
    const address = `${app.nodes.origins[0]}/check.html#o=${opening}`;
    const leave = () => {
      app.practice = undefined;
      app.show(reviewView);
    };
    return {
      step: 'review',
      heading: words.say('opened.title'),
      banner: app.practice === undefined ? 'not-cast' : 'practice',
      body: [
        paragraph(words.say('opened.text')),
        h(
          'figure',
          { class: 'big-qr' },
          qrPicture(qrOf(address, 'L'), words.say('opened.qr')),
          h('figcaption', { class: 'hint' }, words.say('opened.compare')),
        ),
        trackerText(tracker),
        note('info', paragraph(words.say('opened.destroyed'))),
        h(
          'details',
          {},
          h('summary', {}, words.say('opened.asText')),
          h(
            'textarea',
            {
              readonly: true,
              rows: 6,
              dir: 'ltr',
              class: 'opening',
              'aria-label': words.say('opened.asText'),
            },
            opening,
          ),
        ),
        details(words.say('opened.why'), words.say('opened.why.more')),
        actions(primary(words.say('opened.back'), leave)),
      ],
    };
  };
}
