/** Ballots, byte by byte as Rust makes and judges them. */

import { describe, expect, it } from 'vitest';
import { type Choice, drawCount, Encryptor } from '../../src/ballot/cast.ts';
import { trackerOf } from '../../src/crypto/base32.ts';
import { toHex } from '../../src/crypto/bytes.ts';
import { credentialOfSeed } from '../../src/crypto/credential.ts';
import { encodeScalar } from '../../src/crypto/group.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { BallotError, parseBallot } from '../../src/crypto/parsed.ts';
import { verifyBatch, verifyExactly } from '../../src/crypto/proof.ts';
import { BallotContext } from '../../src/crypto/statement.ts';
import { hex, readVectors, replay, ruleOf, type VectorContest } from './read.ts';

interface VectorBallot {
  readonly ballot: string;
  readonly challenges: string[];
  readonly choices: (number | number[])[];
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
  readonly refused?: { ballot: string; expect: string; name: string }[];
}

const { elections } = readVectors<{ elections: VectorElection[] }>('ballot');

function contextOf(election: VectorElection): BallotContext {
  const { fingerprint, election_key, contests } = election;
  return BallotContext.make(hex(fingerprint), hex(election_key), contests.map(ruleOf))!;
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
      expect(toHex(context.digest)).toBe(election.context_digest);
      expect(context.ballotLength).toBe(election.ballot_len);
    });

    it.each(election.ballots)('makes and reads the ballot $tracker', (vector) => {
      const draws = replay(vector.draws);
      const credential = credentialOfSeed(hex(vector.credential_seed));
      const choices: Choice[] = vector.choices.map((choice) => [choice].flat());
      expect(toHex(credential.publicKey)).toBe(vector.credential);
      expect(drawCount(context.rules)).toBe(vector.draws.length);
      const prev = hex(vector.prev);
      const ballot = encryptor.cast(credential, vector.seq, prev, choices, draws.scalar);
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
