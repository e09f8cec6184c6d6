/** Why an entry is no leaf: a stable code for programs and a sentence for people. */

export type RefusalCode =
  | 'malformed'
  | 'wrong-version'
  | 'wrong-election'
  | 'too-early'
  | 'too-late'
  | 'not-on-roll'
  | 'bad-signature'
  | 'bad-proof'
  | 'broken-chain'
  | 'revote-not-allowed'
  | 'repeated-ciphertext'
  | 'already-accepted'
  | 'stamp-out-of-range'
  | 'entry-too-large'
  | 'unknown-appender'
  | 'no-manifest'
  | 'bad-manifest'
  | 'bad-roll'
  | 'bad-ceremony'
  | 'not-ready'
  | 'repeated'
  | 'wrong-phase'
  | 'too-few-ballots'
  | 'bad-share'
  | 'bad-result'
  | 'paused'
  | 'wrong-group'
  | 'withdrawn'
  | 'votes-on-paper'
  | 'has-voted'
  | 'not-allowed'
  | 'wrong-number'
  | 'bad-order'
  | 'bad-answer';

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

export function refuse(code: RefusalCode, sentence: string): never {
  throw new Refusal(code, sentence);
}

/** Refuses unless the condition holds. */
export function need(holds: boolean, code: RefusalCode, sentence: string): asserts holds {
  if (!holds) refuse(code, sentence);
}
