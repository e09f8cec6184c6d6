/** Debian's chromium, and what every page must be: quiet, and usable by everybody. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
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
  // Pages that a test hands in count as coming from elsewhere, which may not ask loopback.
  '--disable-features=LocalNetworkAccessChecks',
];

/** Everything is slow on a busy machine. */
const PATIENCE_MS = 120_000;

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
      const text = message.text();
      // A node that has no ballot of a tracker, or not yet, says so; browsers log every 404.
      const isAbsent = /\/ballots\/[0-9A-Z-]{24}$/.test(message.location().url);
      if (isAbsent && text.includes('404')) return;
      if (['error', 'warning'].includes(message.type())) this.#note(`console: ${text}`);
    });
  }

  #note(text: string): void {
    if (!this.#allowed.some((pattern) => pattern.test(text))) this.all.push(text);
  }
}

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES: Record<string, string> = { js: 'text/javascript', css: 'text/css' };

/**
 * Gives pages the files of `web/dist` as they are now, under the headers that the node sends: a
 * binary that was built before the pages holds older ones.
 */
async function serveBuilt(page: Page): Promise<void> {
  await page.route(/\/(booth|check)\.html/, async (route) => {
    // Programs, unlike browsers, need not know that all of localhost is here.
    const url = route
      .request()
      .url()
      .replace(/\/\/n\d+\.localhost/, '//127.0.0.1');
    const response = await route.fetch({ url });
    const path = `${DIST}${new URL(route.request().url()).pathname.slice(1)}`;
    if (!response.ok()) throw new Error(`${url}: the binary was built without the pages`);
    await route.fulfill({ response, status: response.status(), body: readFileSync(path) });
  });
  await page.route(/\/assets\/booth-/, async (route) => {
    const path = `${DIST}${new URL(route.request().url()).pathname.slice(1)}`;
    const contentType = TYPES[path.split('.').at(-1)!] ?? 'application/octet-stream';
    await route.fulfill({ body: readFileSync(path), contentType });
  });
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
  page.setDefaultTimeout(PATIENCE_MS);
  complaints.watch(page);
  await serveBuilt(page);
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
  // What sticks to the top would stand over what is scrolled below it.
  await page.evaluate(() => window.scrollTo(0, 0));
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
