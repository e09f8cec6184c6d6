/**
 * `npm run dev:cluster [definition.toml]`: three nodes with an open election, links and codes to
 * try it with; ends everything at Ctrl-C.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const here = fileURLToPath(new URL('./cluster.ts', import.meta.url));
const { module } = await runnerImport(here, { configFile: false });
const { BOARD, Cluster, openElection } = module;

const [path] = process.argv.slice(2);
const cluster = await Cluster.start();
const stop = async () => {
  await cluster.stop();
  process.exit(0);
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
const held = await openElection(cluster, path === undefined ? BOARD : readFileSync(path, 'utf8'));
console.log(`election ${held.id} on ${cluster.addresses}\nfiles in ${held.folder}`);
for (const [voter, code] of [...held.codes].slice(0, 12)) {
  console.log(`${voter}: ${cluster.origin(1)}/booth.html#e=${held.id}&c=${code}`);
}
