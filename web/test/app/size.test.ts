/** What a visitor of an election page downloads before touching anything, gzip. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const BUDGET_BYTES = 180_000;

interface Chunk {
  readonly file: string;
  readonly css?: readonly string[];
  readonly imports?: readonly string[];
}

const manifestPath = join(DIST, 'app.manifest.json');

/** The files of a chunk and of all that it imports at once. */
function filesOf(manifest: Record<string, Chunk>, name: string, found = new Set<string>()) {
  const chunk = manifest[name];
  if (chunk === undefined) throw new Error(`the build has no ${name}`);
  if (found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const file of chunk.css ?? []) found.add(file);
  for (const next of chunk.imports ?? []) filesOf(manifest, next, found);
  return found;
}

describe.skipIf(!existsSync(manifestPath))('the election page', () => {
  const manifest = existsSync(manifestPath)
    ? (JSON.parse(readFileSync(manifestPath, 'utf8')) as Record<string, Chunk>)
    : {};
  const size = (files: Iterable<string>) =>
    [...files].reduce((sum, file) => sum + gzipSync(readFileSync(join(DIST, file))).length, 0);

  it.each(['en', 'ar', 'de', 'es', 'fr'])('is small enough in %s', (language) => {
    const found = new Set<string>();
    const parts = [
      'index.html',
      'src/app/election/ElectionPage.tsx',
      'src/app/election/Overview.tsx',
      `src/app/i18n/app/${language}.ts`,
    ];
    for (const part of parts) filesOf(manifest, part, found);
    expect(size(found)).toBeLessThanOrEqual(BUDGET_BYTES);
  });

  it('loads ledger, verifier and administration only when they are wanted', () => {
    const found = new Set<string>();
    for (const part of ['index.html', 'src/app/election/Overview.tsx']) {
      filesOf(manifest, part, found);
    }
    const late = [
      'src/app/election/LedgerTab.tsx',
      'src/app/election/VerifyTab.tsx',
      'src/app/admin/AdminPage.tsx',
      'src/app/cluster/index.tsx',
    ];
    for (const part of late) expect(found).not.toContain(manifest[part]?.file);
  });
});
