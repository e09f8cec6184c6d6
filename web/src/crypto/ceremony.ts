/**
 * The key ceremony as everybody sees it: announcements, dealings, confirmations and complaints,
 * and the keys that follow from them. What a trustee does with their secret is in `trustee.ts`.
 */

import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import {
  type Bytes,
  concat,
  equal,
  LayoutError,
  Reader,
  textBytes,
  u16le,
  u32le,
} from './bytes.ts';
import {
  BASE,
  decodeKeyPoint,
  decodePoint,
  decodeScalar,
  IDENTITY,
  multiply,
  multiplyPublic,
  type Point,
} from './group.ts';
import { hashToScalar, sha256, sha512, short } from './hash.ts';
import { checkSignature, PublicKey } from './signature.ts';

const TAG = 'quorate/ceremony/v1';
export const ROUND_NAMES = ['announcement', 'dealing', 'confirmation', 'complaint'] as const;
export type RoundName = (typeof ROUND_NAMES)[number];

/** A message has no place in this ceremony. */
export class CeremonyError extends Error {
  override readonly name = 'CeremonyError';
}

export interface Parameters {
  /** Hash of all of it, 32 bytes. */
  readonly id: Bytes;
  readonly trustees: number;
  readonly threshold: number;
}

export function ceremonyParameters(
  electionId: Bytes,
  attempt: number,
  trustees: number,
  threshold: number,
): Parameters {
  if (threshold < 1 || threshold > trustees || trustees > 64) {
    throw new CeremonyError('a ceremony has 1 to 64 trustees and a threshold among them');
  }
  const fields = [electionId, u32le(attempt), u16le(trustees), u16le(threshold)];
  return { id: short(`${TAG}/parameters`, ...fields), trustees, threshold };
}

export function signatureTag(round: RoundName): string {
  return `${TAG}/${round}`;
}

/** The fields before the body. */
export function messageHead(round: RoundName, ceremony: Bytes, trustee: number): Bytes {
  return concat(Uint8Array.of(1, ROUND_NAMES.indexOf(round) + 1), ceremony, u16le(trustee));
}

interface Opened {
  readonly trustee: number;
  readonly body: Reader;
}

/** Round and trustee that a message says it is of, without checking anything. */
export function messageRound(message: Bytes): RoundName | undefined {
  return message[0] === 1 ? ROUND_NAMES[(message[1] ?? 0) - 1] : undefined;
}

function layoutChecked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LayoutError) throw new CeremonyError(error.message);
    throw error;
  }
}

function openHead(message: Bytes, round: RoundName, parameters: Parameters): Opened {
  const body = new Reader(message.subarray(0, Math.max(0, message.length - 64)));
  if (body.u8('version') !== 1) throw new CeremonyError('another version');
  if (body.u8('round') !== ROUND_NAMES.indexOf(round) + 1) {
    throw new CeremonyError('another round');
  }
  if (!equal(body.take(32, 'ceremony id'), parameters.id)) {
    throw new CeremonyError('a message of another ceremony');
  }
  const trustee = body.u16le('trustee');
  if (trustee < 1 || trustee > parameters.trustees) {
    throw new CeremonyError(`there is no trustee ${trustee}`);
  }
  return { trustee, body };
}

function checkSigned(message: Bytes, round: RoundName, key: PublicKey): void {
  const [signed, signature] = [message.subarray(0, -64), message.subarray(-64)];
  if (checkSignature(key, signatureTag(round), signed, signature) !== undefined) {
    throw new CeremonyError(`the ${round} is not signed by its trustee`);
  }
}

function keyPoint(bytes: Bytes, what: string): Point {
  const point = decodeKeyPoint(bytes);
  if (point === undefined) throw new CeremonyError(`${what} is no point or the identity`);
  return point;
}

function scalarOf(bytes: Bytes): bigint {
  const scalar = decodeScalar(bytes);
  if (scalar === undefined) throw new CeremonyError('a scalar is not canonical');
  return scalar;
}

function anyPoint(bytes: Bytes): Point {
  const point = decodePoint(bytes);
  if (point === undefined) throw new CeremonyError('a point is not canonical');
  return point;
}

export interface Announcement {
  readonly trustee: number;
  readonly signingKey: PublicKey;
  readonly encryptionKey: Point;
  readonly encryptionBytes: Bytes;
  readonly commitmentsHash: Bytes;
  readonly message: Bytes;
}

export function readAnnouncement(message: Bytes, parameters: Parameters): Announcement {
  return layoutChecked(() => {
    const { trustee, body } = openHead(message, 'announcement', parameters);
    const signingKey = PublicKey.read(body.take(32, 'signing key'));
    if (typeof signingKey === 'string') throw new CeremonyError(`signing key: ${signingKey}`);
    const encryptionBytes = body.take(32, 'encryption key');
    const encryptionKey = keyPoint(encryptionBytes, 'the encryption key');
    const commitmentsHash = body.take(32, 'commitments hash');
    body.end();
    checkSigned(message, 'announcement', signingKey);
    return { trustee, signingKey, encryptionKey, encryptionBytes, commitmentsHash, message };
  });
}

/** All announcements, one of each trustee, with the digest of them. */
export interface Announcements {
  readonly parameters: Parameters;
  readonly all: readonly Announcement[];
  readonly digest: Bytes;
}

/** Whether another announcement claims a key or hash that one of these has. */
export function announcesAgain(all: readonly Announcement[], next: Announcement): boolean {
  return all.some(
    (one) =>
      equal(one.signingKey.bytes, next.signingKey.bytes) ||
      equal(one.encryptionBytes, next.encryptionBytes) ||
      equal(one.commitmentsHash, next.commitmentsHash),
  );
}

export function gatherAnnouncements(
  parameters: Parameters,
  all: readonly Announcement[],
): Announcements {
  const numbered = all.every(({ trustee }, at) => trustee === at + 1);
  if (!numbered || all.length !== parameters.trustees) {
    throw new CeremonyError('there must be one announcement of each trustee');
  }
  if (all.some((one, at) => announcesAgain(all.slice(0, at), one))) {
    throw new CeremonyError('two trustees announced the same key or commitments');
  }
  const messages = all.map(({ message }) => message);
  return { parameters, all, digest: short(`${TAG}/announcements`, parameters.id, ...messages) };
}

export function commitmentsHash(ceremony: Bytes, trustee: number, commitments: Bytes): Bytes {
  return short(`${TAG}/commitments`, ceremony, u16le(trustee), commitments);
}

export function constantTermChallenge(
  announcements: Bytes,
  trustee: number,
  constant: Bytes,
  commitment: Bytes,
): bigint {
  return hashToScalar(`${TAG}/constant-term`, announcements, u16le(trustee), constant, commitment);
}

export interface Dealing {
  readonly trustee: number;
  readonly commitments: readonly Point[];
  readonly commitmentBytes: Bytes;
  readonly ephemeral: Point;
  readonly ephemeralBytes: Bytes;
  /** The sealed shares for the other trustees, by number without the dealer's own. */
  readonly sealed: readonly Bytes[];
  readonly message: Bytes;
}

export function readDealing(message: Bytes, announcements: Announcements): Dealing {
  return layoutChecked(() => {
    const { parameters } = announcements;
    const { trustee, body } = openHead(message, 'dealing', parameters);
    const announced = announcements.all[trustee - 1]!;
    if (!equal(body.take(32, 'announcements digest'), announcements.digest)) {
      throw new CeremonyError('the dealing answers other announcements');
    }
    const commitmentBytes = body.take(32 * parameters.threshold, 'commitments');
    const proofPoint = body.take(32, 'proof');
    const proofScalar = body.take(32, 'proof');
    const ephemeralBytes = body.take(32, 'ephemeral key');
    const sealed = body.list(parameters.trustees - 1, () => body.take(48, 'sealed share'));
    body.end();
    const promised = commitmentsHash(parameters.id, trustee, commitmentBytes);
    if (!equal(promised, announced.commitmentsHash)) {
      throw new CeremonyError('the commitments are not those that were announced');
    }
    const commitments = Array.from({ length: parameters.threshold }, (_, k) =>
      keyPoint(commitmentBytes.subarray(32 * k, 32 * k + 32), 'a commitment'),
    );
    const ephemeral = keyPoint(ephemeralBytes, 'the ephemeral key');
    const constant = commitmentBytes.subarray(0, 32);
    const c = constantTermChallenge(announcements.digest, trustee, constant, proofPoint);
    const right = anyPoint(proofPoint).add(multiplyPublic(commitments[0]!, c));
    if (!multiplyPublic(BASE, scalarOf(proofScalar)).equals(right)) {
      throw new CeremonyError('knowledge of the constant term is not proven');
    }
    checkSigned(message, 'dealing', announced.signingKey);
    return { trustee, commitments, commitmentBytes, ephemeral, ephemeralBytes, sealed, message };
  });
}

/** A multiple by a trustee's number, at most 64: a few doublings. */
function multiplySmall(point: Point, factor: number): Point {
  let sum = IDENTITY;
  for (const bit of factor.toString(2)) {
    sum = sum.double();
    if (bit === '1') sum = sum.add(point);
  }
  return sum;
}

/** A dealer's polynomial in the exponent: `f(x)G`. */
export function evaluateCommitments(commitments: readonly Point[], x: number): Point {
  return commitments.reduceRight(
    (sum, commitment) => multiplySmall(sum, x).add(commitment),
    IDENTITY,
  );
}

/** Everything after the second round. */
export interface Dealings {
  readonly announcements: Announcements;
  readonly all: readonly Dealing[];
  readonly transcriptHash: Bytes;
  readonly electionKey: Point;
  /** V of each trustee. */
  readonly verificationKeys: readonly Point[];
}

export function gatherDealings(announcements: Announcements, all: readonly Dealing[]): Dealings {
  const { parameters } = announcements;
  const numbered = all.every(({ trustee }, at) => trustee === at + 1);
  if (!numbered || all.length !== parameters.trustees) {
    throw new CeremonyError('there must be one dealing of each trustee');
  }
  const messages = all.map(({ message }) => message);
  const transcriptHash = short(
    `${TAG}/transcript`,
    parameters.id,
    announcements.digest,
    ...messages,
  );
  const add = (sum: Point, point: Point) => sum.add(point);
  const electionKey = all.map(({ commitments }) => commitments[0]!).reduce(add);
  if (electionKey.is0()) throw new CeremonyError('the election key is the identity');
  const verificationKeys = all.map(({ trustee }) =>
    all.map(({ commitments }) => evaluateCommitments(commitments, trustee)).reduce(add),
  );
  return { announcements, all, transcriptHash, electionKey, verificationKeys };
}

/** Checks a confirmation and says whose it is. */
export function readConfirmation(message: Bytes, dealings: Dealings): number {
  return layoutChecked(() => {
    const { announcements, transcriptHash } = dealings;
    const { trustee, body } = openHead(message, 'confirmation', announcements.parameters);
    if (!equal(body.take(32, 'transcript hash'), transcriptHash)) {
      throw new CeremonyError('the confirmation is about another transcript');
    }
    body.end();
    checkSigned(message, 'confirmation', announcements.all[trustee - 1]!.signingKey);
    return trustee;
  });
}

/** Key and associated data under which a share is sealed. */
export function shareSeal(
  dealer: Dealing,
  recipient: Announcement,
  announcementsDigest: Bytes,
  shared: Point,
): { readonly key: Bytes; readonly info: Bytes } {
  return sealOf(
    {
      trustee: dealer.trustee,
      ephemeral: dealer.ephemeralBytes,
      commitments: dealer.commitmentBytes,
    },
    recipient,
    announcementsDigest,
    shared,
  );
}

export function sealOf(
  dealer: { readonly trustee: number; readonly ephemeral: Bytes; readonly commitments: Bytes },
  recipient: Announcement,
  announcementsDigest: Bytes,
  shared: Point,
): { readonly key: Bytes; readonly info: Bytes } {
  const info = concat(
    textBytes(`${TAG}/share`),
    u16le(dealer.trustee),
    u16le(recipient.trustee),
    dealer.ephemeral,
    recipient.encryptionBytes,
    sha256(dealer.commitments),
  );
  return { key: hkdf(sha512, shared.toBytes(), announcementsDigest, info, 32), info };
}

const NONCE = new Uint8Array(12);

export function sealShare(key: Bytes, info: Bytes, share: Bytes): Bytes {
  return chacha20poly1305(key, NONCE, info).encrypt(share);
}

/** The share that a dealer sealed for a trustee; `undefined` when it is none that fits. */
export function openShare(
  dealings: Dealings,
  dealer: number,
  recipient: number,
  shared: Point,
): bigint | undefined {
  const dealing = dealings.all[dealer - 1]!;
  const announcement = dealings.announcements.all[recipient - 1]!;
  const { key, info } = shareSeal(dealing, announcement, dealings.announcements.digest, shared);
  const sealed = dealing.sealed[recipient < dealer ? recipient - 1 : recipient - 2]!;
  let opened: Bytes;
  try {
    opened = chacha20poly1305(key, NONCE, info).decrypt(sealed);
  } catch {
    return undefined;
  }
  const share = decodeScalar(opened);
  if (share === undefined) return undefined;
  const fits = multiply(BASE, share).equals(evaluateCommitments(dealing.commitments, recipient));
  return fits ? share : undefined;
}

export function sharedSecretChallenge(
  transcript: Bytes,
  complainer: number,
  dealer: number,
  points: readonly Bytes[],
): bigint {
  const fields = [transcript, u16le(complainer), u16le(dealer), ...points];
  return hashToScalar(`${TAG}/shared-secret`, ...fields);
}

/** Who is to blame after a complaint: the dealer, or whoever complained without reason. */
export function judgeComplaint(message: Bytes, dealings: Dealings): number {
  return layoutChecked(() => {
    const { announcements, transcriptHash } = dealings;
    const { parameters } = announcements;
    const { trustee, body } = openHead(message, 'complaint', parameters);
    if (!equal(body.take(32, 'transcript hash'), transcriptHash)) {
      throw new CeremonyError('the complaint is about another transcript');
    }
    const dealer = body.u16le('dealer');
    if (dealer < 1 || dealer > parameters.trustees || dealer === trustee) {
      throw new CeremonyError('the complaint names no other trustee');
    }
    const [k, p, q] = [body.take(32, 'K'), body.take(32, 'P'), body.take(32, 'Q')];
    const z = scalarOf(body.take(32, 'z'));
    body.end();
    const own = announcements.all[trustee - 1]!;
    checkSigned(message, 'complaint', own.signingKey);
    const { ephemeral, ephemeralBytes } = dealings.all[dealer - 1]!;
    const points = [own.encryptionBytes, ephemeralBytes, k, p, q];
    const c = sharedSecretChallenge(transcriptHash, trustee, dealer, points);
    const shared = keyPoint(k, 'K');
    const first = anyPoint(p).add(multiplyPublic(own.encryptionKey, c));
    const second = anyPoint(q).add(multiplyPublic(shared, c));
    const proven =
      multiplyPublic(BASE, z).equals(first) && multiplyPublic(ephemeral, z).equals(second);
    if (!proven) throw new CeremonyError('the shared secret is not proven');
    return openShare(dealings, dealer, trustee, shared) === undefined ? dealer : trustee;
  });
}

/** The public ciphertext that trustees decrypt before the opening, and what is in it. */
export function rehearsal(dealings: Dealings): {
  readonly a: Point;
  readonly b: Point;
  readonly number: number;
} {
  const { transcriptHash, electionKey } = dealings;
  const r = hashToScalar(`${TAG}/rehearsal-randomness`, transcriptHash);
  const number = new Reader(short(`${TAG}/rehearsal-number`, transcriptHash)).u16le('number');
  const b = multiplyPublic(electionKey, r).add(multiplyPublic(BASE, BigInt(number)));
  return { a: multiplyPublic(BASE, r), b, number };
}
