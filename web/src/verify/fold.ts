/**
 * The acceptance fold, leaf by leaf: what an election has come to, and the first leaf that must
 * not be one. Equations of ballots are checked in batches, so a verdict about a ballot may come
 * some leaves later; whoever uses the fold sees it at the next `settle`.
 */

import { type Bytes, LayoutError } from '../crypto/bytes.ts';
import { framed, sha256 } from '../crypto/hash.ts';
import { parseBallot } from '../crypto/parsed.ts';
import { verifyBatch } from '../crypto/proof.ts';
import { claimHolds, PublicKey, readSignature } from '../crypto/signature.ts';
import { EncryptedTally } from '../crypto/tally.ts';
import {
  appendedMessage,
  type Body,
  ENTRY_TAG,
  type Entry,
  type Kind,
  readEntry,
} from '../election/entry.ts';
import { isSignedByAdmin } from '../election/manifest.ts';
import { need, Refusal, refuse } from '../election/refusal.ts';
import type { Result } from '../election/result.ts';
import { Successions } from '../election/succession.ts';
import { TreeHead } from '../ledger/tree.ts';
import { Counting, withheldOf } from './counting.ts';
import { obey } from './orders.ts';
import { type Charter, foundElection, Setup } from './setup.ts';
import { checkHeader, refusalOf, type Vote, Voting } from './voting.ts';

/** Ballots whose equations are checked together. */
const BATCH_MAX = 128;

type Stage =
  | { readonly phase: 'empty' }
  | { readonly phase: 'setup'; readonly charter: Charter; readonly setup: Setup }
  | { readonly phase: 'open'; readonly charter: Charter; readonly voting: Voting }
  | {
      readonly phase: 'closed';
      readonly charter: Charter;
      readonly voting: Voting;
      readonly counting: Counting;
    }
  | {
      readonly phase: 'published';
      readonly charter: Charter;
      readonly voting: Voting;
      readonly result: Result;
    };

/** A leaf that is not right. */
export interface Refused {
  readonly index: number;
  /** `undefined` when it is not even an entry. */
  readonly kind: Kind | undefined;
  readonly refusal: Refusal;
}

/** Reads an accepted leaf again. */
export type LeafReader = (index: number) => Promise<Bytes>;

export class Fold {
  readonly #readLeaf: LeafReader;
  readonly #tree = new TreeHead();
  readonly #stamps = new Map<number, number>();
  readonly #successions = new Successions();
  #stage: Stage = { phase: 'empty' };
  #tally: EncryptedTally | undefined;
  #pending: { readonly vote: Vote; readonly index: number }[] = [];

  constructor(readLeaf: LeafReader) {
    this.#readLeaf = readLeaf;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** The keys that authorities have got behind the manifest, as checked here. */
  get successions(): Successions {
    return this.#successions;
  }

  /** Judges the next leaf, whose hash is known. Gives the first leaf that is not right, if any. */
  async push(leaf: Bytes, hash: Bytes): Promise<Refused | undefined> {
    const index = this.#tree.size;
    let entry: Entry;
    try {
      entry = readEntry(leaf);
    } catch (error) {
      if (!(error instanceof LayoutError)) throw error;
      return this.#first({ index, kind: undefined, refusal: layoutRefusal(error) });
    }
    const { kind } = entry.body;
    // What comes after ballots needs their sums, and a verdict about them comes first.
    if (kind !== 'ballot' || this.#pending.length >= BATCH_MAX) {
      const earlier = await this.settle();
      if (earlier !== undefined) return earlier;
    }
    try {
      this.#judge(entry, index, hash);
    } catch (error) {
      if (error instanceof Refusal) return this.#first({ index, kind, refusal: error });
      if (error instanceof LayoutError) {
        return this.#first({ index, kind, refusal: layoutRefusal(error) });
      }
      throw error;
    }
    return undefined;
  }

  /** The leaf at hand is wrong; a ballot still waiting may be wrong too, and stands before it. */
  async #first(refused: Refused): Promise<Refused> {
    return (await this.settle()) ?? refused;
  }

  /** Checks the equations of the ballots that wait, and counts them. */
  async settle(): Promise<Refused | undefined> {
    const pending = this.#pending;
    if (pending.length === 0 || this.#stage.phase === 'empty') return undefined;
    this.#pending = [];
    const { context } = this.#stage.charter;
    if (context === undefined) return undefined; // an open poll has no equations
    const [bad] = verifyBatch(
      pending.map(({ vote }) => vote.parsed),
      context,
    );
    if (bad !== undefined) {
      return { index: pending[bad.at]!.index, kind: 'ballot', refusal: refusalOf(bad.error) };
    }
    this.#tally ??= new EncryptedTally(context.rules);
    for (const { vote } of pending) {
      this.#tally.add(vote.parsed.contests, vote.weight);
      if (vote.replaces !== undefined) await this.#takeOut(vote.replaces, vote.weight);
    }
    return undefined;
  }

  async #takeOut(leaf: number, weight: bigint): Promise<void> {
    const { body } = readEntry(await this.#readLeaf(leaf));
    if (body.kind !== 'ballot' || this.#stage.phase === 'empty') return;
    const { context } = this.#stage.charter;
    if (context === undefined) return;
    this.#tally?.add(parseBallot(body.ballot, context).contests, -weight);
  }

  #judge(entry: Entry, index: number, hash: Bytes): void {
    const next = this.#stage.phase === 'empty' ? foundBy(entry) : this.#advance(entry, index, hash);
    this.#tree.append(hash);
    const latest = this.#stamps.get(entry.appender) ?? 0;
    this.#stamps.set(entry.appender, Math.max(latest, entry.stamp));
    this.#stage = next;
  }

  /** The stage after the entry. */
  #advance(entry: Entry, index: number, hash: Bytes): Stage {
    const stage = this.#stage;
    if (stage.phase === 'empty') throw new Error('the first leaf founds the election');
    const { body } = entry;
    checkAppender(entry, stage.charter, this.#successions.newest(entry.appender));
    this.#checkStamp(entry, stage);
    if (body.kind === 'new-key' && stage.phase !== 'published') {
      const { manifest } = stage.charter;
      this.#successions.add(index, this.#successions.check(manifest, body.succession));
      return stage;
    }
    if (body.kind === 'ballot') return this.#vote(body.ballot, index, stage);
    if (stage.phase === 'setup') return advanceSetup(stage, body);
    if (stage.phase === 'open' && 'order' in body) {
      obey(body.order, entry.stamp, stage.voting, stage.charter);
      if (body.kind === 'reset') this.#tally = undefined;
      return stage;
    }
    if (stage.phase === 'open' && body.kind === 'close') {
      const signed = isSignedByAdmin('close', stage.charter.manifest, body.signature);
      need(signed, 'bad-signature', 'The closing is not signed by the administrator.');
      return this.#close(stage.charter, stage.voting, hash);
    }
    if (stage.phase === 'closed') return advanceCounting(stage, body);
    return misplaced(body, stage.phase);
  }

  #vote(ballot: Bytes, index: number, stage: Exclude<Stage, { phase: 'empty' }>): Stage {
    if (stage.phase === 'open') {
      const { context } = stage.charter;
      if (context === undefined) stage.voting.addOpen(ballot, index);
      else this.#pending.push({ vote: stage.voting.add(ballot, index, context), index });
      return stage;
    }
    checkHeader(ballot, stage.charter);
    if (stage.phase === 'setup') return refuse('too-early', 'The election is not open yet.');
    stage.voting.checkNew(sha256(ballot));
    return refuse('too-late', 'The election is closed.');
  }

  #close(charter: Charter, voting: Voting, hash: Bytes): Stage {
    const { manifest, questions } = charter;
    const { definition, fingerprint } = manifest;
    const participation = voting.participation();
    const withheld = withheldOf(participation, definition.minimumBallots);
    const tally = this.#tally ?? new EncryptedTally(questions.rules);
    // Shares are bound to the tree up to and including the closing.
    const { size, root } = this.#tree.with(hash);
    const sums = tally.without(withheld);
    const statement = { fingerprint, root, size: BigInt(size), sums };
    const live = definition.openPoll ? voting.live : undefined;
    const counting = new Counting(charter, statement, voting.turnout, participation, live);
    return { phase: 'closed', charter, voting, counting };
  }

  #checkStamp({ stamp, appender, body }: Entry, stage: Exclude<Stage, { phase: 'empty' }>): void {
    const { manifest } = stage.charter;
    const latest = this.#stamps.get(appender) ?? 0;
    const sentence = 'The stamp runs backwards or lies outside opening and closing.';
    need(stamp + manifest.stampSlack >= latest, 'stamp-out-of-range', sentence);
    if (body.kind !== 'ballot') return;
    const { opens, closes: announced } = manifest.definition;
    const closes = 'voting' in stage ? stage.voting.closes : announced;
    const inside =
      (opens === undefined || stamp >= opens) && (closes === undefined || stamp < closes);
    need(inside, 'stamp-out-of-range', sentence);
  }
}

function layoutRefusal(error: LayoutError): Refusal {
  return new Refusal('malformed', `${error.message}.`);
}

function foundBy(entry: Entry): Stage {
  const { body } = entry;
  if (body.kind !== 'manifest') return refuse('no-manifest', 'The first leaf is no manifest.');
  const charter = foundElection(body.manifest, body.signature);
  checkAppender(entry, charter);
  return { phase: 'setup', charter, setup: new Setup(charter) };
}

/** `newest` is the key that followed the manifest's, if there is one. */
function checkAppender(entry: Entry, { appenders, manifest }: Charter, newest?: Bytes): void {
  const key = newest ? PublicKey.trusted(newest) : appenders.get(entry.appender);
  const parts = readSignature(entry.signature);
  const signed = framed(ENTRY_TAG, appendedMessage(manifest.id, entry));
  const holds = key !== undefined && parts !== undefined && claimHolds({ key, parts, signed });
  need(holds, 'unknown-appender', `Authority ${entry.appender} did not sign this entry.`);
}

function advanceSetup(stage: Extract<Stage, { phase: 'setup' }>, body: Body): Stage {
  const { charter, setup } = stage;
  switch (body.kind) {
    case 'roll':
      setup.roll.add(body.chunk);
      return stage;
    case 'ceremony':
      setup.addMessage(body.message);
      return stage;
    case 'endorsement':
      setup.endorse(body.role, body.number, body.signature);
      return stage;
    case 'open':
      setup.checkOpening(body.signature);
      return { phase: 'open', charter, voting: new Voting(charter, setup.roll) };
    default:
      return misplaced(body, 'setup');
  }
}

function advanceCounting(stage: Extract<Stage, { phase: 'closed' }>, body: Body): Stage {
  const { charter, voting, counting } = stage;
  switch (body.kind) {
    case 'share':
      counting.addShare(body.trustee, body.share);
      return stage;
    case 'result':
      return { phase: 'published', charter, voting, result: counting.checkResult(body.result) };
    default:
      return misplaced(body, 'closed');
  }
}

function misplaced({ kind }: Body, phase: string): never {
  return refuse('wrong-phase', `An entry of kind ${kind} has no place while ${phase}.`);
}
