/** The page's side of the worker: methods of the engine as promises. */

import type { Calls } from './engine.ts';
import { startWorker } from './workers.ts';

export interface Called {
  readonly number: number;
  readonly method: keyof Calls;
  readonly parameters: readonly unknown[];
}

export type Replied =
  | { readonly number: number; readonly result: unknown }
  | { readonly number: number; readonly code: string; readonly detail: string };

/** The engine has said no; `code` picks the sentence. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly code: string;

  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** Every method of the engine, from afar. */
export type RemoteEngine = {
  readonly [M in keyof Calls]: (
    ...parameters: Parameters<Calls[M]>
  ) => Promise<ReturnType<Calls[M]>>;
};

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Starts the worker. */
export function remoteEngine(): RemoteEngine {
  const worker = startWorker(
    () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
  );
  const waiting = new Map<number, Waiting>();
  let count = 0;
  worker.onmessage = ({ data }: MessageEvent<Replied>) => {
    const one = waiting.get(data.number);
    waiting.delete(data.number);
    if ('code' in data) one?.reject(new RemoteError(data.code, data.detail));
    else one?.resolve(data.result);
  };
  worker.onerror = () => {
    for (const one of waiting.values()) {
      one.reject(new RemoteError('no-worker', 'the worker has failed'));
    }
    waiting.clear();
  };
  const call = (method: keyof Calls, parameters: readonly unknown[]) =>
    new Promise((resolve, reject) => {
      count += 1;
      waiting.set(count, { resolve, reject });
      worker.postMessage({ number: count, method, parameters } satisfies Called);
    });
  return new Proxy({} as RemoteEngine, {
    get(_, method) {
      // A promise that resolves to this object looks for a `then`.
      if (method === 'then') return undefined;
      return (...parameters: unknown[]) => call(method as keyof Calls, parameters);
    },
  });
}
