/** Sending: the same bytes to one node after another, until a receipt or a quorum of refusals. */

import { describe, expect, it } from 'vitest';
import { Delivery, type Judges, type Progress } from '../../src/booth/delivery.ts';
import type { Confirmation } from '../../src/booth/engine.ts';
import { agreed, gather, Nodes } from '../../src/booth/nodes.ts';
import { Store } from '../../src/booth/store.ts';
import { toBase64, toHex } from '../../src/crypto/bytes.ts';

const ballot = Uint8Array.of(1, 2, 3);
const TRACKER = 'AAAA-BBBB-CCCC-DDDD-EEEE';
const confirmed: Confirmation = { tracker: TRACKER, leaf: 7, stamp: 0, signers: ['a', 'b'] };

/** What a node does: answers a ballot, or where it stands; `undefined` is no answer at all. */
interface Behaviour {
  post(body: Uint8Array): Response | undefined;
  look(): Response | undefined;
}

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
const problem = (status: number, code: string, refusal?: Uint8Array) =>
  json(status, { code, detail: `${code}.`, ...(refusal && { refusal: toBase64(refusal) }) });
const absent = () => problem(404, 'not-found');

/** A cluster of three nodes; `log` says who was sent which bytes. */
function cluster(behaviours: readonly Behaviour[]) {
  const log: string[] = [];
  const origins = behaviours.map((_, at) => `http://n${at + 1}`);
  const nodes = new Nodes(origins[0]!, async (address, init) => {
    const at = origins.findIndex((origin) => address.startsWith(`${origin}/`));
    const own = behaviours[at]!;
    const body = init?.body as Uint8Array | undefined;
    if (body !== undefined) log.push(`n${at + 1} ${toHex(body)}`);
    const answer = body === undefined ? own.look() : own.post(body);
    if (answer === undefined) throw new TypeError('Failed to fetch');
    return answer;
  });
  nodes.origins = origins;
  return { nodes, log };
}

const judges: Judges = {
  confirm: async (receipt) => {
    if (receipt !== 'true receipt') throw new Error('the receipt does not hold');
    return confirmed;
  },
  refusal: async (bytes) => (bytes[0] === 9 ? { authority: bytes[1]! } : undefined),
};

function deliver(behaviours: readonly Behaviour[], limit = 400) {
  const { nodes, log } = cluster(behaviours);
  const told: Progress[] = [];
  const stop = new AbortController();
  let pauses = 0;
  const pause = async () => {
    pauses += 1;
    if (pauses > limit) stop.abort(new Error('still not known'));
  };
  const task = { election: 'ab'.repeat(16), ballot, tracker: TRACKER, quorum: 2 };
  const delivery = new Delivery(nodes, task, judges, pause, (progress) => told.push(progress));
  return { outcome: delivery.run(stop.signal), log, told };
}

const dead: Behaviour = { post: () => undefined, look: () => undefined };
const holds = (receipt?: string): Behaviour => ({
  post: () => json(202, { state: 'ordered' }),
  look: () => json(200, receipt === undefined ? { state: 'ordered' } : { receipt }),
});
const refuses = (code: string, signed?: Uint8Array): Behaviour => ({
  post: () => problem(422, code, signed),
  look: absent,
});

it('is final with a receipt that holds, and tells how many nodes have it', async () => {
  const { outcome, log, told } = deliver([holds(), holds('true receipt'), dead]);
  expect(await outcome).toEqual({ kind: 'final', receipt: 'true receipt', confirmed });
  expect(log).toEqual(['n1 010203']);
  expect(told.at(-1)).toMatchObject({ sent: true, stored: 2, nodes: 3 });
});

it('sends the same bytes to the next node when one does not answer', async () => {
  const { outcome, log } = deliver([dead, dead, holds('true receipt')]);
  expect((await outcome).kind).toBe('final');
  expect(log).toEqual(['n1 010203', 'n2 010203', 'n3 010203']);
});

it('believes no receipt that does not hold', async () => {
  const liar = holds('false receipt');
  const { outcome } = deliver([liar, liar, liar]);
  await expect(outcome).rejects.toThrow('still not known');
  const { outcome: other } = deliver([liar, holds('true receipt'), dead]);
  expect((await other).kind).toBe('final');
});

it('is final although a node hangs', async () => {
  const { nodes } = cluster([holds('true receipt'), holds()]);
  const { ask } = nodes;
  nodes.origins = ['http://n3', ...nodes.origins];
  nodes.ask = (origin, path, init) =>
    origin === 'http://n3' && init === undefined
      ? new Promise(() => {})
      : ask.call(nodes, origin === 'http://n3' ? 'http://n1' : origin, path, init);
  const task = { election: 'ab'.repeat(16), ballot, tracker: TRACKER, quorum: 2 };
  const delivery = new Delivery(
    nodes,
    task,
    judges,
    async () => undefined,
    () => undefined,
  );
  expect((await delivery.run(new AbortController().signal)).kind).toBe('final');
});

it('goes on for as long as nobody answers, and counts the rounds in vain', async () => {
  const { outcome, told, log } = deliver([dead, dead, dead], 5);
  await expect(outcome).rejects.toThrow('still not known');
  expect(told.at(-1)!.inVain).toBeGreaterThanOrEqual(5);
  expect(new Set(log.map((line) => line.slice(3)))).toEqual(new Set(['010203']));
});

describe('refusals', () => {
  const signed = (authority: number) => Uint8Array.of(9, authority);

  it('of one node alone do not end it', async () => {
    const { outcome } = deliver([refuses('broken-chain', signed(1)), holds('true receipt'), dead]);
    expect((await outcome).kind).toBe('final');
  });

  it('of a quorum end it, with those counted that are signed', async () => {
    const { outcome } = deliver([
      refuses('broken-chain', signed(1)),
      refuses('broken-chain', Uint8Array.of(0)),
      dead,
    ]);
    expect(await outcome).toEqual({
      kind: 'refused',
      code: 'broken-chain',
      sentence: 'broken-chain.',
      refusals: 2,
      signed: 1,
    });
  });

  it('do not hide a receipt that is there already', async () => {
    const late: Behaviour = {
      post: () => problem(422, 'too-late'),
      look: () => json(200, { receipt: 'true receipt' }),
    };
    expect((await deliver([late, late, dead]).outcome).kind).toBe('final');
  });

  it.each([
    [429, 'overloaded'],
    [503, 'unavailable'],
    [404, 'not-found'],
    [500, 'internal'],
  ])('%i %s is none', async (status, code) => {
    let asked = 0;
    const busy: Behaviour = {
      post: () => {
        asked += 1;
        return asked < 4 ? problem(status, code) : json(202, {});
      },
      look: () => (asked < 4 ? absent() : json(200, { receipt: 'true receipt' })),
    };
    expect((await deliver([busy, busy, busy]).outcome).kind).toBe('final');
  });

  it('that the ballot is there already is none', async () => {
    const again: Behaviour = {
      post: () => problem(409, 'already-accepted'),
      look: () => json(200, { receipt: 'true receipt' }),
    };
    expect((await deliver([again, again, again]).outcome).kind).toBe('final');
  });
});

it('follows what most nodes say about a chain', () => {
  const claim = (seq: number, byte: number) => ({ seq, hash: new Uint8Array(32).fill(byte) });
  expect(agreed([undefined, undefined, claim(3, 1)])).toBe(undefined);
  expect(agreed([claim(0, 1), claim(0, 1), claim(9, 2)])).toEqual(claim(0, 1));
  // A node that lags behind says less, not something else.
  expect(agreed([undefined, claim(0, 1)])).toEqual(claim(0, 1));
  expect(agreed([])).toBe(undefined);
});

it('does not wait long for a node that hangs', async () => {
  const hangs = new Promise<string>(() => {});
  const ask = (origin: string) => (origin === 'slow' ? hangs : Promise.resolve(origin));
  const now = async () => undefined;
  expect((await gather(['slow', 'a', 'b'], ask, now)).got).toEqual(['a', 'b']);
  const fails = () => Promise.reject(new Error('away'));
  expect(await gather(['a', 'b'], fails, now)).toMatchObject({ got: [], failed: [{}, {}] });
});

it('refuses manifests that differ', async () => {
  const nodes = new Nodes('http://n1', async (address) => new Response(address));
  nodes.origins = ['http://n1', 'http://n2'];
  await expect(nodes.manifest('00')).rejects.toThrow('different manifests');
});

it('keeps an encrypted ballot over a reload, and nothing else', () => {
  const shelf = new Map<string, string>();
  const store = new Store({
    getItem: (key) => shelf.get(key) ?? null,
    setItem: (key, value) => shelf.set(key, value),
    removeItem: (key) => shelf.delete(key),
  });
  expect(store.read()).toBe(undefined);
  const pending = { election: 'e', ballot, tracker: TRACKER, receipt: undefined };
  expect(store.keep(pending)).toBe(true);
  expect(store.read()).toEqual(pending);
  const kept = JSON.parse([...shelf.values()][0]!);
  expect(Object.keys(kept).sort()).toEqual(['ballot', 'election', 'receipt', 'tracker']);
  store.forget();
  expect(shelf.size).toBe(0);
});

it('works without storage', () => {
  const shelf = {
    getItem: () => {
      throw new Error('forbidden');
    },
    setItem: () => {
      throw new Error('forbidden');
    },
    removeItem: () => {
      throw new Error('forbidden');
    },
  };
  const store = new Store(shelf);
  expect(store.keep({ election: 'e', ballot, tracker: TRACKER, receipt: undefined })).toBe(false);
  expect(store.read()).toBe(undefined);
  store.forget();
});
