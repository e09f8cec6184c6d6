/**
 * One election as it is meant to be: an administrator, an issuer, three trustees, 200 voters, three
 * nodes that are hosts of their own. Everybody does their part where they would do it: in the pages
 * of a node, at the command line, with a letter, with a file from disk. The node that served the
 * booth is killed while a vote is on its way, and comes back to show the result.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  CHROMIUM,
  Complaints,
  DOMAIN,
  examine,
  examineLooks,
  focusIsOn,
  launch,
  OF_A_KILLED_NODE,
  openPage,
  picture,
} from './browser.ts';
import { Cluster } from './cluster.ts';
import { Mailbox, PYTHON } from './mailbox.ts';

const TRUSTEE_PAGE = fileURLToPath(new URL('../dist/quorate-trustee.html', import.meta.url));
const PASSWORD = 'a sentence that nobody guesses';
const TRUSTEES = ['Tara', 'Theo', 'Thea'];
const VOTERS = 200;
const TITLE = 'Board of the Lindenhof allotments';
/** The node that hands out the booth, until it is killed. */
const BOOTH_NODE = 2;
const DESKTOP = { viewport: { width: 1200, height: 900 } };
const PHONE = { viewport: { width: 375, height: 740 } };

/** The first five vote; their letters are in their languages. */
const LANGUAGES = ['en', 'de', 'en', 'en', 'ar'];

const isPossible = CHROMIUM !== undefined && PYTHON !== undefined;

describe.skipIf(!isPossible)('a whole election', () => {
  let cluster: Cluster;
  let browser: Browser;
  let mailbox: Mailbox;
  let admin: Page;
  let id = '';
  const complaints = new Complaints();
  const trustees = new Map<number, Page>();
  const keyFiles = new Map<number, string>();
  const trackers = new Map<number, string>();

  beforeAll(async () => {
    [cluster, browser, mailbox] = await Promise.all([
      Cluster.start(3, DOMAIN),
      launch(),
      Mailbox.start(),
    ]);
    const password = file('password');
    writeFileSync(password, `${PASSWORD}\n`, { mode: 0o600 });
    const given = ['--password-file', password];
    const first = ['user', 'add', 'ada', '--display', 'Ada', '--role', 'administrator'];
    await cluster.command(...first, ...given);
  });

  afterAll(async () => {
    await Promise.all([cluster?.stop(), browser?.close(), mailbox?.stop()]);
  });

  /** What everybody saw when something failed. */
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    const pages = browser.contexts().flatMap((context) => context.pages());
    for (const [at, page] of pages.entries()) await picture(page, `failed-${at + 1}`);
  });

  const file = (name: string) => join(cluster.folder, name);
  const open = (options: BrowserContextOptions) => openPage(browser, complaints, options);
  const click = (where: Page | Locator, name: string) =>
    where.getByRole('button', { name, exact: true }).click();
  const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name });

  /** A state as it is seen here. */
  async function seen(page: Page, name: string): Promise<void> {
    expect(await examine(page, `whole-${name}`)).toEqual([]);
    expect({ name, complaints: complaints.all }).toEqual({ name, complaints: [] });
  }

  /** A state in every look. */
  async function looks(page: Page, name: string): Promise<void> {
    expect(await examineLooks(page, `whole-${name}`)).toEqual([]);
    expect({ name, complaints: complaints.all }).toEqual({ name, complaints: [] });
  }

  describe('is prepared', () => {
    it('by an administrator, who announces it', async () => {
      admin = await open(DESKTOP);
      await admin.goto(`${cluster.origin(1)}/admin`);
      await admin.getByLabel('Name').fill('ada');
      await admin.getByLabel('Password').fill(PASSWORD);
      await admin.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
      await heading(admin, 'Your elections').waitFor();
      await admin.getByRole('link', { name: 'New election' }).click();
      await click(admin, 'An office');
      await admin.getByLabel('Title', { exact: true }).fill(TITLE);
      const domain = admin.getByLabel('Name of the organisation on the ledger');
      await domain.fill('vote.lindenhof.example');
      const chair = admin.getByRole('group', { name: 'Question 1' });
      await chair.getByLabel('What is asked').fill('Chair of the board');
      const names = 'Ada Lindqvist\nBruno Keita\nChiara Novak\nDavid Okafor';
      await chair.getByLabel('Answers, one a line').fill(names);
      await click(admin, 'Add a question');
      const projects = admin.getByRole('group', { name: 'Question 2' });
      await projects.getByLabel('What is asked').fill('Which projects shall we pay for?');
      const offered =
        'A roof over the bicycles\nBenches\nNew lamps\nRepair workshop\nSummer cinema';
      await projects.getByLabel('Answers, one a line').fill(offered);
      await projects.getByLabel('How it is answered').selectOption('some');
      await projects.getByLabel('At most').fill('3');
      await projects.getByLabel('Offer a blank answer').uncheck();
      await admin.getByLabel('Names, one a line').fill(TRUSTEES.join('\n'));
      await admin.getByLabel('Fewest ballots for a result').fill('5');
      const saved = admin.waitForEvent('download');
      await click(admin, 'Make a key and save it');
      await (await saved).saveAs(file('admin.key'));
      await looks(admin, 'new');
      await click(admin, 'Announce the election');
      await heading(admin, 'Import the public roll').waitFor();
      id = new URL(admin.url()).pathname.split('/').at(-1) ?? '';
      await looks(admin, 'draft');
    });

    it('by giving the trustees accounts', async () => {
      await admin.getByRole('link', { name: 'People and rights' }).click();
      for (const name of TRUSTEES) {
        await admin.getByLabel('Name to sign in with').fill(name.toLowerCase());
        await admin.getByLabel('Shown name').last().fill(name);
        await admin.getByLabel('First password').fill(PASSWORD);
        const rights = admin.getByRole('group', { name: 'Rights' });
        await rights.getByLabel('Role').selectOption('trustee');
        await rights.getByLabel('For').selectOption(id);
        await click(admin, 'Make the account');
        await heading(admin, name).waitFor();
      }
      await looks(admin, 'accounts');
    });

    it('by an issuer, whose letters reach 200 voters', async () => {
      const voters = Array.from({ length: VOTERS }, (_, at) => {
        const number = at + 1;
        return `v-${number},voter${number}@lindenhof.example,Voter ${number},${LANGUAGES[at] ?? 'en'}`;
      });
      writeFileSync(file('voters.csv'), `voter_id,email,name,language\n${voters.join('\n')}\n`);
      const [list, out] = [file('voters.csv'), file('issuer')];
      await cluster.command('issuer', 'codes', '--election', id, '--roll', list, '--out', out);
      await cluster.command(
        'issuer',
        'mail',
        ...['--election', id, '--title', TITLE, '--codes', join(out, 'codes.csv')],
        ...['--server', mailbox.address, '--from', 'Elections <elections@lindenhof.example>'],
        ...['--address', `${cluster.origin(BOOTH_NODE)}/booth.html`, '--per-minute', '60000'],
      );
      expect(mailbox.size).toBe(VOTERS);
      expect(mailbox.of('voter200@lindenhof.example')).toHaveLength(1);
    });

    it('with a roll of 200, imported at the page', async () => {
      await admin.getByRole('link', { name: 'Elections', exact: true }).last().click();
      await admin.getByRole('main').getByRole('link', { name: TITLE }).click();
      await admin.getByLabel('Public roll').setInputFiles(file('issuer/public-roll.csv'));
      await admin.getByText('200 voters of total weight 200').waitFor();
      await looks(admin, 'roll');
      await click(admin, 'Import this roll');
      await heading(admin, 'Wait for the trustees').waitFor();
      await admin.getByText('200 voters on the roll.').waitFor();
    });
  });

  const passphrase = (number: number) => `five random words ${number}`;

  /** Opens the trustees' page from disk, as one of them; `at` are the nodes that they know. */
  async function sit(number: number, at: readonly string[]): Promise<Page> {
    const page = await open(number === 3 ? PHONE : DESKTOP);
    await page.goto(pathToFileURL(TRUSTEE_PAGE).href);
    await page.getByLabel('Addresses of the nodes').fill(at.join('\n'));
    await page.getByLabel('Election id').fill(id);
    await click(page, 'Load the election');
    await click(page, `${number}. ${TRUSTEES[number - 1]}`);
    trustees.set(number, page);
    return page;
  }

  async function logIn(page: Page, number: number): Promise<void> {
    await page.getByLabel('Name').fill(TRUSTEES[number - 1]!.toLowerCase());
    await page.getByLabel('Password').fill(PASSWORD);
    await click(page, 'Log in');
  }

  /** Keeps the key file that the page saves, and reads it back. */
  async function saveKey(number: number, act: string): Promise<void> {
    const page = trustees.get(number)!;
    const waiting = page.waitForEvent('download');
    await click(page, act);
    const download = await waiting;
    const path = file(download.suggestedFilename());
    await download.saveAs(path);
    await heading(page, 'Read your backup').waitFor();
    await page.getByLabel('The file that was just saved').setInputFiles(path);
    await page.getByLabel('Passphrase').fill(passphrase(number));
    await click(page, 'Read it back');
    keyFiles.set(number, path);
  }

  describe('gets its key', () => {
    it('from three trustees, each at a page from disk', async () => {
      // Keys under passphrases cost seconds on purpose: the three work at the same time.
      const begin = async (number: number) => {
        const page = await sit(number, cluster.origins);
        if (number === 1) await looks(page, 'trustee-key');
        const [fresh, again] = ['Passphrase', 'Passphrase once more'];
        await page.getByLabel(fresh, { exact: true }).last().fill(passphrase(number));
        await page.getByLabel(again).fill(passphrase(number));
        await saveKey(number, 'Make and save the key file');
        await page.getByText('Your key file is open').waitFor();
        await logIn(page, number);
      };
      await Promise.all([1, 2, 3].map(begin));
      await heading(admin, 'Seal the manifest').waitFor();
      await looks(trustees.get(1)!, 'trustee-ceremony');
      await looks(admin, 'seal');
      await click(admin, 'Seal');
      const endorse = async ([number, page]: [number, Page]) => {
        await page.getByRole('button', { name: 'Check and endorse the manifest' }).waitFor();
        if (number === 2) await looks(page, 'trustee-endorse');
        await saveKey(number, 'Check and endorse the manifest');
        await page.getByText('You have endorsed the manifest.').waitFor();
      };
      await Promise.all([...trustees].map(endorse));
      await seen(trustees.get(3)!, 'trustee-done-phone');
      for (const page of trustees.values()) await page.context().close();
    });

    it('and is opened', async () => {
      await heading(admin, 'Open the voting').waitFor();
      await admin.getByLabel('Voters may vote from now on').check();
      await looks(admin, 'opening');
      await click(admin, 'Open the voting');
      await heading(admin, 'Close the voting').waitFor();
    });
  });

  /** The link of the letter that a voter has got. */
  function linkOf(voter: number): string {
    const [letter = ''] = mailbox.of(`voter${voter}@lindenhof.example`);
    const link = /http:\S+#e=[0-9a-f]{32}&c=[0-9A-Z-]{29}/.exec(letter)?.[0];
    if (link === undefined) throw new Error(`no link in the letter of voter ${voter}: ${letter}`);
    return link;
  }

  const codeOf = (voter: number) => linkOf(voter).split('&c=')[1]!;

  async function keepTracker(page: Page, voter: number): Promise<void> {
    trackers.set(voter, (await page.locator('.tracker').textContent()) ?? '');
  }

  describe('is voted in', () => {
    it('on a phone, twice: the second ballot counts', async () => {
      const page = await open(PHONE);
      await page.goto(linkOf(1));
      await heading(page, 'Enter your voting code').waitFor();
      await seen(page, 'booth-code');
      await click(page, 'Continue');
      await page.getByLabel('Ada Lindqvist').check();
      await page.getByLabel('Benches').check();
      await looks(page, 'booth-choices');
      await click(page, 'Review your choices');
      await looks(page, 'booth-review');
      await click(page, 'Cast my vote');
      await heading(page, 'Your vote is cast').waitFor();
      await looks(page, 'booth-receipt');
      await click(page, 'Change your vote');
      await page.getByLabel('Voting code').fill(codeOf(1));
      await click(page, 'Continue');
      await page.getByText('You have already voted in this election.').waitFor();
      await page.getByLabel('Bruno Keita').check();
      await page.getByLabel('Summer cinema').check();
      await click(page, 'Review your choices');
      await click(page, 'Change my vote');
      await heading(page, 'Your vote is changed').waitFor();
      await keepTracker(page, 1);
      const saved = page.waitForEvent('download');
      await click(page, 'Save the receipt');
      await (await saved).saveAs(file('receipts/voter-1.receipt'));
    });

    it('in German, after a test of the machine', async () => {
      const page = await open({ ...DESKTOP, locale: 'de-DE' });
      await page.goto(linkOf(2));
      await click(page, 'Weiter');
      await page.getByLabel('Bruno Keita').check();
      await page.getByLabel('Repair workshop').check();
      await click(page, 'Auswahl prüfen');
      await click(page, 'Zuerst das Gerät prüfen (freiwillig)');
      await heading(page, 'Das Gerät prüfen').waitFor();
      await looks(page, 'booth-test');
      await click(page, 'Weiter');
      await page.getByLabel('Chiara Novak').check();
      await click(page, 'Auswahl prüfen');
      await click(page, 'Übungsstimmzettel verschlüsseln');
      await heading(page, 'Das Gerät ist jetzt gebunden').waitFor();
      const bound = await page.locator('.tracker').textContent();
      await click(page, 'Diesen Stimmzettel öffnen');
      await heading(page, 'Prüfen Sie auf einem zweiten Gerät').waitFor();
      await looks(page, 'booth-opened');
      await page.getByText('Öffnung als Text').click();
      const opening = await page.getByRole('textbox', { name: 'Öffnung als Text' }).inputValue();
      const second = await open(PHONE);
      await second.goto(`${cluster.origin(3)}/check.html#o=${opening}`);
      await heading(second, 'This is what the test ballot contains').waitFor();
      await second.getByText('Chiara Novak').waitFor();
      expect(await second.locator('.tracker').textContent()).toBe(bound);
      await looks(second, 'check-opened');
      await click(page, 'Zurück zu meinem Stimmzettel');
      await click(page, 'Meine Stimme abgeben');
      await heading(page, 'Ihre Stimme ist abgegeben').waitFor();
      await keepTracker(page, 2);
    });

    it('by keyboard alone', async () => {
      const page = await open(DESKTOP);
      const press = async (key: string, times = 1) => {
        for (let time = 0; time < times; time++) await page.keyboard.press(key);
      };
      await page.goto(linkOf(3));
      await focusIsOn(page, 'Enter your voting code');
      await press('Tab');
      await focusIsOn(page, 'code');
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
      await page.getByText('Benches').waitFor();
      await press('Tab', 3);
      await focusIsOn(page, 'Cast my vote');
      await press('Enter');
      await heading(page, 'Your vote is cast').waitFor();
      await keepTracker(page, 3);
    });

    it('in Arabic, on a phone, in the dark', async () => {
      const page = await open({ ...PHONE, locale: 'ar', colorScheme: 'dark' });
      await page.goto(linkOf(5));
      await click(page, 'متابعة');
      await page.getByLabel('David Okafor').check();
      await seen(page, 'booth-arabic-dark-choices');
      await click(page, 'راجِع اختياراتك');
      await click(page, 'أُدلي بصوتي');
      await heading(page, 'تم الإدلاء بصوتك').waitFor();
      await seen(page, 'booth-arabic-dark-receipt');
      await keepTracker(page, 5);
    });

    it('while the node that served the booth is killed with a ballot on its way', async () => {
      const page = await open(DESKTOP);
      await page.goto(linkOf(4));
      await click(page, 'Continue');
      await page.getByLabel('Bruno Keita').check();
      await page.getByLabel('New lamps').check();
      await click(page, 'Review your choices');
      const own = cluster.origin(BOOTH_NODE);
      let isKilled = false;
      await page.route(
        (url) => url.origin === own && url.pathname.endsWith('/ballots'),
        async (route) => {
          complaints.allow(OF_A_KILLED_NODE);
          await cluster.kill(BOOTH_NODE);
          isKilled = true;
          await route.continue();
        },
      );
      await click(page, 'Cast my vote');
      await heading(page, 'Your vote is cast').waitFor();
      expect(isKilled).toBe(true);
      await page.getByText('2 of 3 authorities have signed').waitFor();
      await keepTracker(page, 4);
      await looks(page, 'booth-killed');
    });

    it('and everybody sees how many have', async () => {
      const page = await open(DESKTOP);
      await page.goto(`${cluster.origin(3)}/e/${id}`);
      await page.getByText('of 200 have voted (2.5%)').waitFor();
      await page.getByText('1 ballot was replaced by a later one of the same voter.').waitFor();
      await looks(page, 'election-open');
    });
  });

  describe('is counted', () => {
    it('after the closing, by two trustees at the pages from disk', async () => {
      // Longer than an administrator's login lasts: the page renews it by itself.
      await admin.getByLabel('No ballot may be added any more').check();
      await click(admin, 'Close the voting');
      await heading(admin, 'Wait for the trustees to count').waitFor();
      await looks(admin, 'closed');
      for (const number of [1, 3]) {
        const page = await sit(number, cluster.origins);
        await page.getByLabel('Key file', { exact: true }).setInputFiles(keyFiles.get(number)!);
        await page.getByLabel('Passphrase', { exact: true }).first().fill(passphrase(number));
        await click(page, 'Open it');
        await page.getByText('Your key file is open').waitFor();
        await logIn(page, number);
        const go = 'Verify the ledger and decrypt my part';
        await page.getByRole('button', { name: go }).waitFor();
        if (number === 1) await looks(page, 'trustee-count');
        await saveKey(number, go);
        if (number === 1) await page.getByText('Your share is posted: 1 of 2 are there.').waitFor();
      }
      await trustees.get(3)!.getByText('The result is published.').waitFor();
      await seen(trustees.get(3)!, 'trustee-published-phone');
      await heading(admin, 'Announce the result').waitFor();
      await looks(admin, 'published');
    });

    it('and verified in the browser, at the node that was killed', async () => {
      await cluster.restart(BOOTH_NODE);
      const page = await open(DESKTOP);
      await page.goto(`${cluster.origin(BOOTH_NODE)}/e/${id}`);
      await page.getByText('5 of 200 people on the roll voted').waitFor();
      await looks(page, 'election-published');
      const row = page.getByRole('row', { name: /^Bruno Keita/ });
      expect(await row.textContent()).toMatch(/^Bruno Keita3/);
      await page.getByRole('link', { name: 'Verify', exact: true }).click();
      await click(page, 'Run all checks in my browser');
      await page.getByText('Every check holds', { exact: true }).waitFor();
      expect(await page.getByText('Holds', { exact: true }).count()).toBe(14);
      await looks(page, 'election-verified');
      for (const tab of ['results', 'ledger', 'rules']) {
        await page.goto(`${cluster.origin(BOOTH_NODE)}/e/${id}/${tab}`);
        await page.locator('.q-card').first().waitFor();
        await page.locator('.q-skeleton').first().waitFor({ state: 'detached' });
        await looks(page, `election-${tab}`);
      }
    });

    it('and every receipt is found, at the page and by a program', async () => {
      const page = await open(DESKTOP);
      await page.goto(`${cluster.origin(1)}/e/${id}`);
      for (const tracker of trackers.values()) {
        await page.getByLabel('Tracking code').fill(tracker);
        await click(page, 'Find');
        await page.getByText('Your ballot was counted').waitFor();
        await page.getByLabel('Tracking code').fill('');
      }
      const second = await open(PHONE);
      await second.goto(`${cluster.origin(3)}/check.html#t=${id}.${trackers.get(4)}`);
      await heading(second, 'This ballot is final').waitFor();
      await second.getByText('this ballot was counted').waitFor();
      await looks(second, 'check-counted');
      const archive = file('whole.archive');
      await cluster.command('election', 'export', id, '--out', archive);
      const said = await cluster.command(
        'verify',
        archive,
        ...['--trust', `${archive}.trust`, '--receipts', file('receipts')],
      );
      expect(said).toMatch(/verified/i);
      expect(readFileSync(file('receipts/voter-1.receipt'), 'utf8')).toContain('tlog-proof');
    });
  });
});
