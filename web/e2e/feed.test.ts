/**
 * The live feed as a whole campus hears it: a thousand listeners at one node, behind one address,
 * while ballots flow; then that node is killed, and all of them go on at another one from the last
 * entry they have. Nobody misses an entry or gets one twice.
 */

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../src/booth/engine.ts';
import { readCode } from '../src/crypto/code.ts';
import { BINARY, Cluster, eventually, type Held, openElection } from './cluster.ts';
import { NotOpened, Wire } from './wires.ts';

const LISTENERS = 1000;
const VOTERS = 240;
/** Connections that are opened at once. */
const TOGETHER = 100;
const BETWEEN_BALLOTS_MS = 20;
/** As many messages of a topic a second may come, and one more where two seconds meet. */
const RATE_MAX = 5;

const POLL = `
title = "What shall the canteen cook?"
domain = "vote.example.org"
open_poll = true
minimum_ballots = 1

[[contests]]
title = "On Friday"
kind = "one"
options = ["Soup", "Noodles", "Fish"]
`;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Message {
  readonly type: string;
  readonly topic?: string;
  readonly data?: { readonly entries?: readonly { readonly entry: number }[]; voters?: number };
}

/** Somebody who follows the ledger and the turnout. */
class Listener {
  /** The last entry that is known here. */
  last = 0;
  voters = 0;
  /** Entries that were missed, or came again. */
  readonly wrong: string[] = [];
  /** Most messages of the ledger within one second. */
  busiest = 0;
  resumed = 0;
  #recent: number[] = [];
  #isOver = false;
  #wire: Wire | undefined;
  readonly #election: string;
  /** Where it goes when its node is gone. */
  readonly #others: readonly string[];

  constructor(election: string, others: readonly string[]) {
    [this.#election, this.#others] = [election, others];
  }

  /** Listens at the first of the nodes that takes it, from the last entry on. */
  async listen(nodes: readonly string[]): Promise<void> {
    for (let attempt = 0; !this.#isOver; attempt++) {
      try {
        const wire = await Wire.open(`${nodes[attempt % nodes.length]}/api/v1/feed`);
        this.#follow(wire);
        return;
      } catch (error) {
        const isBusy = error instanceof NotOpened && [429, 503].includes(error.status);
        await pause((isBusy ? 400 : 100) * (1 + Math.random()));
      }
    }
  }

  #follow(wire: Wire): void {
    this.#wire = wire;
    wire.onText = (text) => this.#hear(JSON.parse(text));
    wire.onEnd = () => {
      if (this.#isOver) return;
      this.resumed += 1;
      void this.listen(this.#others);
    };
    const topic = (name: string) => `elections/${this.#election}/${name}`;
    const ledger = { topic: topic('ledger'), after: this.last };
    wire.send(JSON.stringify({ type: 'subscribe', topics: [ledger, topic('turnout')] }));
  }

  #hear({ type, topic = '', data }: Message): void {
    if (type === 'refused') this.wrong.push(`refused: ${topic}`);
    if (type !== 'message') return;
    if (topic.endsWith('/turnout')) this.voters = data?.voters ?? 0;
    if (!topic.endsWith('/ledger')) return;
    const now = performance.now();
    this.#recent = [...this.#recent.filter((time) => now - time < 1000), now];
    this.busiest = Math.max(this.busiest, this.#recent.length);
    for (const { entry } of data?.entries ?? []) {
      if (entry !== this.last + 1) this.wrong.push(`${entry} after ${this.last}`);
      this.last = entry;
    }
  }

  stop(): void {
    this.#isOver = true;
    this.#wire?.close();
  }
}

describe.skipIf(!existsSync(BINARY))('the feed', () => {
  let cluster: Cluster;
  let held: Held;
  let nodes: string[] = [];
  let ballots: Uint8Array[] = [];
  const listeners: Listener[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start();
    nodes = cluster.addresses.split(',');
    held = await openElection(cluster, POLL, { voters: VOTERS, trustees: 0 });
    const engine = new Engine();
    const answer = await fetch(`${nodes[0]}/api/v1/elections/${held.id}/manifest`);
    engine.found(new Uint8Array(await answer.arrayBuffer()));
    ballots = [...held.codes.values()].map((code, at) => {
      const place = { group: 0, seq: 0, prev: new Uint8Array(32) };
      return engine.cast(readCode(code), place, [[at % 3]], false).ballot;
    });
  });

  afterAll(async () => {
    for (const listener of listeners) listener.stop();
    await cluster?.stop();
  });

  /** Casts ballots at the nodes in turn; an absent one costs another try. */
  async function cast(some: readonly Uint8Array[], at: readonly string[]): Promise<void> {
    for (const [turn, ballot] of some.entries()) {
      const node = at[turn % at.length];
      await eventually('a ballot', async () => {
        const response = await fetch(`${node}/api/v1/elections/${held.id}/ballots`, {
          method: 'POST',
          headers: { 'content-type': 'application/octet-stream' },
          body: Uint8Array.from(ballot),
        });
        if (response.ok) return true;
        throw new Error(await response.text());
      });
      await pause(BETWEEN_BALLOTS_MS);
    }
  }

  /** Waits until all have everything. */
  async function allHear(voters: number): Promise<void> {
    const asked = await fetch(`${nodes[1]}/api/v1/elections/${held.id}`);
    const { entries } = (await asked.json()) as { entries: number };
    await eventually(`entry ${entries} at all listeners`, async () => {
      const behind = listeners.filter((one) => one.last < entries || one.voters < voters);
      if (behind.length > 0) throw new Error(`${behind.length} are behind`);
      return true;
    });
  }

  it('serves a thousand at one node while ballots flow', async () => {
    const [first = '', ...others] = nodes;
    while (listeners.length < LISTENERS) {
      const some = Array.from({ length: TOGETHER }, () => new Listener(held.id, others));
      listeners.push(...some);
      await Promise.all(some.map((listener) => listener.listen([first])));
    }
    const half = ballots.slice(0, VOTERS / 2);
    await cast(half, nodes);
    await allHear(half.length);
    expect(listeners.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(Math.max(...listeners.map(({ busiest }) => busiest))).toBeLessThanOrEqual(RATE_MAX);
  });

  it('goes on at other nodes without a gap when theirs is killed', async () => {
    const rest = ballots.slice(VOTERS / 2);
    const flowing = cast(rest, nodes.slice(1));
    await pause(300);
    await cluster.kill(1);
    await flowing;
    await allHear(VOTERS);
    expect(listeners.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(listeners.every(({ resumed }) => resumed > 0)).toBe(true);
  });
});
