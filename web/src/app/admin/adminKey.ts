/**
 * The administrator's key of this tab. It signs the draft, the manifest, the opening and the
 * closing; nodes never see it. It is kept in memory only: after a reload the file is asked for again.
 */

import { useSyncExternalStore } from 'react';
import type { Bytes } from '../../crypto/bytes.ts';

let seed: Bytes | undefined;
const watchers = new Set<() => void>();

export function setAdminKey(next: Bytes | undefined): void {
  seed = next;
  for (const watcher of watchers) watcher();
}

export function useAdminKey(): Bytes | undefined {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => seed,
  );
}
