/**
 * Two trustees at the page that is opened from disk and one at the command line make a key, some
 * vote, and two count: one at the page, one with the page's key file at the command line.
 */

import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, Complaints, examine, launch, openPage } from './browser.ts';
import {
  announce,
  BOARD,
  Cluster,
  close,
  eventually,
  type Held,
  open,
  trustee,
} from './cluster.ts';

const FILE = fileURLToPath(new URL('../dist/quorate-trustee.html', import.meta.url));

describe.skipIf(CHROMIUM === undefined)("the trustees' page", () => {
  let cluster: Cluster;
  let browser: Browser;
  let held: Held;
  const complaints = new Complaints();

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([Cluster.start(), launch()]);
    held = await announce(cluster, BOARD, 25);
  });

  afterAll(async () => {
    await Promise.all([cluster?.stop(), browser?.close()]);
  });

  const seen = async (page: Page, name: string) => expect(await examine(page, name)).toEqual([]);

  const click = (page: Page, name: string) => page.getByRole('button', { name }).click();
  const passphrase = (number: number) => `five random words ${number}`;

  /** Opens the page as a trustee, up to the question for the key file. */
  async function sit(number: number): Promise<Page> {
    const page = await openPage(browser, complaints);
    await page.goto(pathToFileURL(FILE).href);
    await page.getByLabel('Addresses of the nodes').fill(cluster.addresses.replaceAll(',', '\n'));
    await page.getByLabel('Election id').fill(held.id);
    if (number === 1) await seen(page, 'trustee-connect');
    await click(page, 'Load the election');
    await page.getByRole('button', { name: new RegExp(`^${number}\\.`) }).click();
    return page;
  }

  /** Keeps the file that the page saves, and reads it back. */
  async function readBack(page: Page, number: number, act: () => Promise<void>): Promise<string> {
    const waiting = page.waitForEvent('download');
    await act();
    const download = await waiting;
    const path = join(held.folder, download.suggestedFilename());
    copyFileSync(await download.path(), path);
    await page.getByRole('heading', { name: 'Read your backup' }).waitFor();
    await page.getByLabel('The file that was just saved').setInputFiles(path);
    await page.getByLabel('Passphrase').fill(passphrase(number));
    await click(page, 'Read it back');
    return path;
  }

  async function giveToken(page: Page): Promise<void> {
    await page.getByLabel('API token').fill(cluster.token);
    await click(page, 'Use this token');
  }

  const keys = new Map<number, string>();
  const pages = new Map<number, Page>();

  it('has the hash that is published, and asks no server of its own', () => {
    const html = readFileSync(FILE);
    const [hash] = readFileSync(`${FILE}.sha256`, 'utf8').split(' ');
    expect(createHash('sha256').update(html).digest('hex')).toBe(hash);
    expect(html.toString()).not.toMatch(/<(script|link|img)[^>]*\s(src|href)=/);
  });

  it('makes a key that is read back before anything is said', async () => {
    for (const number of [1, 2]) {
      const page = await sit(number);
      pages.set(number, page);
      if (number === 1) await seen(page, 'trustee-key');
      const fresh = page.getByLabel('Passphrase', { exact: true }).last();
      await fresh.fill('short');
      await click(page, 'Make and save the key file');
      await page.getByText('The passphrase is too short').waitFor();
      await page.getByLabel('Passphrase', { exact: true }).last().fill(passphrase(number));
      await page.getByLabel('Passphrase once more').fill(passphrase(number));
      const path = await readBack(page, number, () => click(page, 'Make and save the key file'));
      keys.set(number, path);
      await page.getByText('Your key file is open').waitFor();
    }
    const board = await cluster.command('election', 'show', held.id);
    expect(board).toContain('draft');
  });

  it('takes part in the ceremony with one at the command line', async () => {
    const third = trustee(cluster, held, 3, 'ceremony');
    const opening = open(cluster, held);
    for (const page of pages.values()) await giveToken(page);
    for (const [number, page] of pages) {
      await page.getByRole('button', { name: 'Check and endorse the manifest' }).waitFor();
      if (number === 1) await seen(page, 'trustee-endorse');
      const act = () => click(page, 'Check and endorse the manifest');
      keys.set(number, await readBack(page, number, act));
      await page.getByText('You have endorsed the manifest.').waitFor();
    }
    await Promise.all([third, opening]);
    await seen(pages.get(1)!, 'trustee-done');
  });

  it('counts, and its key file counts at the command line too', async () => {
    const codes = [...held.codes.values()].slice(0, 3);
    for (const code of codes) {
      await cluster.command(
        'election',
        'cast',
        held.id,
        '--code',
        code,
        '--choose',
        '#2',
        '--choose',
        '#1,#6',
      );
    }
    await close(cluster, held);
    const page = pages.get(1)!;
    const act = () => click(page, 'Verify the ledger and decrypt my part');
    await page.getByRole('button', { name: 'Verify the ledger and decrypt my part' }).waitFor();
    await eventually('the close to be final', async () => {
      const last = await cluster.command('election', 'show', held.id);
      return last.includes('closed') ? true : undefined;
    });
    await readBack(page, 1, act);
    await page.getByText('Your share is posted: 1 of 2 are there.').waitFor();
    await seen(page, 'trustee-shared');
    const own = join(held.folder, 'passphrase-2');
    writeFileSync(own, `${passphrase(2)}\n`, { mode: 0o600 });
    await cluster.command(
      'election',
      'tally',
      held.id,
      '--trustee',
      '2',
      '--secret',
      keys.get(2)!,
      '--passphrase-file',
      own,
    );
    const results = JSON.parse(await cluster.command('election', 'results', held.id, '--json'));
    expect(JSON.stringify(results)).toContain('Bruno Keita');
    await page.getByText('The result is published.').waitFor();
    expect(complaints.all).toEqual([]);
  });
});
