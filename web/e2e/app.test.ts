/**
 * An election from the administrator's chair to the public result, in a browser, at a real cluster:
 * announced, rolled, sealed, opened and closed in the pages; codes, trustees and a ballot by the
 * command line; followed, found, proven and verified on the public page.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, Complaints, examine as examinePage, launch, openPage } from './browser.ts';
import { Cluster, type Held, trustee } from './cluster.ts';

const PASSWORD = 'a sentence that nobody guesses';

describe.skipIf(CHROMIUM === undefined)('an election in the pages', () => {
  let cluster: Cluster;
  let browser: Browser;
  let page: Page;
  let held: Held;
  let ceremonies: Promise<void>[] = [];
  const complaints = new Complaints();

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([Cluster.start(), launch()]);
    const password = join(cluster.folder, 'password');
    writeFileSync(password, `${PASSWORD}\n`, { mode: 0o600 });
    const who = ['user', 'add', 'ada', '--display', 'Ada', '--role', 'administrator'];
    await cluster.command(...who, '--password-file', password);
    page = await open({});
  });

  afterAll(async () => {
    await Promise.all([cluster?.stop(), browser?.close(), Promise.allSettled(ceremonies)]);
  });

  const open = (options: object) =>
    openPage(browser, complaints, {
      baseURL: cluster.origin(1),
      viewport: { width: 1200, height: 900 },
      ...options,
    });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const heading = (name: string) => page.getByRole('heading', { name });

  /** Quiet, usable by everybody, nothing wider than the window. */
  async function examine(name: string, of: Page = page): Promise<void> {
    expect(await examinePage(of, `app-${name}`)).toEqual([]);
    expect(complaints.all, name).toEqual([]);
  }

  it('is announced from a template', async () => {
    await page.goto('/admin');
    await heading('Administration').waitFor();
    await examine('login');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await heading('Your elections').waitFor();
    await examine('home');
    await page.getByRole('link', { name: 'New election' }).click();
    await button('An office').click();
    await page.getByLabel('Title', { exact: true }).fill('Election of the chair');
    await page.getByLabel('Name of the organisation on the ledger').fill('vote.example.org');
    await page.getByLabel('Names, one a line').fill('Tara\nTheo\nThea');
    await page.getByLabel('Fewest ballots for a result').fill('1');
    const saved = page.waitForEvent('download');
    await button('Make a key and save it').click();
    const folder = join(cluster.folder, 'pages');
    await (await saved).saveAs(join(folder, 'admin.key'));
    await examine('new');
    await button('Announce the election').click();
    await heading('Import the public roll').waitFor();
    const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    held = { id, codes: new Map(), folder };
    await examine('draft');
  });

  it('gets its roll, with mistakes told before anything is sent', async () => {
    const { id, folder } = held;
    const voters = Array.from({ length: 30 }, (_, at) => `voter-${at + 1}`);
    writeFileSync(join(folder, 'voters.csv'), `voter_id\n${voters.join('\n')}\n`);
    const out = join(folder, 'issuer');
    const list = join(folder, 'voters.csv');
    await cluster.command('issuer', 'codes', '--election', id, '--roll', list, '--out', out);
    const rows = readFileSync(join(out, 'codes.csv'), 'utf8').trim().split('\n').slice(1);
    const codes = new Map(rows.map((row) => row.split(',').slice(0, 2) as [string, string]));
    held = { ...held, codes };
    const roll = readFileSync(join(out, 'public-roll.csv'), 'utf8');
    writeFileSync(join(folder, 'wrong.csv'), roll.replace(',1,0', ',none,0'));
    await page.getByLabel('Public roll').setInputFiles(join(folder, 'wrong.csv'));
    await page.getByText('Line 1, column 2:').waitFor();
    await examine('roll-mistakes');
    await page.getByLabel('Public roll').setInputFiles(join(out, 'public-roll.csv'));
    await button('Import this roll').click();
    await heading('Wait for the trustees').waitFor();
  });

  it('is sealed and opened when all have signed', async () => {
    ceremonies = [1, 2, 3].map((number) => trustee(cluster, held, number, 'ceremony'));
    await heading('Seal the manifest').waitFor();
    await examine('seal');
    await button('Seal').click();
    await heading('Open the voting').waitFor();
    await Promise.all(ceremonies);
    await page.getByLabel('Voters may vote from now on').check();
    await button('Open the voting').click();
    await heading('Close the voting').waitFor();
    await examine('voting');
  });

  it('tells voters whether they are on the roll, and sends nothing', async () => {
    const code = held.codes.get('voter-1') ?? '';
    const sent: string[] = [];
    page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
    await page.goto(`/e/${held.id}`);
    await heading('Election of the chair').waitFor();
    await button('Check my code').click();
    await page.getByLabel('Your code').fill(code.toLowerCase());
    await button('Check here').click();
    await page.getByText('You are on the roll').waitFor();
    const plain = code.replaceAll('-', '').toLowerCase();
    expect(sent.some((text) => text.replaceAll('-', '').toLowerCase().includes(plain))).toBe(false);
    await examine('open');
  });

  it('shows a ballot live, finds it and proves it', async () => {
    const code = held.codes.get('voter-1') ?? '';
    const receipt = join(held.folder, 'receipt');
    const choice = ['--code', code, '--choose', '#1', '--receipt', receipt];
    const said = await cluster.command('election', 'cast', held.id, ...choice);
    await page.getByText('of 30 have voted').waitFor();
    await page.getByText('1 ballot on the ledger.').waitFor();
    const tracker = /[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}/.exec(said)?.[0] ?? '';
    await page.getByLabel('Tracking code').fill(tracker);
    await button('Find').click();
    await page.getByText('Your ballot is on the ledger for good').waitFor();
    await page.getByRole('link', { name: 'See it on the ledger' }).click();
    await page.getByText('1 of', { exact: false }).first().waitFor();
    await page.getByRole('link', { name: /^#/ }).first().click();
    await button('Prove that it is on the ledger').click();
    await page.getByText('Proven in this browser').waitFor();
    await examine('proof');
  });

  it('is closed, counted, and its result verified in the browser', async () => {
    await page.goto(`/admin/e/${held.id}`);
    await heading('Close the voting').waitFor();
    // A reload has forgotten the key: it is asked for as a file.
    await page.getByLabel('Administrator’s key file').setInputFiles(join(held.folder, 'admin.key'));
    await page.getByLabel('No ballot may be added any more').check();
    await button('Close the voting').click();
    await heading('Wait for the trustees to count').waitFor();
    await examine('closed');
    await page.goto(`/e/${held.id}`);
    await heading('Being counted').waitFor();
    await Promise.all([1, 2].map((number) => trustee(cluster, held, number, 'tally')));
    await page.getByText('1 of 30 people on the roll voted').waitFor();
    await page.getByText(/Published .*20\d\d/).waitFor();
    await examine('published');
    await page.getByRole('link', { name: 'Verify', exact: true }).click();
    await button('Run all checks in my browser').click();
    await page.getByText('Every check holds', { exact: true }).waitFor();
    expect(await page.getByText('Holds', { exact: true }).count()).toBe(14);
    await examine('verified');
  });

  it.each([
    ['phone', { viewport: { width: 375, height: 740 } }, 'en'],
    ['dark', { colorScheme: 'dark' }, 'en'],
    ['arabic', { locale: 'ar' }, 'ar'],
    ['german-phone', { locale: 'de-DE', viewport: { width: 375, height: 740 } }, 'de'],
  ])('is usable on every tab: %s', async (name, options, language) => {
    const own = await open(options);
    for (const tab of ['', '/results', '/ledger', '/verify', '/rules']) {
      await own.goto(`/e/${held.id}${tab}`);
      await own.locator('.q-card').first().waitFor();
      await own.locator('.q-skeleton').first().waitFor({ state: 'detached' });
      expect(await own.evaluate(() => document.documentElement.lang)).toBe(language);
      await examine(`${name}${tab.replace('/', '-')}`, own);
    }
    for (const path of ['/', '/limits', '/login']) {
      await own.goto(path);
      await own.getByRole('heading', { level: 1 }).waitFor();
      await examine(`${name}-${path.slice(1) || 'list'}`, own);
    }
    await own.context().close();
  });
});
