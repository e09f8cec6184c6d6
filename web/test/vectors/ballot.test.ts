/** Ballots, byte by byte as Rust makes and judges them. */

import { describe, expect, it } from 'vitest';
import { type Choice, castOpen, drawCount, Encryptor } from '../../src/ballot/cast.ts';
import { trackerOf } from '../../src/crypto/base32.ts';
import { toHex } from '../../src/crypto/bytes.ts';
import { credentialOfSeed } from '../../src/crypto/credential.ts';
import { encodeScalar } from '../../src/crypto/group.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { BallotError, parseBallot, parseOpenBallot } from '../../src/crypto/parsed.ts';
import { verifyBatch, verifyExactly } from '../../src/crypto/proof.ts';
import { claimHolds } from '../../src/crypto/signature.ts';
import { BallotContext } from '../../src/crypto/statement.ts';
import { hex, questionsOf, readVectors, replay, type VectorContest } from './read.ts';

interface VectorBallot {
  readonly ballot: string;
  readonly challenges: string[];
  readonly choices: (number | Choice)[];
  readonly commitments_digest: string;
  readonly credential: string;
  readonly credential_seed: string;
  readonly draws: string[];
  readonly hash: string;
  readonly prev: string;
  readonly seq: number;
  readonly statement_digest: string;
  readonly tracker: string;
}

interface VectorElection {
  readonly ballot_len: number;
  readonly ballots: VectorBallot[];
  readonly contests: VectorContest[];
  readonly context_digest: string;
  readonly election_key: string;
  readonly fingerprint: string;
  readonly group: number;
  readonly refused?: { ballot: string; expect: string; name: string }[];
}

interface VectorOpen {
  readonly ballot: string;
  readonly choices: (number | Choice)[];
  readonly contests: VectorContest[];
  readonly credential_seed: string;
  readonly fingerprint: string;
  readonly group: number;
  readonly prev: string;
  readonly seq: number;
  readonly values: number[][];
}

const { elections, open } = readVectors<{ elections: VectorElection[]; open: VectorOpen }>(
  'ballot',
);

function choicesOf(choices: readonly (number | Choice)[]): Choice[] {
  return choices.map((choice) => (typeof choice === 'number' ? [choice] : choice));
}

function contextOf(election: VectorElection): BallotContext {
  const { fingerprint, election_key, contests } = election;
  return BallotContext.make(hex(fingerprint), hex(election_key), questionsOf(contests))!;
}

/** The code with which a ballot is refused, or `ok`. */
function judge(ballot: string, context: BallotContext): string {
  try {
    const parsed = parseBallot(hex(ballot), context);
    verifyExactly(parsed, context);
    return 'ok';
  } catch (error) {
    if (error instanceof BallotError) return error.code;
    throw error;
  }
}

describe.each(elections.map((election, number) => ({ number, election })))(
  'election $number of the vectors',
  ({ election }) => {
    const context = contextOf(election);
    const encryptor = new Encryptor(context);

    it('has the same context', () => {
      expect(toHex(context.digestOf(election.group))).toBe(election.context_digest);
      expect(context.ballotLengthOf(election.group)).toBe(election.ballot_len);
    });

    it.each(election.ballots)('makes and reads the ballot $tracker', (vector) => {
      const draws = replay(vector.draws);
      const credential = credentialOfSeed(hex(vector.credential_seed));
      const choices = choicesOf(vector.choices);
      const { group } = election;
      expect(toHex(credential.publicKey)).toBe(vector.credential);
      const rules = context.asked(group).map(({ rule }) => rule);
      expect(drawCount(rules)).toBe(vector.draws.length);
      const prev = hex(vector.prev);
      const { seq } = vector;
      const ballot = encryptor.cast(credential, seq, prev, choices, draws.scalar, group);
      expect(toHex(ballot)).toBe(vector.ballot);
      expect(draws.done()).toBe(true);
      const hash = sha256(ballot);
      expect(toHex(hash)).toBe(vector.hash);
      expect(trackerOf(hash)).toBe(vector.tracker);
      const { transcript } = parseBallot(ballot, context);
      expect(toHex(transcript.statement)).toBe(vector.statement_digest);
      expect(toHex(transcript.commitments)).toBe(vector.commitments_digest);
      const challenges = transcript.challenges.map((c) => toHex(encodeScalar(c)));
      expect(challenges).toEqual(vector.challenges);
      expect(judge(vector.ballot, context)).toBe('ok');
    });

    it.each(election.refused ?? [])('refuses: $name', ({ ballot, expect: code }) => {
      expect(judge(ballot, context)).toBe(code);
    });

    it('finds the bad ones in a batch, and only those', () => {
      const readable = (election.refused ?? []).filter(({ expect: code }) =>
        ['ballot-proof', 'ballot-signature'].includes(code),
      );
      const parse = (ballot: string) => {
        try {
          return [parseBallot(hex(ballot), context)];
        } catch {
          return [];
        }
      };
      const bad = readable.flatMap(({ ballot }) => parse(ballot));
      const good = election.ballots.flatMap(({ ballot }) => parse(ballot));
      const found = verifyBatch([...bad, ...good, ...good], context);
      expect(found.map(({ at }) => at)).toEqual(bad.map((_, at) => at));
    });
  },
);

it('makes and reads the ballot of an open poll', () => {
  const questions = questionsOf(open.contests);
  const fingerprint = hex(open.fingerprint);
  const credential = credentialOfSeed(hex(open.credential_seed));
  const place = { group: open.group, seq: open.seq, prev: hex(open.prev) };
  const ballot = castOpen(fingerprint, questions, credential, place, choicesOf(open.choices));
  expect(toHex(ballot)).toBe(open.ballot);
  const { values, signature } = parseOpenBallot(ballot, fingerprint, questions);
  expect(values).toEqual(open.values);
  expect(claimHolds(signature)).toBe(true);
  for (let at = 0; at < ballot.length; at += 7) {
    const changed = Uint8Array.from(ballot);
    changed[at]! ^= 1;
    const holds = () => claimHolds(parseOpenBallot(changed, fingerprint, questions).signature);
    expect(() => holds() || refused()).toThrow(BallotError);
  }
});

function refused(): never {
  throw new BallotError('ballot-signature');
}
