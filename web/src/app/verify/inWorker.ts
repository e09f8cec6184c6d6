import type { Report } from '../../verify/report.ts';
import type { Order, Told } from './messages.ts';

/** Whatever runs the verifier. */
export interface Worker_ {
  onmessage: ((event: MessageEvent<Told>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(order: Order): void;
  terminate(): void;
}

function start(): Worker_ {
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
}

/**
 * Runs every check of an archive in a worker. Without a trust file the signatures are compared
 * with the archive's own manifest, and the verdict says that nothing anchors them.
 */
export function verifyInWorker(
  archive: Uint8Array<ArrayBuffer>,
  trust: string | null,
  onProgress: (step: number, steps: number, fraction: number) => void,
  open: () => Worker_ = start,
): Promise<Report> {
  const worker = open();
  const work = new Promise<Report>((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.kind === 'progress') onProgress(data.done, data.total, data.done / data.total);
      else if (data.kind === 'report') resolve(data.report);
      else reject(new Error(data.sentence));
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ archive, trust });
  });
  return work.finally(() => worker.terminate());
}
