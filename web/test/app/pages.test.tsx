// @vitest-environment jsdom

/** Pages as people meet them: what is said, and that axe finds nothing. */

import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { LoginForm } from '../../src/app/account/LoginPage.tsx';
import { GrantFields } from '../../src/app/admin/Grants.tsx';
import { RollImport } from '../../src/app/admin/RollImport.tsx';
import { session } from '../../src/app/api/client.ts';
import { LiveCards, ResultCards } from '../../src/app/election/ResultCards.tsx';
import { Keys } from '../../src/app/election/RulesTab.tsx';
import { TrackerForm } from '../../src/app/election/TrackerForm.tsx';
import type { Election } from '../../src/app/election/useElection.ts';
import { When } from '../../src/app/election/When.tsx';
import { answers, asked, expectClean, forget, prepare, show } from './harness.tsx';

beforeAll(prepare);
afterEach(forget);

const ID = '0'.repeat(32);
const user = userEvent.setup();

describe('signing in', () => {
  it('says what the node says when it refuses, and takes a session when it does not', async () => {
    answers.set('GET /api/v1/login', {
      status: 200,
      body: { password: true, oidc: 'Campus', waits_for_administrator: false },
    });
    answers.set('POST /api/v1/login', {
      status: 401,
      body: {
        status: 401,
        code: 'login',
        detail: 'Name or password is wrong.',
        request_id: 'n1-7',
      },
    });
    const container = await show(<LoginForm />);
    await user.type(screen.getByLabelText('Name'), ' ada ');
    await user.type(screen.getByLabelText('Password'), 'x');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(await screen.findByText('Name or password is wrong.')).toBeTruthy();
    expect(screen.getByText('Request n1-7')).toBeTruthy();
    expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({
      name: 'ada',
      password: 'x',
    });
    const link = await screen.findByRole('link', { name: 'Sign in with Campus' });
    expect(link.getAttribute('href')).toBe('/api/v1/login/oidc');
    await expectClean(container);
    expect(session.state.kind).not.toBe('somebody');
  });
});

describe('a tracking code', () => {
  const TRACKER = 'ABCD-EFGH-JKMN-PQRS-TVWX';

  it('that is mistyped is not asked for', async () => {
    const container = await show(<TrackerForm id={ID} />);
    await user.type(screen.getByLabelText('Tracking code'), 'abcd');
    await user.click(screen.getByRole('button', { name: 'Find' }));
    expect(screen.getByRole('alert').textContent).toContain('20 letters and digits');
    expect(asked).toEqual([]);
    await expectClean(container);
  });

  it('finds a ballot however it is typed', async () => {
    answers.set(`GET /api/v1/elections/${ID}/ballots/${TRACKER}`, {
      status: 200,
      body: { state: 'counted', tracker: TRACKER, leaf: 7 },
    });
    const container = await show(<TrackerForm id={ID} />);
    await user.type(screen.getByLabelText('Tracking code'), 'abcdefghjkmnpqrstvwx');
    await user.click(screen.getByRole('button', { name: 'Find' }));
    expect(await screen.findByText('Your ballot was counted')).toBeTruthy();
    await expectClean(container);
  });

  it('that no ballot has is told in words', async () => {
    await show(<TrackerForm id={ID} initial={TRACKER} />);
    expect(await screen.findByText('No ballot has this code')).toBeTruthy();
  });
});

/** So many of twice as many. */
function halfOf(voters: number) {
  const of = (voters: number) => ({ voters, weight: voters });
  return { eligible: of(2 * voters), ballots: of(voters), paper: of(1) };
}

describe('results', () => {
  it('are a table with bars, the blank votes in words', async () => {
    const election = {
      id: ID,
      title: 'Board',
      phase: 'published',
      entries: 20,
      definition: {
        contests: [
          { title: 'Chair', kind: 'one', min: 1, max: 1, highest: 1, options: ['Ada', '(blank)'] },
        ],
      },
      result: {
        ballots: 8,
        weight: 8,
        counts: [[6, 2]],
        decisions: [{ ...halfOf(8), finding: 'decided', winners: [0], tied: [] }],
      },
      turnout: { voters: 8, weight: 8, ballots: 9, roll_voters: 16, roll_weight: 16 },
    } as unknown as Election;
    answers.set(`GET /api/v1/elections/${ID}/entries`, {
      status: 200,
      body: {
        entries: [
          { entry: 20, kind: 'result', stamp: 29_990_880, leaf: 19, tracker: null, refused: null },
        ],
        next: null,
        last: 20,
      },
    });
    const container = await show(<ResultCards election={election} />);
    expect(screen.getByText(/8 of 16 people on the roll voted \(50%\)/)).toBeTruthy();
    const cells = screen.getAllByRole('row').map((row) => row.textContent);
    expect(cells).toEqual(['OptionVotesShare', 'Ada675%', 'Blank (abstained)225%']);
    expect(await screen.findByText(/Published .*2027/)).toBeTruthy();
    expect(screen.getByText('Chosen: Ada.')).toBeTruthy();
    expect(screen.getByText(/8 of 16 who could answer did so \(50%\). On paper.*: 1/)).toBeTruthy();
    await expectClean(container);
  });
});

describe('an open poll', () => {
  it('shows its counts with the checkpoint that they stand under', async () => {
    const election = {
      id: ID,
      phase: 'open',
      definition: {
        contests: [{ title: 'Lunch', kind: 'one', highest: 1, options: ['Soup', 'Salad'] }],
      },
      turnout: {
        contests: [halfOf(4)],
        live: { size: 9, checkpoint: 'vote.example/e/1\n9\n', counts: [[3, 1]] },
      },
    } as unknown as Election;
    const container = await show(<LiveCards election={election} />);
    expect(screen.getByText(/counts of the first 9 entries/)).toBeTruthy();
    const cells = screen.getAllByRole('row').map((row) => row.textContent);
    expect(cells).toEqual(['OptionVotesShare', 'Soup375%', 'Salad125%']);
    expect(screen.queryByText(/Chosen/)).toBeNull();
    await expectClean(container);
  });
});

describe('the rules', () => {
  const election = (booth: string | null) =>
    ({ id: ID, fingerprint: 'f0'.repeat(32), definition: { booth } }) as unknown as Election;

  it('say which booth the manifest pins, and how to compare it', async () => {
    const digest = '9f2c'.repeat(16);
    const container = await show(<Keys {...election(digest)} />);
    const said = screen.getByText('Files of the booth').nextElementSibling?.textContent;
    expect(said).toMatch(/^fixed by the manifest; “quorate booth check --election” compares/);
    expect(said).toContain(`SHA-256 digest: ${digest}`);
    await expectClean(container);
  });

  it('say nothing of a booth where none is pinned', async () => {
    await show(<Keys {...election(null)} />);
    expect(screen.getByText('Fingerprint of the sealed manifest')).toBeTruthy();
    expect(screen.queryByText(/booth/)).toBeNull();
  });
});

describe('times', () => {
  it('are told in the zone of the election and for how long', async () => {
    const now = Math.floor(Date.now() / 60_000);
    const container = await show(
      <When phase="open" opens={now - 60} closes={now + 2 * 1440 + 30} />,
    );
    expect(screen.getAllByText(/UTC/).length).toBeGreaterThanOrEqual(2);
    expect(screen.getByText(/^in 2 days/)).toBeTruthy();
    await expectClean(container);
  });
});

describe('the roll', () => {
  it('shows mistakes by line and column and imports nothing, until the file is right', async () => {
    answers.set(`PUT /api/v1/elections/${ID}/roll`, { status: 200, body: { id: ID, entries: [] } });
    const container = await show(<RollImport id={ID} hasRoll={false} />);
    const field = screen.getByLabelText('Public roll');
    await user.upload(field, new File([`key,weight\n${'a'.repeat(64)},0\n`], 'roll.csv'));
    expect(await screen.findByText(/Line 2, column 2:/)).toBeTruthy();
    const button = screen.getByRole('button', { name: 'Import this roll' });
    expect(button.hasAttribute('disabled')).toBe(true);
    await expectClean(container);
    await user.upload(field, new File([`${'a'.repeat(64)},1,0\n`], 'roll.csv'));
    await user.click(await screen.findByRole('button', { name: 'Import this roll' }));
    expect(await screen.findByText(/The roll is stored/)).toBeTruthy();
    const sent = asked.find(({ method }) => method === 'PUT')?.body as { chunks: string[] };
    expect(sent.chunks).toHaveLength(1);
  });
});

describe('rights', () => {
  it('are for all elections or for one', async () => {
    answers.set('GET /api/v1/elections', {
      status: 200,
      body: { elections: [{ id: ID, title: 'Board', phase: 'open', leaves: 1, final_size: 1 }] },
    });
    const changed = vi.fn();
    const container = await show(<GrantFields grants={[{ role: 'auditor' }]} onGrants={changed} />);
    await screen.findByRole('option', { name: 'Board' });
    await user.selectOptions(screen.getByLabelText('For'), 'Board');
    expect(changed).toHaveBeenLastCalledWith([{ role: 'auditor', election: ID }]);
    await user.selectOptions(screen.getByLabelText('Role'), 'Trustee');
    expect(changed).toHaveBeenLastCalledWith([{ role: 'trustee' }]);
    await expectClean(container);
  });
});
