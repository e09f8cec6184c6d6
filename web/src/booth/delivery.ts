/**
 * Sends a ballot until its fate is known.
 *
 * The same bytes go to one node after another, since they count once. After each sending all nodes
 * are asked where the ballot stands: how many hold it is shown, and a receipt ends the matter once
 * it is checked here. A refusal ends it when as many nodes as make a quorum have given one: a
 * single node may lag behind, or lie. Until then the ballot is kept and sent again, for as long as
 * the page is open.
 */

import { type Bytes, fromBase64 } from '../crypto/bytes.ts';
import type { Confirmation } from './engine.ts';
import { problemOf } from './nodeError.ts';
import type { Nodes } from './nodes.ts';

/** Where a ballot stands. */
export interface Progress {
  /** Whether a node has taken it. */
  readonly sent: boolean;
  /** Nodes that hold it. */
  readonly stored: number;
  /** Nodes that are asked. */
  readonly nodes: number;
  /** Times that all nodes were asked in vain, since one was reached last. */
  readonly inVain: number;
}

export type Outcome =
  | { readonly kind: 'final'; readonly receipt: string; readonly confirmed: Confirmation }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly sentence: string;
      /** Nodes that refused. */
      readonly refusals: number;
      /** Authorities whose signature is on the refusal. */
      readonly signed: number;
    };

export interface Judges {
  /** Checks a receipt; rejects one that does not hold. */
  confirm(receipt: string, ballot: Bytes): Promise<Confirmation>;
  /** Who signed a refusal of this ballot. */
  refusal(bytes: Bytes, ballot: Bytes): Promise<{ authority: number } | undefined>;
}

export interface Task {
  readonly election: string;
  readonly ballot: Bytes;
  readonly tracker: string;
  /** Authorities that make a quorum. */
  readonly quorum: number;
}

/** Between two looks, in milliseconds. */
const LOOK_MS = 400;
/** Looks before the ballot is sent again. */
const LOOKS = 12;
/** Longest pause when nobody can be reached, in milliseconds. */
const PAUSE_MAX_MS = 8_000;

/** Codes that say "not now", whatever their status. */
const PASSING = new Set(['overloaded', 'unavailable', 'not-found', 'no-manifest']);

interface Refused {
  readonly code: string;
  readonly sentence: string;
  readonly authority: number | undefined;
}

type Sent = 'taken' | 'not-now' | { readonly refused: Refused };

export class Delivery {
  readonly #nodes: Nodes;
  readonly #task: Task;
  readonly #judges: Judges;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #tell: (progress: Progress) => void;
  readonly #refusals = new Map<string, Refused>();
  #progress: Progress;

  constructor(
    nodes: Nodes,
    task: Task,
    judges: Judges,
    pause: (ms: number) => Promise<void>,
    tell: (progress: Progress) => void,
  ) {
    [this.#nodes, this.#task, this.#judges] = [nodes, task, judges];
    [this.#pause, this.#tell] = [pause, tell];
    this.#progress = { sent: false, stored: 0, nodes: nodes.origins.length, inVain: 0 };
  }

  #note(more: Partial<Progress>): void {
    this.#progress = { ...this.#progress, ...more };
    this.#tell(this.#progress);
  }

  /** Runs until the ballot is final or refused; rejects only when `signal` ends it. */
  async run(signal: AbortSignal): Promise<Outcome> {
    const { origins } = this.#nodes;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const origin = origins[attempt % origins.length]!;
      const sent = await this.#send(origin);
      if (sent === 'taken') {
        this.#note({ sent: true, inVain: 0 });
        const outcome = await this.#follow(signal);
        if (outcome !== undefined) return outcome;
      } else if (sent !== 'not-now') {
        this.#refusals.set(origin, sent.refused);
        const refused = this.#judgeRefusals();
        // What is final is final, whoever refuses it: it may have been sent before.
        if (refused !== undefined) return (await this.#look()) ?? refused;
      }
      if ((attempt + 1) % origins.length === 0) {
        this.#note({ inVain: sent === 'taken' ? 0 : this.#progress.inVain + 1 });
        await this.#pause(Math.min(PAUSE_MAX_MS, LOOK_MS * 2 ** this.#progress.inVain));
      }
    }
  }

  async #send(origin: string): Promise<Sent> {
    const { election, ballot } = this.#task;
    try {
      const response = await this.#nodes.ask(origin, `elections/${election}/ballots`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: Uint8Array.from(ballot),
      });
      if (response.ok) return 'taken';
      const signed = await signedRefusal(response.clone());
      const { status, code, message } = await problemOf(response);
      if (code === 'already-accepted') return 'taken';
      if (status >= 500 || status === 429 || status === 404 || PASSING.has(code)) return 'not-now';
      const signer = signed && (await this.#judges.refusal(signed, ballot));
      return { refused: { code, sentence: message, authority: signer?.authority } };
    } catch {
      return 'not-now';
    }
  }

  /** Looks until the ballot is final, or it is time to send it again. */
  async #follow(signal: AbortSignal): Promise<Outcome | undefined> {
    for (let look = 0; look < LOOKS; look++) {
      signal.throwIfAborted();
      const outcome = await this.#look();
      if (outcome !== undefined) return outcome;
      await this.#pause(LOOK_MS);
    }
    return undefined;
  }

  /** Asks every node once where the ballot stands; the first receipt that holds is enough. */
  async #look(): Promise<Outcome | undefined> {
    const stored = new Set<string>();
    const finals = this.#nodes.origins.map(async (origin) => {
      const receipt = await this.#receiptOf(origin, stored);
      const confirmed = await this.#judges.confirm(receipt, this.#task.ballot);
      return { kind: 'final', receipt, confirmed } as const;
    });
    try {
      return await Promise.any(finals);
    } catch {
      // No node has a receipt yet, or none that holds: that proves nothing.
      return undefined;
    }
  }

  /** The receipt that a node gives; rejects when it has none. */
  async #receiptOf(origin: string, stored: Set<string>): Promise<string> {
    const { election, tracker } = this.#task;
    const response = await this.#nodes.ask(origin, `elections/${election}/ballots/${tracker}`);
    if (!response.ok) throw new Error('not there');
    const { receipt } = await response.json();
    stored.add(origin);
    if (stored.size > this.#progress.stored) this.#note({ sent: true, stored: stored.size });
    if (typeof receipt !== 'string') throw new Error('not final');
    return receipt;
  }

  #judgeRefusals(): Outcome | undefined {
    const { quorum } = this.#task;
    const all = [...this.#refusals.values()];
    const needed = Math.min(quorum, this.#nodes.origins.length);
    const first = all.at(-1);
    if (first === undefined || all.length < needed) return undefined;
    const signers = new Set(all.flatMap(({ authority }) => authority ?? []));
    const { code, sentence } = first;
    return { kind: 'refused', code, sentence, refusals: all.length, signed: signers.size };
  }
}

async function signedRefusal(response: Response): Promise<Bytes | undefined> {
  try {
    const { refusal } = await response.json();
    return typeof refusal === 'string' ? fromBase64(refusal) : undefined;
  } catch {
    return undefined;
  }
}
