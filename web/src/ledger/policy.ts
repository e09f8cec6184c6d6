/** The trust file: whose cosignatures count, and how many. It has one fixed layout. */

import { equal } from '../crypto/bytes.ts';
import {
  type AuthorityKey,
  isCosignature,
  isName,
  keyIdOf,
  type NoteSignature,
  parseKey,
  printKey,
  readDecimal,
  type SignedCheckpoint,
} from './note.ts';

/** A trust file is not what it must be. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

/** A note does not have what the policy asks for. */
export class QuorumError extends Error {
  override readonly name = 'QuorumError';
}

export interface Policy {
  /** An origin, or a prefix that ends with `/*`. */
  readonly origin: string;
  /** How many authorities may be malicious. */
  readonly faulty: number;
  readonly authorities: readonly AuthorityKey[];
}

const AUTHORITIES_MAX = 64;

export function quorumOf(authorities: number, faulty: number): number {
  return Math.floor((authorities + faulty) / 2) + 1;
}

/** Whether the policy speaks about a log. */
export function covers({ origin }: Policy, log: string): boolean {
  if (!origin.endsWith('/*')) return origin === log;
  return log.startsWith(origin.slice(0, -1));
}

export function checkPolicy({ faulty, authorities }: Policy): void {
  const count = authorities.length;
  if (count < 1 || count > AUTHORITIES_MAX) throw new PolicyError('1 to 64 authorities');
  if (count < 3 * faulty + 1) throw new PolicyError('n must be at least 3f + 1');
  const names = new Set(authorities.map(({ name }) => name));
  const keys = new Set(authorities.map(({ key }) => key.join()));
  if (names.size < count || keys.size < count) {
    throw new PolicyError('two authorities have the same name or key');
  }
}

export function printPolicy(policy: Policy): string {
  const { origin, faulty, authorities } = policy;
  const numbers = authorities.map((_, at) => at + 1);
  const witnesses = authorities.map((key, at) => `witness ${at + 1} ${printKey(key)}\n`);
  const quorum = quorumOf(authorities.length, faulty);
  return [
    `# quorate trust v1\n# origin ${origin}\n# faulty ${faulty}\n`,
    ...witnesses,
    `group authorities ${[quorum, ...numbers].join(' ')}\nquorum authorities\n`,
  ].join('');
}

export function parsePolicy(text: string): Policy {
  const lines = text.split('\n');
  const field = (at: number, prefix: string): string => {
    const line = lines[at];
    if (line?.startsWith(prefix)) return line.slice(prefix.length);
    throw new PolicyError(`line ${at + 1} must begin with "${prefix}"`);
  };
  if (field(0, '# quorate trust v1') !== '') throw new PolicyError('line 1: another version');
  const origin = field(1, '# origin ');
  const log = origin.endsWith('/*') ? origin.slice(0, -2) : origin;
  if (!isName(log) || !isName(origin)) throw new PolicyError('line 2: no origin');
  const faulty = Number(readDecimal(field(2, '# faulty ')) ?? Number.NaN);
  if (Number.isNaN(faulty)) throw new PolicyError('line 3: no number');
  const authorities: AuthorityKey[] = [];
  while (lines[3 + authorities.length]?.startsWith('witness ')) {
    const at = 3 + authorities.length;
    const key = parseKey(field(at, `witness ${authorities.length + 1} `));
    if (key === undefined) throw new PolicyError(`line ${at + 1}: no key of an authority`);
    authorities.push(key);
  }
  const policy = { origin, faulty, authorities };
  checkPolicy(policy);
  if (printPolicy(policy) !== text) {
    throw new PolicyError('the file is not laid out as trust files are');
  }
  return policy;
}

/** The numbers (from 1) of the authorities who cosigned. A false signature spoils the note. */
export function signersOf(policy: Policy, note: SignedCheckpoint): number[] {
  if (!covers(policy, note.checkpoint.origin)) {
    throw new QuorumError(`the checkpoint is of ${note.checkpoint.origin}`);
  }
  return note.signatures.flatMap((signature) => {
    const at = policy.authorities.findIndex((authority) => isOf(authority, signature));
    const authority = policy.authorities[at];
    if (authority === undefined) return [];
    if (!isCosignature(authority, note.checkpoint, signature.bytes)) {
      throw new QuorumError(`the signature of ${authority.name} does not hold`);
    }
    return [at + 1];
  });
}

function isOf(authority: AuthorityKey, { name, keyId }: NoteSignature): boolean {
  return authority.name === name && equal(keyIdOf(authority), keyId);
}

/** The signers of a final checkpoint. */
export function verifyFinal(policy: Policy, note: SignedCheckpoint): number[] {
  const signers = signersOf(policy, note);
  const quorum = quorumOf(policy.authorities.length, policy.faulty);
  if (signers.length < quorum) {
    throw new QuorumError(`${signers.length} authorities signed; ${quorum} are needed`);
  }
  return signers;
}
