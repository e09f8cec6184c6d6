/** The administration's calculations: steps, rolls, files, signed bytes. */

import { describe, expect, it } from 'vitest';
import { readCredential } from '../../src/app/admin/credentialText.ts';
import {
  definitionOf,
  type ElectionForm,
  EMPTY_CONTEST,
  emptyForm,
  formOf,
  fromTemplate,
  problemsOfForm,
} from '../../src/app/admin/form.ts';
import { FormFileError, parseForm, printJson, printToml } from '../../src/app/admin/formFile.ts';
import {
  chunksOf,
  decodeText,
  delimiterOf,
  guessMapping,
  parseRows,
  readRoll,
} from '../../src/app/admin/rollTable.ts';
import { rollSummary } from '../../src/app/admin/seal.ts';
import { standingOf, trusteesOf } from '../../src/app/admin/steps.ts';
import type { Election } from '../../src/app/election/useElection.ts';
import { Reader, textBytes, toHex } from '../../src/crypto/bytes.ts';
import { printCode } from '../../src/crypto/code.ts';
import { credentialOfCode } from '../../src/crypto/credential.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { publicKeyOf } from '../../src/crypto/signature.ts';
import { readDefinition } from '../../src/election/definition.ts';
import {
  parseAdminKey,
  printAdminKey,
  signAct,
  splitDraft,
  writeDefinition,
  writeDraft,
  writeManifest,
} from '../../src/election/draft.ts';
import { readEntry } from '../../src/election/entry.ts';
import { isSignedByAdmin, readManifest } from '../../src/election/manifest.ts';
import { isOrderSigned, ORDER_KINDS, readOrder, writeOrder } from '../../src/election/order.ts';
import { Archive } from '../../src/verify/archive.ts';
import { sourceOfBytes } from '../../src/verify/source.ts';
import { hex, readVectors } from '../vectors/read.ts';

const vector = readVectors<{
  manifest: string;
  fingerprint: string;
  /** Other elections, one of which has every kind of order. */
  others: { name: string; archive: string }[];
}>('election');

describe('bytes that the administrator signs', () => {
  const bytes = hex(vector.manifest);
  const manifest = readManifest(bytes);

  it('are what Rust writes: a manifest read and written again', () => {
    const definition = writeDefinition(manifest.definition);
    const draft = splitDraft(writeDraft({ id: manifest.id, admin: manifest.admin, definition }));
    expect(toHex(writeManifest(draft, manifest))).toBe(vector.manifest);
    const read = new Reader(definition);
    expect(readDefinition(read)).toEqual(manifest.definition);
    expect(read.left).toBe(0);
  });

  it('carry signatures that the verifier accepts', () => {
    const seed = new Uint8Array(32).fill(7);
    const own = { ...manifest, admin: publicKeyOf(seed) };
    for (const act of ['seal', 'open', 'close'] as const) {
      expect(isSignedByAdmin(act, own, signAct(seed, act, sha256(bytes)))).toBe(true);
    }
  });

  it('need a key file of two lines', () => {
    const seed = Uint8Array.from({ length: 32 }, (_, at) => at);
    expect(parseAdminKey(printAdminKey(seed))).toEqual(seed);
    expect(parseAdminKey(printAdminKey(seed).replaceAll('\n', '\r\n'))).toEqual(seed);
    for (const wrong of [
      '',
      'x\ny\n',
      printAdminKey(seed).slice(0, -3),
      `${printAdminKey(seed)}x`,
    ]) {
      expect(parseAdminKey(wrong)).toBeUndefined();
    }
    expect(() => splitDraft(new Uint8Array(49))).toThrow('no draft');
  });
});

const KEY = (digit: string) => digit.repeat(64);

describe('the table of a roll', () => {
  const read = (text: string) => {
    const rows = parseRows(text, delimiterOf(text));
    const { hasHeader, mapping } = guessMapping(rows);
    return readRoll(hasHeader ? rows.slice(1) : rows, mapping);
  };

  it('of the issuer has neither header nor mistakes', () => {
    const table = read(`${KEY('b')},2,1\n${KEY('a')},1,0\n`);
    expect(table.mistakes).toEqual([]);
    expect(table.weight).toBe(3n);
    const [chunk] = chunksOf(table.voters);
    expect(toHex(chunk ?? new Uint8Array())).toBe(
      `00000002${KEY('a')}0000000100${KEY('b')}0000000201`,
    );
    expect(rollSummary(chunksOf(table.voters))).toMatchObject({ voters: 2, weight: 3n });
  });

  it('has its columns by name, in any order, and defaults for what is missing', () => {
    const table = read(`Group;Key\r\n3;"${KEY('c')}"\r\n;${KEY('d')}\r\n`);
    expect(table.voters.map(({ weight, group }) => [weight, group])).toEqual([
      [1, 3],
      [1, 0],
    ]);
  });

  it('tells mistakes with line, column and cell, and keeps the rows', () => {
    const text = `key,weight,group\n${KEY('a')},1,0\n${KEY('a')},0,300\nxyz,1,0\n,1,0\n`;
    const table = read(text);
    expect(table.mistakes).toEqual([
      { line: 3, column: 1, cell: KEY('a'), code: 'twice', other: 2 },
      { line: 3, column: 2, cell: '0', code: 'bad-weight' },
      { line: 3, column: 3, cell: '300', code: 'bad-group' },
      { line: 4, column: 1, cell: 'xyz', code: 'bad-key' },
      { line: 5, column: 1, cell: '', code: 'no-key' },
    ]);
    expect(table.rejected.map(({ line }) => line)).toEqual([3, 4, 5]);
  });

  it.each([
    ['utf-8', [0xef, 0xbb, 0xbf, 0x41], 'A'],
    ['utf-16le', [0xff, 0xfe, 0x41, 0x00], 'A'],
    ['utf-16be', [0xfe, 0xff, 0x00, 0x41], 'A'],
    ['windows-1252', [0xe4], 'ä'],
  ])('is read as %s', (encoding, bytes, text) => {
    expect(decodeText(Uint8Array.from(bytes))).toMatchObject({ encoding, text });
  });

  it('may have quotes, line breaks in cells, invisible characters and blank lines', () => {
    const rows = parseRows('a,"b ""x""\nc"\n\n\u200bd\ufeff, e \n', ',');
    expect(rows).toEqual([
      { line: 1, cells: ['a', 'b "x"\nc'] },
      { line: 4, cells: ['d', 'e'] },
    ]);
  });

  it('becomes chunks of 1,700 voters', () => {
    const voters = Array.from({ length: 1701 }, (_, at) => ({
      key: sha256(textBytes(`${at}`)),
      weight: 1,
      group: 0,
    }));
    const chunks = chunksOf(voters);
    expect(chunks.map(({ length }) => length)).toEqual([4 + 37 * 1700, 4 + 37]);
    expect(rollSummary(chunks).voters).toBe(1701);
  });
});

/** Everything that a definition can say. */
const WHOLE: ElectionForm = {
  ...emptyForm('vote.example.org'),
  title: 'Senate',
  groups: 'students\nstaff',
  trustees: 'Tara\nTheo\nThea',
  opens: 29_990_880,
  closes: 29_992_320,
  extendableUntil: 29_993_000,
  revote: false,
  clusterIssues: true,
  minimumBallots: 3,
  rollChanges: true,
  paper: true,
  acceptsSmallClasses: true,
  isTest: true,
  booth: '9f'.repeat(32),
  contests: [
    {
      ...EMPTY_CONTEST,
      title: 'Merit',
      kind: 'score',
      highest: 4,
      min: 1,
      max: 6,
      options: 'Ann\nBob',
      groups: ['students'],
      quorumPercent: 30,
      majority: 'two-thirds',
      tie: 'runoff',
    },
    {
      ...EMPTY_CONTEST,
      title: 'Council',
      kind: 'lists',
      max: 2,
      lists: [
        { name: 'Greens', candidates: 'Cyd\nDan' },
        { name: 'Blues', candidates: 'Eve' },
      ],
      blank: false,
      groups: ['students', 'staff'],
      seats: 2,
      tie: 'first-listed',
    },
    { ...EMPTY_CONTEST, title: 'Chair', options: 'Ada\nGrace', majority: 'three-quarters' },
  ],
};

describe('definitions as files', () => {
  const texts = { title: 'T', question: 'Who?', options: ['A', 'B', 'C'] };
  const form = {
    ...fromTemplate('committee', texts, emptyForm('vote.example.org')),
    trustees: 'Tara\nTheo\nThea',
    opens: 29_990_880,
    closes: 29_992_320,
  };

  it('are the same after writing and reading', () => {
    expect(parseForm(printToml(form), 'x')).toEqual(form);
    expect(parseForm(printJson(form), 'x')).toEqual(form);
    expect(printToml(form)).toContain('opens = "2027-01-09 00:00"');
  });

  it('know every rule that the command line knows, and come back from the bytes', () => {
    expect(problemsOfForm(WHOLE)).toEqual([]);
    expect(parseForm(printToml(WHOLE), 'x')).toEqual(WHOLE);
    expect(parseForm(printJson(WHOLE), 'x')).toEqual(WHOLE);
    const definition = definitionOf(WHOLE);
    expect(formOf(definition)).toEqual(WHOLE);
    expect(readDefinition(new Reader(writeDefinition(definition)))).toEqual(definition);
    const [merit, council, chair] = definition.contests;
    expect(merit).toMatchObject({
      rule: { kind: 'score', options: 2, highest: 4, min: 1, max: 6, blank: true },
      groups: [1],
      decision: { seats: 1, quorumPercent: 30, majority: 'two-thirds', tie: 'runoff' },
    });
    expect(council).toMatchObject({
      rule: { kind: 'lists', candidates: [2, 1], min: 0, max: 2 },
      options: ['Greens', 'Blues'],
      groups: [1, 2],
    });
    expect(chair?.groups).toEqual([]);
  });

  it('have as many as there are at most, where nothing else is said', () => {
    const max = (with_: object) => {
      const contest = { ...EMPTY_CONTEST, options: 'A\nB\nC', highest: 4, ...with_ };
      const [only] = definitionOf({ ...form, contests: [contest] }).contests;
      return only?.rule.kind === 'one' ? undefined : only?.rule.max;
    };
    expect(max({ kind: 'some' })).toBe(3);
    expect(max({ kind: 'score' })).toBe(12);
    const lists = [
      { name: 'L', candidates: 'x\ny' },
      { name: 'M', candidates: 'z' },
    ];
    expect(max({ kind: 'lists', lists })).toBe(2);
  });

  it('pin a booth by its digest, in the bytes that Rust writes', () => {
    const bytes = (booth: string) => {
      const definition = definitionOf({ ...form, isTest: true, booth });
      return toHex(writeDefinition(definition));
    };
    const [plain, pinned] = [bytes(''), bytes(` ${'07'.repeat(32)} `)];
    expect(plain.endsWith('01')).toBe(true);
    expect(pinned).toBe(`${plain.slice(0, -2)}03${'07'.repeat(32)}`);
    const digits = { ...form, booth: '9F'.repeat(32) };
    expect(toHex(definitionOf(digits).booth ?? new Uint8Array())).toBe('9f'.repeat(32));
    expect(printToml(digits)).toContain(`booth = "${'9F'.repeat(32)}"`);
    expect(printToml(form)).not.toContain('booth');
    for (const wrong of ['9f', '9g'.repeat(32), '9f'.repeat(33)]) {
      const [problem, ...more] = problemsOfForm({ ...form, booth: wrong });
      expect(problem).toEqual({ code: 'booth', values: { count: wrong.length } });
      expect(more).toEqual([]);
    }
  });

  it('of an open poll have no trustees', () => {
    const poll = definitionOf({ ...form, openPoll: true });
    expect([poll.trustees, poll.threshold]).toEqual([[], 0]);
    expect(problemsOfForm({ ...form, openPoll: true, trustees: '' })).toEqual([]);
  });

  it('meet the rules, or it is said which one not', () => {
    const codes = (with_: Partial<ElectionForm>) =>
      problemsOfForm({ ...form, ...with_ }).map(({ code }) => code);
    const contest = (with_: object) => codes({ contests: [{ ...form.contests[0]!, ...with_ }] });
    expect(codes({})).toEqual([]);
    expect(codes({ threshold: 4 })).toEqual(['threshold']);
    expect(codes({ title: '', trustees: '' })).toEqual(['title', 'trustees']);
    expect(codes({ closes: form.opens })).toEqual(['times']);
    expect(codes({ extendableUntil: form.opens })).toEqual(['extension']);
    expect(codes({ domain: 'no domain' })).toEqual(['rule']);
    expect(contest({ max: 9 })).toEqual(['bounds']);
    expect(contest({ options: 'A\nA' })).toEqual(['option-twice', 'bounds']);
    expect(contest({ seats: 4, quorumPercent: 101 })).toEqual(['seats', 'quorum']);
    expect(contest({ kind: 'lists', max: undefined })).toEqual(['lists']);
    expect(definitionOf(form).contests[0]?.rule).toEqual({
      kind: 'some',
      options: 3,
      min: 0,
      max: 3,
      blank: true,
    });
  });

  it.each([
    ['title = 3', 'text title'],
    ['colour = "red"', 'unknown-key colour'],
    ['title = "x', 'unreadable Invalid TOML'],
    ['{"contests": [{"kind": "dance"}]}', 'choice kind dance'],
    ['{"contests": [{"colour": 1}]}', 'unknown-key colour'],
    ['{"opens": "tomorrow"}', 'minute opens'],
    ['{"threshold": -1}', 'whole-number threshold'],
    ['booth = 9', 'text booth'],
    ['[]', 'unreadable'],
  ])('%s is refused', (text, expected) => {
    expect(() => parseForm(text, 'x')).toThrow(FormFileError);
    expect(() => parseForm(text, 'x')).toThrow(expected);
  });
});

const OWN_KEY = publicKeyOf(new Uint8Array(32).fill(1));
const OTHER_KEY = publicKeyOf(new Uint8Array(32).fill(2));

describe('an order', () => {
  const manifest = readManifest(hex(vector.manifest));
  const seed = new Uint8Array(32).fill(7);
  const own = { ...manifest, admin: publicKeyOf(seed) };

  it.each([
    ['pause', { act: 'pause' }],
    ['resume', { act: 'resume' }],
    ['extension', { act: 'extend', closes: 29_993_000 }],
    ['reset', { act: 'reset' }],
    ['roll-change', { act: 'add', voter: { key: OWN_KEY, weight: 70_000, group: 2 } }],
    ['roll-change', { act: 'withdraw', key: OWN_KEY }],
    ['roll-change', { act: 'replace', key: OWN_KEY, by: OTHER_KEY }],
    ['paper-mark', { act: 'paper', key: OWN_KEY }],
  ] as const)('of kind %s is written as it is read, and signed', (kind, order) => {
    const bytes = writeOrder(seed, own.fingerprint, 3, order);
    expect(bytes[0]).toBe(10 + ORDER_KINDS.indexOf(kind));
    const read = readOrder(kind, new Reader(bytes.slice(1)));
    expect([read.number, read.order]).toEqual([3, order]);
    expect(isOrderSigned(read, own)).toBe(true);
    expect(isOrderSigned(read, manifest)).toBe(false);
  });

  it('has the bytes that Rust signs, whatever it orders', async () => {
    const whole = vector.others.find(({ name }) => name === 'every kind and order');
    const archive = await Archive.open(sourceOfBytes(hex(whole?.archive ?? '')));
    const leaves: Uint8Array[] = [];
    for await (const leaf of archive.leaves()) leaves.push(leaf);
    const bodies = leaves.map((leaf) => readEntry(leaf).body);
    const [first] = bodies;
    if (first?.kind !== 'manifest') throw new Error('the first leaf is no manifest');
    const theirs = readManifest(first.manifest);
    const orders = bodies.flatMap((body) => ('order' in body ? [body.order] : []));
    const acts = orders.map(({ order }) => order.act);
    expect(new Set(acts)).toEqual(
      new Set(['pause', 'resume', 'extend', 'reset', 'add', 'withdraw', 'replace', 'paper']),
    );
    for (const [at, signed] of orders.entries()) {
      const { number, order } = signed;
      expect([number, isOrderSigned(signed, theirs)]).toEqual([at, true]);
      const written = writeOrder(seed, theirs.fingerprint, number, order);
      expect(toHex(written.subarray(0, -64)), order.act).toBe(toHex(signed.signed));
    }
  });
});

describe('the key of a voter', () => {
  const election = new Uint8Array(16).fill(3);
  const code = printCode(new Uint8Array(15).fill(9));
  const own = credentialOfCode(new Uint8Array(15).fill(9), election).publicKey;

  it('is read however it is copied, and made out of a code where one is told', () => {
    const digits = toHex(OWN_KEY);
    for (const text of [digits, ` ${digits.toUpperCase()}\n`, digits.replace(/(.{8})/g, '$1 ')]) {
      expect(readCredential(text)).toEqual({ kind: 'key', key: OWN_KEY });
      expect(readCredential(text, election)).toEqual({ kind: 'key', key: OWN_KEY });
    }
    for (const text of [code, code.toLowerCase().replaceAll('-', ' ')]) {
      expect(readCredential(text, election)).toEqual({ kind: 'key', key: own });
    }
    expect(readCredential('  ')).toEqual({ kind: 'empty' });
  });

  it.each([
    ['ab', 'length', { count: 2 }],
    [`${'a'.repeat(40)}ö`, 'digit', { place: 41, character: 'ö' }],
    ['f'.repeat(64), 'unusable', {}],
    ['0'.repeat(64), 'unusable', {}],
  ])('%s is refused with what is wrong', (text, problem, values) => {
    expect(readCredential(text)).toEqual({ kind: 'wrong', code: problem, values });
  });

  it('is not made out of a code with a typing error', () => {
    const wrong = `${code.slice(0, -1)}${code.endsWith('A') ? 'B' : 'A'}`;
    expect(readCredential(code).kind).toBe('wrong');
    expect(readCredential(wrong, election)).toEqual({ kind: 'wrong-code', code: 'code-check' });
    expect(readCredential(code.slice(0, 9), election).kind).toBe('wrong-code');
  });
});

describe('the next step', () => {
  const names = ['Tara', 'Theo'];
  const base = {
    definition: { trustees: names, opens: null, closes: null },
    blockers: [],
    shares: [],
  };
  const election = (phase: string, more: object = {}) =>
    ({ ...base, phase, ...more }) as unknown as Election;
  const all = [1, 2, 3].flatMap((round) =>
    [1, 2].map((trustee) => ({ round, trustee, message: '' })),
  );
  const kind = (given: Election, voters: number, messages = all, now = 0) =>
    standingOf(given, voters, trusteesOf(given, messages), now).next.kind;

  it('follows from phase, roll, keys and time', () => {
    expect(kind(election('draft'), 0)).toBe('import-roll');
    expect(kind(election('draft'), 5, all.slice(0, 5))).toBe('wait-ceremony');
    expect(kind(election('draft'), 5)).toBe('seal');
    expect(kind(election('setup', { blockers: ['x'] }), 5)).toBe('wait-endorsements');
    expect(kind(election('setup'), 5)).toBe('open');
    const planned = { definition: { trustees: names, opens: 10, closes: 20 } };
    expect(kind(election('open', { ...planned, closes: 30 }), 5, all, 25 * 60_000)).toBe(
      'wait-closing',
    );
    expect(kind(election('setup', planned), 5, all, 9 * 60_000)).toBe('wait-opening');
    expect(kind(election('setup', planned), 5, all, 10 * 60_000)).toBe('open');
    expect(kind(election('open', planned), 5, all, 19 * 60_000)).toBe('wait-closing');
    expect(kind(election('open', planned), 5, all, 20 * 60_000)).toBe('close');
    expect(kind(election('open'), 5)).toBe('close');
    expect(kind(election('paused'), 5)).toBe('resume');
    expect(kind(election('closed'), 5)).toBe('wait-shares');
    expect(kind(election('published'), 5)).toBe('announce-result');
  });

  it('marks what is done before it', () => {
    const { steps } = standingOf(election('draft'), 5, trusteesOf(election('draft'), []), 0);
    expect(steps.map(({ state }) => state).join()).toBe(
      'done,done,current,later,later,later,later',
    );
  });

  it('looks at the latest attempt of the ceremony only', () => {
    const again = [...all, { round: 4, trustee: 2, message: '' }];
    const [tara, theo] = trusteesOf(election('draft'), again);
    expect(tara?.rounds).toEqual([false, false, false]);
    expect(theo?.rounds).toEqual([true, false, false]);
    const [sealed] = trusteesOf(election('setup'), []);
    expect(sealed?.rounds).toEqual([true, true, true]);
  });
});
