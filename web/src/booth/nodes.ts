/**
 * What the booth asks the nodes. Every question goes to the nodes in turn until one answers: each
 * is another origin, and any of them may be away. Nothing that a node says is believed where it
 * can be checked: manifests are compared, the roll has its root, receipts their signatures.
 */

import { type Bytes, equal, fromBase64, fromHex, toHex } from '../crypto/bytes.ts';
import type { KeyChange } from '../election/succession.ts';
import { NodeError, problemOf } from './nodeError.ts';

export type Fetch = (address: string, init?: RequestInit) => Promise<Response>;

/** Longest wait for one answer, in milliseconds. */
const ANSWER_MS = 10_000;
/** How long the others may take once one has answered, in milliseconds. */
const GRACE_MS = 2_500;
/** Leaves of the roll that are asked for at once: 63 kB each. */
const CHUNKS_MAX = 30;

/** No node has answered. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';
}

/** Nodes have told different things of which only one can be true. */
export class ContradictionError extends Error {
  override readonly name = 'ContradictionError';
}

export interface Summary {
  readonly id: string;
  readonly title: string | null;
  readonly phase: string;
}

/** The last ballot of a credential, as nodes say. */
export interface Last {
  readonly seq: number;
  readonly hash: Bytes;
}

export class Nodes {
  readonly #fetch: Fetch;
  /** Origins, this page's own first. */
  origins: readonly string[];

  constructor(own: string, send: Fetch) {
    this.#fetch = send;
    this.origins = [own];
  }

  /** One request to one node. */
  ask(origin: string, path: string, init: RequestInit = {}): Promise<Response> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const shared: RequestInit = { credentials: 'omit', cache: 'no-store', signal };
    return this.#fetch(`${origin}/api/v1/${path}`, { ...shared, ...init });
  }

  /** The first answer that is one; throws what the last node said otherwise. */
  async #any<T>(path: string, read: (response: Response) => Promise<T>): Promise<T> {
    let failure: Error = new OfflineError('no node can be reached');
    for (const origin of this.origins) {
      try {
        const response = await this.ask(origin, path);
        if (response.ok) return await read(response);
        failure = await problemOf(response);
      } catch (error) {
        if (!(failure instanceof NodeError)) failure = new OfflineError((error as Error).message);
      }
    }
    throw failure;
  }

  /** Learns the other nodes' origins; a node that does not tell leaves the page with its own. */
  async discover(): Promise<void> {
    const own = this.origins[0]!;
    try {
      const { origins } = await this.#any('node', (response) => response.json());
      const others = (Array.isArray(origins) ? origins : []).filter(
        (origin): origin is string => typeof origin === 'string' && origin !== own,
      );
      this.origins = [own, ...new Set(others)];
    } catch {
      this.origins = [own];
    }
  }

  elections(): Promise<readonly Summary[]> {
    return this.#any('elections', async (response) => (await response.json()).elections ?? []);
  }

  async phase(id: string): Promise<string> {
    return this.#any(`elections/${id}`, async (response) => String((await response.json()).phase));
  }

  /** The manifest, the same from every node that answers. */
  async manifest(id: string): Promise<Bytes> {
    const path = `elections/${id}/manifest`;
    const { got, failed } = await gather(this.origins, async (origin) => {
      const response = await this.ask(origin, path);
      if (!response.ok) throw await problemOf(response);
      return new Uint8Array(await response.arrayBuffer());
    });
    const [first, ...others] = got;
    if (first === undefined) {
      throw failed.find((one) => one instanceof NodeError) ?? new OfflineError('no node answers');
    }
    if (!others.every((other) => equal(first, other))) {
      throw new ContradictionError('nodes give different manifests of this election');
    }
    return first;
  }

  /**
   * The changes of authorities' keys, as each node that answers tells them: which of it holds is
   * for the caller to check. A node that does not answer here holds nobody up.
   */
  async successions(id: string): Promise<readonly (readonly KeyChange[])[]> {
    const { got } = await gather(this.origins, async (origin) => {
      const response = await this.ask(origin, `elections/${id}/successions`);
      if (!response.ok) throw await problemOf(response);
      const { successions } = (await response.json()) as { successions: KeyChangeView[] };
      return successions.map(({ entry, receipt }) => ({
        entry: fromBase64(entry) ?? new Uint8Array(0),
        receipt: String(receipt),
      }));
    });
    return got;
  }

  /** Leaves from `from` on, in order. */
  async leaves(id: string, from: number, count: number): Promise<Bytes[]> {
    const leaves: Bytes[] = [];
    while (leaves.length < count) {
      const limit = Math.min(CHUNKS_MAX, count - leaves.length);
      const path = `elections/${id}/leaves?from=${from + leaves.length}&limit=${limit}`;
      const page = await this.#any(path, async (response) => (await response.json()).leaves);
      const read = (page as string[]).map((leaf) => fromBase64(leaf) ?? new Uint8Array(0));
      if (read.length === 0) break;
      leaves.push(...read);
    }
    return leaves;
  }

  /**
   * Where a credential's chain stands: what most nodes say, and of two that as many say the longer
   * one. `undefined` for a credential that has not voted.
   */
  async last(id: string, key: string): Promise<Standing> {
    const { got: views } = await gather(this.origins, async (origin) => {
      const response = await this.ask(origin, `elections/${id}/credentials/${key}`);
      if (!response.ok) throw await problemOf(response);
      return (await response.json()) as CredentialView;
    });
    if (views.length === 0) throw new OfflineError('no node tells where the code stands');
    const listed = views.find((view) => view.on_roll);
    const barred = views.find((view) => view.barred !== null)?.barred ?? undefined;
    const last = agreed(views.map((view) => lastOf(view.last)));
    return { onRoll: listed !== undefined, group: listed?.group ?? 0, barred, last };
  }
}

/** What nodes say of a credential; that its ballots are taken is for all of them to decide. */
export interface Standing {
  readonly onRoll: boolean;
  readonly group: number;
  /** Why it has no online vote. */
  readonly barred: 'withdrawn' | 'replaced' | 'paper' | undefined;
  readonly last: Last | undefined;
}

/**
 * Asks all nodes at once. Once one has answered, the others have a little time: a node that hangs
 * must not hold up the voter.
 */
export async function gather<T>(
  origins: readonly string[],
  ask: (origin: string) => Promise<T>,
  grace = () => new Promise((resolve) => setTimeout(resolve, GRACE_MS)),
): Promise<{ readonly got: readonly T[]; readonly failed: readonly unknown[] }> {
  const got: T[] = [];
  const failed: unknown[] = [];
  const asked = origins.map(async (origin) => {
    try {
      got.push(await ask(origin));
    } catch (error) {
      failed.push(error);
      throw error;
    }
  });
  const all = Promise.allSettled(asked);
  const first = Promise.any(asked).then(grace, () => undefined);
  await Promise.race([all, first]);
  return { got: [...got], failed: [...failed] };
}

interface KeyChangeView {
  readonly entry: string;
  readonly receipt: string;
}

interface CredentialView {
  readonly on_roll: boolean;
  readonly group: number;
  readonly barred: 'withdrawn' | 'replaced' | 'paper' | null;
  readonly last: { readonly seq: number; readonly hash: string } | null;
}

function lastOf(last: CredentialView['last']): Last | undefined {
  const hash = last === null ? undefined : fromHex(last.hash);
  return last === null || hash?.length !== 32 ? undefined : { seq: last.seq, hash };
}

/** What most say; the longer chain where as many say one thing as another. */
export function agreed(claims: readonly (Last | undefined)[]): Last | undefined {
  const named = claims.map((claim) => ({
    claim,
    name: claim === undefined ? '' : `${claim.seq} ${toHex(claim.hash)}`,
  }));
  const votes = (name: string) => named.filter((one) => one.name === name).length;
  const length = (claim: Last | undefined) => (claim === undefined ? -1 : claim.seq);
  const [best] = [...named].sort(
    (one, other) => votes(other.name) - votes(one.name) || length(other.claim) - length(one.claim),
  );
  return best?.claim;
}
