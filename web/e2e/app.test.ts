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
import { Cluster, type Held, openElection, trustee } from './cluster.ts';

const PASSWORD = 'a sentence that nobody guesses';

/** A UTC minute some hours from now, as definitions have it. */
const inHours = (hours: number) =>
  new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 16).replace('T', ' ');

/** The page counts whole minutes, so what it must say is said early in one. */
async function earlyInMinute(): Promise<void> {
  const past = Date.now() % 60_000;
  if (past > 40_000) await new Promise((resolve) => setTimeout(resolve, 60_000 - past));
}

/** Of some booth; it binds nobody by itself. */
const BOOTH = '9f'.repeat(32);

/** Every kind of question, and every rule that is not as usual. */
const SENATE = `
title = "Senate of the university"
domain = "vote.example.org"
groups = ["students", "staff"]
trustees = ["Tara"]
threshold = 1
closes = "${inHours(2)}"
extendable_until = "${inHours(4)}"
minimum_ballots = 2
roll_changes = true
paper = true
accept_small_classes = true
booth = "${BOOTH}"

[[contests]]
title = "How good are the proposals?"
kind = "score"
highest = 4
max = 6
options = ["A library by night", "A garden on the roof", "A choir"]
seats = 2
quorum_percent = 30
majority = "two-thirds"
tie = "runoff"
groups = ["students", "staff"]

[[contests]]
title = "Council"
kind = "lists"
max = 2

[[contests.lists]]
name = "Greens"
candidates = ["Cyd", "Dan"]

[[contests.lists]]
name = "Blues"
candidates = ["Eve"]
`;

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

  it('has forms for every rule, which files fill and take away', async () => {
    const { folder } = held;
    await page.goto('/admin/new');
    const question = page.getByRole('group', { name: 'Question 1' });
    await question.getByLabel('How it is answered').selectOption('lists');
    await page.getByText('A list of question 1 has no name.').waitFor();
    await question.getByLabel('Name of the list').fill('Greens');
    await question.getByText('What decides').click();
    await question.getByLabel('Seats').fill('9');
    await page.getByText('Question 1 has 1 to 1 seats.').waitFor();
    await page.getByLabel('Secrecy', { exact: true }).selectOption('open');
    await examine('form-lists');
    writeFileSync(join(folder, 'wrong.toml'), 'colour = "red"');
    const field = page.getByLabel('Or with a file (TOML or JSON)');
    await field.setInputFiles(join(folder, 'wrong.toml'));
    await page.getByText('This page does not know the key “colour”.').waitFor();
    writeFileSync(join(folder, 'senate.toml'), SENATE);
    await field.setInputFiles(join(folder, 'senate.toml'));
    await page.getByLabel('Highest number of points').waitFor();
    expect(await page.getByLabel('At most, together').inputValue()).toBe('6');
    expect(await page.getByText('1 = students, 2 = staff').count()).toBe(1);
    const booth = page.getByLabel('Digest of the booth (optional)');
    expect(await booth.inputValue()).toBe(BOOTH);
    await booth.fill(BOOTH.slice(1));
    await page.getByText('what was entered has 63 characters').waitFor();
    await booth.fill(BOOTH);
    await page.getByText('What decides').first().click();
    expect(await page.getByLabel('Majority').first().inputValue()).toBe('two-thirds');
    await examine('form-senate');
    await page.setViewportSize({ width: 375, height: 740 });
    await examine('form-senate-phone');
    await page.setViewportSize({ width: 1200, height: 900 });
    // What the page writes, the command line takes.
    const saved = page.waitForEvent('download');
    await button('Save as TOML').click();
    await (await saved).saveAs(join(folder, 'saved.toml'));
    const key = join(folder, 'senate.key');
    const file = join(folder, 'saved.toml');
    await cluster.command('election', 'create', file, '--admin-key', key);
  });

  it('is paused, resumed and extended, and everybody sees it', async () => {
    const senate = await openElection(cluster, SENATE, { trustees: 1 });
    await page.goto(`/admin/e/${senate.id}`);
    await heading('While voting is going on').waitFor();
    const key = page.getByLabel('Administrator’s key file').first();
    await key.setInputFiles(join(held.folder, 'admin.key'));
    await page.getByLabel('Take no ballots for now').check();
    await button('Pause the voting').click();
    await page.getByText('This key is not the administrator’s of this election.').waitFor();
    await button('Forget it').first().click();
    await key.setInputFiles(join(senate.folder, 'admin.key'));
    await button('Pause the voting').click();
    await page.getByText('The election is paused.', { exact: true }).waitFor();
    await heading('Voting is paused').waitFor();
    await page.getByLabel('Take ballots again').waitFor();
    await examine('paused');
    await page.getByLabel('Language').selectOption('ar');
    await page.getByText('الاقتراع متوقف مؤقتًا.', { exact: true }).waitFor();
    await examine('paused-arabic');
    await page.getByLabel('اللغة').selectOption('en');
    await page.getByLabel('Take ballots again').check();
    await button('Resume the voting').click();
    await page.getByLabel('Take no ballots for now').waitFor();
    const extension = page.getByRole('group', { name: 'Extend' });
    await earlyInMinute();
    const until = (await page.evaluate((utc) => {
      const at = new Date(`${utc.replace(' ', 'T')}Z`);
      return new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 16);
    }, inHours(3))) as string;
    await extension.getByLabel('New closing').fill(until);
    await extension.getByLabel('Close later than announced').check();
    await button('Extend the voting').click();
    await extension.getByText('It is on the ledger.').waitFor();
    await examine('extended');
    await button('Save as TOML').waitFor();
    await page.goto(`/e/${senate.id}/rules`);
    await page.getByText('Two thirds of the votes are needed.').waitFor();
    await page.getByText('in 2 hours 59 minutes').waitFor();
    await examine('rules-senate');
    await page.goto(`/admin/e/${senate.id}`);
    await page.getByRole('link', { name: 'A new election like this one' }).click();
    await page.getByLabel('Highest number of points').waitFor();
    expect(await page.getByLabel('Closes (planned)').inputValue()).toBe('');
    expect(await page.getByLabel('Digest of the booth (optional)').inputValue()).toBe('');
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
