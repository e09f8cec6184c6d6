/** Receipts (`tlog-proof`): a leaf of a finally signed ledger, checkable without asking anyone. */

import { type Bytes, fromBase64, toBase64 } from '../crypto/bytes.ts';
import { NoteError, parseNote, printNote, readDecimal, type SignedCheckpoint } from './note.ts';
import { type Policy, QuorumError, verifyFinal } from './policy.ts';
import { provesInclusion } from './tree.ts';

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';

export interface Receipt {
  /** Not proven; with the ballot it makes the leaf. Empty where the leaf is given by itself. */
  readonly extra: Bytes;
  readonly index: bigint;
  readonly path: readonly Bytes[];
  readonly note: SignedCheckpoint;
}

export function printReceipt({ extra, index, path, note }: Receipt): string {
  const hashes = path.map((hash) => `${toBase64(hash)}\n`).join('');
  const extraLine = extra.length === 0 ? '' : `extra ${toBase64(extra)}\n`;
  return `${FIRST_LINE}\n${extraLine}index ${index}\n${hashes}\n${printNote(note)}`;
}

export function parseReceipt(text: string): Receipt {
  const at = text.indexOf('\n\n');
  if (at < 0) throw new NoteError('no empty line ends the path');
  const [first, ...lines] = text.slice(0, at).split('\n');
  if (first !== FIRST_LINE) throw new NoteError('this is no receipt');
  const field = (name: string) =>
    lines[0]?.startsWith(`${name} `) ? lines.shift()!.slice(name.length + 1) : undefined;
  const extraText = field('extra');
  const extra = extraText === undefined ? new Uint8Array(0) : fromBase64(extraText);
  const index = readDecimal(field('index') ?? '*');
  const path = lines.map((line) => fromBase64(line));
  if (extra === undefined || extraText === '') throw new NoteError('nothing is in the extra line');
  if (index === undefined) throw new NoteError('there is no index');
  if (!path.every((hash): hash is Bytes => hash?.length === 32)) {
    throw new NoteError('a line of the path is no hash');
  }
  return { extra, index, path, note: parseNote(text.slice(at + 2)) };
}

/** Throws unless the leaf with this hash stands where the receipt says, below a quorum's names. */
export function verifyReceipt(receipt: Receipt, leafHash: Bytes, policy: Policy): void {
  verifyFinal(policy, receipt.note);
  const { size, root } = receipt.note.checkpoint;
  if (!provesInclusion(leafHash, receipt.index, size, receipt.path, root)) {
    throw new QuorumError('the path does not lead to the signed root');
  }
}
