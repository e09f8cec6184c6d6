/** The verifier, beside the page, so that the page stays alive while it works. */

import { parsePolicy } from '../../ledger/policy.ts';
import { sourceOfBytes } from '../../verify/source.ts';
import { verify } from '../../verify/verifier.ts';
import type { Order, Told } from './messages.ts';

const tell = (told: Told) => postMessage(told);

async function work(data: Order): Promise<void> {
  try {
    const trust = data.trust === null ? undefined : parsePolicy(data.trust);
    const report = await verify(sourceOfBytes(data.archive), trust, ({ done, total }) =>
      tell({ kind: 'progress', done, total }),
    );
    tell({ kind: 'report', report });
  } catch (error) {
    tell({ kind: 'failure', sentence: error instanceof Error ? error.message : String(error) });
  }
}

addEventListener('message', ({ data }: MessageEvent<Order>) => void work(data));
