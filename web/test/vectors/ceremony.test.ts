/** The key ceremony, byte by byte as Rust holds it. */

import { describe, expect, it } from 'vitest';
import { concat, toHex } from '../../src/crypto/bytes.ts';
import {
  CeremonyError,
  ceremonyParameters,
  gatherAnnouncements,
  gatherDealings,
  judgeComplaint,
  readAnnouncement,
  readConfirmation,
  readDealing,
  rehearsal,
} from '../../src/crypto/ceremony.ts';
import { encodeScalar } from '../../src/crypto/group.ts';
import { openSeal, SealError, seal } from '../../src/crypto/seal.ts';
import { TrusteeSecret } from '../../src/crypto/trustee.ts';
import { hex, readVectors } from './read.ts';

interface Held {
  readonly announcements: string[];
  readonly announcements_digest: string;
  readonly attempt: number;
  readonly ceremony_id: string;
  readonly confirmations: { message: string; share: string }[];
  readonly dealings: string[];
  readonly election_id: string;
  readonly election_key: string;
  readonly rehearsal: { ciphertext: string; number: number };
  readonly secrets: string[];
  readonly threshold: number;
  readonly transcript_hash: string;
  readonly trustees: number;
  readonly verification_keys: string[];
}

interface Spoiled {
  readonly announcements: string[];
  readonly attempt: number;
  readonly blamed: number;
  readonly complaint: string;
  readonly dealings: string[];
  readonly threshold: number;
  readonly trustees: number;
}

const vectors = readVectors<{ ceremonies: Held[]; spoiled: Spoiled[] }>('ceremony');
const point = (value: { toBytes(): Uint8Array }) => toHex(value.toBytes());

describe.each(vectors.ceremonies)('$threshold of $trustees', (vector) => {
  const { attempt, trustees, threshold } = vector;
  const parameters = ceremonyParameters(hex(vector.election_id), attempt, trustees, threshold);
  const secrets = vector.secrets.map((secret) => new TrusteeSecret(hex(secret)));
  const announced = secrets.map((secret, at) => secret.announce(parameters, at + 1));
  const read = announced.map((message) => readAnnouncement(message, parameters));
  const announcements = gatherAnnouncements(parameters, read);
  const dealt = secrets.map((secret, at) => secret.deal(announcements, at + 1));
  const dealings = gatherDealings(
    announcements,
    dealt.map((message) => readDealing(message, announcements)),
  );

  it('has the same messages', () => {
    expect(toHex(parameters.id)).toBe(vector.ceremony_id);
    expect(announced.map(toHex)).toEqual(vector.announcements);
    expect(toHex(announcements.digest)).toBe(vector.announcements_digest);
    expect(dealt.map(toHex)).toEqual(vector.dealings);
    expect(toHex(dealings.transcriptHash)).toBe(vector.transcript_hash);
  });

  it('makes the same keys', () => {
    expect(point(dealings.electionKey)).toBe(vector.election_key);
    expect(dealings.verificationKeys.map(point)).toEqual(vector.verification_keys);
    const { a, b, number } = rehearsal(dealings);
    expect(point(a) + point(b)).toBe(vector.rehearsal.ciphertext);
    expect(number).toBe(vector.rehearsal.number);
  });

  it('gives every trustee their share, and their word', () => {
    secrets.forEach((secret, at) => {
      const received = secret.receive(dealings, at + 1);
      const message = secret.confirm(dealings, at + 1);
      expect(received.kind).toBe('share');
      if (received.kind === 'share') {
        expect(toHex(encodeScalar(received.share))).toBe(vector.confirmations[at]!.share);
      }
      expect(toHex(message)).toBe(vector.confirmations[at]!.message);
      expect(readConfirmation(message, dealings)).toBe(at + 1);
    });
  });

  it('refuses every changed byte', () => {
    const positions = (message: Uint8Array) => [0, 1, 2, 34, 40, 70, 110, message.length - 1];
    for (const at of positions(announced[0]!)) {
      const changed = Uint8Array.from(announced[0]!);
      changed[at]! ^= 4;
      expect(() => readAnnouncement(changed, parameters)).toThrow(CeremonyError);
    }
    for (const at of [...positions(dealt[0]!), 180, 210]) {
      const changed = Uint8Array.from(dealt[0]!);
      changed[at]! ^= 4;
      expect(() => readDealing(changed, announcements)).toThrow(CeremonyError);
    }
    const longer = concat(announced[0]!, Uint8Array.of(0));
    expect(() => readAnnouncement(longer, parameters)).toThrow(CeremonyError);
  });
});

describe.each(vectors.spoiled)('a complaint that blames trustee $blamed', (vector) => {
  const { attempt, trustees, threshold } = vector;
  const electionId = hex(vectors.ceremonies[0]!.election_id);
  const parameters = ceremonyParameters(electionId, attempt, trustees, threshold);
  const messages = vector.announcements.map(hex);
  const announcements = gatherAnnouncements(
    parameters,
    messages.map((message) => readAnnouncement(message, parameters)),
  );
  const dealings = gatherDealings(
    announcements,
    vector.dealings.map((message) => readDealing(hex(message), announcements)),
  );

  it('is judged', () => {
    expect(judgeComplaint(hex(vector.complaint), dealings)).toBe(vector.blamed);
    const changed = hex(vector.complaint);
    changed[120]! ^= 1;
    expect(() => judgeComplaint(changed, dealings)).toThrow(CeremonyError);
  });
});

interface Seal {
  readonly draws: string[];
  readonly lanes: number;
  readonly memory_kib: number;
  readonly passes: number;
  readonly passphrase: string;
  readonly sealed: string;
  readonly secret: string;
}

it('seals a secret under a passphrase', () => {
  const vector = readVectors<Seal>('ceremony-seal');
  const { lanes, passes, passphrase } = vector;
  const cost = { memoryKib: vector.memory_kib, passes, lanes };
  const drawn = concat(...vector.draws.map(hex));
  const sealed = seal(hex(vector.secret), passphrase, cost, (length) => drawn.subarray(0, length));
  expect(toHex(sealed)).toBe(vector.sealed);
  expect(toHex(openSeal(sealed, passphrase))).toBe(vector.secret);
  expect(() => openSeal(sealed, 'another')).toThrow(SealError);
  for (const at of [0, 5, 9, 30, sealed.length - 1]) {
    const changed = Uint8Array.from(sealed);
    changed[at]! ^= 1;
    expect(() => openSeal(changed, passphrase)).toThrow(SealError);
  }
});
