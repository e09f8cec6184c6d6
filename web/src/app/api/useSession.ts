import { useSyncExternalStore } from 'react';
import { session } from './client.ts';
import type { SessionState } from './session.ts';

/** Who is logged in, now. */
export function useSession(): SessionState {
  return useSyncExternalStore(session.subscribe, session.snapshot);
}
