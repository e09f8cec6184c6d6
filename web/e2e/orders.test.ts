/**
 * A test election under way, in the pages of an officer: voters join the sealed roll, one is marked
 * on paper while already in the booth, the test is reset, and two people close it before its time.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../src/crypto/bytes.ts';
import { readCode } from '../src/crypto/code.ts';
import { credentialOfCode } from '../src/crypto/credential.ts';
import { CHROMIUM, Complaints, examineLooks, launch, openPage, picture } from './browser.ts';
import { Cluster, type Held, openElection } from './cluster.ts';

const PASSWORD = 'a sentence that nobody guesses';

/** A UTC minute some hours from now, as definitions have it. */
const inHours = (hours: number) =>
  new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 16).replace('T', ' ');

const TRIAL = `
title = "Trial of the board's election"
domain = "vote.lindenhof.example"
trustees = ["Tara"]
threshold = 1
closes = "${inHours(3)}"
minimum_ballots = 1
roll_changes = true
paper = true
accept_small_classes = true
test = true

[[contests]]
title = "Chair of the board"
kind = "one"
options = ["Ada Lindqvist", "Bruno Keita"]
`;

describe.skipIf(CHROMIUM === undefined)('an election under way', () => {
  let cluster: Cluster;
  let browser: Browser;
  let held: Held;
  let page: Page;
  /** Codes of those who come after the sealing. */
  let late = new Map<string, string>();
  const complaints = new Complaints();

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([Cluster.start(), launch()]);
    held = await openElection(cluster, TRIAL, { trustees: 1 });
    const password = join(cluster.folder, 'password');
    writeFileSync(password, `${PASSWORD}\n`, { mode: 0o600 });
    const add = (name: string, role: string) =>
      cluster.command('user', 'add', name, '--role', role, '--password-file', password);
    await add('ada', 'administrator');
    await add('otto', `election-officer@${held.id}`);
    late = await lateCodes();
  });

  afterAll(async () => {
    await Promise.all([cluster?.stop(), browser?.close()]);
  });

  /** What everybody saw when something failed. */
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    const pages = browser.contexts().flatMap((context) => context.pages());
    for (const [at, one] of pages.entries()) await picture(one, `orders-failed-${at + 1}`);
  });

  const file = (name: string) => join(held.folder, name);

  /** The issuer makes codes for two more voters. */
  async function lateCodes(): Promise<Map<string, string>> {
    writeFileSync(file('late.csv'), 'voter_id\nlate-1\nlate-2\n');
    const [list, out] = [file('late.csv'), file('late')];
    await cluster.command('issuer', 'codes', '--election', held.id, '--roll', list, '--out', out);
    const rows = readFileSync(join(out, 'codes.csv'), 'utf8').trim().split('\n').slice(1);
    return new Map(rows.map((row) => row.split(',').slice(0, 2) as [string, string]));
  }

  const codeOf = (voter: string) => held.codes.get(voter) ?? late.get(voter) ?? '';
  const keyOf = (voter: string) => {
    const id = fromHex(held.id) ?? new Uint8Array();
    return toHex(credentialOfCode(readCode(codeOf(voter)), id).publicKey);
  };

  /** Votes by the command line. */
  function cast(voter: string, receipt: string): Promise<string> {
    const choice = ['--code', codeOf(voter), '--choose', '#1', '--receipt', file(receipt)];
    return cluster.command('election', 'cast', held.id, ...choice);
  }

  const open = () =>
    openPage(browser, complaints, {
      baseURL: cluster.origin(1),
      viewport: { width: 1200, height: 900 },
    });

  async function signIn(name: string): Promise<Page> {
    const own = await open();
    await own.goto('/admin');
    await own.getByLabel('Name').fill(name);
    await own.getByLabel('Password').fill(PASSWORD);
    await own.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await own.getByRole('heading', { name: 'Your elections' }).waitFor();
    return own;
  }

  const group = (name: string) => page.getByRole('group', { name, exact: true });
  const heading = (where: Page, name: string) => where.getByRole('heading', { name });

  async function looks(name: string): Promise<void> {
    expect(await examineLooks(page, `orders-${name}`)).toEqual([]);
    expect(complaints.all, name).toEqual([]);
  }

  it('takes a newcomer, who votes at once', async () => {
    await expect(cast('late-1', 'too-soon')).rejects.toThrow('not on the roll');
    page = await signIn('otto');
    await page.goto(`/admin/e/${held.id}`);
    await heading(page, 'While voting is going on').waitFor();
    await page.getByText('30 voters on the roll.').waitFor();
    const key = page.getByLabel('Administrator’s key file').first();
    await key.setInputFiles(file('admin.key'));
    const add = group('Add a voter');
    const field = add.getByLabel('Key of the new voter');
    await field.fill(keyOf('late-1').slice(1));
    await add.getByLabel('Weight').focus();
    await add.getByText('A key has 64 digits, but here are 63.').waitFor();
    await looks('wrong-key');
    await field.fill(keyOf('late-1'));
    await add.getByText('This key is not on the roll yet.').waitFor();
    await add.getByLabel('Let one more person vote').check();
    await add.getByRole('button', { name: 'Add to the roll' }).click();
    await add.getByText('It is on the ledger.').waitFor();
    await page.getByText('31 voters on the roll.').waitFor();
    await cast('late-1', 'late-1');
    await page.getByText('1 ballot will not count any more.').waitFor();
  });

  it('takes the others of a file and passes over whom it has', async () => {
    await page.getByLabel('What changes').selectOption('Add everybody of a file');
    const add = group('Add everybody of a file');
    const field = add.getByLabel('Public roll of the newcomers');
    await field.setInputFiles(file('late/public-roll.csv'));
    await add.getByText('2 voters of total weight 2').waitFor();
    await add.getByLabel('Let the people of this file vote').check();
    await looks('newcomers');
    await add.getByRole('button', { name: 'Add them all' }).click();
    await add.getByText('Added: 1. On the roll already: 1.').waitFor();
    await page.getByText('32 voters on the roll.').waitFor();
  });

  it('marks a voter on paper, whose online ballot is refused from then on', async () => {
    const booth = await open();
    await booth.goto(`/booth.html#e=${held.id}&c=${codeOf('voter-2')}`);
    await heading(booth, 'Enter your voting code').waitFor();
    await booth.getByRole('button', { name: 'Continue' }).click();
    await booth.getByLabel('Bruno Keita').check();
    await booth.getByRole('button', { name: 'Review your choices' }).click();
    await heading(booth, 'Review your choices').waitFor();
    const paper = group('Mark a voter on paper');
    await paper.getByLabel('Key of the voter').fill(codeOf('voter-2'));
    await paper.getByText('On the roll, weight 1, group: none. No ballot yet.').waitFor();
    await paper.getByLabel('This person votes on paper').check();
    await paper.getByRole('button', { name: 'Mark on paper' }).click();
    await paper.getByText('It is on the ledger.').waitFor();
    await page.getByText('1 voter is marked so far.').waitFor();
    complaints.allow(/status of 422/);
    await booth.getByRole('button', { name: 'Cast my vote' }).click();
    await heading(booth, 'The ballot was not accepted').waitFor();
    await booth.getByText('This code is marked as voting on paper. Nothing was cast.').waitFor();
    await expect(cast('voter-2', 'paper')).rejects.toThrow('no online vote: paper');
    await booth.context().close();
  });

  it('marks nobody on paper who has voted, and says why', async () => {
    await cast('voter-1', 'voter-1');
    complaints.allow(/status of 409/);
    const paper = group('Mark a voter on paper');
    await paper.getByLabel('Key of the voter').fill(keyOf('voter-1'));
    await paper.getByText('A ballot was accepted for this key').waitFor();
    await paper.getByLabel('This person votes on paper').check();
    await paper.getByRole('button', { name: 'Mark on paper' }).click();
    await paper.getByText('The code has an accepted ballot.').waitFor();
    await paper.getByText('The ballot that was cast stays and counts').waitFor();
    await looks('has-voted');
  });

  it('is reset by two, since it is a test: its ballots are gone, its roll and marks are not', async () => {
    const reset = group('Reset the test');
    await reset.getByText('2 ballots will not count any more.').waitFor();
    await reset.getByLabel('Forget all ballots of this test').check();
    await looks('reset');
    await reset.getByRole('button', { name: 'Reset the test' }).click();
    await reset.getByText('A second person has to agree').waitFor();
    await reset.getByText('2 ballots will not count any more.').waitFor();
    const second = await signIn('ada');
    await second.getByRole('link', { name: 'Approvals' }).click();
    await second.getByText('Proposed by otto').waitFor();
    await second.getByRole('button', { name: 'Agree' }).click();
    await second.getByText('Nothing waits for an approval').waitFor();
    await second.context().close();
    await reset.getByText('0 ballots will not count any more.').waitFor();
    await page.getByText('32 voters on the roll.').waitFor();
    await page.getByText('1 voter is marked so far.').waitFor();
    await cast('voter-1', 'voter-1-again');
    await reset.getByText('1 ballot will not count any more.').waitFor();
  });

  it('is closed before its time by two people, neither of whom could alone', async () => {
    const early = page.locator('details', { hasText: 'Close before the planned time' });
    await early.locator('summary').click();
    await early.getByLabel('Close before the planned time').check();
    await early.locator('button', { hasText: 'Close now' }).click();
    await early.getByText('A second person has to agree').waitFor();
    await looks('waits');
    await page.getByRole('link', { name: 'Approvals' }).click();
    await heading(page, 'Close before the planned time').waitFor();
    await page.getByText('You proposed this yourself; somebody else has to agree.').waitFor();
    expect(await page.getByRole('button', { name: 'Agree' }).count()).toBe(0);
    await looks('own-proposal');
    expect(await cluster.command('election', 'show', held.id)).toContain('open');
    const second = await signIn('ada');
    await second.getByRole('link', { name: 'Approvals' }).click();
    await second.getByText('Proposed by otto').waitFor();
    await second.getByRole('button', { name: 'Agree' }).click();
    await second.getByText('Nothing waits for an approval').waitFor();
    await page.getByText('Nothing waits for an approval').waitFor();
    await page.goto(`/admin/e/${held.id}`);
    await heading(page, 'Wait for the trustees to count').waitFor();
    await expect(cast('voter-3', 'too-late')).rejects.toThrow();
    expect(complaints.all).toEqual([]);
  });
});
