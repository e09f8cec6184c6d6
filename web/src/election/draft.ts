/** Writes definitions, drafts and manifests: the inverse of what `definition.ts` and `manifest.ts` read. */

import { type Bytes, concat, textBytes, toHex, u8, u16be, u32be, u64be } from '../crypto/bytes.ts';
import { KIND_BYTE } from '../crypto/contest.ts';
import { sign } from '../crypto/signature.ts';
import { type Contest, type Definition, MAJORITIES, TIES } from './definition.ts';
import {
  type Act,
  ADMIN_TAGS,
  type Authority,
  type RollSummary,
  type Trustee,
} from './manifest.ts';

const VERSION = 1;
const DRAFT_TAG = 'quorate/draft/v1';

function text(value: string): Bytes {
  const bytes = textBytes(value);
  return concat(u16be(bytes.length), bytes);
}

function optional(value: number | undefined): Bytes {
  return value === undefined ? u8(0) : concat(u8(1), u32be(value));
}

function texts(values: readonly string[]): Bytes {
  return concat(u16be(values.length), ...values.map(text));
}

function writeContest({ title, rule, options, candidates, ...rest }: Contest): Bytes {
  const { blank, groups, decision } = rest;
  const { seats, quorumPercent, majority, tie } = decision;
  const highest = rule.kind === 'score' ? u16be(rule.highest) : concat();
  const bounds = rule.kind === 'one' ? concat() : concat(u16be(rule.min), u16be(rule.max));
  return concat(
    text(title),
    u8(KIND_BYTE[rule.kind]),
    highest,
    bounds,
    u8(Number(blank)),
    texts(options),
    ...candidates.map(texts),
    u8(groups.length),
    ...groups.map(u8),
    u16be(seats),
    u8(quorumPercent),
    u8(MAJORITIES.indexOf(majority)),
    u8(TIES.indexOf(tie)),
  );
}

/** Canonical bytes of a definition. */
export function writeDefinition(definition: Definition): Bytes {
  const { contests, groups, trustees } = definition;
  return concat(
    text(definition.title),
    text(definition.domain),
    u8(contests.length),
    ...contests.map(writeContest),
    u8(groups.length),
    ...groups.map(text),
    u8(Number(definition.openPoll)),
    u8(trustees.length),
    ...trustees.map(text),
    u8(definition.threshold),
    optional(definition.opens),
    optional(definition.closes),
    optional(definition.extendableUntil),
    u8(Number(definition.revote)),
    u8(Number(definition.clusterIssues)),
    u32be(definition.minimumBallots),
    u8(Number(definition.rollChanges)),
    u8(Number(definition.paper)),
    u8(Number(definition.acceptsSmallClasses)),
    writeMarks(definition),
  );
}

/** A test (1), and that the digest of a booth follows (2). */
function writeMarks({ isTest, booth }: Definition): Bytes {
  const test = Number(isTest);
  return booth === undefined ? u8(test) : concat(u8(test + 2), booth);
}

const ID_BYTES = 16;
const KEY_BYTES = 32;

/** A draft, taken apart without looking into its definition. */
export interface DraftParts {
  readonly id: Bytes;
  readonly admin: Bytes;
  /** Canonical bytes of the definition. */
  readonly definition: Bytes;
}

/** `version | id | admin | definition`. */
export function writeDraft({ id, admin, definition }: DraftParts): Bytes {
  return concat(u8(VERSION), id, admin, definition);
}

/** Throws when the bytes cannot be a draft. */
export function splitDraft(bytes: Bytes): DraftParts {
  const head = 1 + ID_BYTES + KEY_BYTES;
  if (bytes.length <= head || bytes[0] !== VERSION)
    throw new RangeError('these bytes are no draft');
  return {
    id: bytes.slice(1, 1 + ID_BYTES),
    admin: bytes.slice(1 + ID_BYTES, head),
    definition: bytes.slice(head),
  };
}

/** The administrator's signature on a draft. */
export function signDraft(seed: Bytes, draft: Bytes): Bytes {
  return sign(seed, DRAFT_TAG, draft);
}

/** What sealing adds to a draft. */
export interface Sealing {
  readonly trustees: readonly Trustee[];
  readonly jointKey: Bytes;
  readonly ceremonyAttempt: number;
  readonly ceremonyHash: Bytes;
  readonly roll: RollSummary;
  readonly authorities: readonly Authority[];
  readonly faulty: number;
  /** Minutes by which an authority's stamps may run backwards. */
  readonly stampSlack: number;
}

/** Canonical bytes of a manifest, its definition taken from the draft byte by byte. */
export function writeManifest(draft: DraftParts, sealing: Sealing): Bytes {
  const { trustees, roll, authorities } = sealing;
  return concat(
    u8(VERSION),
    draft.id,
    draft.definition,
    draft.admin,
    u8(trustees.length),
    ...trustees.flatMap(({ signing, verification }) => [signing, verification]),
    sealing.jointKey,
    u32be(sealing.ceremonyAttempt),
    sealing.ceremonyHash,
    roll.root,
    u32be(roll.voters),
    u64be(roll.weight),
    u8(authorities.length),
    ...authorities.flatMap(({ number, name, key }) => [u8(number), text(name), key]),
    u8(sealing.faulty),
    u16be(sealing.stampSlack),
  );
}

/** Signs an act of the administrator about a sealed manifest. */
export function signAct(seed: Bytes, act: Act, fingerprint: Bytes): Bytes {
  return sign(seed, ADMIN_TAGS[act], fingerprint);
}

const KEY_LINE = 'quorate administrator key v1';

/** The key file of an administrator, as the command line writes and reads it. */
export function printAdminKey(seed: Bytes): string {
  return `${KEY_LINE}\n${toHex(seed)}\n`;
}

/** The seed of a key file, or nothing when it is none. */
export function parseAdminKey(file: string): Bytes | undefined {
  const [line, digits, end, ...more] = file.replaceAll('\r\n', '\n').split('\n');
  const isFile = line === KEY_LINE && (end ?? '') === '' && more.length === 0;
  if (!isFile || digits === undefined || !/^[0-9a-f]{64}$/.test(digits)) return undefined;
  return Uint8Array.from({ length: KEY_BYTES }, (_, at) =>
    Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}
