/**
 * Voters at a real cluster of three nodes, each a host of its own: a first vote, a change of it, a
 * test of the machine checked on a second device, a vote by keyboard alone, and the node that
 * served the page killed while the vote is cast.
 */

import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  CHROMIUM,
  Complaints,
  examine as examinePage,
  focusIsOn,
  launch,
  OF_A_KILLED_NODE,
  openPage,
  picture,
} from './browser.ts';
import { BOARD, Cluster, close, type Held, openElection } from './cluster.ts';

const PHONE = { viewport: { width: 375, height: 740 } };

describe.skipIf(CHROMIUM === undefined)('the booth', () => {
  let cluster: Cluster;
  let held: Held;
  let browser: Browser;
  let complaints: Complaints;
  let voters = 0;

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([Cluster.start(), launch()]);
    held = await openElection(cluster, BOARD);
  });

  afterAll(async () => {
    await Promise.all([cluster?.stop(), browser?.close()]);
  });

  beforeEach(() => {
    complaints = new Complaints();
  });

  afterEach(async () => {
    expect(complaints.all).toEqual([]);
    for (const context of browser.contexts()) await context.close();
  });

  const nextCode = () => {
    voters += 1;
    return held.codes.get(`voter-${voters}`)!;
  };
  const link = (node: number, code = '') => {
    const end = code === '' ? '' : `&c=${code}`;
    return `${cluster.origin(node)}/booth.html#e=${held.id}${end}`;
  };
  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name });
  const click = (page: Page, name: string) => page.getByRole('button', { name }).click();

  /** Nothing that axe finds, nothing wider than the window. */
  const examine = async (page: Page, name: string) =>
    expect(await examinePage(page, name)).toEqual([]);

  async function enter(page: Page, node: number, code: string): Promise<void> {
    await page.goto(link(node, code));
    await heading(page, 'Enter your voting code').waitFor();
    await click(page, 'Continue');
    await heading(page, 'Make your choices').waitFor();
  }

  async function fill(page: Page): Promise<void> {
    await page.getByLabel('Bruno Keita').check();
    await page.getByLabel('Repair workshop').check();
    await page.getByLabel('Summer cinema').check();
    await page.getByText('You chose 2 of up to 3').waitFor();
    await click(page, 'Review your choices');
    await heading(page, 'Review your choices').waitFor();
  }

  it('casts a vote, gives a receipt without a choice, and lets it be changed', async () => {
    const page = await openPage(browser, complaints, PHONE);
    const code = nextCode();
    await page.goto(link(1, code));
    await heading(page, 'Enter your voting code').waitFor();
    expect(page.url()).not.toContain(code);
    await examine(page, 'code-phone');
    await click(page, 'Continue');
    await heading(page, 'Make your choices').waitFor();
    await click(page, 'Review your choices');
    await page.getByText('Choose one of the options to go on.').waitFor();
    await examine(page, 'choices-error-phone');
    await page.getByLabel('Bruno Keita').check();
    for (const name of ['Repair workshop', 'Summer cinema', 'A roof over', 'Benches under']) {
      await page.getByLabel(name).check();
    }
    await page.getByText('You chose 4 of up to 3').waitFor();
    await click(page, 'Review your choices');
    await page.getByText('You chose 4; at most 3 can be cast.').waitFor();
    await page.getByLabel('A roof over').uncheck();
    await page.getByText('You chose 3 of up to 3').waitFor();
    await examine(page, 'choices-phone');
    await click(page, 'Review your choices');
    await heading(page, 'Review your choices').waitFor();
    await page.getByText('Not cast yet.').waitFor();
    await examine(page, 'review-phone');
    await click(page, 'Cast my vote');
    await heading(page, 'Your vote is cast').waitFor();
    await page.getByText('Cast and final.').waitFor();
    await examine(page, 'receipt-phone');
    const shown = await page.locator('main').textContent();
    expect(shown).not.toMatch(/Bruno|Repair|cinema/);
    const tracker = await page.locator('.tracker').textContent();
    const found = await cluster.command('election', 'show', held.id);
    expect(found).toContain('open');
    const waiting = page.waitForEvent('download');
    await click(page, 'Save the receipt');
    const receipt = readFileSync(await (await waiting).path(), 'utf8');
    expect(receipt.startsWith('c2sp.org/tlog-proof@v1\n')).toBe(true);
    const kept = await page.evaluate(() => JSON.stringify(sessionStorage));
    expect(kept).not.toMatch(/Bruno|choices|code/i);
    expect(kept).not.toContain(code);

    await page.reload();
    await heading(page, 'Your vote is cast').waitFor();
    expect(await page.locator('.tracker').textContent()).toBe(tracker);

    await click(page, 'Change your vote');
    await page.getByLabel('Voting code').fill(code.toLowerCase().replaceAll('-', ' '));
    await click(page, 'Continue');
    await page.getByText('You have already voted in this election.').waitFor();
    expect(await page.locator('input:checked').count()).toBe(0);
    await page.getByLabel('I leave this question blank').check();
    await click(page, 'Review your choices');
    await click(page, 'Change my vote');
    await heading(page, 'Your vote is changed').waitFor();
  });

  it('finds typing errors without asking anybody', async () => {
    const page = await openPage(browser, complaints);
    await page.goto(link(2));
    const code = nextCode();
    const wrong = code[0] === 'A' ? `B${code.slice(1)}` : `A${code.slice(1)}`;
    const asked: string[] = [];
    await heading(page, 'Enter your voting code').waitFor();
    // Files of the page itself may come meanwhile: they are the same for everybody.
    const isFile = (url: string) => new URL(url).pathname.startsWith('/assets/');
    page.on('request', (request) => {
      if (!isFile(request.url())) asked.push(request.url());
    });
    const complain = async (typed: string, sentence: string) => {
      await page.getByLabel('Voting code').fill(typed);
      await click(page, 'Continue');
      await page.getByText(sentence).waitFor();
    };
    await complain(wrong, 'There is a typing error in the code.');
    await complain(`${code.slice(0, -1)}U`, 'Group 5 has “U”');
    await complain(code.slice(0, 11), 'The code is incomplete.');
    await complain('00000-00000-00000-00000-00000', 'This code is not on the roll');
    expect(asked).toEqual([]);
    await examine(page, 'code-error');
  });

  it('is tested with a practice ballot, which a second device opens', async () => {
    const page = await openPage(browser, complaints);
    await enter(page, 1, nextCode());
    await fill(page);
    await click(page, 'Test the machine first (optional)');
    await heading(page, 'Test the machine').waitFor();
    await examine(page, 'test');
    await click(page, 'Go on');
    await page.getByText('Practice.').waitFor();
    await page.getByLabel('Chiara Novak').check();
    await click(page, 'Review your choices');
    await click(page, 'Encrypt the practice ballot');
    await heading(page, 'The machine is bound now').waitFor();
    await examine(page, 'commit');
    const tracker = await page.locator('.tracker').textContent();
    await click(page, 'Open this ballot');
    await heading(page, 'Check it on a second device').waitFor();
    await examine(page, 'opened');
    await page.getByText('Opening as text').click();
    const opening = await page.getByRole('textbox', { name: 'Opening as text' }).inputValue();

    const second = await openPage(browser, complaints, PHONE);
    await second.goto(`${cluster.origin(3)}/check.html#o=${opening}`);
    await heading(second, 'This is what the test ballot contains').waitFor();
    await second.getByText('Chiara Novak').waitFor();
    expect(await second.locator('.tracker').textContent()).toBe(tracker);
    expect(second.url()).not.toContain('opening');
    await examine(second, 'check-opened-phone');

    await click(page, 'Back to my ballot');
    await page.getByText('Bruno Keita').waitFor();
    await click(page, 'Cast my vote');
    await heading(page, 'Your vote is cast').waitFor();
  });

  it('leads a second device to the ballot, and refuses a false receipt', async () => {
    const page = await openPage(browser, complaints);
    await enter(page, 2, nextCode());
    await fill(page);
    await click(page, 'Cast my vote');
    await heading(page, 'Your vote is cast').waitFor();
    await examine(page, 'receipt');
    await page.emulateMedia({ media: 'print' });
    await picture(page, 'receipt-print');
    expect(await page.getByRole('button').count()).toBe(0);
    await page.getByText('Fingerprint of the manifest').waitFor();
    await page.emulateMedia({ media: 'screen' });
    const tracker = await page.locator('.tracker').textContent();
    const waiting = page.waitForEvent('download');
    await click(page, 'Save the receipt');
    const path = await (await waiting).path();

    const second = await openPage(browser, complaints);
    await second.goto(`${cluster.origin(3)}/check.html#t=${held.id}.${tracker}`);
    await heading(second, 'This ballot is final').waitFor();
    await examine(second, 'check-final');
    await click(second, 'Check another one');
    await second.getByLabel('Or choose saved files').setInputFiles(path);
    await click(second, 'Check');
    await heading(second, 'This ballot is final').waitFor();
    await click(second, 'Check another one');
    const text = readFileSync(path, 'utf8');
    const changed = text.replace(/^index (\d+)$/m, (_, index) => `index ${Number(index) - 1}`);
    await second.getByLabel('Tracking code, receipt or opening').fill(changed);
    await click(second, 'Check');
    await heading(second, 'This does not hold').waitFor();
    await examine(second, 'check-bad');
  });

  it('is voted at by keyboard alone', async () => {
    const page = await openPage(browser, complaints);
    await page.goto(link(3));
    await heading(page, 'Enter your voting code').waitFor();
    const press = async (key: string, times = 1) => {
      for (let time = 0; time < times; time++) await page.keyboard.press(key);
    };
    await focusIsOn(page, 'Enter your voting code');
    await press('Tab');
    await focusIsOn(page, 'code');
    await page.keyboard.type(nextCode());
    await press('Enter');
    await focusIsOn(page, 'Make your choices');
    await press('Tab');
    await press('Space');
    await press('ArrowDown', 2);
    await press('Tab', 2);
    await press('Space');
    await press('Enter');
    await focusIsOn(page, 'Review your choices');
    await page.getByText('Chiara Novak').waitFor();
    await page.getByText('Benches under the lime trees').waitFor();
    await press('Tab', 3);
    await focusIsOn(page, 'Cast my vote');
    await press('Enter');
    await heading(page, 'Your vote is cast').waitFor();
  });

  it('works at 320 px, in the dark, and from right to left', async () => {
    const page = await openPage(browser, complaints, {
      locale: 'ar',
      colorScheme: 'dark',
      viewport: { width: 320, height: 700 },
    });
    await page.goto(link(1, nextCode()));
    await heading(page, 'أدخل رمز التصويت').waitFor();
    expect(await page.evaluate(() => document.documentElement.dir)).toBe('rtl');
    await examine(page, 'code-ar-dark');
    await click(page, 'متابعة');
    await page.getByLabel('Bruno Keita').check();
    await examine(page, 'choices-ar-dark');
    await click(page, 'راجِع اختياراتك');
    await examine(page, 'review-ar-dark');
    await click(page, 'أُدلي بصوتي');
    await heading(page, 'تم الإدلاء بصوتك').waitFor();
    await examine(page, 'receipt-ar-dark');
    await page.getByLabel('اللغة').selectOption('de');
    await heading(page, 'Ihre Stimme ist abgegeben').waitFor();
    await examine(page, 'receipt-de-dark');
  });

  it('is filled in without a network, and sends when there is one', async () => {
    const page = await openPage(browser, complaints, PHONE);
    complaints.allow(/ERR_INTERNET_DISCONNECTED/);
    await page.goto(link(2, nextCode()));
    await heading(page, 'Enter your voting code').waitFor();
    await page.context().setOffline(true);
    await click(page, 'Continue');
    await heading(page, 'Make your choices').waitFor();
    await click(page, 'Show one question at a time');
    await page.getByLabel('David Okafor').check();
    await examine(page, 'one-by-one-phone');
    await click(page, 'Next question');
    await page.getByLabel('Summer cinema').check();
    await click(page, 'Previous question');
    expect(await page.getByLabel('David Okafor').isChecked()).toBe(true);
    await click(page, 'Next question');
    await click(page, 'Review your choices');
    await click(page, 'Cast my vote');
    await page.getByText('No node can be reached just now. Your ballot is encrypted').waitFor();
    await page.getByText('Not cast yet.').waitFor();
    await examine(page, 'away-phone');
    await page.context().setOffline(false);
    await heading(page, 'Your vote is cast').waitFor();
  });

  it('has large targets', async () => {
    const page = await openPage(browser, complaints, PHONE);
    await enter(page, 1, nextCode());
    const small = await page.evaluate(() =>
      Array.from(document.querySelectorAll('button, select, summary, .option'))
        .map((element) => ({
          text: element.textContent,
          ...element.getBoundingClientRect().toJSON(),
        }))
        .filter(({ height, width }) => height < 44 || width < 44)
        .map(({ text }) => text),
    );
    expect(small).toEqual([]);
  });

  it('finishes at other nodes when the one that served the page is killed', async () => {
    const page = await openPage(browser, complaints);
    complaints.allow(OF_A_KILLED_NODE);
    await enter(page, 1, nextCode());
    await fill(page);
    await page.getByText('Not cast yet.').waitFor();
    await cluster.kill(1);
    await click(page, 'Cast my vote');
    await heading(page, 'Your vote is cast').waitFor();
    await page.getByText('2 of 3 authorities have signed').waitFor();
    await cluster.restart(1);
  });

  it('says that a ballot came too late, with the signatures of those who say so', async () => {
    const page = await openPage(browser, complaints);
    complaints.allow(/status of 422/);
    await enter(page, 2, nextCode());
    await fill(page);
    await close(cluster, held);
    await click(page, 'Cast my vote');
    await heading(page, 'The ballot was not accepted').waitFor();
    await page.getByText('The election closed before your ballot arrived.').waitFor();
    await examine(page, 'refused');
    const late = await openPage(browser, complaints);
    await late.goto(link(3, nextCode()));
    await heading(late, 'Voting is over').waitFor();
    await examine(late, 'over');
  });
});
