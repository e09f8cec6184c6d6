/**
 * The booth's cryptography, which runs in a worker: the page itself holds no curve arithmetic.
 * Every call is a plain message with a plain answer; secrets that come in are wiped after use.
 */

import { Booth } from '../ballot/booth.ts';
import { type Choice, ChoiceError } from '../ballot/cast.ts';
import { preparation } from '../ballot/contests.ts';
import { openingOf, parseOpening, printOpening, remake } from '../ballot/opening.ts';
import { trackerOf } from '../crypto/base32.ts';
import {
  type Bytes,
  equal,
  fromHex,
  LayoutError,
  Reader,
  textBytes,
  toHex,
} from '../crypto/bytes.ts';
import { printCode } from '../crypto/code.ts';
import { credentialOfCode } from '../crypto/credential.ts';
import { makeRequest, printRequest } from '../crypto/enrolment.ts';
import { sha256 } from '../crypto/hash.ts';
import type { BallotContext } from '../crypto/statement.ts';
import type { Contest } from '../election/definition.ts';
import { readEntry } from '../election/entry.ts';
import {
  checkManifest,
  type Manifest,
  policyOf,
  quorumOfManifest,
  readManifest,
} from '../election/manifest.ts';
import { confirmBallot, ReceiptError, readRefusal } from '../election/receipt.ts';
import { Refusal } from '../election/refusal.ts';
import {
  followKeys,
  type KeyChange,
  SuccessionError,
  Successions,
} from '../election/succession.ts';

/** What the page shows of an election. */
export interface ElectionFacts {
  readonly id: string;
  readonly title: string;
  readonly fingerprint: string;
  readonly contests: readonly Contest[];
  readonly revote: boolean;
  readonly clusterIssues: boolean;
  readonly isTest: boolean;
  /** Whether ballots are in clear. */
  readonly isOpenPoll: boolean;
  readonly opens: number | undefined;
  readonly closes: number | undefined;
  readonly voters: number;
  /** Chunks that the roll has on the ledger. */
  readonly rollChunks: number;
  readonly authorities: number;
  readonly quorum: number;
}

/** Where a voter stands on the roll. */
export interface Place {
  readonly key: string;
  readonly weight: number;
  readonly group: number;
}

/** Which ballot of the credential it is, and of which group the credential. */
export interface ChainPlace {
  readonly group: number;
  readonly seq: number;
  readonly prev: Bytes;
}

/** The methods that the page may call, each with what it gives. */
export interface Calls {
  found(manifest: Bytes): ElectionFacts;
  addRoll(chunks: readonly Bytes[]): boolean;
  identify(code: Bytes): { key: string; place: Place | undefined };
  enrol(token: Bytes, election: string): Enrolment;
  cast(code: Bytes, place: ChainPlace, choices: readonly Choice[], opened: boolean): Cast;
  follow(told: readonly (readonly KeyChange[])[]): boolean;
  confirm(receipt: string, ballot: Bytes): Confirmation;
  refusal(bytes: Bytes, ballot: Bytes): { authority: number; code: string } | undefined;
  trackerOf(ballot: Bytes): string;
  open(text: string): OpenedBallot;
  openElection(text: string): string;
  ballotOfLeaf(leaf: Bytes): Bytes | undefined;
}

/** A code that was made here, and what the issuer needs to put its key on the roll. */
export interface Enrolment {
  /** Secret, as it is typed. */
  readonly code: string;
  /** The key on the roll, hexadecimal. */
  readonly key: string;
  /** The request in hexadecimal digits, for an address; holds no secret. */
  readonly request: string;
  /** The same for a letter. */
  readonly text: string;
}

export interface Cast {
  readonly ballot: Bytes;
  readonly tracker: string;
  /** Only for a ballot that may be opened. */
  readonly opening: string | undefined;
}

export interface Confirmation {
  readonly tracker: string;
  readonly leaf: number;
  readonly stamp: number;
  readonly signers: readonly string[];
}

export interface OpenedBallot {
  readonly tracker: string;
  readonly isSigned: boolean;
  readonly group: number;
  readonly choices: readonly Choice[];
}

/** Something that a person is to be told; `code` picks the sentence in their language. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: string;

  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

const CHUNK_VOTERS = 1700;
const VOTER_BYTES = 37;

export class Engine implements Calls {
  #manifest: Manifest | undefined;
  #context: BallotContext | undefined;
  /** Prepared for one group. */
  #booth: { readonly group: number; readonly booth: Booth } | undefined;
  #roll: Bytes[] | undefined;
  /** Keys that authorities have got since the manifest. */
  #successions = new Successions();

  #known(): Manifest {
    if (this.#manifest === undefined) throw new EngineError('not-ready', 'no election is loaded');
    return this.#manifest;
  }

  /** Draws a code for the holder of a token (15 bytes) in an election (32 digits). */
  enrol(token: Bytes, election: string): Enrolment {
    const id = fromHex(election);
    if (id?.length !== 16) throw new EngineError('not-ready', 'no election is named');
    const code = crypto.getRandomValues(new Uint8Array(15));
    const credential = credentialOfCode(code, id);
    const request = makeRequest(token, id, credential);
    const [printed, key] = [printCode(code), toHex(credential.publicKey)];
    code.fill(0);
    return { code: printed, key, request: toHex(request), text: printRequest(request) };
  }

  found(bytes: Bytes): ElectionFacts {
    const [manifest, context] = checked(bytes);
    const { definition } = manifest;
    [this.#manifest, this.#context, this.#roll] = [manifest, context, undefined];
    [this.#booth, this.#successions] = [undefined, new Successions()];
    this.#boothOf(0);
    return {
      id: toHex(manifest.id),
      title: definition.title,
      fingerprint: toHex(manifest.fingerprint),
      contests: definition.contests,
      revote: definition.revote,
      clusterIssues: definition.clusterIssues,
      isTest: definition.isTest,
      isOpenPoll: definition.openPoll,
      opens: definition.opens,
      closes: definition.closes,
      voters: manifest.roll.voters,
      rollChunks: Math.ceil(manifest.roll.voters / CHUNK_VOTERS),
      authorities: manifest.authorities.length,
      quorum: quorumOfManifest(manifest),
    };
  }

  /** The booth for voters of a group; its tables take a moment. */
  #boothOf(group: number): Booth {
    if (this.#booth?.group === group) return this.#booth.booth;
    const booth = new Booth();
    const answer = booth.answer(preparation(this.#known(), group));
    if (answer.kind === 'refused') throw new EngineError('bad-manifest', answer.why);
    this.#booth = { group, booth };
    return booth;
  }

  /** Takes the roll's leaves; says whether they are exactly the roll that the manifest names. */
  addRoll(leaves: readonly Bytes[]): boolean {
    const { roll } = this.#known();
    const chunks = leaves.map(chunkOf);
    if (!chunks.every((chunk): chunk is Bytes => chunk !== undefined)) return false;
    const root = sha256(textBytes('quorate/roll/v1'), ...chunks.map((chunk) => sha256(chunk)));
    if (!equal(root, roll.root)) return false;
    this.#roll = chunks.map((chunk) => Uint8Array.from(chunk.subarray(4)));
    return true;
  }

  /**
   * The public key of a code, and its place when the roll is here. Where the roll may change, a
   * code that is not on the first one may have been added; the nodes know.
   */
  identify(code: Bytes): { key: string; place: Place | undefined } {
    const { id, definition } = this.#known();
    const { publicKey } = credentialOfCode(code, id);
    code.fill(0);
    const voter = this.#roll && findVoter(this.#roll, publicKey);
    if (this.#roll !== undefined && voter === undefined && !definition.rollChanges) {
      throw new EngineError('not-on-roll', 'the code is not on the roll');
    }
    const key = toHex(publicKey);
    if (voter === undefined) return { key, place: undefined };
    const reader = new Reader(voter.subarray(32));
    const weight = reader.u32be('weight');
    return { key, place: { key, weight, group: reader.u8('group') } };
  }

  cast(code: Bytes, place: ChainPlace, choices: readonly Choice[], opened: boolean): Cast {
    const { group, seq, prev } = place;
    const { id } = this.#known();
    const { seed } = credentialOfCode(code, id);
    code.fill(0);
    // Both paths are alike up to here: whether a ballot will be opened does not change its making.
    const draws = crypto.getRandomValues(new Uint8Array(32));
    const kept = opened ? Uint8Array.from(draws) : undefined;
    const booth = this.#boothOf(group);
    const answer = booth.answer({ kind: 'cast', seed, seq, prev, choices, draws });
    if (answer.kind !== 'ballot') {
      throw new EngineError('bad-choice', answer.kind === 'refused' ? answer.why : answer.kind);
    }
    const { ballot, tracker } = answer;
    const opening = kept && printOpening(openingOf(id, ballot, kept, choices));
    return { ballot, tracker, opening };
  }

  /**
   * Takes what each of several nodes tells of changed keys; says whether any change was news. One
   * that lies about them, or lags behind, takes nothing away from what is known.
   */
  follow(told: readonly (readonly KeyChange[])[]): boolean {
    const manifest = this.#known();
    const before = this.#successions.count;
    for (const changes of told) {
      if (changes.length <= this.#successions.count) continue;
      try {
        this.#successions = followKeys(manifest, policyOf(manifest), changes);
      } catch (error) {
        if (!(error instanceof SuccessionError)) throw error;
      }
    }
    return this.#successions.count > before;
  }

  /** Throws an `EngineError` unless the receipt proves that a quorum holds the ballot. */
  confirm(receipt: string, ballot: Bytes): Confirmation {
    try {
      const policy = policyOf(this.#known());
      const confirmed = confirmBallot(receipt, ballot, policy, this.#successions);
      const { leaf, stamp, signers } = confirmed;
      return { tracker: this.trackerOf(ballot), leaf: Number(leaf), stamp, signers };
    } catch (error) {
      if (error instanceof ReceiptError) throw new EngineError('bad-receipt', error.message);
      throw error;
    }
  }

  refusal(bytes: Bytes, ballot: Bytes): { authority: number; code: string } | undefined {
    const manifest = this.#known();
    const keyOf = (number: number) =>
      this.#successions.newest(number) ??
      manifest.authorities.find((authority) => authority.number === number)?.key;
    return readRefusal(bytes, manifest.id, ballot, keyOf);
  }

  trackerOf(ballot: Bytes): string {
    return trackerOf(sha256(ballot));
  }

  /** Which election an opening is of, as hex. */
  openElection(text: string): string {
    return openingChecked(() => toHex(parseOpening(text).election));
  }

  open(text: string): OpenedBallot {
    return openingChecked(() => {
      const opening = parseOpening(text);
      if (this.#context === undefined || !equal(opening.election, this.#known().id)) {
        throw new EngineError('wrong-election', 'the opening is of another election');
      }
      const { group, choices } = opening;
      return { ...remake(opening, this.#context), group, choices };
    });
  }

  /** The ballot in a leaf, if there is one. */
  ballotOfLeaf(leaf: Bytes): Bytes | undefined {
    try {
      const { body } = readEntry(leaf);
      return body.kind === 'ballot' ? Uint8Array.from(body.ballot) : undefined;
    } catch (error) {
      if (error instanceof LayoutError) return undefined;
      throw error;
    }
  }
}

function openingChecked<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LayoutError || error instanceof ChoiceError) {
      throw new EngineError('bad-opening', error.message);
    }
    throw error;
  }
}

function checked(bytes: Bytes): [Manifest, BallotContext | undefined] {
  try {
    const manifest = readManifest(bytes);
    return [manifest, checkManifest(manifest)];
  } catch (error) {
    if (error instanceof LayoutError || error instanceof Refusal) {
      throw new EngineError('bad-manifest', error.message);
    }
    throw error;
  }
}

/** The chunk in a leaf of the roll. */
function chunkOf(leaf: Bytes): Bytes | undefined {
  try {
    const { body } = readEntry(leaf);
    return body.kind === 'roll' ? body.chunk : undefined;
  } catch (error) {
    if (error instanceof LayoutError) return undefined;
    throw error;
  }
}

function findVoter(roll: readonly Bytes[], key: Bytes): Bytes | undefined {
  for (const voters of roll) {
    for (let at = 0; at < voters.length; at += VOTER_BYTES) {
      if (equal(voters.subarray(at, at + 32), key)) return voters.subarray(at, at + VOTER_BYTES);
    }
  }
  return undefined;
}
