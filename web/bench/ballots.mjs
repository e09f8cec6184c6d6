// What a ballot of five options costs in Node, in milliseconds of CPU and of the clock:
// `npm run build && node bench/ballots.mjs`. Medians of single runs.

import { Encryptor } from '../build/ballot/cast.js';
import { credentialOfSeed } from '../build/crypto/credential.js';
import { BASE, multiply } from '../build/crypto/group.js';
import { parseBallot } from '../build/crypto/parsed.js';
import { verifyBatch, verifyExactly } from '../build/crypto/proof.js';
import { BallotContext } from '../build/crypto/statement.js';

const PREV = new Uint8Array(32);
const RULES = {
  one: { kind: 'one', options: 5 },
  some: { kind: 'some', options: 5, min: 0, max: 5 },
};

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

/** Runs `work` several times; medians per unit. */
function measure(name, runs, units, work) {
  const [cpu, clock] = [[], []];
  for (let run = 0; run < runs; run++) {
    const [used, start] = [process.cpuUsage(), performance.now()];
    work(run);
    clock.push((performance.now() - start) / units);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1000 / units);
  }
  const shown = `${median(cpu).toFixed(2)} ms CPU, ${median(clock).toFixed(2)} ms`;
  console.log(`${name.padEnd(34)} ${shown}`);
}

// The yardstick: one multiple of a point with a table, straight from the library.
const point = multiply(BASE, 31337n).precompute(7, false);
const scalar = BASE.constructor.Fn.ORDER / 3n;
measure('library: one multiple by table', 11, 50, () => {
  for (let at = 0; at < 50; at++) point.multiply(scalar);
});
for (const [name, rule] of Object.entries(RULES)) {
  const key = multiply(BASE, 987654321n).toBytes();
  const context = BallotContext.make(new Uint8Array(32).fill(1), key, [rule]);
  let encryptor;
  measure(`${name}: one-time table`, 3, 1, () => {
    encryptor = new Encryptor(context);
  });
  const credential = credentialOfSeed(new Uint8Array(32).fill(2));
  const ballots = [];
  const cast = (run) => ballots.push(encryptor.cast(credential, 0, PREV, [[run % 5]]));
  for (let run = 0; run < 10; run++) cast(run);
  measure(`${name}: encrypt, prove, sign`, 101, 1, cast);
  const parsed = ballots.map((ballot) => parseBallot(ballot, context));
  measure(`${name}: read`, 101, 1, (run) => parseBallot(ballots[run], context));
  measure(`${name}: verify, one by one`, 21, 1, (run) => verifyExactly(parsed[run], context));
  const batch = Array.from({ length: 128 }, (_, at) => parsed[at % parsed.length]);
  measure(`${name}: verify, batch of 128`, 5, 128, () => verifyBatch(batch, context));
}
