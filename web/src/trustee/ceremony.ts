/**
 * The key ceremony as one trustee lives it. Everything that a trustee says follows from one secret
 * and the messages on the board, so each look begins anew: it takes the board as it is, checks all
 * of it, and says what this trustee's next message is, whom it waits for, or why it stops.
 */

import { drawScalar } from '../ballot/cast.ts';
import { type Bytes, concat, equal, LayoutError, Reader, u8 } from '../crypto/bytes.ts';
import {
  type Announcement,
  type Announcements,
  CeremonyError,
  ceremonyParameters,
  type Dealing,
  type Dealings,
  gatherAnnouncements,
  gatherDealings,
  judgeComplaint,
  messageRound,
  type Parameters,
  readAnnouncement,
  readConfirmation,
  readDealing,
  rehearsal,
} from '../crypto/ceremony.ts';
import { BASE, multiply } from '../crypto/group.ts';
import { makeShare, type TallyStatement, verifyShare } from '../crypto/tally.ts';
import { TrusteeSecret } from '../crypto/trustee.ts';
import { type Definition, readDefinition } from '../election/definition.ts';
import {
  checkManifest,
  isSignedByAdmin,
  type Manifest,
  readManifest,
} from '../election/manifest.ts';
import { Refusal } from '../election/refusal.ts';
import type { SecretFile } from './secretFile.ts';

/** What the administrator wants, before there are keys. */
export interface Draft {
  readonly id: Bytes;
  readonly admin: Bytes;
  readonly definition: Definition;
  /** The definition's bytes, which the manifest must repeat. */
  readonly definitionBytes: Bytes;
}

/** Throws a `LayoutError`. */
export function readDraft(bytes: Bytes): Draft {
  const reader = new Reader(bytes);
  if (reader.u8('version') !== 1) reader.fail('version', 'is not 1');
  const id = reader.take(16, 'election id');
  const admin = reader.take(32, "administrator's key");
  const definitionBytes = bytes.subarray(reader.offset);
  const definition = readDefinition(reader);
  reader.end();
  return { id, admin, definition, definitionBytes };
}

/** A message on the board; rounds of later attempts follow each other. */
export interface Posted {
  readonly round: number;
  readonly trustee: number;
  readonly message: Bytes;
}

export type Round = 'announcement' | 'dealing' | 'confirmation';
export const ROUNDS: readonly Round[] = ['announcement', 'dealing', 'confirmation'];

/** The number of a round on the board. */
export function boardRound(attempt: number, round: Round): number {
  return 3 * attempt + ROUNDS.indexOf(round) + 1;
}

/** This trustee will not go on, for a reason that people must be told. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export type Turn =
  | {
      readonly kind: 'waiting';
      readonly round: Round;
      /** Numbers of the trustees whose messages are missing. */
      readonly missing: readonly number[];
      /** This trustee's message of the round, unless it is there. */
      readonly post: Bytes | undefined;
      /** Set when the message is a complaint: the ceremony must start again. */
      readonly complaint: string | undefined;
    }
  | { readonly kind: 'complete'; readonly dealings: Dealings; readonly share: bigint };

class Seat {
  readonly secret: TrusteeSecret;
  readonly parameters: Parameters;
  readonly number: number;
  readonly #draft: Draft;
  readonly #attempt: number;
  readonly #board: readonly Posted[];

  constructor(file: SecretFile, draft: Draft, board: readonly Posted[]) {
    if (!equal(file.election, draft.id)) throw new Stopped('The key file is of another election.');
    const { trustees, threshold } = draft.definition;
    if (file.trustee < 1 || file.trustee > trustees.length) {
      throw new Stopped(`There is no trustee ${file.trustee} in this election.`);
    }
    this.secret = new TrusteeSecret(file.secret);
    this.parameters = ceremonyParameters(draft.id, file.attempt, trustees.length, threshold);
    [this.number, this.#draft, this.#attempt, this.#board] = [
      file.trustee,
      draft,
      file.attempt,
      board,
    ];
  }

  name(number: number): string {
    const name = this.#draft.definition.trustees[number - 1];
    return name === undefined ? `trustee ${number}` : `trustee ${number} (${name})`;
  }

  /** The messages of a round by trustee; none under this number that this secret did not make. */
  messages(round: Round, own: Bytes): Map<number, Bytes> {
    const number = boardRound(this.#attempt, round);
    const found = this.#board.filter((one) => one.round === number);
    const messages = new Map(found.map(({ trustee, message }) => [trustee, message]));
    const mine = messages.get(this.number);
    if (mine !== undefined && !equal(mine, own)) {
      throw new Stopped(
        `Another ${round} than yours was posted under your number, ${this.number}: somebody acts ` +
          'in your name, or you have used another key file before.',
      );
    }
    return messages;
  }

  missing(messages: ReadonlyMap<number, Bytes>): number[] {
    const all = Array.from({ length: this.parameters.trustees }, (_, at) => at + 1);
    return all.filter((number) => !messages.has(number));
  }

  /** Reads all messages of a round, each of which must be of the trustee it stands under. */
  read<T extends { readonly trustee: number }>(
    round: Round,
    messages: ReadonlyMap<number, Bytes>,
    read: (message: Bytes) => T,
  ): T[] {
    const all = [...messages].sort(([one], [other]) => one - other);
    return all.map(([number, message]) => {
      const author = this.#checked(round, number, () => read(message));
      if (author.trustee === number) return author;
      throw new Stopped(
        `The ${round} posted under number ${number} is by ${this.name(author.trustee)}.`,
      );
    });
  }

  #checked<T>(round: Round, number: number, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CeremonyError)) throw error;
      throw new Stopped(`The ${round} of ${this.name(number)} is not valid: ${error.message}.`);
    }
  }
}

function gathered<T>(gather: () => T): T {
  try {
    return gather();
  } catch (error) {
    if (error instanceof CeremonyError) throw new Stopped(`In the ceremony, ${error.message}.`);
    throw error;
  }
}

function waiting(
  seat: Seat,
  round: Round,
  messages: ReadonlyMap<number, Bytes>,
  own: Bytes,
  complaint?: string,
): Turn {
  const post = messages.has(seat.number) ? undefined : own;
  return { kind: 'waiting', round, missing: seat.missing(messages), post, complaint };
}

/** Where the ceremony stands for this trustee. Throws a `Stopped`. */
export function takePart(file: SecretFile, draft: Draft, board: readonly Posted[]): Turn {
  const seat = new Seat(file, draft, board);
  const own = seat.secret.announce(seat.parameters, seat.number);
  const messages = seat.messages('announcement', own);
  if (seat.missing(messages).length > 0) return waiting(seat, 'announcement', messages, own);
  const all = seat.read(
    'announcement',
    messages,
    (message): Announcement => readAnnouncement(message, seat.parameters),
  );
  return deal(
    seat,
    gathered(() => gatherAnnouncements(seat.parameters, all)),
  );
}

function deal(seat: Seat, announcements: Announcements): Turn {
  const own = seat.secret.deal(announcements, seat.number);
  const messages = seat.messages('dealing', own);
  if (seat.missing(messages).length > 0) return waiting(seat, 'dealing', messages, own);
  const all = seat.read(
    'dealing',
    messages,
    (message): Dealing => readDealing(message, announcements),
  );
  return confirm(
    seat,
    gathered(() => gatherDealings(announcements, all)),
  );
}

function confirm(seat: Seat, dealings: Dealings): Turn {
  const received = seat.secret.receive(dealings, seat.number);
  if (received.kind === 'complaints') {
    const [first] = received.messages;
    const messages = seat.messages('confirmation', first!);
    const sentence =
      'A share that was dealt to you does not fit its commitments. Your complaint names it; the ' +
      'ceremony must start again with the next attempt.';
    return waiting(seat, 'confirmation', messages, first!, sentence);
  }
  const { share } = received;
  if (!multiply(BASE, share).equals(dealings.verificationKeys[seat.number - 1]!)) {
    throw new Stopped('Your share does not fit the key that follows from the dealings.');
  }
  testDecryption(dealings, seat.number, share);
  const own = seat.secret.confirm(dealings, seat.number);
  const messages = seat.messages('confirmation', own);
  for (const [number, message] of messages) findComplaint(seat, dealings, number, message);
  if (seat.missing(messages).length > 0) return waiting(seat, 'confirmation', messages, own);
  seat.read('confirmation', messages, (message) => ({
    trustee: readConfirmation(message, dealings),
  }));
  return { kind: 'complete', dealings, share };
}

function findComplaint(seat: Seat, dealings: Dealings, number: number, message: Bytes): void {
  if (messageRound(message) !== 'complaint') return;
  const blamed = gathered(() => judgeComplaint(message, dealings));
  const who =
    blamed === number
      ? `the share fits, so ${seat.name(number)} has complained falsely`
      : `the share dealt by ${seat.name(blamed)} does not fit`;
  throw new Stopped(
    `${seat.name(number)} complains: ${who}. The ceremony must start again with the next attempt.`,
  );
}

/** What the rehearsal decrypts. */
function rehearsed(dealings: Dealings): TallyStatement {
  const { a, b } = rehearsal(dealings);
  const root = new Uint8Array(32);
  return { fingerprint: dealings.transcriptHash, root, size: 0n, sums: [[{ a, b }]] };
}

/** Decrypts a public test message with this share and checks the proof as everybody would. */
export function testDecryption(dealings: Dealings, number: number, share: bigint): void {
  const statement = rehearsed(dealings);
  const made = makeShare(statement, number, share, drawScalar);
  const key = dealings.verificationKeys[number - 1]!.toBytes();
  verifyShare(made, statement, number, key);
}

/**
 * The manifest in these bytes, if it is exactly what the draft and the ceremony make and its
 * administrator signed it. Throws a `Stopped`.
 */
export function checkSealed(
  file: SecretFile,
  draft: Draft,
  dealings: Dealings,
  bytes: Bytes,
  signature: Bytes,
): Manifest {
  const manifest = ruled(bytes);
  const need = (holds: boolean, sentence: string) => {
    if (!holds) throw new Stopped(`${sentence} It is not endorsed.`);
  };
  const definition = bytes.subarray(17, 17 + draft.definitionBytes.length);
  need(equal(manifest.id, draft.id), 'The manifest is of another election.');
  need(
    equal(definition, draft.definitionBytes),
    'The manifest has other questions or rules than the draft.',
  );
  need(equal(manifest.admin, draft.admin), 'The manifest names another administrator.');
  need(manifest.ceremonyAttempt === file.attempt, 'The manifest is of another attempt.');
  const { announcements, electionKey, verificationKeys, transcriptHash } = dealings;
  const sameKeys = announcements.all.every((one, at) =>
    equal(one.signingKey.bytes, manifest.trustees[at]?.signing ?? new Uint8Array(0)),
  );
  need(sameKeys, 'The manifest has another signing key than a trustee announced.');
  need(
    equal(manifest.jointKey, electionKey.toBytes()),
    'The manifest has another joint key than the ceremony.',
  );
  const sameShares = verificationKeys.every((key, at) =>
    equal(key.toBytes(), manifest.trustees[at]?.verification ?? new Uint8Array(0)),
  );
  need(sameShares, 'The manifest has other verification keys than the ceremony.');
  need(
    equal(manifest.ceremonyHash, transcriptHash),
    "The manifest has another hash of the ceremony's messages.",
  );
  need(
    isSignedByAdmin('seal', manifest, signature),
    'The manifest is not signed by its administrator.',
  );
  if (file.endorsed !== undefined && !equal(file.endorsed, manifest.fingerprint)) {
    throw new Stopped(
      'You have endorsed another manifest of this election before; a trustee endorses one only.',
    );
  }
  return manifest;
}

function ruled(bytes: Bytes): Manifest {
  try {
    const manifest = readManifest(bytes);
    checkManifest(manifest);
    return manifest;
  } catch (error) {
    if (error instanceof LayoutError || error instanceof Refusal) {
      throw new Stopped(`The manifest breaks a rule: ${error.message}. It is not endorsed.`);
    }
    throw error;
  }
}

/** This trustee's signature on a manifest that was checked. */
export function endorse({ secret, trustee }: SecretFile, { fingerprint }: Manifest): Bytes {
  const message = concat(fingerprint, u8(trustee));
  return new TrusteeSecret(secret).sign('quorate/manifest/v1/trustee', message);
}
