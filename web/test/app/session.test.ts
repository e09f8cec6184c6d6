import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../src/app/api/problem.ts';
import { hasRole, SessionKeeper } from '../../src/app/api/session.ts';

const NOW = 1_800_000_000_000;

function view(token: string) {
  return {
    access_token: token,
    token_type: 'Bearer',
    expires_in: 300,
    session_expires: NOW / 1000 + 28_800,
    account: { name: 'ada', display: 'Ada', grants: [{ role: 'administrator' }] },
  };
}

function memory(entries: Record<string, string> = {}) {
  const map = new Map(Object.entries(entries));
  return {
    map,
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  };
}

const json = (body: object, status = 200) => new Response(JSON.stringify(body), { status });

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the session', () => {
  it('does not ask for visitors who never signed in', async () => {
    const fetcher = vi.fn<typeof fetch>();
    const keeper = new SessionKeeper(fetcher, memory());
    await keeper.start();
    expect(fetcher).not.toHaveBeenCalled();
    expect(keeper.state).toEqual({ kind: 'nobody', ended: false });
  });

  it('keeps the token in memory and nowhere else, and renews it in time, once for all', async () => {
    const answers = [json(view('one')), json(view('two'))];
    const fetcher = vi.fn<typeof fetch>(async () => answers.shift() as Response);
    const storage = memory();
    const keeper = new SessionKeeper(fetcher, storage);
    await keeper.login('ada', 'a sentence that nobody guesses');
    expect(await keeper.token()).toBe('one');
    expect([...storage.map.values()].join()).not.toContain('one');
    vi.setSystemTime(NOW + 271_000);
    expect(await Promise.all([keeper.token(), keeper.token()])).toEqual(['two', 'two']);
    expect(fetcher).toHaveBeenCalledTimes(2);
    expect(fetcher.mock.calls[1]?.[0]).toBe('/api/v1/session/refresh');
  });

  it('tells the problem of a refused login in the words of the node', async () => {
    const problem = { status: 401, code: 'wrong-password', detail: 'Name or password is wrong.' };
    const keeper = new SessionKeeper(async () => json(problem, 401), memory());
    const error = await keeper.login('ada', 'x').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'wrong-password', detail: 'Name or password is wrong.' });
  });

  it('ends when the cookie is no good any more, and says that it ended', async () => {
    const answers = [json(view('one')), json({ status: 401, detail: 'x' }, 401)];
    const storage = memory();
    const keeper = new SessionKeeper(async () => answers.shift() as Response, storage);
    await keeper.login('ada', 'x');
    await keeper.renew();
    expect(keeper.state).toEqual({ kind: 'nobody', ended: true });
    expect(await keeper.token()).toBeUndefined();
    expect(storage.map.size).toBe(0);
  });

  it('outlives a node that does not answer', async () => {
    const answers: (Response | undefined)[] = [json(view('one')), undefined];
    const keeper = new SessionKeeper(async () => {
      const answer = answers.shift();
      if (answer === undefined) throw new TypeError('no network');
      return answer;
    }, memory());
    await keeper.login('ada', 'x');
    await keeper.renew();
    expect(keeper.state).toMatchObject({ kind: 'somebody' });
    expect(await keeper.token()).toBe('one');
  });
});

describe('rights', () => {
  it.each([
    ['administrator', undefined, true],
    ['administrator', 'b', true],
    ['trustee', 'a', true],
    ['trustee', 'b', false],
    ['trustee', undefined, false],
    ['auditor', 'a', false],
  ] as const)('%s for %s: %s', (role, election, expected) => {
    const grants = [
      { role: 'administrator' as const },
      { role: 'trustee' as const, election: 'a' },
    ];
    expect(hasRole(grants, role, election)).toBe(expected);
  });
});
