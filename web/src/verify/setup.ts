/** From the manifest to the opening: roll, ceremony and endorsements come in. */

import { type Bytes, equal } from '../crypto/bytes.ts';
import {
  type Announcement,
  type Announcements,
  CeremonyError,
  ceremonyParameters,
  type Dealing,
  type Dealings,
  gatherAnnouncements,
  gatherDealings,
  type Parameters,
  readAnnouncement,
  readConfirmation,
  readDealing,
} from '../crypto/ceremony.ts';
import type { Questions } from '../crypto/contest.ts';
import { PublicKey } from '../crypto/signature.ts';
import type { BallotContext } from '../crypto/statement.ts';
import { questionsOf } from '../election/definition.ts';
import {
  checkManifest,
  isEndorsedBy,
  isSignedByAdmin,
  type Manifest,
  quorumOfManifest,
  type Role,
  readManifest,
} from '../election/manifest.ts';
import { need, refuse } from '../election/refusal.ts';
import { Roll } from '../election/roll.ts';

/** What the first leaf settles for good. */
export interface Charter {
  readonly manifest: Manifest;
  readonly questions: Questions;
  /** What encrypted ballots are checked against; nothing in an open poll. */
  readonly context: BallotContext | undefined;
  readonly appenders: ReadonlyMap<number, PublicKey>;
}

export function foundElection(bytes: Bytes, signature: Bytes): Charter {
  const manifest = readManifest(bytes);
  const context = checkManifest(manifest);
  const sealed = isSignedByAdmin('seal', manifest, signature);
  need(sealed, 'bad-signature', 'The manifest is not signed by the administrator it names.');
  const appenders = new Map<number, PublicKey>();
  for (const { number, key } of manifest.authorities) {
    const read = PublicKey.read(key);
    if (typeof read !== 'string') appenders.set(number, read);
  }
  const questions = context?.questions ?? questionsOf(manifest.definition);
  return { manifest, questions, context, appenders };
}

/** The ceremony's messages: each round in the order of the trustees. */
class CeremonyLog {
  readonly #manifest: Manifest;
  /** Nothing in an open poll, which has no ceremony. */
  readonly #parameters: Parameters | undefined;
  readonly #announced: Announcement[] = [];
  readonly #dealt: Dealing[] = [];
  #announcements: Announcements | undefined;
  #dealings: Dealings | undefined;
  #confirmed = 0;

  constructor(manifest: Manifest) {
    const { definition, id, ceremonyAttempt } = manifest;
    const count = definition.trustees.length;
    this.#manifest = manifest;
    this.#parameters = definition.openPoll
      ? undefined
      : ceremonyParameters(id, ceremonyAttempt, count, definition.threshold);
  }

  get isComplete(): boolean {
    return this.#confirmed === (this.#parameters?.trustees ?? 0);
  }

  /** Throws a `CeremonyError`; then nothing is changed. */
  add(message: Bytes): void {
    const parameters = this.#parameters;
    if (this.isComplete || parameters === undefined) {
      throw new CeremonyError('the ceremony is complete');
    }
    if (this.#announcements === undefined) this.#announce(message, parameters);
    else if (this.#dealings === undefined) this.#deal(message, this.#announcements);
    else {
      expectTrustee(readConfirmation(message, this.#dealings), this.#confirmed);
      this.#confirmed += 1;
    }
  }

  #announce(message: Bytes, parameters: Parameters): void {
    const one = readAnnouncement(message, parameters);
    expectTrustee(one.trustee, this.#announced.length);
    const named = this.#manifest.trustees[one.trustee - 1]!;
    if (!equal(named.signing, one.signingKey.bytes)) {
      throw new CeremonyError('another signing key than the manifest has');
    }
    const all = [...this.#announced, one];
    if (all.length === parameters.trustees) {
      this.#announcements = gatherAnnouncements(parameters, all);
    }
    this.#announced.push(one);
  }

  #deal(message: Bytes, announcements: Announcements): void {
    const one = readDealing(message, announcements);
    expectTrustee(one.trustee, this.#dealt.length);
    const all = [...this.#dealt, one];
    if (all.length === this.#manifest.trustees.length) {
      const dealings = gatherDealings(announcements, all);
      this.#checkKeys(dealings);
      this.#dealings = dealings;
    }
    this.#dealt.push(one);
  }

  #checkKeys({ electionKey, transcriptHash, verificationKeys }: Dealings): void {
    const { jointKey, ceremonyHash, trustees } = this.#manifest;
    const same =
      equal(electionKey.toBytes(), jointKey) &&
      equal(transcriptHash, ceremonyHash) &&
      verificationKeys.every((key, at) => equal(key.toBytes(), trustees[at]!.verification));
    if (!same) throw new CeremonyError('the dealings give other keys than the manifest has');
  }
}

function expectTrustee(found: number, done: number): void {
  if (found !== done + 1) {
    throw new CeremonyError(`trustee ${done + 1}'s message was expected, not trustee ${found}'s`);
  }
}

export class Setup {
  readonly #charter: Charter;
  readonly roll: Roll;
  readonly #ceremony: CeremonyLog;
  readonly #endorsed = { trustee: new Set<number>(), authority: new Set<number>() };

  constructor(charter: Charter) {
    this.#charter = charter;
    const hasVote = (group: number) => charter.questions.asked(group).length > 0;
    this.roll = new Roll(charter.manifest.roll, hasVote);
    this.#ceremony = new CeremonyLog(charter.manifest);
  }

  addMessage(message: Bytes): void {
    try {
      this.#ceremony.add(message);
    } catch (error) {
      if (error instanceof CeremonyError) refuse('bad-ceremony', `${error.message}.`);
      throw error;
    }
  }

  endorse(role: Role, number: number, signature: Bytes): void {
    const endorsed = this.#endorsed[role];
    need(!endorsed.has(number), 'repeated', `${role} ${number} has signed already.`);
    const holds = isEndorsedBy(role, number, this.#charter.manifest, signature);
    need(holds, 'bad-signature', `The manifest is not signed by ${role} ${number}.`);
    endorsed.add(number);
  }

  checkOpening(signature: Bytes): void {
    const { manifest } = this.#charter;
    const { definition } = manifest;
    const ready =
      this.roll.isComplete &&
      (definition.acceptsSmallClasses || definition.openPoll || !this.roll.hasSmallClass) &&
      this.#ceremony.isComplete &&
      this.#endorsed.trustee.size === definition.trustees.length &&
      this.#endorsed.authority.size >= quorumOfManifest(manifest);
    need(ready, 'not-ready', 'Something that must come before the opening is missing.');
    const signed = isSignedByAdmin('open', manifest, signature);
    need(signed, 'bad-signature', 'The opening is not signed by the administrator.');
  }
}
