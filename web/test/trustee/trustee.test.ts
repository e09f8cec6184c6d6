/** Trustees in the browser: their file, the ceremony at one table, and what they refuse. */

import { beforeAll, describe, expect, it } from 'vitest';
import { type Bytes, toHex } from '../../src/crypto/bytes.ts';
import { SealError } from '../../src/crypto/seal.ts';
import { readEntry } from '../../src/election/entry.ts';
import { readResult } from '../../src/election/result.ts';
import { printNote } from '../../src/ledger/note.ts';
import {
  boardRound,
  checkSealed,
  type Draft,
  type Posted,
  ROUNDS,
  readDraft,
  Stopped,
  type Turn,
  takePart,
} from '../../src/trustee/ceremony.ts';
import {
  freshSecret,
  isSame,
  openFile,
  type SecretFile,
  sealFile,
} from '../../src/trustee/secretFile.ts';
import { Book, compareNodes, decrypt, resultOf } from '../../src/trustee/tally.ts';
import { Archive } from '../../src/verify/archive.ts';
import { sourceOfBytes } from '../../src/verify/source.ts';
import { hex, readVectors } from '../vectors/read.ts';

interface Election {
  readonly archive: string;
  readonly counts: number[][];
  readonly draft: string;
  readonly manifest: string;
  readonly others: readonly { readonly archive: string; readonly succession?: string }[];
  readonly signatures: { readonly seal: string };
}

const vector = readVectors<Election>('election');
const draft: Draft = readDraft(hex(vector.draft));
const count = draft.definition.trustees.length;
const numbers = Array.from({ length: count }, (_, at) => at + 1);
const CHEAP = { memoryKib: 64, passes: 1, lanes: 1 };

describe('the key file', () => {
  const file = { ...freshSecret(draft.id, 2, 1), endorsed: new Uint8Array(32).fill(5) };
  const sealed = sealFile(file, 'five random words', CHEAP);

  it('comes back whole', () => {
    expect(isSame(openFile(sealed, 'five random words'), file)).toBe(true);
    expect(isSame(openFile(sealed, 'five random words'), { ...file, endorsed: undefined })).toBe(
      false,
    );
    expect(isSame(file, { ...file, secret: new Uint8Array(32) })).toBe(false);
  });

  it('opens with its passphrase only, and not when it was changed', () => {
    expect(() => openFile(sealed, 'five random word')).toThrow(SealError);
    const changed = Uint8Array.from(sealed);
    changed[changed.length - 1]! ^= 1;
    expect(() => openFile(changed, 'five random words')).toThrow(SealError);
    expect(() => openFile(new Uint8Array(0), '')).toThrow(SealError);
  });

  it('does not show its secret', () => {
    expect(toHex(sealed)).not.toContain(toHex(file.secret));
  });
});

type Waiting = Extract<Turn, { kind: 'waiting' }>;

/** Lets everybody look and post until nobody has anything to say. */
function sit(files: readonly SecretFile[]): { board: Posted[]; turns: Turn[] } {
  const board: Posted[] = [];
  for (;;) {
    const turns = files.map((file) => takePart(file, draft, board));
    const posts = turns.flatMap((turn, at): Posted[] => {
      if (turn.kind !== 'waiting' || turn.post === undefined) return [];
      const { attempt, trustee } = files[at]!;
      return [{ round: boardRound(attempt, turn.round), trustee, message: turn.post }];
    });
    if (posts.length === 0) return { board, turns };
    board.push(...posts);
  }
}

describe('the ceremony', () => {
  const files = numbers.map((number) => freshSecret(draft.id, number, 0));
  let board: Posted[];
  let turns: Turn[];

  beforeAll(() => {
    ({ board, turns } = sit(files));
  });

  it('makes one key for all, with a share for each', () => {
    const complete = turns.filter((turn) => turn.kind === 'complete');
    expect(complete).toHaveLength(count);
    const keys = new Set(complete.map(({ dealings }) => dealings.electionKey.toHex()));
    expect(keys.size).toBe(1);
    expect(new Set(complete.map(({ share }) => share)).size).toBe(count);
    expect(board).toHaveLength(3 * count);
  });

  it('says whom it waits for', () => {
    const [own] = files;
    const start = takePart(own!, draft, []) as Waiting;
    expect(start).toMatchObject({ round: 'announcement', missing: numbers });
    const only = board.filter(({ round }) => round === 1).slice(0, 1);
    expect(takePart(own!, draft, only)).toMatchObject({
      missing: numbers.slice(1),
      post: undefined,
    });
  });

  it('says the same after everything is forgotten but the file', () => {
    for (const round of [0, 1, 2]) {
      const until = board.filter((one) => one.round <= round);
      const turn = takePart(files[0]!, draft, until) as Waiting;
      const posted = board.find((one) => one.round === round + 1 && one.trustee === 1)!;
      expect(turn.round).toBe(ROUNDS[round]);
      expect(toHex(turn.post!)).toBe(toHex(posted.message));
    }
  });

  it('stops when somebody has spoken in its name', () => {
    const other = freshSecret(draft.id, 1, 0);
    expect(() => takePart(other, draft, board)).toThrow('was posted under your number, 1');
  });

  it('stops at a message that was changed, and names its trustee', () => {
    for (const round of [1, 2, 3]) {
      const changed = board.map((one): Posted => {
        if (one.round !== round || one.trustee !== 2) return one;
        const message = Uint8Array.from(one.message);
        message[70]! ^= 1;
        return { ...one, message };
      });
      expect(() => takePart(files[0]!, draft, changed)).toThrow(/trustee 2 .*not valid/);
    }
  });

  it('begins again with the next attempt', () => {
    const again = files.map((file) => ({ ...file, attempt: 1 }));
    const { board: next } = sit(again);
    expect(new Set(next.map(({ round }) => round))).toEqual(new Set([4, 5, 6]));
  });

  it('takes no file of another election or number', () => {
    const foreign = freshSecret(new Uint8Array(16), 1, 0);
    expect(() => takePart(foreign, draft, [])).toThrow('another election');
    expect(() => takePart(freshSecret(draft.id, count + 1, 0), draft, [])).toThrow(Stopped);
  });

  it('endorses no manifest of other keys', () => {
    const [turn] = turns;
    if (turn?.kind !== 'complete') throw new Error('the ceremony is not complete');
    const seal = hex(vector.signatures.seal);
    const check = (bytes: Bytes) => checkSealed(files[0]!, draft, turn.dealings, bytes, seal);
    expect(() => check(hex(vector.manifest))).toThrow('another signing key');
    const changed = hex(vector.manifest);
    changed[40]! ^= 1;
    expect(() => check(changed)).toThrow(Stopped);
  });
});

describe('the counting', () => {
  const leaves: Bytes[] = [];
  let note: string;
  const quiet = async () => undefined;
  const stranger: SecretFile = freshSecret(draft.id, 1, 0);

  beforeAll(async () => {
    const archive = await Archive.open(sourceOfBytes(hex(vector.archive)));
    for await (const leaf of archive.leaves()) leaves.push(leaf);
    note = printNote(archive.last);
  });

  const until = async (kind: string) => {
    const book = new Book();
    const end = leaves.findIndex((leaf) => readEntry(leaf).body.kind === kind);
    await book.push(leaves.slice(0, end), quiet);
    return book;
  };

  it('gives the result that the shares decrypt to', async () => {
    const book = await until('result');
    const result = leaves.map((leaf) => readEntry(leaf).body).find(({ kind }) => kind === 'result');
    if (result?.kind !== 'result') throw new Error('no result');
    expect(toHex(resultOf(book)!)).toBe(toHex(result.result));
    expect(readResult(result.result).counts.map((contest) => contest.map(Number))).toEqual(
      vector.counts,
    );
  });

  it('decrypts nothing with too few shares', async () => {
    expect(resultOf(await until('share'))).toBe(undefined);
  });

  it('decrypts nothing before the close, without an endorsement, or of another manifest', async () => {
    const early = await until('close');
    expect(() => decrypt(stranger, early, early.size)).toThrow('not closed yet');
    const closed = await until('share');
    expect(() => decrypt(stranger, closed, closed.size)).toThrow('not endorsed any manifest');
    const other = { ...stranger, endorsed: new Uint8Array(32) };
    expect(() => decrypt(other, closed, closed.size)).toThrow('another manifest');
    const foreign = { ...stranger, election: new Uint8Array(16) };
    expect(() => decrypt(foreign, closed, closed.size)).toThrow('another election');
  });

  it('decrypts nothing that is not final, twice in different ways, or with a foreign secret', async () => {
    const closed = await until('share');
    const endorsed = { ...stranger, endorsed: closed.manifest!.fingerprint };
    expect(() => decrypt(endorsed, closed, closed.size - 1)).toThrow('not final yet');
    const before = { ...endorsed, decrypted: new Uint8Array(32) };
    expect(() => decrypt(before, closed, closed.size)).toThrow('another tally');
    expect(() => decrypt(endorsed, closed, closed.size)).toThrow('not the one that this key file');
  });

  it('refuses a ledger with a changed or missing entry', async () => {
    const changed = [...leaves];
    const at = leaves.findIndex((leaf) => readEntry(leaf).body.kind === 'ballot');
    changed[at] = Uint8Array.from(leaves[at]!);
    changed[at]![200]! ^= 1;
    await expect(new Book().push(changed, quiet)).rejects.toThrow(`wrong at entry ${at}`);
    const subset = [...leaves.slice(0, at), ...leaves.slice(at + 1)];
    const book = new Book();
    const pushed = book.push(subset, quiet);
    // A ballot fewer changes the sums, so the shares on the ledger do not fit.
    await expect(pushed).rejects.toThrow(/wrong at entry/);
  });

  it('compares what the nodes have signed', async () => {
    const book = new Book();
    await book.push(leaves, quiet);
    expect(compareNodes(book, [{ node: 'n1', note }])).toBe(leaves.length);
    expect(compareNodes(book, [])).toBe(0);
    const changed = note.replace(/^(\d+)$/m, (size) => String(Number(size) - 1));
    expect(() => compareNodes(book, [{ node: 'n2', note: changed }])).toThrow('n2');
  });

  it('takes the signature of a key that has followed one of the manifest', async () => {
    const other = vector.others.find(({ succession }) => succession !== undefined)!;
    const archive = await Archive.open(sourceOfBytes(hex(other.archive)));
    const all: Bytes[] = [];
    for await (const leaf of archive.leaves()) all.push(leaf);
    const book = new Book();
    await book.push(all, quiet);
    const signed = printNote(archive.last);
    expect(compareNodes(book, [{ node: 'n1', note: signed }])).toBe(all.length);
    // The old key counts only up to the leaf of the change; the new one not yet there.
    const early = new Book();
    await early.push(all.slice(0, archive.newKeys[0]), quiet);
    expect(() => compareNodes(early, [{ node: 'n1', note: signed }])).toThrow('does not hold');
  });
});
