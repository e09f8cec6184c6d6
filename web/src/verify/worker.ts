/** The verifier's module worker: one archive in, progress and a report out. */

import { PolicyError, parsePolicy } from '../ledger/policy.ts';
import type { News, Order } from './browser.ts';
import { sourceOfBlob, sourceOfBytes } from './source.ts';
import { verify } from './verifier.ts';

/** What this file uses of a worker's global scope. */
interface Scope {
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  postMessage(news: News): void;
}

const scope = globalThis as unknown as Scope;

async function run({ archive, trust }: Order): Promise<News> {
  try {
    const policy = trust === '' ? undefined : parsePolicy(trust);
    const source =
      archive instanceof Blob ? sourceOfBlob(archive) : sourceOfBytes(new Uint8Array(archive));
    const report = await verify(source, policy, (progress) =>
      scope.postMessage({ kind: 'progress', progress }),
    );
    return { kind: 'report', report };
  } catch (error) {
    const why = (error as Error).message;
    return { kind: 'failed', why: error instanceof PolicyError ? `the trust file: ${why}` : why };
  }
}

scope.onmessage = async ({ data }) => scope.postMessage(await run(data));
