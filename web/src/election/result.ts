/** The result of an election: counts that everybody can recompute. */

import { type Bytes, concat, Reader, u8, u16be, u32be, u64be } from '../crypto/bytes.ts';

export interface Result {
  readonly ballots: number;
  readonly weight: bigint;
  readonly counts: readonly (readonly bigint[])[];
}

/** Throws a `LayoutError`. */
export function readResult(bytes: Bytes): Result {
  const reader = new Reader(bytes);
  if (reader.u8('version') !== 1) reader.fail('version', 'is not 1');
  const ballots = reader.u32be('ballots');
  const weight = reader.u64be('weight');
  const counts = reader.list(reader.u8('contests'), () =>
    reader.list(reader.u16be('options'), () => reader.u64be('count')),
  );
  reader.end();
  return { ballots, weight, counts };
}

export function printResult({ ballots, weight, counts }: Result): Bytes {
  const contests = counts.map((own) => concat(u16be(own.length), ...own.map(u64be)));
  return concat(u8(1), u32be(ballots), u64be(weight), u8(counts.length), ...contests);
}
