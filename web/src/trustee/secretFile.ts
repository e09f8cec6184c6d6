/**
 * What a trustee keeps: one secret under a passphrase, and what it has signed and decrypted. The
 * same file as the command line's: `version 1 | secret 32 | election 16 | number u8 | attempt u32
 * BE | endorsed fingerprint | decrypted statement`, the last two as `0` or `1` and 32 bytes.
 */

import { type Bytes, concat, equal, LayoutError, Reader, u8, u32be } from '../crypto/bytes.ts';
import { DEFAULT_COST, openSeal, type SealCost, SealError, seal } from '../crypto/seal.ts';

export interface SecretFile {
  readonly secret: Bytes;
  readonly election: Bytes;
  /** From 1. */
  readonly trustee: number;
  readonly attempt: number;
  /** Fingerprint of the manifest that was endorsed. */
  readonly endorsed: Bytes | undefined;
  /** Digest of the tally that was decrypted. */
  readonly decrypted: Bytes | undefined;
}

const VERSION = 1;

export function freshSecret(election: Bytes, trustee: number, attempt: number): SecretFile {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return { secret, election, trustee, attempt, endorsed: undefined, decrypted: undefined };
}

function optional(hash: Bytes | undefined): Bytes {
  return hash === undefined ? u8(0) : concat(u8(1), hash);
}

/** The bytes of the file under a passphrase. */
export function sealFile(
  file: SecretFile,
  passphrase: string,
  cost: SealCost = DEFAULT_COST,
): Bytes {
  const { secret, election, trustee, attempt, endorsed, decrypted } = file;
  const head = [u8(VERSION), secret, election, u8(trustee), u32be(attempt)];
  const content = concat(...head, optional(endorsed), optional(decrypted));
  const draw = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const sealed = seal(content, passphrase, cost, draw);
  content.fill(0);
  return sealed;
}

/** Opens a file. Throws a `SealError` that says what is wrong. */
export function openFile(sealed: Bytes, passphrase: string): SecretFile {
  const content = openSeal(sealed, passphrase);
  try {
    const reader = new Reader(content);
    if (reader.u8('version') !== VERSION) reader.fail('version', 'is not 1');
    const hash = (field: string) =>
      reader.optional(field, () => Uint8Array.from(reader.take(32, field)));
    const file = {
      secret: Uint8Array.from(reader.take(32, 'secret')),
      election: Uint8Array.from(reader.take(16, 'election')),
      trustee: reader.u8('trustee'),
      attempt: reader.u32be('attempt'),
      endorsed: hash('endorsed'),
      decrypted: hash('decrypted'),
    };
    reader.end();
    return file;
  } catch (error) {
    if (error instanceof LayoutError) throw new SealError("the sealed secret is not a trustee's");
    throw error;
  } finally {
    content.fill(0);
  }
}

function sameHash(one: Bytes | undefined, other: Bytes | undefined): boolean {
  return one === undefined || other === undefined ? one === other : equal(one, other);
}

/** Whether a file that was read back is the one that was saved. */
export function isSame(one: SecretFile, other: SecretFile): boolean {
  return (
    equal(one.secret, other.secret) &&
    equal(one.election, other.election) &&
    one.trustee === other.trustee &&
    one.attempt === other.attempt &&
    sameHash(one.endorsed, other.endorsed) &&
    sameHash(one.decrypted, other.decrypted)
  );
}
