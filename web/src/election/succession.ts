/**
 * New keys of authorities: an authority that lost its folder, or changes its key, gets another one
 * by the signatures of a quorum. What a key counts for follows from the sizes of the ledger alone:
 * a checkpoint of size S is cosigned by the keys of all changes whose leaf is below S.
 */

import { type Bytes, concat, equal, LayoutError, Reader, u8, u32be } from '../crypto/bytes.ts';
import { isSignedBy, PublicKey } from '../crypto/signature.ts';
import { isUsable, NoteError } from '../ledger/note.ts';
import { checkPolicy, type Policy, PolicyError, QuorumError } from '../ledger/policy.ts';
import { parseReceipt, verifyReceipt } from '../ledger/receipt.ts';
import { leafHash } from '../ledger/tree.ts';
import { readEntry } from './entry.ts';
import { type Authority, type Manifest, quorumOfManifest } from './manifest.ts';
import { need, Refusal, refuse } from './refusal.ts';

const TAG = 'quorate/succession/v1';

export interface Succession {
  /** Which change of a key in this election, from 1. */
  readonly generation: number;
  /** Number of the authority. */
  readonly authority: number;
  readonly key: Bytes;
  readonly signatures: readonly { readonly signer: number; readonly signature: Bytes }[];
}

/** Throws a `LayoutError`. */
export function readSuccession(bytes: Bytes): Succession {
  const reader = new Reader(bytes);
  const generation = reader.u32be('generation');
  const authority = reader.u8("authority's number");
  const key = reader.take(32, 'key');
  let last = -1;
  const signatures = reader.list(reader.u8('number of signatures'), () => {
    const signer = reader.u8('signer');
    if (signer <= last) reader.fail('signer', 'must be above the one before');
    last = signer;
    return { signer, signature: reader.take(64, 'signature') };
  });
  reader.end();
  return { generation, authority, key, signatures };
}

/** The authority with its new key, under its old name; `undefined` when that cannot be one. */
function successorOf(
  manifest: Manifest,
  { authority: number, key }: Succession,
): Authority | undefined {
  const old = manifest.authorities.find((one) => one.number === number);
  if (old === undefined || typeof PublicKey.read(key) === 'string') return undefined;
  const authority = { number, name: old.name, key };
  return isUsable(authority) ? authority : undefined;
}

/** The changes of keys on a ledger, oldest first. */
export class Successions {
  readonly #all: { readonly leaf: number; readonly authority: Authority }[] = [];

  /**
   * What leaves say, without checking it: the fold does that. A leaf that says no such thing, or
   * names a key that cannot be one, changes nothing.
   */
  static scan(
    manifest: Manifest,
    leaves: Iterable<{ readonly index: number; readonly bytes: Bytes }>,
  ): Successions {
    const all = new Successions();
    for (const { index, bytes } of leaves) {
      try {
        const { body } = readEntry(bytes);
        if (body.kind !== 'new-key') continue;
        const authority = successorOf(manifest, readSuccession(body.succession));
        if (authority !== undefined) all.add(index, authority);
      } catch (error) {
        if (!(error instanceof LayoutError)) throw error;
      }
    }
    return all;
  }

  get count(): number {
    return this.#all.length;
  }

  add(leaf: number, authority: Authority): void {
    this.#all.push({ leaf, authority });
  }

  /** The newest key of an authority, if it was ever changed. */
  newest(number: number): Bytes | undefined {
    return this.#all.findLast(({ authority }) => authority.number === number)?.authority.key;
  }

  /** The policy for checkpoints of this size: with the keys that follow those it names. */
  policyAt(policy: Policy, size: bigint): Policy {
    let current = policy;
    for (const { leaf, authority } of this.#all) {
      if (BigInt(leaf) < size) current = withKey(current, authority);
    }
    return current;
  }

  /** The authority with its new key, after all that the next change must obey. */
  check(manifest: Manifest, bytes: Bytes): Authority {
    const succession = readSuccession(bytes);
    const next = this.#all.length + 1;
    need(succession.generation === next, 'repeated', `The next change of a key is ${next}.`);
    const authority = successorOf(manifest, succession);
    if (authority === undefined) {
      return refuse('bad-signature', 'The new key is no key, or of no authority.');
    }
    const changed = this.#all.map((one) => one.authority);
    const isUsed = [...manifest.authorities, ...changed].some(({ key }) =>
      equal(key, authority.key),
    );
    need(!isUsed, 'repeated', "The new key is, or was, an authority's key already.");
    for (const { signer, signature } of succession.signatures) {
      const own = manifest.authorities.find(({ number }) => number === signer)?.key;
      const key = own && (this.newest(signer) ?? own);
      const message = signedBy(succession, manifest, signer);
      const holds = key !== undefined && isSignedBy(key, TAG, message, signature);
      need(holds, 'bad-signature', `The signature of authority ${signer} does not hold.`);
    }
    const enough = succession.signatures.length >= quorumOfManifest(manifest);
    need(enough, 'not-ready', 'Fewer than a quorum of the authorities signed the new key.');
    return authority;
  }
}

/** A change of a key as a node tells it. */
export interface KeyChange {
  /** The entry that says it. */
  readonly entry: Bytes;
  /** Which leaf the entry is. */
  readonly receipt: string;
}

/** What a node tells of changed keys does not hold. */
export class SuccessionError extends Error {
  override readonly name = 'SuccessionError';
}

/**
 * All changes of keys as a node tells them, oldest first, checked without the leaves between them.
 * Each is signed by a quorum with the keys before it, and stands where its receipt says: a node
 * cannot move a change, for the sizes at which the old key counts hang on that. It can only leave
 * out the newest ones. Throws a `SuccessionError`.
 */
export function followKeys(
  manifest: Manifest,
  policy: Policy,
  changes: readonly KeyChange[],
): Successions {
  const all = new Successions();
  try {
    const receipts = changes.map(({ entry, receipt: text }) => {
      const { body } = readEntry(entry);
      if (body.kind !== 'new-key') throw new SuccessionError('an entry is no change of a key');
      const receipt = parseReceipt(text);
      all.add(Number(receipt.index), all.check(manifest, body.succession));
      return { receipt, hash: leafHash(entry) };
    });
    // A receipt may be signed by keys of changes behind its own.
    for (const { receipt, hash } of receipts) {
      verifyReceipt(receipt, hash, all.policyAt(policy, receipt.note.checkpoint.size));
    }
    return all;
  } catch (error) {
    const told = [LayoutError, Refusal, NoteError, QuorumError];
    if (!told.some((kind) => error instanceof kind)) throw error;
    throw new SuccessionError((error as Error).message);
  }
}

function signedBy(
  { generation, authority, key }: Succession,
  { fingerprint }: Manifest,
  signer: number,
): Bytes {
  return concat(fingerprint, u8(signer), u32be(generation), u8(authority), key);
}

/** The policy with another key for the authority of this name; unchanged when that gives none. */
function withKey(policy: Policy, { name, key }: Authority): Policy {
  if (!policy.authorities.some((one) => one.name === name)) return policy;
  const authorities = policy.authorities.map((one) => (one.name === name ? { name, key } : one));
  const changed = { ...policy, authorities };
  try {
    checkPolicy(changed);
    return changed;
  } catch (error) {
    if (error instanceof PolicyError) return policy;
    throw error;
  }
}
