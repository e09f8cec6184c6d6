/** A trustee's side of the ceremony: everything follows from one secret of 32 bytes. */

import { type Bytes, concat, u16le } from './bytes.ts';
import {
  type Announcement,
  type Announcements,
  commitmentsHash,
  constantTermChallenge,
  type Dealings,
  messageHead,
  openShare,
  type Parameters,
  type RoundName,
  sealOf,
  sealShare,
  sharedSecretChallenge,
  signatureTag,
} from './ceremony.ts';
import { BASE, encodeScalar, modOrder, multiply } from './group.ts';
import { hashToScalar, short } from './hash.ts';
import { publicKeyOf, sign } from './signature.ts';

const TAG = 'quorate/trustee/v1';

/** What a trustee found in the dealings. */
export type Received =
  | { readonly kind: 'share'; readonly share: bigint }
  | { readonly kind: 'complaints'; readonly messages: readonly Bytes[] };

export class TrusteeSecret {
  readonly #secret: Bytes;

  constructor(secret: Bytes) {
    this.#secret = secret;
  }

  #signingSeed(): Bytes {
    return short(`${TAG}/signing`, this.#secret);
  }

  #scalar(name: string, ...fields: readonly Bytes[]): bigint {
    return hashToScalar(`${TAG}/${name}`, this.#secret, ...fields);
  }

  #coefficients({ id, threshold }: Parameters, trustee: number): bigint[] {
    return Array.from({ length: threshold }, (_, k) =>
      this.#scalar('coefficient', id, u16le(trustee), u16le(k)),
    );
  }

  #commitments(parameters: Parameters, trustee: number): Bytes {
    const points = this.#coefficients(parameters, trustee).map((a) => multiply(BASE, a).toBytes());
    return concat(...points);
  }

  #message(round: RoundName, ceremony: Bytes, trustee: number, body: Bytes): Bytes {
    const signed = concat(messageHead(round, ceremony, trustee), body);
    return concat(signed, sign(this.#signingSeed(), signatureTag(round), signed));
  }

  signingKey(): Bytes {
    return publicKeyOf(this.#signingSeed());
  }

  /** Signs what trustees sign outside the ceremony, such as a manifest. */
  sign(tag: string, message: Bytes): Bytes {
    return sign(this.#signingSeed(), tag, message);
  }

  announce(parameters: Parameters, trustee: number): Bytes {
    const encryption = multiply(BASE, this.#scalar('encryption', parameters.id)).toBytes();
    const commitments = this.#commitments(parameters, trustee);
    const hash = commitmentsHash(parameters.id, trustee, commitments);
    const body = concat(this.signingKey(), encryption, hash);
    return this.#message('announcement', parameters.id, trustee, body);
  }

  deal({ parameters, digest, all }: Announcements, trustee: number): Bytes {
    const coefficients = this.#coefficients(parameters, trustee);
    const commitments = this.#commitments(parameters, trustee);
    const mask = this.#scalar('mask', digest, u16le(trustee));
    const proof = multiply(BASE, mask).toBytes();
    const c = constantTermChallenge(digest, trustee, commitments.subarray(0, 32), proof);
    const response = encodeScalar(modOrder(mask + c * coefficients[0]!));
    const e = this.#scalar('ephemeral', digest, u16le(trustee));
    const ephemeral = multiply(BASE, e).toBytes();
    const others = all.filter((one) => one.trustee !== trustee);
    const sealed = others.map((recipient) => {
      const shared = multiply(recipient.encryptionKey, e);
      const dealer = { trustee, ephemeral, commitments };
      const { key, info } = sealOf(dealer, recipient, digest, shared);
      return sealShare(key, info, encodeScalar(evaluate(coefficients, recipient.trustee)));
    });
    const body = concat(digest, commitments, proof, response, ephemeral, ...sealed);
    return this.#message('dealing', parameters.id, trustee, body);
  }

  /** Opens the shares of all dealers: their sum, or complaints about those that do not fit. */
  receive(dealings: Dealings, trustee: number): Received {
    const { parameters } = dealings.announcements;
    const encryption = this.#scalar('encryption', parameters.id);
    let share = evaluate(this.#coefficients(parameters, trustee), trustee);
    const messages: Bytes[] = [];
    for (const dealing of dealings.all) {
      if (dealing.trustee === trustee) continue;
      const shared = multiply(dealing.ephemeral, encryption);
      const opened = openShare(dealings, dealing.trustee, trustee, shared);
      if (opened === undefined) messages.push(this.#complain(dealings, trustee, dealing.trustee));
      else share = modOrder(share + opened);
    }
    return messages.length > 0 ? { kind: 'complaints', messages } : { kind: 'share', share };
  }

  confirm({ announcements, transcriptHash }: Dealings, trustee: number): Bytes {
    return this.#message('confirmation', announcements.parameters.id, trustee, transcriptHash);
  }

  #complain(dealings: Dealings, trustee: number, dealer: number): Bytes {
    const { announcements, transcriptHash, all } = dealings;
    const { parameters } = announcements;
    const encryption = this.#scalar('encryption', parameters.id);
    const { ephemeral, ephemeralBytes } = all[dealer - 1]!;
    const mask = this.#scalar('complaint', transcriptHash, u16le(trustee), u16le(dealer));
    const k = multiply(ephemeral, encryption).toBytes();
    const p = multiply(BASE, mask).toBytes();
    const q = multiply(ephemeral, mask).toBytes();
    const own: Announcement = announcements.all[trustee - 1]!;
    const points = [own.encryptionBytes, ephemeralBytes, k, p, q];
    const c = sharedSecretChallenge(transcriptHash, trustee, dealer, points);
    const z = encodeScalar(modOrder(mask + c * encryption));
    const body = concat(transcriptHash, u16le(dealer), k, p, q, z);
    return this.#message('complaint', parameters.id, trustee, body);
  }
}

/** A polynomial at `x`. */
function evaluate(coefficients: readonly bigint[], x: number): bigint {
  return coefficients.reduceRight((sum, a) => modOrder(sum * BigInt(x) + a), 0n);
}
