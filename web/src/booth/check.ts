/**
 * The second device: it looks up a tracking code, checks a saved receipt, or makes an opened
 * ballot again. What it shows it has checked itself; a node is asked only for public data.
 */

import { h, trackerText } from './dom.ts';
import type { Confirmation, ElectionFacts } from './engine.ts';
import { confirmReceipt, loadElection } from './keys.ts';
import { NodeError } from './nodeError.ts';
import { type Nodes, OfflineError } from './nodes.ts';
import { actions, footerOf, headerOf, note, paragraph, primary, secondary } from './parts.ts';
import { answerOf, questionsOf } from './questions.ts';
import { type RemoteEngine, RemoteError } from './remote.ts';
import { loadWords } from './texts.ts';
import { linesOf } from './widgets.ts';
import type { Language, Words } from './words.ts';

/** What somebody wants to have checked. */
export type Wanted =
  | { readonly kind: 'tracker'; readonly election: string; readonly tracker: string }
  | { readonly kind: 'receipt'; readonly text: string; readonly ballot: Uint8Array | undefined }
  | { readonly kind: 'opening'; readonly text: string };

/** A tracking code as it is written, of whatever was typed; `undefined` when it is none. */
export function readTracker(typed: string): string | undefined {
  const folded = typed.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  if (!/^[0-9A-HJKMNP-TV-Z]{20}$/.test(folded)) return undefined;
  return folded.match(/.{4}/g)!.join('-');
}

/** Which of the three a text is. */
export function wantedOf(
  text: string,
  election: string,
  ballot: Uint8Array | undefined,
): Wanted | undefined {
  const trimmed = text.trim();
  const fragment = /#([to])=(.+)$/.exec(trimmed);
  if (fragment !== null) return ofFragment(fragment[1]!, fragment[2]!);
  if (trimmed.startsWith('quorate-opening-')) return { kind: 'opening', text: trimmed };
  if (trimmed.startsWith('c2sp.org/tlog-proof@')) return { kind: 'receipt', text, ballot };
  const tracker = readTracker(trimmed);
  return tracker === undefined ? undefined : { kind: 'tracker', election, tracker };
}

/** What the address asks for: `t=<election>.<tracker>` or `o=<opening>`. */
export function ofFragment(name: string, value: string): Wanted | undefined {
  if (name === 'o') return { kind: 'opening', text: value };
  const [election = '', typed = ''] = value.split('.');
  const tracker = readTracker(typed);
  if (tracker === undefined || !/^[0-9a-f]{32}$/.test(election)) return undefined;
  return { kind: 'tracker', election, tracker };
}

type Found =
  | { readonly kind: 'final'; readonly confirmed: Confirmation; readonly isCounted: boolean }
  | { readonly kind: 'ordered'; readonly tracker: string }
  | { readonly kind: 'absent'; readonly tracker: string };

export class CheckPage {
  readonly #root: HTMLElement;
  readonly #nodes: Nodes;
  readonly #engine: RemoteEngine;
  #words: Words;
  #facts: ElectionFacts | undefined;
  #election = '';
  #body: () => { heading: string; parts: readonly Node[] };

  constructor(root: HTMLElement, nodes: Nodes, engine: RemoteEngine, words: Words) {
    [this.#root, this.#nodes, this.#engine, this.#words] = [root, nodes, engine, words];
    this.#body = () => this.#form();
  }

  start(wanted: Wanted | undefined, election: string): void {
    this.#election = election;
    this.#draw();
    if (wanted !== undefined) void this.#check(wanted);
  }

  #show(body: () => { heading: string; parts: readonly Node[] }): void {
    this.#body = body;
    this.#draw();
    this.#root.querySelector<HTMLElement>('h1')?.focus();
  }

  #draw(): void {
    const words = this.#words;
    document.documentElement.lang = words.language;
    document.documentElement.dir = words.direction;
    const { heading, parts } = this.#body();
    document.title = `${heading} – ${this.#facts?.title ?? words.say('check.title')}`;
    const speak = async (language: Language) => {
      this.#words = await loadWords(language).catch(() => this.#words);
      this.#draw();
      document.querySelector<HTMLSelectElement>('#language')?.focus();
    };
    const header = headerOf(words, this.#facts?.title ?? words.say('check.title'), false, speak);
    const main = h('main', { class: 'page' }, h('h1', { tabindex: -1 }, heading), ...parts);
    this.#root.replaceChildren(header, main, footerOf(words, 'check.footer'));
  }

  #form(): { heading: string; parts: readonly Node[] } {
    const words = this.#words;
    const error = h('p', { class: 'error', id: 'check-error', hidden: true });
    const text = h('textarea', {
      id: 'what',
      rows: 4,
      dir: 'ltr',
      class: 'opening',
      spellcheck: 'false',
      'aria-describedby': 'check-hint check-error',
    });
    const file = h('input', { id: 'file', type: 'file', multiple: true });
    const election = h('input', {
      id: 'election',
      type: 'text',
      dir: 'ltr',
      value: this.#election,
    });
    const go = h('button', { type: 'submit', class: 'primary' }, words.say('check.go'));
    const form = h(
      'form',
      { novalidate: true },
      h('label', { class: 'field-label', for: 'what' }, words.say('check.label')),
      h('p', { class: 'hint', id: 'check-hint' }, words.say('check.hint')),
      text,
      error,
      h('label', { class: 'field-label', for: 'file' }, words.say('check.file')),
      file,
      h('p', { class: 'hint' }, words.say('check.needBallot')),
      h('label', { class: 'field-label', for: 'election' }, words.say('check.election')),
      election,
      actions(go),
    );
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const files = Array.from(file.files ?? []);
      const { receipt, ballot } = await readFiles(files);
      this.#election = election.value.trim().toLowerCase();
      const wanted = wantedOf(receipt ?? text.value, this.#election, ballot);
      if (wanted !== undefined) return this.#check(wanted);
      error.textContent = words.say('check.unreadable');
      error.hidden = false;
      text.focus();
    });
    return {
      heading: words.say('check.title'),
      parts: [paragraph(words.say('check.intro')), form],
    };
  }

  async #check(wanted: Wanted): Promise<void> {
    const words = this.#words;
    this.#show(() => ({
      heading: words.say('loading.title'),
      parts: [h('p', { class: 'busy' }, words.say('loading.text'))],
    }));
    try {
      await this.#nodes.discover();
      if (wanted.kind === 'opening') return await this.#openBallot(wanted.text);
      const election = wanted.kind === 'tracker' ? wanted.election : receiptElection(wanted.text);
      await this.#load(election || this.#election);
      const found =
        wanted.kind === 'tracker'
          ? await this.#lookUp(wanted.tracker)
          : await this.#confirm(wanted.text, wanted.ballot);
      this.#show(() => this.#result(found));
    } catch (error) {
      this.#show(() => this.#failure(error));
    }
  }

  async #load(election: string): Promise<void> {
    this.#facts = await loadElection(this.#nodes, this.#engine, election);
    this.#election = election;
  }

  async #openBallot(text: string): Promise<void> {
    await this.#load(await this.#engine.openElection(text));
    const opened = await this.#engine.open(text);
    const questions = questionsOf(this.#facts?.contests ?? [], opened.group);
    this.#show(() => {
      const words = this.#words;
      const sections = questions.map((question, at) => {
        const answer = answerOf(question, opened.choices[at] ?? 'blank');
        const lines = linesOf(question, answer, words).map((line) =>
          h('li', { dir: line.isOurs ? undefined : 'auto' }, line.text),
        );
        const title = h('h2', { dir: 'auto' }, question.title);
        return h('section', { class: 'reviewed' }, title, h('ul', {}, ...lines));
      });
      return {
        heading: words.say('check.opened'),
        parts: [
          paragraph(words.say('check.opened.text')),
          h(
            'div',
            { class: 'tracker-card' },
            h('p', { class: 'hint' }, words.say('receipt.tracker')),
            trackerText(opened.tracker),
          ),
          ...sections,
          ...(opened.isSigned ? [] : [note('stop', paragraph(words.say('check.unsigned')))]),
          this.#another(),
        ],
      };
    });
  }

  /** Asks the nodes for the ballot of a tracker and checks what proves it. */
  async #lookUp(tracker: string): Promise<Found> {
    const id = this.#facts?.id ?? '';
    let isOrdered = false;
    let hasAnswer = false;
    for (const origin of this.#nodes.origins) {
      try {
        const response = await this.#nodes.ask(origin, `elections/${id}/ballots/${tracker}`);
        hasAnswer = true;
        if (!response.ok) continue;
        const { state, leaf, receipt } = await response.json();
        isOrdered = true;
        if (typeof receipt !== 'string') continue;
        const ballot = await this.#ballotAt(Number(leaf));
        const confirmed = await this.#confirmed(receipt, ballot);
        if (confirmed.tracker === tracker) {
          return { kind: 'final', confirmed, isCounted: state === 'counted' };
        }
      } catch (error) {
        // A node that is away, or gives a receipt that does not hold; the next one may not.
        if (error instanceof RemoteError && error.code === 'internal') throw error;
      }
    }
    if (!hasAnswer) throw new OfflineError('no node answers');
    return { kind: isOrdered ? 'ordered' : 'absent', tracker };
  }

  async #confirm(text: string, given: Uint8Array | undefined): Promise<Found> {
    const ballot = given ?? (await this.#ballotAt(receiptIndex(text)));
    const confirmed = await this.#confirmed(text, ballot);
    return { kind: 'final', confirmed, isCounted: false };
  }

  #confirmed(receipt: string, ballot: Uint8Array): Promise<Confirmation> {
    const id = this.#facts?.id ?? '';
    return confirmReceipt(this.#nodes, this.#engine, id, receipt, ballot);
  }

  async #ballotAt(leaf: number): Promise<Uint8Array> {
    const [bytes] = await this.#nodes.leaves(this.#facts?.id ?? '', leaf, 1);
    const ballot = bytes && (await this.#engine.ballotOfLeaf(bytes));
    if (ballot === undefined) throw new RemoteError('bad-receipt', `leaf ${leaf} is no ballot`);
    return ballot;
  }

  #result(found: Found): { heading: string; parts: readonly Node[] } {
    const words = this.#words;
    const tracker = found.kind === 'final' ? found.confirmed.tracker : found.tracker;
    const card = h('div', { class: 'tracker-card' }, trackerText(tracker));
    if (found.kind !== 'final') {
      return {
        heading: words.say(`check.${found.kind}`),
        parts: [
          card,
          note('warn', paragraph(words.say(`check.${found.kind}.text`))),
          this.#another(),
        ],
      };
    }
    const { leaf, signers, stamp } = found.confirmed;
    const total = this.#facts?.authorities ?? 0;
    const said = words.say('check.found.text', { leaf, signers: signers.length, total });
    return {
      heading: words.say('check.found'),
      parts: [
        card,
        note(
          'check',
          paragraph(said),
          ...(found.isCounted ? [paragraph(words.say('check.counted'))] : []),
        ),
        h(
          'dl',
          {},
          h('dt', {}, words.say('receipt.election')),
          h('dd', { dir: 'auto' }, this.#facts?.title ?? ''),
          h('dt', {}, words.say('receipt.time')),
          h('dd', {}, words.moment(stamp)),
          h('dt', {}, words.say('receipt.signers')),
          h('dd', { dir: 'ltr' }, signers.join(', ')),
        ),
        this.#another(),
      ],
    };
  }

  #failure(error: unknown): { heading: string; parts: readonly Node[] } {
    const words = this.#words;
    const isOffline = error instanceof OfflineError;
    const isBad = error instanceof RemoteError;
    const isAbsent = error instanceof NodeError && error.status === 404;
    const key = isOffline
      ? 'offline'
      : isBad
        ? 'check.bad'
        : isAbsent
          ? 'unknown'
          : 'check.trouble';
    const heading = words.say(key.startsWith('check.') ? key : `${key}.title`);
    return {
      heading,
      parts: [
        note('stop', paragraph(words.say(`${key}.text`))),
        h('p', { class: 'detail', dir: 'ltr' }, (error as Error).message),
        this.#another(),
      ],
    };
  }

  #another(): HTMLElement {
    const again = () => this.#show(() => this.#form());
    const words = this.#words;
    return actions(
      this.#facts === undefined
        ? primary(words.say('check.another'), again)
        : secondary(words.say('check.another'), again),
    );
  }
}

/** The election id at the end of a receipt's origin line. */
function receiptElection(text: string): string {
  return /\/e\/([0-9a-f]{32})$/m.exec(text)?.[1] ?? '';
}

function receiptIndex(text: string): number {
  return Number(/^index (\d+)$/m.exec(text)?.[1] ?? 'NaN');
}

/** A receipt and a ballot among files, told apart by what is in them. */
async function readFiles(
  files: readonly File[],
): Promise<{ receipt: string | undefined; ballot: Uint8Array | undefined }> {
  let receipt: string | undefined;
  let ballot: Uint8Array | undefined;
  for (const file of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const isReceipt = new TextDecoder().decode(bytes.subarray(0, 9)) === 'c2sp.org/';
    if (isReceipt) receipt = new TextDecoder().decode(bytes);
    else ballot = bytes;
  }
  return { receipt, ballot };
}
