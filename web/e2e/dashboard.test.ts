/**
 * The cluster dashboard against the real demonstration: three nodes, the supervisor, and the
 * address that outlives every node. The leader is killed from the page.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, Complaints, examine, launch, openPage } from './browser.ts';
import { BINARY } from './cluster.ts';

/** Everything is slow on a busy machine. */
const PATIENCE_MS = 120_000;

/** `quorate demo`, with what it said about the way in. */
class Demo {
  readonly child: ChildProcess;
  readonly origin: string;
  readonly password: string;

  private constructor(child: ChildProcess, origin: string, password: string) {
    [this.child, this.origin, this.password] = [child, origin, password];
  }

  static async start(): Promise<Demo> {
    const flags = ['demo', '--no-kill', '--seed', '4'];
    const child = spawn(BINARY, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    let [origin, password] = ['', ''];
    const lines = createInterface({ input: child.stdout! });
    for await (const line of lines) {
      origin ||= /dashboard\s+(\S+)\/cluster$/.exec(line)?.[1] ?? '';
      password ||= /^\s*administrator\s+admin\s+(\S+)$/.exec(line)?.[1] ?? '';
      if (password !== '') break;
    }
    child.stdout!.resume();
    return new Demo(child, origin, password);
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await gone;
  }
}

const isPossible = CHROMIUM !== undefined && existsSync(BINARY);

describe.skipIf(!isPossible)('the dashboard', () => {
  let demo: Demo;
  let browser: Browser;
  let page: Page;
  const complaints = new Complaints();

  beforeAll(async () => {
    [demo, browser] = await Promise.all([Demo.start(), launch()]);
    // A node that is killed takes its connections with it.
    complaints.allow(/WebSocket connection to .* failed|net::ERR_|status of 50[234]/);
    page = await openPage(browser, complaints, { viewport: { width: 1600, height: 1000 } });
    await page.goto(`${demo.origin}/cluster`);
    await page.getByLabel('Name').fill('admin');
    await page.getByLabel('Password').fill(demo.password);
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
  });

  const seen = async (name: string) => expect(await examine(page, `cluster-${name}`)).toEqual([]);

  const leader = async () => {
    const card = page.locator('.c-node[data-leads]');
    await card.waitFor({ timeout: PATIENCE_MS });
    return Number(await card.locator('.c-number').textContent());
  };

  test('shows all nodes, who leads, and that it is live', async () => {
    await page
      .getByText(/All 3 nodes are healthy; node \d leads/)
      .waitFor({ timeout: PATIENCE_MS });
    expect(await page.getByRole('article').count()).toBe(3);
    await page.getByText(/^Live ·/).waitFor({ timeout: PATIENCE_MS });
    await seen('light');
  });

  test('the load runs, and what must hold is looked at', async () => {
    await page.getByRole('radio', { name: '200' }).check();
    const checked = page.getByText(/^Writes checked: [\d,]+/);
    await checked.waitFor({ timeout: PATIENCE_MS });
    await page.getByText(/^Receipts checked: [\d,]+/).waitFor({ timeout: PATIENCE_MS });
  });

  test('the leader is killed from the page; another leads, and nothing is lost', async () => {
    const before = await leader();
    const card = page.getByRole('article', { name: `node-${before}` });
    await card.getByRole('button', { name: 'Kill', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(/choose a new leader in about 0.3 s; no ballot is lost/).waitFor();
    await seen('dialog');
    await dialog.getByRole('button', { name: `Kill: Node ${before}` }).click();
    const outcome = page.getByText(/^until node \d led\. 0 lost\.$/);
    await outcome.waitFor({ state: 'attached', timeout: PATIENCE_MS });
    const after = await leader();
    expect(after).not.toBe(before);
    await page
      .getByText(/2 of 3 nodes are healthy; node \d leads/)
      .waitFor({ timeout: PATIENCE_MS });
    await seen('killed');
  });

  test('who would stop everything has to say so; then all is mended', async () => {
    const left = page.getByRole('article', { name: `node-${await leader()}` });
    await left.getByRole('button', { name: 'Pause', exact: true }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.getByRole('button', { name: /^Pause: Node/ }).isDisabled()).toBe(true);
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    await page.getByRole('button', { name: 'Mend everything' }).click();
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^Mend everything/ })
      .click();
    await page
      .getByText(/All 3 nodes are healthy; node \d leads/)
      .waitFor({ timeout: PATIENCE_MS });
    const held = page.getByText('Everything holds.', { exact: true });
    expect(await held.count()).toBe(1);
  });

  test('events are filtered by the address, also after a reload', async () => {
    await page.getByLabel('Kind').selectOption('leader');
    await page.waitForURL(/kind=leader/);
    await page.reload();
    await page.getByLabel('Kind').waitFor({ timeout: PATIENCE_MS });
    expect(await page.getByLabel('Kind').inputValue()).toBe('leader');
    await page.locator('.c-events tbody tr').first().waitFor({ timeout: PATIENCE_MS });
    const kinds = await page
      .locator('.c-events tbody tr')
      .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-kind')));
    expect(new Set(kinds)).toEqual(new Set(['leader']));
  });

  test.each([
    ['dark', 1600],
    ['light', 375],
  ] as const)('in %s colours, %d pixels wide, it is usable', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.getByText(/All 3 nodes are healthy/).waitFor({ timeout: PATIENCE_MS });
    await seen(`${colorScheme}-${width}`);
  });

  test('and in Arabic, from right to left', async () => {
    await page.setViewportSize({ width: 1600, height: 1000 });
    await page.getByLabel('Language').selectOption('ar');
    await page
      .getByText(/العقدة \d تقود/)
      .first()
      .waitFor({ timeout: PATIENCE_MS });
    expect(await page.evaluate(() => document.documentElement.dir)).toBe('rtl');
    await seen('arabic');
  });

  test('nothing complained', () => {
    expect(complaints.all).toEqual([]);
  });
});
