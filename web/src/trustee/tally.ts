/**
 * Counting: a trustee reads the whole ledger, verifies every entry, recomputes the sums, compares
 * with what all nodes have signed, and only then decrypts its part of the sums; once.
 */

import { drawScalar } from '../ballot/cast.ts';
import { type Bytes, equal } from '../crypto/bytes.ts';
import {
  CeremonyError,
  ceremonyParameters,
  gatherAnnouncements,
  gatherDealings,
  readAnnouncement,
  readDealing,
} from '../crypto/ceremony.ts';
import { highestOf } from '../crypto/contest.ts';
import { BASE, multiply } from '../crypto/group.ts';
import { decryptCounts, makeShare, statementDigest } from '../crypto/tally.ts';
import { TrusteeSecret } from '../crypto/trustee.ts';
import { readEntry } from '../election/entry.ts';
import { type Manifest, policyOf } from '../election/manifest.ts';
import { printResult } from '../election/result.ts';
import { NoteError, parseNote } from '../ledger/note.ts';
import { type Policy, QuorumError, verifyFinal } from '../ledger/policy.ts';
import { leafHash, rootOf } from '../ledger/tree.ts';
import { Fold } from '../verify/fold.ts';
import { Stopped } from './ceremony.ts';
import type { SecretFile } from './secretFile.ts';

/** Leaves between two breaths, so that the page can show how far it is. */
const BREATH_LEAVES = 32;

/** The ledger as this trustee has read and verified it. */
export class Book {
  readonly #leaves: Bytes[] = [];
  readonly #hashes: Bytes[] = [];
  readonly #fold = new Fold(async (index) => this.#leaves[index]!);

  get size(): number {
    return this.#leaves.length;
  }

  get stage(): Fold['stage'] {
    return this.#fold.stage;
  }

  get leaves(): readonly Bytes[] {
    return this.#leaves;
  }

  get manifest(): Manifest | undefined {
    const { stage } = this;
    return stage.phase === 'empty' ? undefined : stage.charter.manifest;
  }

  /** Whose signatures count on a checkpoint of this size. */
  policyAt(manifest: Manifest, size: bigint): Policy {
    return this.#fold.successions.policyAt(policyOf(manifest), size);
  }

  /** Takes new leaves and checks each of them. Throws a `Stopped` at the first that is wrong. */
  async push(leaves: readonly Bytes[], breathe: (size: number) => Promise<void>): Promise<void> {
    for (const leaf of leaves) {
      const hash = leafHash(leaf);
      this.#leaves.push(leaf);
      this.#hashes.push(hash);
      refuseIf(await this.#fold.push(leaf, hash));
      if (this.size % BREATH_LEAVES === 0) await breathe(this.size);
    }
    refuseIf(await this.#fold.settle());
  }

  root(size: number): Bytes | undefined {
    return size <= this.size ? rootOf(this.#hashes.slice(0, size)) : undefined;
  }
}

function refuseIf(refused: Awaited<ReturnType<Fold['settle']>>): void {
  if (refused === undefined) return;
  const { index, refusal } = refused;
  throw new Stopped(
    `The ledger is wrong at entry ${index}: ${refusal.message} Keep it as evidence.`,
  );
}

/** What one node says is the end of the ledger. */
export interface NodeNote {
  readonly node: string;
  readonly note: string;
}

/**
 * The size up to which a quorum has signed these leaves, over all nodes. A node whose signed
 * checkpoint does not fit them is told by name: then nothing is decrypted.
 */
export function compareNodes(book: Book, notes: readonly NodeNote[]): number {
  const { manifest } = book;
  if (manifest === undefined) throw new Stopped('The election has no manifest yet.');
  const policyAt = (size: bigint) => book.policyAt(manifest, size);
  const sizes = notes.map(({ node, note }) => {
    const { size, root } = readFinal(node, note, policyAt);
    const own = book.root(Number(size));
    if (own !== undefined && !equal(own, root)) {
      throw new Stopped(
        `${node} has a checkpoint of ${size} leaves, signed by a quorum, that does not fit the ` +
          'leaves read here. Keep both as evidence.',
      );
    }
    return own === undefined ? 0 : Number(size);
  });
  return Math.max(0, ...sizes);
}

function readFinal(node: string, text: string, policyAt: (size: bigint) => Policy) {
  try {
    const note = parseNote(text);
    verifyFinal(policyAt(note.checkpoint.size), note);
    return note.checkpoint;
  } catch (error) {
    if (error instanceof NoteError || error instanceof QuorumError) {
      throw new Stopped(`The checkpoint of ${node} does not hold: ${error.message}.`);
    }
    throw error;
  }
}

export interface Decryption {
  readonly share: Bytes;
  /** What was decrypted; the key file remembers it before the share is sent. */
  readonly statement: Bytes;
}

/** Decrypts this trustee's part. `finalSize` is what `compareNodes` gave. */
export function decrypt(file: SecretFile, book: Book, finalSize: number): Decryption {
  const { stage, manifest } = book;
  if (manifest === undefined || stage.phase !== 'closed') {
    throw new Stopped('The election is not closed yet; nothing is decrypted before.');
  }
  if (!equal(file.election, manifest.id)) throw new Stopped('The key file is of another election.');
  if (file.endorsed === undefined) {
    throw new Stopped(
      'This key file has not endorsed any manifest: use the one that was saved last.',
    );
  }
  if (!equal(file.endorsed, manifest.fingerprint)) {
    throw new Stopped('The ledger has another manifest than the one you endorsed.');
  }
  const { statement } = stage.counting;
  if (BigInt(finalSize) < statement.size) {
    throw new Stopped('The end of the ledger is not final yet. Try again in a moment.');
  }
  const { voters } = stage.voting.turnout;
  const { minimumBallots } = manifest.definition;
  if (voters < minimumBallots) {
    throw new Stopped(
      `Only ${voters} ballots count; this election is not decrypted with fewer than ` +
        `${minimumBallots}.`,
    );
  }
  const digest = statementDigest(statement);
  if (file.decrypted !== undefined && !equal(file.decrypted, digest)) {
    throw new Stopped(
      'You have decrypted another tally of this election before. Two tallies of one election ' +
        'would tell how single people voted; nothing is decrypted.',
    );
  }
  const secret = recoverShare(file, book, manifest);
  return { share: makeShare(statement, file.trustee, secret, drawScalar), statement: digest };
}

/** This trustee's share of the key, made again from the ceremony's messages on the ledger. */
function recoverShare(file: SecretFile, book: Book, manifest: Manifest): bigint {
  const messages = book.leaves.flatMap((leaf) => {
    const { body } = readEntry(leaf);
    return body.kind === 'ceremony' ? [body.message] : [];
  });
  const { definition, id, ceremonyAttempt, trustees } = manifest;
  const count = trustees.length;
  try {
    const parameters = ceremonyParameters(id, ceremonyAttempt, count, definition.threshold);
    const announced = messages.slice(0, count).map((one) => readAnnouncement(one, parameters));
    const announcements = gatherAnnouncements(parameters, announced);
    const dealt = messages.slice(count, 2 * count).map((one) => readDealing(one, announcements));
    const dealings = gatherDealings(announcements, dealt);
    const received = new TrusteeSecret(file.secret).receive(dealings, file.trustee);
    const named = trustees[file.trustee - 1]?.verification;
    const isMine =
      received.kind === 'share' &&
      named !== undefined &&
      equal(multiply(BASE, received.share).toBytes(), named);
    if (isMine) return received.share;
  } catch (error) {
    if (!(error instanceof CeremonyError)) throw error;
  }
  throw new Stopped('The ceremony on the ledger is not the one that this key file took part in.');
}

/** The result that the shares on the ledger give, once there are enough. */
export function resultOf(book: Book): Bytes | undefined {
  const { stage, manifest } = book;
  if (manifest === undefined || stage.phase !== 'closed') return undefined;
  const { counting } = stage;
  const shares = counting.shares.slice(0, manifest.definition.threshold);
  if (shares.length < manifest.definition.threshold) return undefined;
  const { known } = counting;
  const highest = Math.max(...stage.charter.questions.rules.map(highestOf));
  const bound = known.weight * BigInt(highest);
  const counts = decryptCounts(counting.statement.sums, shares, bound);
  if (counts === undefined) throw new Stopped('The shares decrypt to no possible counts.');
  return printResult({ ...known, counts });
}
