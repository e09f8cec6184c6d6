/** What all pages are made of: top and bottom, notes, buttons. */

import { h, ICONS, icon } from './dom.ts';
import { LANGUAGES, type Language, type Words } from './words.ts';

/** The top of every page: where one is, and in which language. */
export function headerOf(
  words: Words,
  title: string | undefined,
  isTest: boolean,
  speak: (language: Language) => unknown,
): HTMLElement {
  const select = h('select', { id: 'language', autocomplete: 'off' });
  for (const [tag, name] of Object.entries(LANGUAGES)) {
    const selected = tag === words.language;
    select.append(h('option', { value: tag, lang: tag, selected }, name));
  }
  select.addEventListener('change', () => speak(select.value as Language));
  return h(
    'header',
    { class: 'top' },
    h(
      'div',
      { class: 'top-row' },
      h('p', { class: 'election', dir: 'auto' }, title ?? words.say('booth')),
      h(
        'label',
        { class: 'language' },
        h('span', { class: 'unseen' }, words.say('language')),
        select,
      ),
    ),
    isTest ? h('p', { class: 'test-mark' }, words.say('test.mark')) : undefined,
  );
}

export function footerOf(words: Words, key = 'footer'): HTMLElement {
  return h('footer', { class: 'foot' }, h('p', {}, words.say(key)));
}

/** A note with an icon. */
export function note(kind: 'info' | 'warn' | 'stop' | 'check', ...children: Node[]): HTMLElement {
  return h('div', { class: `note ${kind}` }, icon(ICONS[kind]), h('div', {}, ...children));
}

export function paragraph(text: string): HTMLParagraphElement {
  return h('p', {}, text);
}

/** The one thing to do next. */
export function primary(text: string, act: () => unknown): HTMLButtonElement {
  return h('button', { type: 'button', class: 'primary', onclick: () => act() }, text);
}

export function secondary(text: string, act: () => unknown): HTMLButtonElement {
  return h('button', { type: 'button', class: 'secondary', onclick: () => act() }, text);
}

/** A side path: looks like a link, is a button. */
export function plain(text: string, act: () => unknown): HTMLButtonElement {
  return h('button', { type: 'button', class: 'plain', onclick: () => act() }, text);
}

export function actions(...children: Node[]): HTMLElement {
  return h('div', { class: 'actions' }, ...children);
}
