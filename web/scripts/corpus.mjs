// Judges the items of a corpus (`corpus write DIR`) with the verifier in TypeScript, in two
// threads: `node scripts/corpus.mjs DIR`. The last line counts.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const THREADS = 2;

async function judgeAll({ folder, first }) {
  const { verify } = await import('../build/verify/verifier.js');
  const { sourceOfBytes } = await import('../build/verify/source.js');
  const { parsePolicy } = await import('../build/ledger/policy.js');
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  for (let at = first; at < index.length; at += THREADS) {
    const item = index[at];
    const trust = item.trust === null ? undefined : parsePolicy(item.trust);
    const archive = new Uint8Array(readFileSync(join(folder, item.file)));
    const { verdict, check, entry, sentence } = await verify(sourceOfBytes(archive), trust);
    parentPort.postMessage({ item, found: { verdict, check, entry }, sentence });
  }
}

function told({ verdict, check, entry }) {
  return `${verdict}, check ${check}, entry ${entry}`;
}

async function main(folder) {
  const counts = { passed: 0, failed: 0 };
  const threads = Array.from({ length: THREADS }, (_, first) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { folder, first } });
    worker.on('message', ({ item, found, sentence }) => {
      const right = told(found) === told(item);
      counts[right ? 'passed' : 'failed'] += 1;
      if (right) return;
      console.log(`${item.name}: expected ${told(item)}; found ${told(found)}`);
      console.log(`    ${sentence}`);
    });
    return new Promise((resolve, reject) => {
      worker.on('exit', resolve);
      worker.on('error', reject);
    });
  });
  await Promise.all(threads);
  console.log(`${counts.passed} passed, ${counts.failed} failed, 0 skipped`);
  process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

if (isMainThread) await main(process.argv[2]);
else await judgeAll(workerData);
