/**
 * The trustee's page: who one is, the key file, the ceremony, the counting. Whatever the key file
 * must remember is saved and read back before anything that depends on it is said.
 */

import { h, ICONS, icon, saveFile } from '../booth/dom.ts';
import { NodeError } from '../booth/nodeError.ts';
import { actions, headerOf, note, paragraph, primary, secondary } from '../booth/parts.ts';
import { type Language, Words } from '../booth/words.ts';
import { toHex } from '../crypto/bytes.ts';
import { SealError } from '../crypto/seal.ts';
import { readEntry } from '../election/entry.ts';
import type { Manifest } from '../election/manifest.ts';
import {
  boardRound,
  checkSealed,
  type Draft,
  endorse,
  ROUNDS,
  readDraft,
  Stopped,
  type Turn,
  takePart,
} from './ceremony.ts';
import { Client, type ElectionView } from './client.ts';
import { freshSecret, isSame, openFile, type SecretFile, sealFile } from './secretFile.ts';
import { Book, compareNodes, decrypt, resultOf } from './tally.ts';
import { nodeSays, TEXTS } from './texts.ts';

const LOOK_MS = 2_000;
const PASSPHRASE_MIN = 12;

/** A file that was saved and must be read back before `then`. */
interface Saved {
  readonly file: SecretFile;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly then: () => Promise<void>;
}

/** What the counting has come to. */
type Counted =
  | { readonly kind: 'verifying'; readonly done: number }
  | { readonly kind: 'shared'; readonly shares: number };

export class TrusteePage {
  readonly #root: HTMLElement;
  #words: Words;
  #client: Client | undefined;
  #id = '';
  #view: ElectionView | undefined;
  #draft: Draft | undefined;
  #number = 0;
  #key: { readonly file: SecretFile; readonly passphrase: string } | undefined;
  #saved: Saved | undefined;
  #turn: Turn | undefined;
  #isEndorsed = false;
  #manifest: Manifest | undefined;
  #counted: Counted | undefined;
  #failure: { readonly title: string; readonly text: string } | undefined;
  #isBusy = false;
  #isLooking = false;

  constructor(root: HTMLElement, words: Words) {
    [this.#root, this.#words] = [root, words];
  }

  /** `fragment` may name nodes and election: `nodes=URL,URL&e=ID`. */
  start(fragment: string): void {
    const given = new URLSearchParams(fragment);
    this.#draw(given.get('nodes')?.replaceAll(',', '\n') ?? '', given.get('e') ?? '');
    setInterval(() => void this.#look(), LOOK_MS);
  }

  /** Runs one act of the person; what goes wrong is told, and nothing is half done. */
  async #do(work: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#failure = undefined;
    this.#rest();
    // The browser paints before work that takes seconds.
    await new Promise((resolve) => setTimeout(resolve, 30));
    try {
      await work();
    } catch (error) {
      this.#failure = this.#told(error as Error);
    }
    this.#isBusy = false;
    this.#draw();
    // What had the focus is gone with the old page.
    if (document.activeElement === document.body) this.#root.querySelector('h1')?.focus();
  }

  /** While something is done nothing else can be asked for, and that is to be seen. */
  #rest(): void {
    this.#root.setAttribute('aria-busy', String(this.#isBusy));
    if (!this.#isBusy) return;
    for (const button of Array.from(this.#root.querySelectorAll('button'))) button.disabled = true;
  }

  #told(error: Error): { title: string; text: string } {
    const words = this.#words;
    const isVoid = error instanceof NodeError && error.status === 401;
    if (isVoid) {
      this.#client?.use('');
      return { title: words.say('access.title'), text: words.say('access.again') };
    }
    const title = words.say(error instanceof Stopped ? 'stopped' : 'failed');
    if (error instanceof NodeError) return { title, text: nodeSays(words.language, error) };
    return { title, text: error.message };
  }

  #draw(nodes?: string, election?: string): void {
    const words = this.#words;
    document.documentElement.lang = words.language;
    document.documentElement.dir = words.direction;
    document.title = `${words.say('title')} – ${this.#view?.title ?? 'Quorate'}`;
    const speak = (language: Language) => {
      this.#words = new Words(language, TEXTS[language]);
      this.#draw();
      document.querySelector<HTMLSelectElement>('#language')?.focus();
    };
    const main = h(
      'main',
      { class: 'page trustee' },
      h('h1', { tabindex: -1 }, words.say('title')),
      ...this.#intro(),
      ...this.#sections(nodes, election),
      h('div', { role: 'alert' }, ...this.#trouble()),
      this.#lost(),
    );
    const foot = h('footer', { class: 'foot' }, paragraph(words.say('footer')));
    this.#root.replaceChildren(
      headerOf(words, this.#view?.title ?? 'Quorate', false, speak),
      main,
      foot,
    );
    this.#rest();
  }

  #intro(): HTMLElement[] {
    const words = this.#words;
    const definition = this.#draft?.definition;
    const why = h(
      'details',
      {},
      h('summary', {}, words.say('why')),
      paragraph(words.say('why.text')),
    );
    if (definition === undefined) return [why];
    const { threshold, trustees } = definition;
    return [
      paragraph(words.say('intro', { threshold, total: trustees.length })),
      why,
      this.#what(),
    ];
  }

  /** The questions, so that nobody endorses what they have not read. */
  #what(): HTMLElement {
    const contests = this.#draft?.definition.contests ?? [];
    const questions = contests.flatMap(({ title, options }) => [
      h('dt', { dir: 'auto' }, title),
      h('dd', {}, ...options.map((option) => h('p', { dir: 'auto' }, option))),
    ]);
    const summary = h('summary', {}, this.#words.say('what.title'));
    return h('details', {}, summary, h('dl', {}, ...questions));
  }

  #sections(nodes?: string, election?: string): HTMLElement[] {
    if (this.#client === undefined || this.#draft === undefined) {
      return [this.#connect(nodes ?? '', election ?? '')];
    }
    if (this.#saved !== undefined) return [this.#backup(this.#saved)];
    if (this.#number === 0) return [this.#who(this.#draft)];
    if (this.#key === undefined) return [this.#keyFile()];
    const access = this.#client.hasToken ? [] : [this.#access()];
    const isCounting = ['closed', 'published'].includes(this.#view?.phase ?? '');
    return [this.#opened(), ...access, isCounting ? this.#tally() : this.#ceremony()];
  }

  #trouble(): HTMLElement[] {
    if (this.#failure === undefined) return [];
    const { title, text } = this.#failure;
    return [note('stop', h('p', {}, h('strong', {}, title)), h('p', { dir: 'auto' }, text))];
  }

  #section(title: string, ...children: Node[]): HTMLElement {
    return h('section', { class: 'part' }, h('h2', {}, title), ...children);
  }

  #card(...children: Node[]): HTMLElement {
    return h('div', { class: 'card' }, ...children);
  }

  #field(id: string, label: string, input: HTMLElement, hint?: string): HTMLElement {
    input.id = id;
    if (hint !== undefined) input.setAttribute('aria-describedby', `${id}-hint`);
    return h(
      'div',
      { class: 'field' },
      h('label', { class: 'field-label', for: id }, label),
      ...(hint === undefined ? [] : [h('p', { class: 'hint', id: `${id}-hint` }, hint)]),
      input,
    );
  }

  #form(fields: Node[], button: string, submit: () => Promise<void>): HTMLFormElement {
    const go = h('button', { type: 'submit', class: 'primary' }, button);
    const form = h('form', { novalidate: true }, ...fields, actions(go));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#do(submit);
    });
    return form;
  }

  #connect(given: string, election: string): HTMLElement {
    const words = this.#words;
    const nodes = h(
      'textarea',
      { rows: 3, dir: 'ltr', class: 'opening', spellcheck: 'false' },
      given,
    );
    const id = h('input', { type: 'text', dir: 'ltr', value: election, spellcheck: 'false' });
    const submit = async () => {
      const addresses = nodes.value.split(/[\s,]+/).map((one) => one.replace(/\/+$/, ''));
      const client = new Client(addresses.filter((one) => one !== ''));
      const own = id.value.trim().toLowerCase();
      const view = await client.election(own);
      if (view.draft === undefined) throw new Stopped('The nodes have no draft of this election.');
      const draft = readDraft(view.draft);
      if (toHex(draft.id) !== own) throw new Stopped('The draft is of another election.');
      [this.#client, this.#id, this.#view, this.#draft] = [client, own, view, draft];
    };
    return this.#section(
      words.say('connect.title'),
      this.#form(
        [
          this.#field('nodes', words.say('connect.nodes'), nodes, words.say('connect.nodes.hint')),
          this.#field('election', words.say('connect.election'), id),
        ],
        words.say('connect.go'),
        submit,
      ),
    );
  }

  #who(draft: Draft): HTMLElement {
    const words = this.#words;
    const choose = (number: number) => {
      this.#number = number;
      this.#draw();
    };
    const buttons = draft.definition.trustees.map((name, at) =>
      h(
        'li',
        {},
        h(
          'button',
          { type: 'button', class: 'election-choice', onclick: () => choose(at + 1) },
          h('span', { dir: 'auto' }, `${at + 1}. ${name}`),
        ),
      ),
    );
    return this.#section(words.say('connect.who'), h('ul', { class: 'elections' }, ...buttons));
  }

  #secretInput(): HTMLInputElement {
    return h('input', { type: 'password', autocomplete: 'off', dir: 'ltr' });
  }

  #keyFile(): HTMLElement {
    const words = this.#words;
    const [file, passphrase] = [h('input', { type: 'file' }), this.#secretInput()];
    const open = async () => {
      const bytes = await bytesOf(file);
      this.#take(openFile(bytes, passphrase.value), passphrase.value);
    };
    const [fresh, again] = [this.#secretInput(), this.#secretInput()];
    const attempt = h('input', { type: 'number', min: 0, max: 80, value: 0 });
    const make = async () => {
      if (fresh.value.length < PASSPHRASE_MIN) throw new Error(words.say('key.short'));
      if (fresh.value !== again.value) throw new Error(words.say('key.differs'));
      const made = freshSecret(this.#draft!.id, this.#number, Number(attempt.value));
      await this.#save(made, fresh.value, async () => undefined);
    };
    return this.#section(
      words.say('key.title'),
      h('p', { class: 'hint when-busy' }, words.say('key.working')),
      this.#card(
        h('h3', {}, words.say('key.have')),
        this.#form(
          [
            this.#field('file', words.say('key.file'), file),
            this.#field('passphrase', words.say('key.passphrase'), passphrase),
          ],
          words.say('key.open'),
          open,
        ),
      ),
      this.#card(
        h('h3', {}, words.say('key.new')),
        h('p', { class: 'hint' }, words.say('key.new.hint')),
        this.#form(
          [
            this.#field(
              'fresh',
              words.say('key.passphrase'),
              fresh,
              words.say('key.passphrase.hint'),
            ),
            this.#field('again', words.say('key.again'), again),
            this.#field(
              'attempt',
              words.say('key.attempt'),
              attempt,
              words.say('key.attempt.hint'),
            ),
          ],
          words.say('key.make'),
          make,
        ),
      ),
    );
  }

  #take(file: SecretFile, passphrase: string): void {
    if (toHex(file.election) !== this.#id || file.trustee !== this.#number) {
      throw new Error(this.#words.say('key.foreign'));
    }
    this.#key = { file, passphrase };
  }

  /** Saves a key file; `then` follows once the file was read back. */
  async #save(file: SecretFile, passphrase: string, then: () => Promise<void>): Promise<void> {
    const bytes = sealFile(file, passphrase);
    const state = file.decrypted ? 'counted' : file.endorsed ? 'endorsed' : 'new';
    const name = `trustee-${file.trustee}-${this.#id.slice(0, 8)}-${state}.key`;
    this.#saved = { file, name, bytes, then };
    saveFile(name, bytes, 'application/octet-stream');
  }

  #backup({ file, name, bytes, then }: Saved): HTMLElement {
    const words = this.#words;
    const [input, passphrase] = [h('input', { type: 'file' }), this.#secretInput()];
    const submit = async () => {
      const read = openFile(await bytesOf(input), passphrase.value);
      if (!isSame(read, file)) throw new Error(words.say('backup.wrong'));
      this.#take(read, passphrase.value);
      await then();
      this.#saved = undefined;
    };
    return this.#section(
      words.say('backup.title'),
      paragraph(words.say('backup.text', { file: name })),
      ...this.#sealed(),
      h('p', { class: 'hint when-busy' }, words.say('key.working')),
      this.#form(
        [
          this.#field('backup', words.say('backup.file'), input),
          this.#field('passphrase', words.say('key.passphrase'), passphrase),
        ],
        words.say('backup.go'),
        submit,
      ),
      h(
        'p',
        {},
        secondary(words.say('backup.save'), () =>
          saveFile(name, bytes, 'application/octet-stream'),
        ),
      ),
    );
  }

  /** The manifest that is about to be endorsed. */
  #sealed(): HTMLElement[] {
    if (this.#manifest === undefined || this.#isEndorsed) return [];
    const { fingerprint, roll } = this.#manifest;
    const places = { voters: roll.voters, fingerprint: toHex(fingerprint) };
    return [note('info', paragraph(this.#words.say('what.manifest', places)))];
  }

  #opened(): HTMLElement {
    const name = this.#draft?.definition.trustees[this.#number - 1] ?? '';
    return note('check', paragraph(this.#words.say('key.opened', { name })));
  }

  #access(): HTMLElement {
    const words = this.#words;
    const name = h('input', { type: 'text', autocomplete: 'off', dir: 'ltr' });
    const password = this.#secretInput();
    const token = this.#secretInput();
    return this.#section(
      words.say('access.title'),
      paragraph(words.say('access.text')),
      this.#form(
        [
          this.#field('name', words.say('access.name'), name),
          this.#field('password', words.say('access.password'), password),
        ],
        words.say('access.logIn'),
        async () => this.#client!.logIn(name.value, password.value),
      ),
      this.#form(
        [this.#field('token', words.say('access.token'), token)],
        words.say('access.use'),
        async () => this.#client!.use(token.value),
      ),
    );
  }

  #ceremony(): HTMLElement {
    const words = this.#words;
    const turn = this.#turn;
    const done = turn === undefined ? 0 : turn.kind === 'complete' ? 3 : ROUNDS.indexOf(turn.round);
    const isEndorsed = this.#isEndorsed || this.#view?.phase === 'open';
    const keys = ['ceremony.announcement', 'ceremony.dealing', 'ceremony.confirmation'];
    const rows = [...keys, 'ceremony.manifest'].map((key, at) => {
      const isDone = at < done || (at === 3 && isEndorsed);
      const state = isDone ? 'done' : at === done ? 'busy' : 'waiting';
      const mark = h('span', { class: 'mark' }, ...(isDone ? [icon(ICONS.check)] : []));
      return h('li', { class: state }, mark, h('span', { class: 'what' }, words.say(key)));
    });
    return this.#section(
      words.say('ceremony.title'),
      h('ol', { class: 'progress' }, ...rows),
      h('div', { role: 'status' }, ...this.#ceremonyState(isEndorsed)),
    );
  }

  #ceremonyState(isEndorsed: boolean): Node[] {
    const words = this.#words;
    const turn = this.#turn;
    if (isEndorsed) return [note('check', paragraph(words.say('ceremony.done')))];
    if (turn === undefined) return [];
    if (turn.kind === 'waiting') {
      const names = turn.missing.map((number) => this.#draft!.definition.trustees[number - 1]!);
      const list = new Intl.ListFormat(words.language).format(names);
      const isPosted = turn.post === undefined;
      const waiting = words.say('ceremony.waiting', { names: list });
      return [paragraph(isPosted ? `${words.say('ceremony.posted')} ${waiting}` : waiting)];
    }
    if (this.#view?.phase === 'draft') return [paragraph(words.say('ceremony.waitManifest'))];
    return [
      paragraph(words.say('ceremony.endorse.text')),
      actions(primary(words.say('ceremony.endorse'), () => this.#do(() => this.#endorse(turn)))),
    ];
  }

  /** Looks at the board, and posts what is this trustee's turn. */
  async #look(): Promise<void> {
    const [client, key, draft] = [this.#client, this.#key, this.#draft];
    if (client === undefined || key === undefined || draft === undefined) return;
    if (this.#saved !== undefined || this.#isBusy || this.#isLooking || !client.hasToken) return;
    if (this.#failure !== undefined) return;
    this.#isLooking = true;
    const before = this.#shown();
    try {
      this.#view = await client.election(this.#id);
      if (['draft', 'setup', 'open'].includes(this.#view.phase)) {
        this.#turn = takePart(key.file, draft, await client.board(this.#id));
        if (this.#turn.kind === 'waiting') await this.#post(client, key.file, this.#turn);
      }
    } catch (error) {
      this.#failure = this.#told(error as Error);
    }
    this.#isLooking = false;
    // Only what has changed is drawn again, so that typing and reading are not disturbed.
    if (before !== this.#shown() && !this.#isBusy) this.#draw();
  }

  #shown(): string {
    const turn = this.#turn;
    const waiting = turn?.kind === 'waiting' ? [turn.round, turn.missing, turn.post?.length] : [];
    return JSON.stringify([turn?.kind, waiting, this.#view?.phase, this.#failure]);
  }

  async #post(client: Client, file: SecretFile, turn: Extract<Turn, { kind: 'waiting' }>) {
    const { post, round, complaint } = turn;
    if (post !== undefined) {
      const number = boardRound(file.attempt, round);
      await client.post(this.#id, { round: number, trustee: file.trustee, message: post });
    }
    if (complaint !== undefined) throw new Stopped(complaint);
  }

  async #endorse(turn: Extract<Turn, { kind: 'complete' }>): Promise<void> {
    const [client, key, draft] = [this.#client!, this.#key!, this.#draft!];
    const [first] = await firstOf(client.leaves(this.#id, 0, 1));
    if (first === undefined) throw new Stopped('The manifest is not sealed yet.');
    const { body } = readEntry(first);
    if (body.kind !== 'manifest') throw new Stopped('The first leaf is not the manifest.');
    const manifest = checkSealed(key.file, draft, turn.dealings, body.manifest, body.signature);
    const file = { ...key.file, endorsed: manifest.fingerprint };
    this.#manifest = manifest;
    await this.#save(file, key.passphrase, async () => {
      await client.endorse(this.#id, file.trustee, endorse(file, manifest));
      this.#isEndorsed = true;
    });
  }

  #tally(): HTMLElement {
    const words = this.#words;
    const counted = this.#counted;
    const isPublished = this.#view?.phase === 'published';
    const isShared = counted?.kind === 'shared';
    const { threshold } = this.#draft!.definition;
    const state =
      counted?.kind === 'verifying'
        ? [
            h(
              'p',
              { class: 'busy', role: 'status' },
              words.say('tally.verifying', { done: counted.done }),
            ),
          ]
        : counted?.kind === 'shared'
          ? [
              note(
                'check',
                paragraph(words.say('tally.shared', { shares: counted.shares, threshold })),
              ),
            ]
          : [];
    if (isPublished) {
      return this.#section(
        words.say('tally.title'),
        ...state,
        note('check', paragraph(words.say('tally.published'))),
      );
    }
    return this.#section(
      words.say('tally.title'),
      paragraph(words.say('tally.text')),
      paragraph(words.say('tally.saved')),
      ...state,
      ...(isShared
        ? []
        : [actions(primary(words.say('tally.go'), () => this.#do(() => this.#count())))]),
    );
  }

  async #count(): Promise<void> {
    const [client, key] = [this.#client!, this.#key!];
    const book = await this.#readLedger(client);
    const final = compareNodes(book, await client.checkpoints(this.#id));
    if (hasShare(book, key.file.trustee)) {
      await this.#publish(client, book);
      return;
    }
    const { share, statement } = decrypt(key.file, book, final);
    const file = { ...key.file, decrypted: statement };
    await this.#save(file, key.passphrase, async () => {
      await client.share(this.#id, file.trustee, share);
      await this.#publish(client, await this.#readLedger(client, file.trustee));
    });
  }

  /** Reads and verifies the ledger, until `share` of that trustee is on it where one is given. */
  async #readLedger(client: Client, share?: number): Promise<Book> {
    const book = new Book();
    do {
      for await (const leaves of client.leaves(this.#id, book.size)) {
        await book.push(leaves, (done) => this.#breathe(done));
      }
      await this.#breathe(book.size);
    } while (share !== undefined && !hasShare(book, share));
    return book;
  }

  async #breathe(done: number): Promise<void> {
    this.#counted = { kind: 'verifying', done };
    this.#draw();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Publishes the result when the shares suffice; whoever gives the last one does it. */
  async #publish(client: Client, book: Book): Promise<void> {
    const { stage } = book;
    const shares = stage.phase === 'closed' ? stage.counting.shares.length : 0;
    this.#counted = stage.phase === 'closed' ? { kind: 'shared', shares } : undefined;
    const result = resultOf(book);
    if (result !== undefined) await client.publish(this.#id, result);
    this.#view = await client.election(this.#id);
  }

  #lost(): HTMLElement {
    const words = this.#words;
    const threshold = this.#draft?.definition.threshold;
    return h(
      'details',
      {},
      h('summary', {}, words.say('lost.title')),
      paragraph(words.say('lost.before')),
      paragraph(words.say('lost.after', { threshold: threshold ?? 'k' })),
      paragraph(words.say('lost.stolen')),
    );
  }
}

function hasShare({ stage }: Book, trustee: number): boolean {
  if (stage.phase === 'published') return true;
  return stage.phase === 'closed' && stage.counting.shares.some((one) => one.trustee === trustee);
}

async function bytesOf(input: HTMLInputElement): Promise<Uint8Array> {
  const file = input.files?.[0];
  if (file === undefined) throw new SealError('no file is chosen');
  return new Uint8Array(await file.arrayBuffer());
}

async function firstOf(pages: AsyncGenerator<Uint8Array[]>): Promise<Uint8Array[]> {
  for await (const page of pages) return page;
  return [];
}
