/** Sealing in the browser: what draft, roll and ceremony make, signed with the administrator's key. */

import { type Bytes, equal, fromBase64, fromHex, textBytes } from '../../crypto/bytes.ts';
import {
  ceremonyParameters,
  type Dealings,
  gatherAnnouncements,
  gatherDealings,
  readAnnouncement,
  readConfirmation,
  readDealing,
} from '../../crypto/ceremony.ts';
import { sha256 } from '../../crypto/hash.ts';
import { publicKeyOf } from '../../crypto/signature.ts';
import { type DraftParts, splitDraft, writeManifest } from '../../election/draft.ts';
import {
  type Authority,
  checkManifest,
  type RollSummary,
  readManifest,
} from '../../election/manifest.ts';
import { parseKey } from '../../ledger/note.ts';
import type { Schemas } from '../api/client.ts';

/** Minutes by which the stamps of a node may run backwards; as the command line has it. */
const STAMP_SLACK_MINUTES = 10;
const CHUNK_HEAD_BYTES = 4;
const VOTER_BYTES = 37;

/** Something is missing or wrong; the texts are below `sealProblem`. */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** What the manifest says about these chunks. */
export function rollSummary(chunks: readonly Bytes[]): RollSummary {
  let [voters, weight] = [0, 0n];
  for (const chunk of chunks) {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const count = Math.floor((chunk.length - CHUNK_HEAD_BYTES) / VOTER_BYTES);
    for (let at = 0; at < count; at++) {
      weight += BigInt(view.getUint32(CHUNK_HEAD_BYTES + VOTER_BYTES * at + 32));
    }
    voters += count;
  }
  const root = sha256(textBytes('quorate/roll/v1'), ...chunks.map((chunk) => sha256(chunk)));
  return { root, voters, weight };
}

/** The keys of the latest attempt at the ceremony. */
export function dealingsOf(
  id: Bytes,
  trustees: number,
  threshold: number,
  messages: readonly Schemas['CeremonyMessage'][],
): { readonly attempt: number; readonly dealings: Dealings } {
  const attempt = Math.max(0, ...messages.map(({ round }) => Math.floor((round - 1) / 3)));
  const ofRound = (round: number): Bytes[] =>
    Array.from({ length: trustees }, (_, at) => {
      const found = messages.find(
        (one) => one.trustee === at + 1 && one.round === 3 * attempt + round,
      );
      const bytes = found && fromBase64(found.message);
      if (bytes === undefined) throw new SealError('ceremony');
      return bytes;
    });
  const parameters = ceremonyParameters(id, attempt, trustees, threshold);
  const announced = ofRound(1).map((message) => readAnnouncement(message, parameters));
  const announcements = gatherAnnouncements(parameters, announced);
  const dealt = ofRound(2).map((message) => readDealing(message, announcements));
  const dealings = gatherDealings(announcements, dealt);
  for (const message of ofRound(3)) readConfirmation(message, dealings);
  return { attempt, dealings };
}

function readAuthorities(views: readonly Schemas['Authority'][]): Authority[] {
  const sorted = [...views].sort((one, other) => one.index - other.index);
  return sorted.map(({ index, vkey }) => {
    const key = parseKey(vkey);
    if (key === undefined) throw new SealError('authority-key');
    return { number: index, ...key };
  });
}

export interface SealParts {
  /** Base64, as the node shows it. */
  readonly draft: string;
  readonly trustees: number;
  readonly threshold: number;
  readonly messages: readonly Schemas['CeremonyMessage'][];
  readonly chunks: readonly string[];
  readonly authorities: readonly Schemas['Authority'][];
}

/** The manifest, checked by every rule that it must meet by itself. */
export function buildManifest(parts: SealParts, seed: Bytes): Bytes {
  const draft = readDraft(parts.draft, seed);
  const { attempt, dealings } = dealingsOf(
    draft.id,
    parts.trustees,
    parts.threshold,
    parts.messages,
  );
  const keys = dealings.verificationKeys;
  const trustees = dealings.announcements.all.map(({ signingKey }, at) => ({
    signing: signingKey.bytes,
    verification: keys[at]?.toBytes() ?? new Uint8Array(),
  }));
  const authorities = readAuthorities(parts.authorities);
  const chunks = parts.chunks.map((chunk) => fromBase64(chunk) ?? new Uint8Array());
  const manifest = writeManifest(draft, {
    trustees,
    jointKey: dealings.electionKey.toBytes(),
    ceremonyAttempt: attempt,
    ceremonyHash: dealings.transcriptHash,
    roll: rollSummary(chunks),
    authorities,
    faulty: Math.floor((authorities.length - 1) / 3),
    stampSlack: STAMP_SLACK_MINUTES,
  });
  checkManifest(readManifest(manifest));
  return manifest;
}

/** The draft, if this is its administrator's key. */
export function readDraft(draft: string, seed: Bytes): DraftParts {
  const bytes = fromBase64(draft);
  if (bytes === undefined) throw new SealError('no-draft');
  const parts = splitDraft(bytes);
  if (!equal(parts.admin, publicKeyOf(seed))) {
    throw new SealError('foreign-key');
  }
  return parts;
}

/** SHA-256 of the sealed manifest, out of what the node shows. */
export function fingerprintBytes(fingerprint: string | null | undefined): Bytes {
  const bytes = fromHex(fingerprint ?? '');
  if (bytes?.length !== 32) throw new SealError('not-sealed');
  return bytes;
}
