/** Debian's chromium, and what every page must be: quiet, and usable by everybody. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** Where the browser is, if there is one. */
export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place));

/** Where the nodes of tests live. */
export const DOMAIN = 'quorate.example';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Pages that a test hands in count as coming from elsewhere, which may not ask loopback; and the
  // nodes of a test have no proxy in front of them that speaks TLS.
  '--disable-features=LocalNetworkAccessChecks,HttpsUpgrades',
  // Nodes that are hosts of their own, with names that only this browser knows; it takes them as
  // if TLS had brought them.
  `--host-resolver-rules=MAP *.${DOMAIN} 127.0.0.1`,
  `--unsafely-treat-insecure-origin-as-secure=*.${DOMAIN}`,
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

/** What a browser says of a node that was killed. */
export const OF_A_KILLED_NODE = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES: Record<string, string> = {
  css: 'text/css',
  js: 'text/javascript',
  svg: 'image/svg+xml',
};

/** The address for programs: unlike this browser they do not know the nodes' names. */
const plain = (url: string) => Object.assign(new URL(url), { hostname: '127.0.0.1' });

/**
 * Gives pages the files of `web/dist` as they are now, under the headers that the node sends: a
 * binary that was built before the pages holds older ones.
 */
async function serveBuilt(page: Page): Promise<void> {
  await page.route('**/*', async (route) => {
    const request = route.request();
    const { pathname, protocol } = new URL(request.url());
    const isDocument = request.resourceType() === 'document' && !pathname.startsWith('/api/');
    const isFile = /^\/(assets\/|scheme\.js|icon\.svg)/.test(pathname);
    if (protocol !== 'http:' || !(isDocument || isFile)) return await route.fallback();
    const isOwn = /^\/(booth|check)\.html$/.test(pathname) || isFile;
    const path = `${DIST}${isOwn ? pathname.slice(1) : 'index.html'}`;
    // A node that is away gives nothing.
    const ask = isFile ? new URL('/livez', plain(request.url())) : plain(request.url());
    const response = await route.fetch({ url: ask.href }).catch(() => undefined);
    if (response === undefined) return await route.abort('connectionrefused');
    if (isFile) {
      const contentType = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
      return await route.fulfill({ body: readFileSync(path), contentType });
    }
    const policy = response.headers()['content-security-policy'] ?? '';
    const nonce = /'nonce-([^']+)'/.exec(policy)?.[1] ?? '';
    const body = readFileSync(path, 'utf8').replaceAll('__CSP_NONCE__', nonce);
    await route.fulfill({ response, body });
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

/**
 * What axe finds; contrast that it cannot judge counts as found. Rows that are scrolled out of
 * their list are left out: nobody sees them there.
 */
export async function axeFindings(page: Page): Promise<string[]> {
  // `addScriptTag` is stopped by our own policy; evaluating is not.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    // What sticks to the top would stand over what is scrolled below it.
    window.scrollTo(0, 0);
    const view = document.querySelector('.q-ledger-view')?.getBoundingClientRect();
    for (const row of Array.from(document.querySelectorAll('.q-ledger-view [role=row]'))) {
      const { bottom } = row.getBoundingClientRect();
      row.toggleAttribute('data-out', view !== undefined && bottom > view.bottom);
    }
    const { axe: own } = globalThis as unknown as {
      axe: { run(where: object): Promise<{ violations: AxeResult[]; incomplete: AxeResult[] }> };
    };
    const { violations, incomplete } = await own.run({ exclude: [['[data-out]']] });
    return [...violations, ...incomplete.filter(({ id }) => id === 'color-contrast')];
  });
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
  );
}

/** Waits until the focus is on what has this text, or this id when it has none. */
export async function focusIsOn(page: Page, what: string): Promise<void> {
  const isThere = (expected: string) => {
    const focused = document.activeElement;
    return (focused?.textContent || focused?.id) === expected;
  };
  await page.waitForFunction(isThere, what);
}

/** Whether anything is wider than the window. */
export function overflows(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
}

/** Where pictures go, when somebody wants some. */
const PICTURES = process.env.QUORATE_PICTURES;

export async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  // What sticks to the top would stand in the middle of the picture.
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** What is wrong with a page as it is: findings of axe, and anything wider than the window. */
export async function examine(page: Page, name: string): Promise<string[]> {
  await picture(page, name);
  const found = await axeFindings(page);
  if (await overflows(page)) found.push('wider than the window');
  return found.map((one) => `${name}: ${one}`);
}

const PHONE = { width: 375, height: 740 };

/**
 * The same state as it is, on a phone, in the dark, and from right to left on a phone; the language
 * is chosen at the page, as people do it.
 */
export async function examineLooks(page: Page, name: string): Promise<string[]> {
  const before = page.viewportSize() ?? PHONE;
  const language = page.locator('header select');
  const found = await examine(page, name);
  await page.setViewportSize(PHONE);
  found.push(...(await examine(page, `${name}-phone`)));
  const chosen = await language.inputValue();
  await language.selectOption('ar');
  await page.waitForFunction(() => document.documentElement.dir === 'rtl');
  found.push(...(await examine(page, `${name}-arabic`)));
  await language.selectOption(chosen);
  await page.waitForFunction(() => document.documentElement.dir !== 'rtl');
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: 'dark' });
  found.push(...(await examine(page, `${name}-dark`)));
  await page.emulateMedia({ colorScheme: 'light' });
  return found;
}
