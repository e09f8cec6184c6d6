/** Verification beside the page: both ends of the worker, in one process. */

import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Progress } from '../../src/verify/browser.ts';
import { verifyInWorker } from '../../src/verify/browser.ts';
import { hex, readVectors } from '../vectors/read.ts';

interface Election {
  readonly archive: string;
  readonly trust_file: string;
}

const vector = readVectors<Election>('election');
const archive = () => hex(vector.archive);

interface Scope {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage: (news: unknown) => void;
  Worker: unknown;
}

const scope = globalThis as unknown as Scope;
let started: FakeWorker[] = [];

/** Runs the worker's file in this process; messages are copied as a browser copies them. */
class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  isEnded = false;
  handed: unknown[] = [];

  constructor() {
    started.push(this);
  }

  postMessage(order: unknown, handed: unknown[]): void {
    this.handed = handed;
    scope.postMessage = (news) => {
      const data = structuredClone(news);
      if (!this.isEnded) this.onmessage?.({ data });
    };
    scope.onmessage?.({ data: structuredClone(order) });
  }

  terminate(): void {
    this.isEnded = true;
  }
}

beforeAll(async () => {
  await import('../../src/verify/worker.ts');
});

beforeEach(() => {
  started = [];
  scope.Worker = FakeWorker;
});

afterEach(() => {
  expect(started.every(({ isEnded }) => isEnded)).toBe(true);
});

it('verifies, tells how far it is, and ends its worker', async () => {
  const told: Progress[] = [];
  const report = await verifyInWorker(archive(), vector.trust_file, (progress) =>
    told.push(progress),
  );
  expect(report).toMatchObject({ verdict: 'verified', check: null });
  expect(told.at(-1)!.done).toBe(told.at(-1)!.total);
  expect(started[0]!.handed).toHaveLength(1);
});

it('reads a file in pieces, and is not anchored without a trust file', async () => {
  const report = await verifyInWorker(new Blob([Uint8Array.from(archive())]), '', () => {});
  expect(report.verdict).toBe('not-anchored');
});

it('takes a part of a buffer for what it is', async () => {
  const whole = new Uint8Array([0, ...archive(), 0]);
  const report = await verifyInWorker(whole.subarray(1, -1), vector.trust_file, () => {});
  expect(report.verdict).toBe('verified');
});

it('says what is wrong with a trust file', async () => {
  await expect(verifyInWorker(archive(), 'nonsense', () => {})).rejects.toThrow(
    'the trust file: line 1',
  );
});

it('ends when it is told to', async () => {
  const stop = new AbortController();
  const work = verifyInWorker(archive(), vector.trust_file, () => {}, stop.signal);
  stop.abort(new Error('enough'));
  await expect(work).rejects.toThrow('enough');
  const before = verifyInWorker(archive(), '', () => {}, AbortSignal.abort(new Error('no')));
  await expect(before).rejects.toThrow('no');
});
