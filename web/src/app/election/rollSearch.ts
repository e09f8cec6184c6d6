/** Finds a key in the public roll: chunks of voters that ascend by key. */

import { type Bytes, compare } from '../../crypto/bytes.ts';

const HEAD_BYTES = 4;
const VOTER_BYTES = 37;

/** The voter's weight, or nothing when the key is not on the roll. */
export function findInChunks(chunks: readonly Bytes[], key: Bytes): number | undefined {
  for (const chunk of chunks) {
    const count = Math.floor((chunk.length - HEAD_BYTES) / VOTER_BYTES);
    const keyAt = (place: number) => {
      const at = HEAD_BYTES + VOTER_BYTES * place;
      return chunk.subarray(at, at + 32);
    };
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = compare(keyAt(middle), key);
      if (order === 0) {
        const at = HEAD_BYTES + VOTER_BYTES * middle + 32;
        return new DataView(chunk.buffer, chunk.byteOffset + at, 4).getUint32(0);
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
  }
  return undefined;
}
