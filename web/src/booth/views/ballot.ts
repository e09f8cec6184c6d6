/** Filling in a ballot, and looking at it once more. */

import type { App, Drawn } from '../app.ts';
import { h } from '../dom.ts';
import { actions, note, paragraph, plain, primary, secondary } from '../parts.ts';
import { linesOf, problemOf, type Widget, widgetOf } from '../widgets.ts';
import { startCast } from './casting.ts';
import { againNote } from './start.ts';
import { commitView, testView } from './test.ts';

function banner({ practice }: App): 'practice' | 'not-cast' {
  return practice === undefined ? 'not-cast' : 'practice';
}

/** All questions, or the one that is at hand. */
export function questionsView(app: App): Drawn {
  const { words, questions, filled, isOneByOne } = app;
  const shown = isOneByOne ? [app.at] : questions.map((_, at) => at);
  const widgets = shown.map((at): Widget => {
    const changed = (answer: (typeof filled)[number]) => {
      filled[at] = answer;
    };
    const total = questions.length;
    const setting = {
      words,
      name: `q${at + 1}`,
      number: at + 1,
      total,
      answer: filled[at],
      changed,
    };
    return widgetOf(questions[at]!, setting);
  });
  const goOn = () => {
    const problems = shown.map((at) => problemOf(questions[at]!, filled[at], words));
    const first = problems.findIndex((problem) => problem !== undefined);
    // The last complaint gets the focus, so the first problem complains last.
    problems.forEach((problem, at) => {
      if (at !== first) widgets[at]!.complain(problem);
    });
    if (first >= 0) return widgets[first]!.complain(problems[first]);
    if (isOneByOne && app.at + 1 < questions.length) {
      app.at += 1;
      return app.show(questionsView);
    }
    return app.show(reviewView);
  };
  const back = () => {
    app.at -= 1;
    app.show(questionsView);
  };
  const form = h('form', { novalidate: true }, ...widgets.map(({ element }) => element));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    goOn();
  });
  const isLast = !isOneByOne || app.at + 1 === questions.length;
  const next = h(
    'button',
    { type: 'submit', class: 'primary' },
    words.say(isLast ? 'choices.review' : 'choices.next'),
  );
  form.append(
    actions(
      next,
      ...(isOneByOne && app.at > 0 ? [secondary(words.say('choices.back'), back)] : []),
    ),
  );
  return {
    step: 'choices',
    heading: words.say(app.practice === undefined ? 'choices.title' : 'practice.title'),
    banner: banner(app),
    body: [...notes(app), form, ...switcher(app)],
  };
}

function notes(app: App): HTMLElement[] {
  const { words, voter, practice } = app;
  if (practice !== undefined || (app.isOneByOne && app.at > 0)) return [];
  const weight = voter?.weight ?? 1;
  return [
    ...(voter?.last === undefined ? [] : [againNote(app)]),
    ...(app.facts?.isOpenPoll === true ? [note('stop', paragraph(words.say('open.note')))] : []),
    ...(weight > 1 ? [note('info', paragraph(words.say('weight', { weight })))] : []),
  ];
}

function switcher(app: App): HTMLElement[] {
  const { words, questions, isOneByOne } = app;
  if (questions.length < 2) return [];
  const change = () => {
    app.isOneByOne = !isOneByOne;
    app.at = 0;
    app.show(questionsView);
  };
  const text = words.say(isOneByOne ? 'choices.all' : 'choices.oneByOne');
  return [h('p', { class: 'aside' }, plain(text, change))];
}

/** Everything that will be encrypted, with a way back to each answer. */
export function reviewView(app: App): Drawn {
  const { words, questions, filled, practice, voter } = app;
  const edit = (at: number) => {
    app.at = at;
    app.show(questionsView);
    if (!app.isOneByOne) document.querySelectorAll('fieldset')[at]?.querySelector('input')?.focus();
  };
  const items = questions.map((question, at) => {
    const lines = linesOf(question, filled[at], words).map(({ text, isOurs }) =>
      h('li', { dir: isOurs ? undefined : 'auto', class: isOurs ? 'ours' : undefined }, text),
    );
    const title = h('h2', { dir: 'auto', id: `review-${at}` }, question.title);
    const change = h(
      'button',
      {
        type: 'button',
        class: 'plain',
        'aria-describedby': `review-${at}`,
        onclick: () => edit(at),
      },
      words.say('review.change'),
    );
    return h('section', { class: 'reviewed' }, title, h('ul', {}, ...lines), change);
  });
  if (practice !== undefined) return practiceReview(app, items);
  const isAgain = voter?.last !== undefined;
  return {
    step: 'review',
    heading: words.say('review.title'),
    banner: 'not-cast',
    body: [
      paragraph(words.say('review.intro')),
      ...items,
      paragraph(
        words.say(isAgain ? 'review.again' : app.facts?.revote ? 'review.may' : 'review.once'),
      ),
      actions(primary(words.say(isAgain ? 'cast.again' : 'cast'), () => startCast(app))),
      // A ballot in clear can be looked at as it is.
      ...(app.facts?.isOpenPoll === true
        ? []
        : [
            h(
              'p',
              { class: 'aside' },
              plain(words.say('test.offer'), () => app.show(testView)),
            ),
          ]),
    ],
  };
}

function practiceReview(app: App, items: readonly HTMLElement[]): Drawn {
  const { words } = app;
  return {
    step: 'review',
    heading: words.say('practice.review'),
    banner: 'practice',
    body: [
      ...items,
      actions(
        primary(words.say('test.encrypt'), () => commitView(app)),
        secondary(words.say('test.leave'), () => {
          app.practice = undefined;
          app.show(reviewView);
        }),
      ),
    ],
  };
}
