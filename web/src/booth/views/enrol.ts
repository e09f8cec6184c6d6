/** Enrolment: the voter's token, the code that is made here, and the request to the issuer. */

import { readCode } from '../../crypto/code.ts';
import type { App, Drawn, View } from '../app.ts';
import { h } from '../dom.ts';
import type { Enrolment } from '../engine.ts';
import { actions, paragraph, primary } from '../parts.ts';
import { codeSentence } from './start.ts';

/** Where a link says that enrolments are taken; an address of another kind is none. */
function issuerOf(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && ['https:', 'http:', 'mailto:'].includes(url.protocol) ? url : undefined;
}

/** The address that brings a request to the issuer: opened by the voter, never fetched from here. */
export function sendAddress(
  issuer: string,
  { request, text }: Pick<Enrolment, 'request' | 'text'>,
): string | undefined {
  const url = issuerOf(issuer);
  if (url === undefined) return undefined;
  if (url.protocol === 'mailto:') {
    return `${url.href}?body=${encodeURIComponent(text)}`;
  }
  url.searchParams.set('r', request);
  return url.href;
}

/** The token is typed, or came with the address. */
export function enrolView(election: string, token: string, issuer: string): View {
  return (app: App): Drawn => {
    const { words } = app;
    const error = h('p', { class: 'error', id: 'token-error', hidden: true });
    const input = h('input', {
      id: 'token',
      type: 'text',
      class: 'code-input',
      dir: 'ltr',
      value: token,
      autocomplete: 'off',
      autocapitalize: 'characters',
      spellcheck: 'false',
      'aria-describedby': 'token-error',
      required: true,
    });
    const button = h('button', { type: 'submit', class: 'primary' }, words.say('enrol.go'));
    const form = h(
      'form',
      { novalidate: true },
      h('label', { class: 'field-label', for: 'token' }, words.say('enrol.label')),
      input,
      error,
      actions(button),
    );
    const make = async () => {
      const typed = readCode(input.value);
      app.show(enrolledView(await app.engine.enrol(Uint8Array.from(typed), election), issuer));
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      button.disabled = true;
      make().catch((reason) => {
        error.textContent = codeSentence(app, reason);
        error.hidden = false;
        input.setAttribute('aria-invalid', 'true');
        input.focus();
        button.disabled = false;
      });
    });
    return { heading: words.say('enrol.title'), body: [paragraph(words.say('enrol.text')), form] };
  };
}

/** The code, to be kept; then the way to the issuer. */
function enrolledView(made: Enrolment, issuer: string): View {
  let isKept = false;
  return (app: App): Drawn => {
    const { words } = app;
    const address = sendAddress(issuer, made);
    const send = [
      paragraph(words.say('enrolled.send')),
      ...(address === undefined
        ? []
        : [
            actions(
              h(
                'a',
                { class: 'primary', href: address, target: '_blank', rel: 'noopener noreferrer' },
                words.say('enrolled.go'),
              ),
            ),
          ]),
      h(
        'details',
        { open: address === undefined },
        h('summary', {}, words.say('enrolled.hand')),
        h('pre', { dir: 'ltr', tabindex: 0 }, made.text),
      ),
    ];
    const keep = primary(words.say('enrolled.kept'), () => {
      isKept = true;
      app.redraw();
    });
    return {
      heading: words.say('enrolled.title'),
      body: [
        h('p', { class: 'code-input', dir: 'ltr' }, made.code),
        paragraph(words.say('enrolled.text')),
        h('p', { class: 'hint' }, words.say('enrolled.key', { key: made.key })),
        ...(isKept ? send : [actions(keep)]),
      ],
    };
  };
}
