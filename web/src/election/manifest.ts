/** The manifest: everything that decides an election, in one byte form with one fingerprint. */

import { type Bytes, concat, Reader, toHex, u8 } from '../crypto/bytes.ts';
import { highestOf } from '../crypto/contest.ts';
import { sha256 } from '../crypto/hash.ts';
import { isSignedBy, PublicKey } from '../crypto/signature.ts';
import { BallotContext } from '../crypto/statement.ts';
import { type AuthorityKey, isUsable } from '../ledger/note.ts';
import { checkPolicy, type Policy, quorumOf } from '../ledger/policy.ts';
import {
  BODY_BYTES_MAX,
  checkDefinition,
  type Definition,
  questionsOf,
  readDefinition,
} from './definition.ts';
import { need } from './refusal.ts';

export interface Trustee {
  readonly signing: Bytes;
  readonly verification: Bytes;
}

export interface Authority extends AuthorityKey {
  readonly number: number;
}

export interface RollSummary {
  readonly root: Bytes;
  readonly voters: number;
  readonly weight: bigint;
}

export interface Manifest {
  readonly id: Bytes;
  readonly definition: Definition;
  readonly admin: Bytes;
  readonly trustees: readonly Trustee[];
  readonly jointKey: Bytes;
  readonly ceremonyAttempt: number;
  readonly ceremonyHash: Bytes;
  readonly roll: RollSummary;
  readonly authorities: readonly Authority[];
  readonly faulty: number;
  readonly stampSlack: number;
  /** SHA-256 of the bytes. */
  readonly fingerprint: Bytes;
  readonly length: number;
}

/** Throws a `LayoutError`; rules are checked by `checkManifest`. */
export function readManifest(bytes: Bytes): Manifest {
  const reader = new Reader(bytes);
  if (reader.u8('version') !== 1) reader.fail('version', 'is not 1');
  const manifest = {
    id: reader.take(16, 'election id'),
    definition: readDefinition(reader),
    admin: reader.take(32, "administrator's key"),
    trustees: reader.list(reader.u8('trustees'), () => ({
      signing: reader.take(32, 'signing key'),
      verification: reader.take(32, 'verification key'),
    })),
    jointKey: reader.take(32, 'joint key'),
    ceremonyAttempt: reader.u32be('attempt'),
    ceremonyHash: reader.take(32, 'hash of the ceremony'),
    roll: {
      root: reader.take(32, 'root'),
      voters: reader.u32be('voters'),
      weight: reader.u64be('total weight'),
    },
    authorities: reader.list(reader.u8('authorities'), () => readAuthority(reader)),
    faulty: reader.u8('malicious authorities'),
    stampSlack: reader.u16be('stamp slack'),
    fingerprint: sha256(bytes),
    length: bytes.length,
  };
  reader.end();
  return manifest;
}

function readAuthority(reader: Reader): Authority {
  const number = reader.u8('number');
  const authority = { number, name: reader.text('name'), key: reader.take(32, 'key') };
  if (!isUsable(authority)) reader.fail('authority', 'has no usable name or key');
  return authority;
}

export function originOf({ definition, id }: Manifest): string {
  return `${definition.domain}/e/${toHex(id)}`;
}

export function quorumOfManifest({ authorities, faulty }: Manifest): number {
  return quorumOf(authorities.length, faulty);
}

/** What the manifest says about its own authorities; proves nothing. */
export function policyOf(manifest: Manifest): Policy {
  const policy = {
    origin: originOf(manifest),
    faulty: manifest.faulty,
    authorities: manifest.authorities,
  };
  checkPolicy(policy);
  return policy;
}

export const TOTAL_WEIGHT_MAX = 1n << 40n;

function rule(holds: boolean, sentence: string): asserts holds {
  need(holds, 'bad-manifest', sentence);
}

function isSigningKey(key: Bytes): boolean {
  return typeof PublicKey.read(key) !== 'string';
}

/** Whether a roll of this total weight can be counted. */
export function isCountable({ contests }: Definition, weight: bigint): boolean {
  const highest = Math.max(...contests.map(({ rule: own }) => highestOf(own)));
  return weight * BigInt(highest) <= TOTAL_WEIGHT_MAX;
}

/** What ballots are checked against: the key and the questions, or in an open poll no key. */
function contextOf(manifest: Manifest): BallotContext | undefined {
  const { definition, jointKey, ceremonyAttempt, ceremonyHash, fingerprint } = manifest;
  if (definition.openPoll) {
    const none = [...jointKey, ...ceremonyHash].every((byte) => byte === 0);
    rule(none && ceremonyAttempt === 0, 'an open poll has no key and no ceremony');
    return undefined;
  }
  const context = BallotContext.make(fingerprint, jointKey, questionsOf(definition));
  rule(context !== undefined, 'the joint key is no key');
  return context;
}

/**
 * Every rule that a manifest must meet by itself. Gives what encrypted ballots are checked against;
 * nothing for an open poll.
 */
export function checkManifest(manifest: Manifest): BallotContext | undefined {
  const { definition, roll, trustees, authorities } = manifest;
  checkDefinition(definition);
  rule(isSigningKey(manifest.admin), "the administrator's key is not usable");
  rule(definition.trustees.length === trustees.length, 'trustees have other names than keys');
  for (const { signing } of trustees) rule(isSigningKey(signing), "a trustee's key is not usable");
  rule(roll.voters >= 1, 'nobody is on the roll');
  rule(roll.weight >= BigInt(roll.voters), 'the total weight is out of range');
  const countable = isCountable(definition, roll.weight);
  rule(countable, 'the total weight times the highest score is more than 2^40');
  const numbers = authorities.map(({ number }) => number);
  const ascending = numbers.every((number, at) => number > (numbers[at - 1] ?? 0));
  rule(ascending, "the authorities' numbers must ascend from 1 or more");
  for (const { key } of authorities) rule(isSigningKey(key), "an authority's key is not usable");
  try {
    policyOf(manifest);
  } catch (error) {
    rule(false, (error as Error).message);
  }
  const context = contextOf(manifest);
  rule(manifest.length + 64 <= BODY_BYTES_MAX, 'the manifest is too long');
  return context;
}

/** What is signed about a manifest, by whom, under which tag. */
export type Act = 'seal' | 'open' | 'close';

export const ADMIN_TAGS: Record<Act, string> = {
  seal: 'quorate/manifest/v1/admin',
  open: 'quorate/open/v1',
  close: 'quorate/close/v1',
};

export function isSignedByAdmin(act: Act, manifest: Manifest, signature: Bytes): boolean {
  return isSignedBy(manifest.admin, ADMIN_TAGS[act], manifest.fingerprint, signature);
}

export type Role = 'trustee' | 'authority';

/** Whether trustee or authority `number` endorsed the manifest. */
export function isEndorsedBy(
  role: Role,
  number: number,
  manifest: Manifest,
  signature: Bytes,
): boolean {
  const key =
    role === 'trustee'
      ? manifest.trustees[number - 1]?.signing
      : manifest.authorities.find((one) => one.number === number)?.key;
  const message = concat(manifest.fingerprint, u8(number));
  return key !== undefined && isSignedBy(key, `quorate/manifest/v1/${role}`, message, signature);
}
