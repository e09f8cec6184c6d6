/** The booth is small, needs nothing from elsewhere, and is built alike every time. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';

const config = join(import.meta.dirname, '../../vite.booth.ts');
const LIMIT_BYTES = 60_000;
const folders: string[] = [];

async function built(): Promise<Map<string, Buffer>> {
  const outDir = mkdtempSync(join(tmpdir(), 'quorate-booth-'));
  folders.push(outDir);
  await build({ configFile: config, logLevel: 'silent', build: { outDir } });
  const names = readdirSync(outDir, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => [
      join(parentPath, name).slice(outDir.length + 1),
      readFileSync(join(parentPath, name)),
    ]),
  );
}

let files: Map<string, Buffer>;

beforeAll(async () => {
  files = await built();
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Files that a page of one language loads, its worker among them. */
function loaded(page: string): string[] {
  const html = files.get(page)!.toString();
  const found = new Set([
    page,
    ...[...html.matchAll(/"\/(assets\/[^"]+)"/g)].map(([, name]) => name!),
  ]);
  for (const name of found) {
    const text = files.get(name)!.toString();
    for (const [, other] of text.matchAll(/["'`](?:\.\/|\/assets\/)(booth-[\w.-]+\.js)["'`]/g)) {
      if (!/-(de|es|fr|ar)-/.test(other!)) found.add(`assets/${other}`);
    }
  }
  return [...found];
}

it('loads at most 60 kB, compressed, with worker and one language', () => {
  const names = loaded('booth.html');
  expect(names.some((name) => name.includes('worker'))).toBe(true);
  expect(names.some((name) => name.includes('-en-'))).toBe(true);
  expect(names.some((name) => name.endsWith('.css'))).toBe(true);
  const bytes = names.reduce((sum, name) => sum + gzipSync(files.get(name)!).length, 0);
  expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES);
});

it('has no inline script or style, and asks nobody else', () => {
  for (const page of ['booth.html', 'check.html']) {
    const html = files.get(page)!.toString();
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
  }
  for (const [name, bytes] of files) {
    const addresses = bytes.toString().match(/https?:\/\/[^\s"'`)]+/g) ?? [];
    const foreign = addresses.filter((address) => address !== 'http://www.w3.org/2000/svg');
    expect([name, foreign]).toEqual([name, []]);
  }
});

it('writes no markup and makes no code of text', () => {
  for (const [name, bytes] of files) {
    if (!name.endsWith('.js')) continue;
    const found = bytes
      .toString()
      .match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/g);
    expect([name, found]).toEqual([name, null]);
  }
});

it('is built alike, byte for byte', async () => {
  const digest = (all: Map<string, Buffer>) =>
    [...all]
      .sort()
      .map(([name, bytes]) => `${name} ${createHash('sha256').update(bytes).digest('hex')}`);
  expect(digest(await built())).toEqual(digest(files));
});
