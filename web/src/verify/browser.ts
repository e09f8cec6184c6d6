/**
 * Verification in a browser, beside the page: the archive goes into a worker, progress comes out,
 * and at the end the report. The page stays usable, and closing it ends the work.
 */

import { startWorker } from '../booth/workers.ts';
import type { Report } from './report.ts';
import type { Progress } from './verifier.ts';

export type { Check, Finding, Report, VerdictName } from './report.ts';
export type { Progress } from './verifier.ts';

/** What the worker is given. */
export interface Order {
  /** The archive's bytes, or a file that is read in pieces. */
  readonly archive: ArrayBuffer | Blob;
  /** Text of the trust file; empty for none, which leaves the archive not anchored. */
  readonly trust: string;
}

/** What it says. */
export type News =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'failed'; readonly why: string };

/** Verification could not be done at all: a trust file that is none, or no memory. */
export class VerificationFailure extends Error {
  override readonly name = 'VerificationFailure';
}

/**
 * Verifies an archive in a worker. `archive` is handed over when it is an `ArrayBuffer` or the
 * whole of one, so it is not to be used afterwards. `signal` ends the work and rejects.
 */
export function verifyInWorker(
  archive: ArrayBuffer | Uint8Array | Blob,
  trust: string,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<Report> {
  const worker = startWorker(
    () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
  );
  return new Promise<Report>((resolve, reject) => {
    const end = (settle: () => void) => {
      worker.terminate();
      signal?.removeEventListener('abort', abort);
      settle();
    };
    const abort = () => end(() => reject(signal?.reason));
    const fail = (why: string) => end(() => reject(new VerificationFailure(why)));
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    worker.onerror = (event) => fail(event.message || 'the worker could not be started');
    worker.onmessage = ({ data }: MessageEvent<News>) => {
      if (data.kind === 'progress') onProgress(data.progress);
      else if (data.kind === 'report') end(() => resolve(data.report));
      else fail(data.why);
    };
    const order: Order = { archive: wholeOf(archive), trust };
    const handed = order.archive instanceof ArrayBuffer ? [order.archive] : [];
    worker.postMessage(order, handed);
  });
}

/** The buffer that the bytes are the whole of, or a copy of their part. */
function wholeOf(archive: ArrayBuffer | Uint8Array | Blob): ArrayBuffer | Blob {
  if (!(archive instanceof Uint8Array)) return archive;
  const { buffer, byteLength } = archive;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  return isWhole ? buffer : Uint8Array.from(archive).buffer;
}
