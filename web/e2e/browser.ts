/** Debian's chromium, and what every page must be: quiet, and usable by everybody. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** Where the browser is, if there is one. */
export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place));

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('no chromium; CHROMIUM names another place');
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Everything that a page complained about. */
export class Complaints {
  readonly all: string[] = [];
  readonly #allowed: RegExp[] = [];

  /** Failures that a test brings about itself, such as a killed node. */
  allow(pattern: RegExp): void {
    this.#allowed.push(pattern);
  }

  watch(page: Page): void {
    page.on('pageerror', (error) => this.#note(`page: ${error.message}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.#note(`console: ${message.text()}`);
    });
  }

  #note(text: string): void {
    if (!this.#allowed.some((pattern) => pattern.test(text))) this.all.push(text);
  }
}

/** A page of its own context whose complaints are collected. */
export async function openPage(
  browser: Browser,
  complaints: Complaints,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({
    locale: 'en-GB',
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  complaints.watch(page);
  return page;
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** What axe finds; contrast that it cannot judge counts as found. */
export async function axeFindings(page: Page): Promise<string[]> {
  // `addScriptTag` is stopped by our own policy; evaluating is not.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe: own } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: AxeResult[]; incomplete: AxeResult[] }> };
    };
    const { violations, incomplete } = await own.run();
    return [...violations, ...incomplete.filter(({ id }) => id === 'color-contrast')];
  });
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
  );
}

/** Whether anything is wider than the window. */
export function overflows(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
}
