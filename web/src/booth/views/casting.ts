/** From the one button to the receipt: encrypt, sign, send, and wait until a quorum holds it. */

import type { App, Drawn, View } from '../app.ts';
import { Delivery, type Outcome, type Progress } from '../delivery.ts';
import { h, ICONS, icon, qrPicture, saveFile, trackerText } from '../dom.ts';
import { confirmReceipt } from '../keys.ts';
import { OfflineError } from '../nodes.ts';
import { actions, note, paragraph, plain, primary, secondary } from '../parts.ts';
import { qrOf } from '../qr.ts';
import { choiceOf, emptyAnswer } from '../questions.ts';
import { reviewView } from './ballot.ts';
import { codeView, details, failureView } from './start.ts';

const AHEAD = new Uint8Array(32);

/** Between two attempts to reach anybody, in milliseconds. */
const AWAY_MS = 3_000;

/** Rounds in vain before the page says that the network seems to be away. */
const VAIN_ROUNDS = 2;

let guard: AbortController | undefined;

/** Keeps the tab open until it is known what became of the ballot. */
function keepOpen(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** Encrypts and sends; the view shows how far it is. */
export function startCast(app: App): void {
  const shown = new Shown(app);
  app.show(() => shown.drawn());
  begin(app, shown).catch((error: unknown) => {
    app.show(failureView(error, () => app.show(reviewView)));
  });
}

/** Goes on with a ballot that is encrypted already. */
export function startSending(app: App): void {
  const shown = new Shown(app);
  app.show(() => shown.drawn());
  shown.encrypted();
  if (app.sending !== undefined) void send(app, app.sending, shown);
}

async function begin(app: App, shown: Shown): Promise<void> {
  await learnChain(app, shown);
  const { voter, facts, answers, questions } = app;
  if (voter === undefined || facts === undefined) return;
  const choices = questions.map((question, at) =>
    choiceOf(question, answers[at] ?? emptyAnswer(question)),
  );
  const seq = voter.last === undefined ? 0 : voter.last.seq + 1;
  const prev = voter.last?.hash ?? AHEAD;
  const code = Uint8Array.from(voter.code);
  const { ballot, tracker } = await app.engine.cast(
    code,
    { group: voter.group, seq, prev },
    choices,
    false,
  );
  code.fill(0);
  const replaces = voter.last !== undefined;
  app.sending = { ballot, tracker, replaces };
  shown.encrypted();
  await send(app, app.sending, shown);
}

/** Asks where the code stands, for as long as it takes, when that is not known yet. */
async function learnChain(app: App, shown: Shown): Promise<void> {
  for (let inVain = 0; app.voter?.isChainKnown === false; inVain++) {
    try {
      await refreshChain(app);
    } catch (error) {
      if (!(error instanceof OfflineError)) throw error;
      shown.progress({ sent: false, stored: 0, nodes: 0, inVain });
      await pause(AWAY_MS);
    }
  }
}

async function send(app: App, sending: NonNullable<App['sending']>, shown: Shown): Promise<void> {
  const { facts, nodes, engine } = app;
  if (facts === undefined) return;
  const { ballot, tracker } = sending;
  const kept = { election: facts.id, ballot, tracker, receipt: undefined };
  app.store.keep(kept);
  guard?.abort();
  guard = new AbortController();
  globalThis.addEventListener('beforeunload', keepOpen);
  const task = { election: facts.id, ballot, tracker, quorum: facts.quorum };
  const judges = {
    confirm: (receipt: string, own: Uint8Array) =>
      confirmReceipt(nodes, engine, facts.id, receipt, own),
    refusal: (bytes: Uint8Array, own: Uint8Array) => engine.refusal(bytes, own),
  };
  const delivery = new Delivery(nodes, task, judges, pause, (progress) => shown.progress(progress));
  const outcome = await delivery.run(guard.signal);
  globalThis.removeEventListener('beforeunload', keepOpen);
  end(app, outcome, kept);
}

function end(app: App, outcome: Outcome, kept: Parameters<App['store']['keep']>[0]): void {
  if (outcome.kind === 'refused') {
    app.store.forget();
    app.sending = undefined;
    app.show(refusedView(outcome));
    return;
  }
  app.store.keep({ ...kept, receipt: outcome.receipt });
  app.receipt = { text: outcome.receipt, confirmed: outcome.confirmed };
  app.wipe();
  app.show(receiptView);
}

/** Waits, or until the browser says that the network is back. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      globalThis.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    globalThis.addEventListener('online', done);
  });
}

/** The four things that happen, as a list that fills up. */
class Shown {
  readonly #app: App;
  #isEncrypted = false;
  #progress: Progress | undefined;
  #rows: HTMLElement[] = [];
  #trouble = h('div');
  #tracker = h('div');

  constructor(app: App) {
    this.#app = app;
  }

  drawn(): Drawn {
    const { words } = this.#app;
    this.#rows = [0, 1, 2, 3].map(() =>
      h('li', {}, h('span', { class: 'mark' }), h('span', { class: 'what' })),
    );
    this.#trouble = h('div', { role: 'alert' });
    this.#tracker = h('div', { class: 'tracker-line' });
    this.#fill();
    return {
      step: 'receipt',
      heading: words.say('progress.title'),
      banner: 'not-cast',
      body: [
        paragraph(words.say('progress.intro')),
        h('ol', { class: 'progress' }, ...this.#rows),
        this.#trouble,
        this.#tracker,
      ],
    };
  }

  encrypted(): void {
    this.#isEncrypted = true;
    this.#fill();
  }

  progress(progress: Progress): void {
    this.#progress = progress;
    this.#fill();
  }

  #fill(): void {
    const { words, sending } = this.#app;
    const { sent, stored, nodes, inVain } = this.#progress ?? NOTHING;
    const isEncrypted = this.#isEncrypted;
    const places = { stored, nodes };
    this.#set(
      0,
      isEncrypted ? 'done' : 'busy',
      isEncrypted ? 'progress.encrypted' : 'progress.encrypt',
    );
    const sendState = sent ? 'done' : isEncrypted ? 'busy' : 'waiting';
    this.#set(1, sendState, sent ? 'progress.sent' : 'progress.send');
    const storing = !sent ? 'waiting' : stored >= nodes ? 'done' : 'busy';
    this.#set(2, storing, sent ? 'progress.stored' : 'progress.store', places);
    this.#set(3, stored > 0 ? 'busy' : 'waiting', 'progress.final');
    const isAway = inVain >= VAIN_ROUNDS && !sent;
    const away = isEncrypted ? 'progress.away' : 'progress.awayFirst';
    this.#trouble.replaceChildren(...(isAway ? [note('warn', paragraph(words.say(away)))] : []));
    if (!isEncrypted || sending === undefined || this.#tracker.hasChildNodes()) return;
    const hint = h('p', { class: 'hint' }, words.say('progress.tracker'));
    this.#tracker.replaceChildren(hint, trackerText(sending.tracker));
  }

  #set(at: number, state: 'waiting' | 'busy' | 'done', key: string, places = {}): void {
    const row = this.#rows[at]!;
    const text = this.#app.words.say(key, places);
    const isNew = state !== 'waiting' && row.lastElementChild!.textContent !== text;
    row.className = state;
    row.lastElementChild!.textContent = text;
    row.firstElementChild!.replaceChildren(...(state === 'done' ? [icon(ICONS.check)] : []));
    if (isNew) this.#app.announce(text);
  }
}

const NOTHING: Progress = { sent: false, stored: 0, nodes: 0, inVain: 0 };

/** Another try with this code changes nothing. */
const FINAL_CODES = new Set([
  'too-late',
  'not-on-roll',
  'revote-not-allowed',
  'withdrawn',
  'votes-on-paper',
]);

/** A quorum has refused the ballot. */
function refusedView(outcome: Extract<Outcome, { kind: 'refused' }>): View {
  return (app) => {
    const { words } = app;
    const { code, sentence, refusals, signed } = outcome;
    const key = `refused.${code}`;
    const said = words.has(key)
      ? [paragraph(words.say(key))]
      : [paragraph(words.say('refused.other')), h('p', { dir: 'auto', lang: 'en' }, sentence)];
    const isOver = FINAL_CODES.has(code);
    const again = async () => {
      app.sending = undefined;
      await refreshChain(app);
      app.show(app.voter === undefined ? codeView() : reviewView);
    };
    return {
      step: 'receipt',
      heading: words.say('refused.title'),
      banner: 'not-cast',
      body: [
        note('stop', ...said),
        h('p', { class: 'hint' }, words.say('refused.by', { refusals, signed })),
        ...(isOver ? [] : [actions(primary(words.say('again'), () => again()))]),
        details(words.say('refused.detail'), `${code}: ${sentence}`),
      ],
    };
  };
}

/** Asks again where the credential's chain stands: the next ballot must follow its last one. */
export async function refreshChain(app: App): Promise<void> {
  const { voter, facts } = app;
  if (voter === undefined || facts === undefined) return;
  const { last } = await app.nodes.last(facts.id, voter.key);
  app.voter = { ...voter, last, isChainKnown: true };
}

function codeGroups(app: App, tracker: string): HTMLElement {
  const { words } = app;
  const copy = secondary(words.say('receipt.copy'), () => {
    navigator.clipboard.writeText(tracker).then(
      () => app.announce(words.say('receipt.copied')),
      () => app.announce(words.say('receipt.notCopied')),
    );
  });
  copy.classList.add('small', 'no-print');
  return h(
    'div',
    { class: 'tracker-card' },
    h('p', { class: 'hint', id: 'tracker-label' }, words.say('receipt.tracker')),
    trackerText(tracker),
    copy,
  );
}

/** The ballot is final: how to find it again, without a word of what is in it. */
export function receiptView(app: App): Drawn {
  const { words, facts, receipt, sending } = app;
  if (facts === undefined || receipt === undefined || sending === undefined) {
    return { heading: words.say('trouble.title'), body: [] };
  }
  const { tracker, stamp, signers, leaf } = receipt.confirmed;
  const name = `receipt-${tracker.replaceAll('-', '').toLowerCase()}`;
  const save = () => saveFile(`${name}.tlog-proof`, receipt.text, 'text/plain');
  const saveBallot = () => saveFile(`${name}.ballot`, sending.ballot, 'application/octet-stream');
  return {
    step: 'receipt',
    heading: words.say(sending.replaces ? 'receipt.titleAgain' : 'receipt.title'),
    banner: 'final',
    body: [
      paragraph(words.say('receipt.intro', { signers: signers.length, total: facts.authorities })),
      receiptCard(app, facts.id, tracker),
      h(
        'div',
        { class: 'actions no-print' },
        primary(words.say('receipt.save'), save),
        secondary(words.say('receipt.print'), () => globalThis.print()),
      ),
      h(
        'details',
        { class: 'facts' },
        h('summary', {}, words.say('receipt.details')),
        factsOf(app, stamp, leaf, signers),
        h('p', { class: 'no-print' }, plain(words.say('receipt.saveBallot'), saveBallot)),
      ),
      ...(facts.clusterIssues ? [note('warn', paragraph(words.say('receipt.issuer')))] : []),
      whatNow(app, facts.revote),
    ],
  };
}

/** The tracking code, to read and to scan. */
function receiptCard(app: App, election: string, tracker: string): HTMLElement {
  const { words } = app;
  const address = `${app.nodes.origins[0]}/check.html#t=${election}.${tracker}`;
  return h(
    'div',
    { class: 'receipt' },
    codeGroups(app, tracker),
    h(
      'figure',
      {},
      qrPicture(qrOf(address, 'M'), words.say('receipt.qr')),
      h('figcaption', { class: 'hint' }, words.say('receipt.qrHint')),
    ),
  );
}

function whatNow(app: App, mayChange: boolean): HTMLElement {
  const { words } = app;
  const forget = () => {
    app.store.forget();
    [app.receipt, app.sending] = [undefined, undefined];
    app.wipe();
    app.show(codeView());
  };
  return h(
    'div',
    { class: 'part no-print' },
    h('h2', {}, words.say('receipt.next')),
    paragraph(words.say('receipt.noChoice')),
    ...(mayChange ? [paragraph(words.say('receipt.revote'))] : []),
    actions(
      ...(mayChange ? [secondary(words.say('receipt.change'), forget)] : []),
      secondary(words.say('receipt.forget'), forget),
    ),
  );
}

function factsOf(app: App, stamp: number, leaf: number, signers: readonly string[]): HTMLElement {
  const { words, facts, sending } = app;
  const row = (key: string, value: string) => [
    h('dt', {}, words.say(key)),
    h('dd', { dir: 'auto' }, value),
  ];
  return h(
    'dl',
    {},
    ...row('receipt.election', facts?.title ?? ''),
    ...row('receipt.time', words.moment(stamp)),
    ...row('receipt.leaf', String(leaf)),
    ...row('receipt.signers', signers.join(', ')),
    ...row('receipt.id', facts?.id ?? ''),
    ...row('receipt.fingerprint', facts?.fingerprint ?? ''),
    ...row('receipt.size', `${sending?.ballot.length ?? 0}`),
  );
}
