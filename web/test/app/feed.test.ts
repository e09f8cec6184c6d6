import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEAD_MS, Feed, type FeedMessage, STALE_MS, type Wire } from '../../src/app/feed/feed.ts';

class FakeWire implements Wire {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: unknown[] = [];
  readyState = 0;
  isClosed = false;
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.isClosed = true;
  }
  async open() {
    this.readyState = 1;
    this.onopen?.();
    await vi.advanceTimersByTimeAsync(0);
  }
  tell(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function started(options: { token?: string; onSessionEnd?: () => void } = {}) {
  const wires: FakeWire[] = [];
  const feed = new Feed({
    open: () => {
      const wire = new FakeWire();
      wires.push(wire);
      return wire;
    },
    token: async () => options.token,
    random: () => 1,
    ...(options.onSessionEnd && { onSessionEnd: options.onSessionEnd }),
  });
  feed.start();
  return { feed, wires, last: () => wires.at(-1) as FakeWire };
}

const TOPIC = 'elections/00/ledger';
const message = (seq: number, prev: number) => ({
  type: 'message',
  topic: TOPIC,
  seq,
  prev,
  time_ms: Date.now(),
  data: { seq },
});

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the feed', () => {
  it('says who it is before it asks', async () => {
    const { feed, last } = started({ token: 'secret' });
    feed.subscribe('cluster/nodes', { message: () => {} });
    await last().open();
    expect(last().sent).toEqual([
      { type: 'auth', token: 'secret' },
      { type: 'subscribe', topics: ['cluster/nodes'] },
    ]);
    feed.stop();
  });

  it('goes on after a break from the last number that it has seen', async () => {
    const { feed, wires, last } = started();
    const heard: number[] = [];
    feed.subscribe(TOPIC, { message: ({ seq }: FeedMessage) => heard.push(seq) }, 3);
    await last().open();
    expect(last().sent).toEqual([{ type: 'subscribe', topics: [{ topic: TOPIC, after: 3 }] }]);
    last().tell(message(7, 3));
    last().onclose?.({ code: 1001 });
    expect(feed.state).toMatchObject({ kind: 'disconnected' });
    await vi.advanceTimersByTimeAsync(500);
    expect(wires).toHaveLength(2);
    await last().open();
    expect(last().sent).toEqual([{ type: 'subscribe', topics: [{ topic: TOPIC, after: 7 }] }]);
    last().tell(message(9, 7));
    expect(heard).toEqual([7, 9]);
    feed.stop();
  });

  it('waits twice as long after each failure, up to a bound', async () => {
    const { feed, last } = started();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      last().onclose?.({ code: 1006 });
      const { state } = feed;
      if (state.kind !== 'disconnected') throw new Error(state.kind);
      waits.push(state.retryAt - Date.now());
      await vi.advanceTimersByTimeAsync(state.retryAt - Date.now());
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    feed.stop();
  });

  it('is stale when the node is silent, and gives the connection up later', async () => {
    const { feed, wires, last } = started();
    await last().open();
    last().tell({ type: 'heartbeat', time_ms: Date.now() + 90_000 });
    expect(feed.state).toEqual({ kind: 'live' });
    expect(feed.clockOffset).toBe(90_000);
    const silent = Date.now();
    await vi.advanceTimersByTimeAsync(STALE_MS + 1000);
    expect(feed.state).toEqual({ kind: 'stale', since: silent });
    const first = last();
    await vi.advanceTimersByTimeAsync(DEAD_MS - STALE_MS);
    expect(first.isClosed).toBe(true);
    expect(feed.state).toMatchObject({ kind: 'disconnected' });
    await vi.advanceTimersByTimeAsync(500);
    expect(wires).toHaveLength(2);
    feed.stop();
  });

  it('closes no connection before it is open, and listens to none that is given up', async () => {
    const { feed, wires, last } = started();
    const heard: number[] = [];
    feed.subscribe(TOPIC, { message: ({ seq }: FeedMessage) => heard.push(seq) });
    const first = last();
    feed.restart();
    expect(wires).toHaveLength(2);
    expect(first.isClosed).toBe(false);
    await first.open();
    expect(first.isClosed).toBe(true);
    expect(first.sent).toEqual([]);
    await last().open();
    first.tell(message(1, 0));
    last().tell(message(2, 0));
    expect(heard).toEqual([2]);
    feed.stop();
    expect(last().isClosed).toBe(true);
  });

  it('shares one subscription and tells late listeners the last state', async () => {
    const { feed, last } = started();
    const stop = feed.subscribe(TOPIC, { message: () => {} });
    await last().open();
    last().tell(message(1, 0));
    const late: number[] = [];
    const stopLate = feed.subscribe(TOPIC, { message: ({ seq }) => late.push(seq) });
    expect(late).toEqual([1]);
    stop();
    expect(last().sent).toHaveLength(1);
    stopLate();
    expect(last().sent.at(-1)).toEqual({ type: 'unsubscribe', topics: [TOPIC] });
    feed.stop();
  });

  it('tells why a topic is closed, and that a session has ended', async () => {
    const ended = vi.fn();
    const { feed, last } = started({ onSessionEnd: ended });
    const refused: string[] = [];
    feed.subscribe('audit', { message: () => {}, refused: (_, detail) => refused.push(detail) });
    await last().open();
    last().tell({ type: 'refused', topic: 'audit', code: 'forbidden', detail: 'Not for you.' });
    expect(refused).toEqual(['Not for you.']);
    last().onclose?.({ code: 4001 });
    expect(ended).toHaveBeenCalledOnce();
    feed.stop();
  });
});
