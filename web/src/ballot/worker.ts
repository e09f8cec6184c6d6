/** The booth's module worker: hands messages to `Booth` and its answers back. */

import { Booth, type Request } from './booth.ts';

/** What this file uses of a worker's global scope. */
interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as Scope;
const booth = new Booth();
scope.onmessage = ({ data }) => scope.postMessage(booth.answer(data));
