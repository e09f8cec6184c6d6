/** The booth's module worker: takes calls by number, hands them to the engine, answers each. */

import { Engine, EngineError } from './engine.ts';
import type { Called, Replied } from './remote.ts';

/** What this file uses of a worker's global scope. */
interface Scope {
  onmessage: ((event: MessageEvent<Called>) => void) | null;
  postMessage(message: Replied): void;
}

const scope = globalThis as unknown as Scope;
const engine = new Engine();

function answer({ number, method, parameters }: Called): Replied {
  try {
    const work = engine[method] as (...given: unknown[]) => unknown;
    return { number, result: work.apply(engine, parameters as unknown[]) };
  } catch (error) {
    const code = error instanceof EngineError ? error.code : 'internal';
    return { number, code, detail: (error as Error).message };
  }
}

scope.onmessage = ({ data }) => scope.postMessage(answer(data));
