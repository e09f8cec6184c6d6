/** The feed in components. */

import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { session } from '../api/client.ts';
import { Feed, type FeedMessage, type FeedState, type Wire } from './feed.ts';

function open(): Wire {
  const url = new URL('/api/v1/feed', location.origin);
  url.protocol = url.protocol.replace('http', 'ws');
  return new WebSocket(url) as Wire;
}

export const feed = new Feed({
  open,
  token: () => session.token(),
  onSessionEnd: () => void session.renew(),
});

export interface Heard<T> {
  /** The newest state of the topic, or its newest items. */
  readonly data: T | undefined;
  /** When it came, by the node's clock, in milliseconds since 1970 UTC. */
  readonly timeMs: number | undefined;
  /** Why there is nothing to hear, as a sentence. */
  readonly refused: string | undefined;
}

const NOTHING = { data: undefined, timeMs: undefined, refused: undefined };

/**
 * Listens to a topic as long as the component is there; `null` listens to nothing. `onMessage` gets
 * every message, also those between two renderings. With `after` a list goes on behind what is
 * known already.
 */
export function useFeed<T>(
  topic: string | null,
  onMessage?: (data: T, message: FeedMessage) => void,
  after?: number,
): Heard<T> {
  const [heard, setHeard] = useState<Heard<T>>(NOTHING);
  const call = useRef(onMessage);
  call.current = onMessage;
  const start = useRef(after);
  useEffect(() => {
    setHeard(NOTHING);
    if (topic === null) return;
    return feed.subscribe(
      topic,
      {
        message: (message) => {
          const data = message.data as T;
          setHeard({ data, timeMs: message.timeMs, refused: undefined });
          call.current?.(data, message);
        },
        refused: (_, detail) => setHeard({ ...NOTHING, refused: detail }),
      },
      start.current,
    );
  }, [topic]);
  return heard;
}

/** Whether what is shown is live. */
export function useFeedState(): FeedState {
  return useSyncExternalStore(feed.watch, feed.snapshot);
}

/** A clock that ticks; by the node's time, since a browser's may be wrong. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now() + feed.clockOffset);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() + feed.clockOffset), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
