// Builds what there is to build: every script of package.json whose name begins with `build:`, the
// verifier into `build`, pages into `dist`. Does nothing when `dist` is newer than its sources,
// unless it is called with `--always`.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(web, 'build', 'built');
const sources = ['src', 'scripts', 'public', '../spec/openapi.json'];

/** The newest change at or below a path, in milliseconds since 1970. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return readdirSync(path).reduce(
    (latest, name) => Math.max(latest, newest(join(path, name))),
    mtimeMs,
  );
}

function isCurrent() {
  if (!existsSync(stamp) || !existsSync(join(web, 'dist', 'index.html'))) return false;
  const top = readdirSync(web).filter((name) => /\.(html|json|ts)$/.test(name));
  const built = statSync(stamp).mtimeMs;
  // Generated types are made by the build itself.
  return [...sources, ...top].every((name) => newest(join(web, name)) <= built);
}

if (!process.argv.includes('--always') && isCurrent()) {
  console.log('web: nothing has changed since the last build');
  process.exit(0);
}
const { scripts } = JSON.parse(readFileSync(join(web, 'package.json'), 'utf8'));
const names = ['types', ...Object.keys(scripts).filter((name) => name.startsWith('build:'))];
rmSync(join(web, 'dist'), { recursive: true, force: true });
for (const name of names) {
  const { status } = spawnSync('npm', ['run', '--silent', name], {
    cwd: web,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error(`web: npm run ${name} has failed`);
    process.exit(1);
  }
}
writeFileSync(stamp, '');
console.log(`web: built ${names.slice(1).join(', ')}`);
