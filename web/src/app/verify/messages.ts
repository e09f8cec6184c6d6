import type { Report } from '../../verify/report.ts';

/** What the worker is told. */
export interface Order {
  readonly archive: Uint8Array<ArrayBuffer>;
  /** Text of the trust file. */
  readonly trust: string | null;
}

/** What it tells. */
export type Told =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'failure'; readonly sentence: string };
