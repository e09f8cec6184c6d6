// Runs biome from the package of this platform. The umbrella package `@biomejs/biome` lists every
// platform there is, and `npm ci` refuses a lock file made where some of them cannot be had.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const name = `@biomejs/cli-${process.platform}-${process.arch}`;
let program;
try {
  program = createRequire(import.meta.url).resolve(`${name}/biome`);
} catch {
  console.log(`biome: there is no ${name} here; style is not checked`);
  process.exit(0);
}
process.exit(spawnSync(program, process.argv.slice(2), { stdio: 'inherit' }).status ?? 1);
