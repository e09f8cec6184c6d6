/** The nodes as the trustee's page sees them: any of them will do, all of them are compared. */

import { NodeError, problemOf } from '../booth/nodeError.ts';
import { type Bytes, fromBase64, toBase64 } from '../crypto/bytes.ts';
import type { Posted } from './ceremony.ts';
import type { NodeNote } from './tally.ts';

const ANSWER_MS = 20_000;
const PAGE_LEAVES = 1000;
/** What was said already is done. */
const DONE = new Set(['repeated', 'wrong-phase']);

export interface ElectionView {
  readonly title: string;
  readonly phase: string;
  readonly draft: Bytes | undefined;
}

export class Client {
  readonly nodes: readonly string[];
  #token = '';

  constructor(nodes: readonly string[]) {
    this.nodes = nodes;
  }

  /** An access token or an API token, for what trustees may. */
  use(token: string): void {
    this.#token = token.trim();
  }

  get hasToken(): boolean {
    return this.#token !== '';
  }

  async #ask(node: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (body !== undefined && this.hasToken) headers.authorization = `Bearer ${this.#token}`;
    const signal = AbortSignal.timeout(ANSWER_MS);
    const init: RequestInit = { headers, signal, credentials: 'omit', cache: 'no-store' };
    const method = body === undefined ? 'GET' : 'POST';
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${node}/api/v1/${path}`, { ...init, method, ...content });
    if (response.ok) return response;
    throw await problemOf(response);
  }

  /** The first node that does it; a refusal ends it, an absence does not. */
  async #any<T>(
    path: string,
    read: (response: Response) => Promise<T>,
    body?: unknown,
  ): Promise<T> {
    const failures: string[] = [];
    let refusal: NodeError | undefined;
    for (const node of this.nodes) {
      try {
        return await read(await this.#ask(node, path, body));
      } catch (error) {
        const isRefusal = error instanceof NodeError && error.status < 500 && error.status !== 429;
        if (isRefusal && error.status !== 404) throw error;
        if (isRefusal) refusal = error;
        failures.push(`${node}: ${(error as Error).message}`);
      }
    }
    throw refusal ?? new Error(`No node gave an answer. ${failures.join('; ')}`);
  }

  async #act(path: string, body: unknown): Promise<void> {
    try {
      await this.#any(path, async () => undefined, body);
    } catch (error) {
      if (!(error instanceof NodeError) || !DONE.has(error.code)) throw error;
    }
  }

  /** Logs in; the token is good for five minutes. */
  async logIn(name: string, password: string): Promise<void> {
    const read = async (response: Response) => String((await response.json()).access_token);
    this.use(await this.#any('login', read, { name, password }));
  }

  async election(id: string): Promise<ElectionView> {
    return this.#any(`elections/${id}`, async (response) => {
      const { title, phase, draft } = await response.json();
      const bytes = typeof draft === 'string' ? fromBase64(draft) : undefined;
      return { title: String(title ?? id), phase: String(phase), draft: bytes };
    });
  }

  async board(id: string): Promise<Posted[]> {
    return this.#any(`elections/${id}/ceremony`, async (response) => {
      const { messages } = await response.json();
      return (messages as { round: number; trustee: number; message: string }[]).map(
        ({ round, trustee, message }) => ({
          round,
          trustee,
          message: fromBase64(message) ?? new Uint8Array(0),
        }),
      );
    });
  }

  /** Leaves from `from` on, page by page. */
  async *leaves(
    id: string,
    from: number,
    limit = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<Bytes[]> {
    for (let at = from; at - from < limit; ) {
      const count = Math.min(PAGE_LEAVES, limit - (at - from));
      const path = `elections/${id}/leaves?from=${at}&limit=${count}`;
      const page = await this.#any(path, async (response) => await response.json());
      const leaves = (page.leaves as string[]).map((leaf) => fromBase64(leaf) ?? new Uint8Array(0));
      if (leaves.length === 0) return;
      yield leaves;
      at += leaves.length;
      if (page.next === null) return;
    }
  }

  /** The newest signed checkpoint of each node that answers. */
  async checkpoints(id: string): Promise<NodeNote[]> {
    const asked = this.nodes.map(async (node) => {
      const response = await this.#ask(node, `elections/${id}/checkpoint`);
      return { node, note: await response.text() };
    });
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  post(id: string, { round, trustee, message }: Posted): Promise<void> {
    return this.#act(`elections/${id}/ceremony`, { round, trustee, message: toBase64(message) });
  }

  endorse(id: string, trustee: number, signature: Bytes): Promise<void> {
    return this.#act(`elections/${id}/endorsements`, { trustee, signature: toBase64(signature) });
  }

  share(id: string, trustee: number, share: Bytes): Promise<void> {
    return this.#act(`elections/${id}/shares`, { trustee, share: toBase64(share) });
  }

  publish(id: string, result: Bytes): Promise<void> {
    return this.#act(`elections/${id}/result`, { result: toBase64(result) });
  }
}
