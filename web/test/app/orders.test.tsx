// @vitest-environment jsdom

/** What an officer does while voting is going on: what is said before, what is sent, what comes. */

import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Approvals } from '../../src/app/admin/Approvals.tsx';
import { setAdminKey } from '../../src/app/admin/adminKey.ts';
import { Orders } from '../../src/app/admin/Orders.tsx';
import type { Election } from '../../src/app/election/useElection.ts';
import { concat, fromBase64, Reader, toBase64, toHex } from '../../src/crypto/bytes.ts';
import { printCode } from '../../src/crypto/code.ts';
import { credentialOfCode } from '../../src/crypto/credential.ts';
import { isSignedBy, publicKeyOf } from '../../src/crypto/signature.ts';
import { writeDraft } from '../../src/election/draft.ts';
import { ORDER_KINDS, readOrder } from '../../src/election/order.ts';
import { answers, asked, expectClean, forget, prepare, show } from './harness.tsx';

const ID = '0a'.repeat(16);
const FINGERPRINT = new Uint8Array(32).fill(5);
const SEED = new Uint8Array(32).fill(7);
const KEYS = [1, 2, 3].map((seed) => publicKeyOf(new Uint8Array(32).fill(seed)));
const HEX = KEYS.map(toHex);

const draft = writeDraft({
  id: new Uint8Array(16).fill(10),
  admin: publicKeyOf(SEED),
  definition: new Uint8Array(1),
});

function electionOf(definition: object = {}, more: object = {}): Election {
  return {
    id: ID,
    phase: 'open',
    draft: toBase64(draft),
    fingerprint: toHex(FINGERPRINT),
    next_order: 4,
    closes: null,
    definition: { groups: ['students', 'staff'], roll_changes: true, paper: true, ...definition },
    turnout: { ballots: 3, paper_voters: 2 },
    ...more,
  } as unknown as Election;
}

const ORDERS = `POST /api/v1/elections/${ID}/orders`;
const DONE = { status: 200, body: { id: ID, entries: [9] } };
const user = userEvent.setup();

/** What the node knows about a key. */
function know(key: string, known: object): void {
  const body = { on_roll: true, group: 0, weight: 1, barred: null, last: null, ...known };
  answers.set(`GET /api/v1/elections/${ID}/credentials/${key}`, { status: 200, body });
}

function refuse(code: string, detail: string): void {
  answers.set(ORDERS, { status: 409, body: { status: 409, code, detail, request_id: 'n1-7' } });
}

/** The orders that were sent, each signed by the administrator. */
function sent() {
  const posts = asked.filter(({ method, path }) => `${method} ${path}` === ORDERS);
  return posts.map(({ body }) => {
    const [kind = 0, ...rest] = fromBase64((body as { order: string }).order) ?? [];
    const read = readOrder(ORDER_KINDS[kind - 10]!, new Reader(Uint8Array.from(rest)));
    const message = concat(FINGERPRINT, read.signed);
    expect(
      isSignedBy(publicKeyOf(SEED), 'quorate/order/v1', message, read.signature),
      'the signature',
    ).toBe(true);
    return { number: read.number, order: read.order };
  });
}

const form = (name: string) => within(screen.getByRole('group', { name }));

beforeAll(prepare);
beforeEach(() => setAdminKey(SEED));
afterEach(forget);

describe('the roll of an open election', () => {
  it('gets a voter: what is known of the key is said, and the order is signed here', async () => {
    const container = await show(<Orders election={electionOf()} asksForKey />);
    const add = form('Add a voter');
    expect(add.getByText(/can vote at once/)).toBeTruthy();
    know(HEX[0]!, { on_roll: false });
    await user.type(add.getByLabelText('Key of the new voter'), ` ${HEX[0]?.toUpperCase()}`);
    expect(await add.findByText('This key is not on the roll yet.')).toBeTruthy();
    await user.clear(add.getByLabelText('Weight'));
    await user.type(add.getByLabelText('Weight'), '3');
    await user.selectOptions(add.getByLabelText('Group'), 'staff');
    const button = add.getByRole('button', { name: 'Add to the roll' });
    expect(button.hasAttribute('disabled')).toBe(true);
    await expectClean(container);
    answers.set(ORDERS, DONE);
    await user.click(add.getByLabelText('Let one more person vote'));
    await user.click(button);
    expect((await add.findByRole('alert')).textContent).toBe('It is on the ledger.');
    const voter = { key: KEYS[0], weight: 3, group: 2 };
    expect(sent()).toEqual([{ number: 4, order: { act: 'add', voter } }]);
    expect(add.getByLabelText('Key of the new voter')).toHaveProperty('value', '');
    await expectClean(container);
  });

  it('tells what is wrong with a key, where, and sends nothing', async () => {
    const container = await show(<Orders election={electionOf()} asksForKey />);
    const add = form('Add a voter');
    const field = add.getByLabelText('Key of the new voter');
    await user.type(field, `${HEX[0]?.slice(0, 62)}zz`);
    await user.tab();
    expect(add.getByRole('alert').textContent).toContain('“z” at place 63');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    await expectClean(container);
    await user.clear(field);
    await user.type(field, 'ab');
    await user.tab();
    expect(add.getByRole('alert').textContent).toContain('64 digits, but here are 2');
    await user.click(add.getByLabelText('Let one more person vote'));
    const button = add.getByRole('button', { name: 'Add to the roll' });
    expect(button.hasAttribute('disabled')).toBe(true);
    expect(asked).toEqual([]);
  });

  it('loses a voter, whose code will do as well as the key', async () => {
    answers.set(ORDERS, DONE);
    await show(<Orders election={electionOf()} asksForKey />);
    await user.selectOptions(screen.getByLabelText('What changes'), 'Withdraw a voter');
    const withdraw = form('Withdraw a voter');
    const bytes = new Uint8Array(15).fill(9);
    const { publicKey } = credentialOfCode(bytes, new Uint8Array(16).fill(10));
    know(toHex(publicKey), { group: 1, weight: 2 });
    const code = printCode(bytes);
    await user.type(withdraw.getByLabelText('Key that is withdrawn'), code);
    expect(await withdraw.findByText(/weight 2, group: students/)).toBeTruthy();
    await user.click(withdraw.getByLabelText('This person may not vote'));
    await user.click(withdraw.getByRole('button', { name: 'Withdraw from the roll' }));
    await withdraw.findByText('It is on the ledger.');
    expect(sent()).toEqual([{ number: 4, order: { act: 'withdraw', key: publicKey } }]);
    expect(JSON.stringify(asked)).not.toContain(code);
  });

  it('gets another key for a lost code, or the reason why not', async () => {
    const container = await show(<Orders election={electionOf()} asksForKey />);
    await user.selectOptions(screen.getByLabelText('What changes'), 'Replace a lost code');
    const replace = form('Replace a lost code');
    know(HEX[0]!, { last: { seq: 0, hash: '', leaf: 12, final: true } });
    know(HEX[1]!, { on_roll: false });
    await user.type(replace.getByLabelText('Key of the lost code'), HEX[0]!);
    await user.type(replace.getByLabelText('New key'), HEX[1]!);
    expect(await replace.findByText(/A ballot was accepted for this key/)).toBeTruthy();
    refuse('has-voted', 'The credential has an accepted ballot, leaf 12.');
    await user.click(replace.getByLabelText('The lost code may not vote any more'));
    await user.click(replace.getByRole('button', { name: 'Replace the key' }));
    const alert = await replace.findByRole('alert');
    expect(alert.textContent).toContain('The code has an accepted ballot.');
    expect(alert.textContent).toContain('neither a paper ballot nor another code');
    expect(alert.textContent).toContain('n1-7');
    expect(sent()).toEqual([{ number: 4, order: { act: 'replace', key: KEYS[0], by: KEYS[1] } }]);
    await expectClean(container);
  });

  it('gets everybody of a file who is not on it, each by an order of their own', async () => {
    answers.set(ORDERS, DONE);
    answers.set(`GET /api/v1/elections/${ID}`, {
      status: 200,
      body: electionOf({}, { next_order: 6 }),
    });
    for (const [at, key] of HEX.entries()) know(key, { on_roll: at === 1 });
    const container = await show(<Orders election={electionOf()} asksForKey />);
    await user.selectOptions(screen.getByLabelText('What changes'), 'Add everybody of a file');
    const add = form('Add everybody of a file');
    const rows = HEX.map((key) => `${key},1,0`).join('\n');
    const field = add.getByLabelText('Public roll of the newcomers');
    await user.upload(field, new File([rows], 'late.csv'));
    await user.click(await add.findByLabelText('Let the people of this file vote'));
    await user.click(add.getByRole('button', { name: 'Add them all' }));
    expect(await add.findByText('Added: 2. On the roll already: 1.')).toBeTruthy();
    const voter = (at: number) => ({ key: KEYS[at], weight: 1, group: 0 });
    expect(sent()).toEqual([
      { number: 6, order: { act: 'add', voter: voter(0) } },
      { number: 7, order: { act: 'add', voter: voter(2) } },
    ]);
    await expectClean(container);
  });

  it('is not offered for changes where the definition allows none', async () => {
    const closed = electionOf({ roll_changes: false, paper: false });
    await show(<Orders election={closed} asksForKey />);
    expect(screen.getByText(/The roll cannot be changed/)).toBeTruthy();
    expect(screen.getByText(/Nobody can be marked/)).toBeTruthy();
    expect(screen.queryByLabelText('What changes')).toBeNull();
    expect(screen.queryByRole('group', { name: 'Mark a voter on paper' })).toBeNull();
    expect(screen.queryByRole('group', { name: 'Reset the test' })).toBeNull();
  });
});

describe('a vote on paper', () => {
  it('is marked, and what follows is said before', async () => {
    answers.set(ORDERS, DONE);
    const container = await show(<Orders election={electionOf()} asksForKey />);
    const paper = form('Mark a voter on paper');
    expect(paper.getByText(/No online ballot is taken for this key any more/)).toBeTruthy();
    expect(paper.getByText('2 voters are marked so far.')).toBeTruthy();
    know(HEX[0]!, {});
    await user.type(paper.getByLabelText('Key of the voter'), HEX[0]!);
    await paper.findByText('On the roll, weight 1, group: none. No ballot yet.');
    await user.click(paper.getByLabelText('This person votes on paper'));
    await user.click(paper.getByRole('button', { name: 'Mark on paper' }));
    await paper.findByText('It is on the ledger.');
    expect(sent()).toEqual([{ number: 4, order: { act: 'paper', key: KEYS[0] } }]);
    await expectClean(container);
  });

  it('is refused where an online ballot was accepted', async () => {
    await show(<Orders election={electionOf()} asksForKey />);
    const paper = form('Mark a voter on paper');
    refuse('has-voted', 'The credential has an accepted ballot, leaf 12.');
    await user.type(paper.getByLabelText('Key of the voter'), HEX[0]!);
    await user.click(paper.getByLabelText('This person votes on paper'));
    await user.click(paper.getByRole('button', { name: 'Mark on paper' }));
    const alert = await paper.findByRole('alert');
    expect(alert.textContent).toContain('The ballot that was cast stays and counts');
    expect(paper.getByLabelText('Key of the voter')).toHaveProperty('value', HEX[0]);
  });

  it('needs the key of this election', async () => {
    setAdminKey(new Uint8Array(32).fill(8));
    await show(<Orders election={electionOf()} asksForKey />);
    const paper = form('Mark a voter on paper');
    await user.type(paper.getByLabelText('Key of the voter'), HEX[0]!);
    await user.click(paper.getByLabelText('This person votes on paper'));
    await user.click(paper.getByRole('button', { name: 'Mark on paper' }));
    const alert = await paper.findByRole('alert');
    expect(alert.textContent).toContain('not the administrator’s of this election');
    expect(sent()).toEqual([]);
  });
});

describe('a test', () => {
  it('is reset once somebody is sure, with the number of ballots told before', async () => {
    answers.set(ORDERS, DONE);
    setAdminKey(undefined);
    const container = await show(<Orders election={electionOf({ test: true })} asksForKey />);
    const reset = form('Reset the test');
    expect(reset.getByText('3 ballots will not count any more.')).toBeTruthy();
    expect(reset.getByText(/The roll with its changes and the paper marks stay/)).toBeTruthy();
    const button = reset.getByRole('button', { name: 'Reset the test' });
    await user.click(reset.getByLabelText('Forget all ballots of this test'));
    expect(reset.getByText('Choose your key file first.')).toBeTruthy();
    expect(button.hasAttribute('disabled')).toBe(true);
    await expectClean(container);
    const file = new File([`quorate administrator key v1\n${toHex(SEED)}\n`], 'admin.key');
    await user.upload(screen.getByLabelText('Administrator’s key file'), file);
    await screen.findByText('Your key is loaded');
    await user.click(button);
    await reset.findByText('It is on the ledger.');
    expect(sent()).toEqual([{ number: 4, order: { act: 'reset' } }]);
  });

  it('waits where the node wants a second person to agree', async () => {
    answers.set(ORDERS, {
      status: 202,
      body: { approval: '5a', act: 'reset', election: ID, by: 'ada', created: 1, expires: 2 },
    });
    const container = await show(<Orders election={electionOf({ test: true })} asksForKey />);
    const reset = form('Reset the test');
    await user.click(reset.getByLabelText('Forget all ballots of this test'));
    await user.click(reset.getByRole('button', { name: 'Reset the test' }));
    const alert = await reset.findByRole('alert');
    expect(alert.textContent).toContain('A second person has to agree');
    expect(reset.queryByText('It is on the ledger.')).toBeNull();
    await expectClean(container);
  });

  it('that waits is agreed to by somebody else', async () => {
    const act = { act: 'reset', election: ID, by: 'ada', created: 1, expires: 1_900_000_000 };
    const items = [{ approval: '5a', ...act }];
    answers.set('GET /api/v1/approvals', { status: 200, body: { items } });
    answers.set('POST /api/v1/approvals/5a', DONE);
    const container = await show(<Approvals />);
    await screen.findByRole('heading', { name: 'Reset' });
    await expectClean(container);
    await user.click(screen.getByRole('button', { name: 'Agree' }));
    expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ approve: true });
  });
});
