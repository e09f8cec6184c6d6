/** What the booth's worker does, on the frozen election that Rust made. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Choice } from '../../src/ballot/cast.ts';
import { parseOpening, printOpening } from '../../src/ballot/opening.ts';
import { Engine, EngineError } from '../../src/booth/engine.ts';
import {
  type Answer,
  answerOf,
  choiceOf,
  emptyAnswer,
  type Question,
  questionOf,
  questionsOf,
} from '../../src/booth/questions.ts';
import english from '../../src/booth/texts/en.json' with { type: 'json' };
import { problemOf } from '../../src/booth/widgets.ts';
import { Words } from '../../src/booth/words.ts';
import { type Bytes, concat, toHex } from '../../src/crypto/bytes.ts';
import { parseBallot } from '../../src/crypto/parsed.ts';
import { verifyExactly } from '../../src/crypto/proof.ts';
import type { Contest } from '../../src/election/definition.ts';
import { readEntry } from '../../src/election/entry.ts';
import { checkManifest, readManifest } from '../../src/election/manifest.ts';
import { confirmBallot, ReceiptError } from '../../src/election/receipt.ts';
import { parsePolicy } from '../../src/ledger/policy.ts';
import { printReceipt } from '../../src/ledger/receipt.ts';
import { inclusionPath, leafHash } from '../../src/ledger/tree.ts';
import { Archive } from '../../src/verify/archive.ts';
import { sourceOfBytes } from '../../src/verify/source.ts';
import { hex, readVectors } from '../vectors/read.ts';

interface Election {
  readonly archive: string;
  readonly manifest: string;
  readonly refusal: string;
  readonly trust_file: string;
}

const vector = readVectors<Election>('election');
const manifest = readManifest(hex(vector.manifest));
const context = checkManifest(manifest)!;
const code = () => new Uint8Array(15).fill(3);
const first = { group: 0, seq: 0, prev: new Uint8Array(32) };

const archive = await Archive.open(sourceOfBytes(hex(vector.archive)));
const leaves: Bytes[] = [];
for await (const leaf of archive.leaves()) leaves.push(leaf);
const kinds = leaves.map((leaf) => readEntry(leaf).body.kind);

/** The receipt of a leaf, as a node gives it. */
function receiptOf(index: number): string {
  const leaf = leaves[index]!;
  const extra = concat(leaf.subarray(0, 7), leaf.subarray(-64));
  const path = inclusionPath(leaves.map(leafHash), index);
  return printReceipt({ extra, index: BigInt(index), path, note: archive.last });
}

let engine: Engine;

beforeEach(() => {
  engine = new Engine();
  engine.found(hex(vector.manifest));
});

/** A choice that every contest of the vector allows. */
const allowed: Choice[] = manifest.definition.contests.map(({ rule }): Choice => {
  if (rule.kind === 'one') return [0];
  if (rule.kind === 'score') {
    return { scores: Array.from({ length: rule.options }, (_, at) => (at === 0 ? rule.min : 0)) };
  }
  const chosen = Array.from({ length: rule.min }, (_, at) => at);
  return rule.kind === 'lists' ? { list: 0, candidates: chosen } : chosen;
});

it('tells what the page shows', () => {
  const facts = engine.found(hex(vector.manifest));
  expect(facts).toMatchObject({ fingerprint: toHex(manifest.fingerprint), rollChunks: 1 });
  expect(facts.contests).toEqual(manifest.definition.contests);
});

it('refuses a manifest that breaks a rule', () => {
  const broken = hex(vector.manifest);
  broken[0] = 9;
  expect(() => engine.found(broken)).toThrow(EngineError);
});

it('takes the roll that the manifest names and no other', () => {
  const [roll] = leaves.filter((_, at) => kinds[at] === 'roll');
  expect(engine.addRoll([])).toBe(false);
  expect(engine.addRoll([leaves[0]!])).toBe(false);
  expect(engine.addRoll([roll!])).toBe(true);
  expect(() => engine.identify(code())).toThrow('not on the roll');
});

it('makes ballots that hold, and wipes the code', () => {
  const own = code();
  const { ballot, opening, tracker } = engine.cast(own, first, allowed, false);
  verifyExactly(parseBallot(ballot, context), context);
  expect(opening).toBe(undefined);
  expect(tracker).toBe(engine.trackerOf(ballot));
  expect(own.every((byte) => byte === 0)).toBe(true);
  expect(engine.cast(code(), first, allowed, false).tracker).not.toBe(tracker);
});

describe('an opening', () => {
  it('leads to the tracker that was shown, and to the choices', () => {
    const { opening, tracker, ballot } = engine.cast(code(), first, allowed, true);
    const second = new Engine();
    second.found(hex(vector.manifest));
    expect(second.openElection(opening!)).toBe(toHex(manifest.id));
    expect(second.open(` ${opening}\n`)).toEqual({
      tracker,
      isSigned: true,
      group: 0,
      choices: allowed,
    });
    expect(opening!.length).toBeLessThan(400);
    expect(opening).not.toContain(toHex(ballot).slice(0, 40));
  });

  it('of other choices leads to another tracker', () => {
    const { opening, tracker } = engine.cast(code(), first, allowed, true);
    const parsed = parseOpening(opening!);
    const choices = [[1], ...parsed.choices.slice(1)];
    const opened = engine.open(printOpening({ ...parsed, choices }));
    expect(opened.tracker).not.toBe(tracker);
    expect(opened.isSigned).toBe(false);
  });

  it.each(['', 'quorate-opening-v1.', 'quorate-opening-v1.AAAA', 'quorate-opening-v2.AAAA'])(
    'is refused when it is none: %s',
    (text) => {
      expect(() => engine.open(text)).toThrow(EngineError);
    },
  );

  it('with a choice that is not allowed is refused', () => {
    const { opening } = engine.cast(code(), first, allowed, true);
    const parsed = parseOpening(opening!);
    const choices = [[999], ...parsed.choices.slice(1)];
    expect(() => engine.open(printOpening({ ...parsed, choices }))).toThrow(EngineError);
  });
});

describe('a receipt', () => {
  const at = kinds.indexOf('ballot');
  const ballot = () => engine.ballotOfLeaf(leaves[at]!)!;

  it('confirms its ballot', () => {
    const confirmed = engine.confirm(receiptOf(at), ballot());
    expect(confirmed).toMatchObject({ leaf: at, tracker: engine.trackerOf(ballot()) });
    expect(confirmed.signers.length).toBeGreaterThanOrEqual(2);
  });

  it('confirms no other ballot', () => {
    const other = kinds.lastIndexOf('ballot');
    const another = engine.ballotOfLeaf(leaves[other]!)!;
    expect(() => engine.confirm(receiptOf(at), another)).toThrow(EngineError);
    expect(() => engine.confirm('something', ballot())).toThrow(EngineError);
  });

  it('does not hold when any of its lines is changed', () => {
    const policy = parsePolicy(vector.trust_file);
    const text = receiptOf(at);
    for (let place = 0; place < text.length; place += 7) {
      if (text[place] === '\n') continue;
      const changed = `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
      expect(() => confirmBallot(changed, ballot(), policy)).toThrow(ReceiptError);
    }
  });

  it('is not one of a leaf that is no ballot', () => {
    expect(engine.ballotOfLeaf(leaves[0]!)).toBe(undefined);
    expect(engine.ballotOfLeaf(Uint8Array.of(1))).toBe(undefined);
  });
});

it('believes no refusal of another election, ballot or signer', () => {
  const bytes = hex(vector.refusal);
  expect(engine.refusal(bytes, Uint8Array.of(1))).toBe(undefined);
  expect(engine.refusal(bytes.subarray(0, 40), Uint8Array.of(1))).toBe(undefined);
});

describe('questions', () => {
  const one: Question = { kind: 'one', title: 'q', options: ['a', 'b'], blank: true };
  const some: Question = {
    kind: 'some',
    title: 'q',
    options: ['a', 'b', 'c'],
    blank: true,
    min: 0,
    max: 2,
  };
  const score: Question = {
    kind: 'score',
    title: 'q',
    options: ['a', 'b'],
    blank: true,
    top: 5,
    min: 1,
    max: 8,
  };
  const lists: Question = {
    kind: 'lists',
    title: 'q',
    options: ['red', 'blue'],
    candidates: [['a'], ['b', 'c']],
    blank: true,
    min: 0,
    max: 2,
  };
  const words = new Words('en', english);

  const contest: Contest = {
    title: 'q',
    rule: { kind: 'one', options: 3 },
    options: ['a', 'b'],
    candidates: [],
    blank: true,
    groups: [],
    decision: { seats: 1, quorumPercent: 0, majority: 'relative', tie: 'lot' },
  };

  it('are made of the contests of a group', () => {
    expect(questionOf(contest)).toEqual(one);
    const own = { ...contest, title: 'staff', groups: [2] };
    const titles = (group: number) => questionsOf([contest, own], group).map(({ title }) => title);
    expect(titles(0)).toEqual(['q']);
    expect(titles(2)).toEqual(['q', 'staff']);
  });

  it('turn answers into choices and back', () => {
    const check = (question: Question, answer: Answer, choice: Choice) => {
      expect(choiceOf(question, answer)).toEqual(choice);
      expect(answerOf(question, choice)).toEqual(answer);
    };
    check(one, { kind: 'blank' }, [2]);
    check(one, { kind: 'options', chosen: [1] }, [1]);
    check(some, { kind: 'blank' }, 'blank');
    check(some, { kind: 'options', chosen: [0, 2] }, [0, 2]);
    check(score, { kind: 'points', points: [5, 0] }, { scores: [5, 0] });
    check(lists, { kind: 'list', list: 1, chosen: [0, 1] }, { list: 1, candidates: [0, 1] });
    check(lists, { kind: 'blank' }, 'blank');
    expect(emptyAnswer(score)).toEqual({ kind: 'points', points: [0, 0] });
  });

  it('say what keeps an answer from being cast', () => {
    const problem = (question: Question, answer: Answer | undefined) =>
      problemOf(question, answer, words);
    expect(problem(one, undefined)).toBe('Choose one of the options to go on.');
    expect(problem(some, undefined)).toBe(undefined);
    expect(problem(some, { kind: 'options', chosen: [0, 1, 2] })).toContain('at most 2');
    expect(problem(score, undefined)).toBe('You gave 0 points; together they must be 1 to 8.');
    expect(problem(score, { kind: 'points', points: [6, 0] })).toContain('from 0 to 5');
    expect(problem(score, { kind: 'points', points: [5, 3] })).toBe(undefined);
    expect(problem(lists, undefined)).toBe('Choose one of the lists to go on.');
    expect(problem(lists, { kind: 'list', list: 0, chosen: [] })).toBe(undefined);
    expect(problem(lists, { kind: 'blank' })).toBe(undefined);
  });
});
