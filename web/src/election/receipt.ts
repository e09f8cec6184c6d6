/** A voter's receipt: a leaf that is an entry around the voter's own ballot, below a quorum. */

import { type Bytes, concat, equal, LayoutError, Reader } from '../crypto/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { isSignedBy } from '../crypto/signature.ts';
import { NoteError } from '../ledger/note.ts';
import { type Policy, QuorumError, signersOf } from '../ledger/policy.ts';
import { parseReceipt, verifyReceipt } from '../ledger/receipt.ts';
import { leafHash } from '../ledger/tree.ts';
import { readEntry } from './entry.ts';
import { Successions } from './succession.ts';

const HEAD_BYTES = 7;
const EXTRA_BYTES = HEAD_BYTES + 64;

/** A receipt does not confirm a ballot. */
export class ReceiptError extends Error {
  override readonly name = 'ReceiptError';
}

/** What a valid receipt says. */
export interface Confirmed {
  readonly leaf: bigint;
  /** Minutes since 1970 UTC, as the appender says. */
  readonly stamp: number;
  /** Names of the authorities that signed. */
  readonly signers: readonly string[];
}

/**
 * Checks that a quorum holds this ballot; `successions` are the keys that have followed those of
 * the policy. Throws a `ReceiptError`.
 */
export function confirmBallot(
  text: string,
  ballot: Bytes,
  policy: Policy,
  successions = new Successions(),
): Confirmed {
  try {
    const receipt = parseReceipt(text);
    if (receipt.extra.length !== EXTRA_BYTES) throw new ReceiptError('it is not of a ballot');
    const head = receipt.extra.subarray(0, HEAD_BYTES);
    const leaf = concat(head, ballot, receipt.extra.subarray(HEAD_BYTES));
    const { body, stamp } = readEntry(leaf);
    if (body.kind !== 'ballot' || !equal(body.ballot, ballot)) {
      throw new ReceiptError('it is not of a ballot');
    }
    const current = successions.policyAt(policy, receipt.note.checkpoint.size);
    verifyReceipt(receipt, leafHash(leaf), current);
    const signers = signersOf(current, receipt.note);
    const names = signers.map((number) => current.authorities[number - 1]!.name);
    return { leaf: receipt.index, stamp, signers: names };
  } catch (error) {
    const told = [NoteError, QuorumError, LayoutError].some((kind) => error instanceof kind);
    if (told) throw new ReceiptError((error as Error).message);
    throw error;
  }
}

/** An authority's signed word that it refuses a ballot. */
export interface SignedRefusal {
  readonly authority: number;
  readonly code: string;
  readonly sentence: string;
}

/**
 * The refusal in these bytes, if it is about this ballot of this election and signed by the
 * authority it names; `undefined` otherwise.
 */
export function readRefusal(
  bytes: Bytes,
  election: Bytes,
  ballot: Bytes,
  keyOf: (authority: number) => Bytes | undefined,
): SignedRefusal | undefined {
  try {
    const reader = new Reader(bytes);
    if (reader.u8('version') !== 1) return undefined;
    const ofElection = equal(reader.take(16, 'election'), election);
    reader.take(8, 'entry number');
    reader.take(32, 'entry hash');
    const ofBallot = equal(reader.take(32, 'ballot hash'), sha256(ballot));
    const [code, sentence] = [reader.text('code'), reader.text('sentence')];
    const authority = reader.u8('authority');
    const signed = bytes.subarray(0, reader.offset);
    const signature = reader.take(64, 'signature');
    reader.end();
    const key = keyOf(authority);
    if (!ofElection || !ofBallot || key === undefined) return undefined;
    const holds = isSignedBy(key, 'quorate/refusal/v1', signed, signature);
    return holds ? { authority, code, sentence } : undefined;
  } catch (error) {
    if (error instanceof LayoutError) return undefined;
    throw error;
  }
}
