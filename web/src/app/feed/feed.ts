/**
 * The live feed: one WebSocket for the whole application. Subscriptions outlive connections; after
 * a break each goes on from the last number it has seen, so nothing is missing or comes twice.
 */

/** What of a WebSocket is used. */
export interface Wire {
  /** 0 until it is open. */
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export type FeedState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** Connected, but silent since then (milliseconds of `Date.now`). */
  | { readonly kind: 'stale'; readonly since: number }
  /** Not connected since then; the next attempt is at `retryAt`. */
  | { readonly kind: 'disconnected'; readonly since: number; readonly retryAt: number };

export interface FeedMessage {
  readonly topic: string;
  readonly seq: number;
  readonly prev: number;
  /** By the node's clock, milliseconds since 1970 UTC. */
  readonly timeMs: number;
  readonly data: unknown;
}

export interface Listener {
  message(message: FeedMessage): void;
  /** The topic is closed to this visitor, or is none. */
  refused?(code: string, detail: string): void;
}

interface Subscription {
  readonly topic: string;
  readonly listeners: Set<Listener>;
  after: number | undefined;
  last: FeedMessage | undefined;
}

/** A node is heard every five seconds; later than this it is not live. */
export const STALE_MS = 8_000;
/** Longer than this and the connection is given up. */
export const DEAD_MS = 20_000;
const BACK_OFF_MIN_MS = 500;
const BACK_OFF_MAX_MS = 15_000;

export interface FeedOptions {
  readonly open: () => Wire;
  readonly token?: () => Promise<string | undefined>;
  readonly random?: () => number;
  /** Told when a node says that the session has ended. */
  readonly onSessionEnd?: () => void;
}

export class Feed {
  state: FeedState = { kind: 'connecting' };
  /** Node's clock minus ours, in milliseconds. */
  clockOffset = 0;
  readonly #options: FeedOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #watchers = new Set<() => void>();
  #wire: Wire | undefined;
  #isOpen = false;
  #heard = 0;
  #attempts = 0;
  #lostAt: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  readonly snapshot = (): FeedState => this.state;

  start(): void {
    if (this.#clock !== undefined) return;
    this.#clock = setInterval(() => this.#look(), 1000);
    this.#connect();
  }

  stop(): void {
    clearInterval(this.#clock);
    clearTimeout(this.#timer);
    this.#clock = undefined;
    this.#drop();
  }

  /** Connects again at once, for instance with another session. */
  restart(): void {
    if (this.#clock === undefined) return;
    this.#drop();
    this.#attempts = 0;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /**
   * Listens to a topic. `after` is the last number that is known already; a late listener of a
   * state topic is told the last state at once.
   */
  subscribe(topic: string, listener: Listener, after?: number): () => void {
    let subscription = this.#subscriptions.get(topic);
    if (subscription === undefined) {
      subscription = { topic, listeners: new Set(), after, last: undefined };
      this.#subscriptions.set(topic, subscription);
      if (this.#isOpen) this.#ask([subscription]);
    } else if (subscription.last !== undefined) listener.message(subscription.last);
    const { listeners } = subscription;
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0 || this.#subscriptions.get(topic)?.listeners !== listeners) return;
      this.#subscriptions.delete(topic);
      if (this.#isOpen) this.#say({ type: 'unsubscribe', topics: [topic] });
    };
  }

  #connect(): void {
    const wire = this.#options.open();
    this.#wire = wire;
    wire.onopen = () => void this.#opened(wire);
    wire.onmessage = ({ data }) => {
      if (this.#wire === wire && typeof data === 'string') this.#hear(data);
    };
    wire.onclose = ({ code }) => {
      if (this.#wire === wire) this.#lost(code);
    };
    wire.onerror = () => {
      // A close event follows.
    };
    this.#heard = Date.now();
  }

  async #opened(wire: Wire): Promise<void> {
    const token = await this.#options.token?.();
    if (this.#wire !== wire) return;
    this.#isOpen = true;
    if (token !== undefined) this.#say({ type: 'auth', token });
    this.#ask([...this.#subscriptions.values()]);
  }

  #ask(subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    const topics = subscriptions.map(({ topic, after }) =>
      after === undefined ? topic : { topic, after },
    );
    this.#say({ type: 'subscribe', topics });
  }

  #say(message: object): void {
    this.#wire?.send(JSON.stringify(message));
  }

  #hear(text: string): void {
    let said: Record<string, unknown>;
    try {
      said = JSON.parse(text) as Record<string, unknown>;
    } catch {
      return;
    }
    this.#heard = Date.now();
    this.#attempts = 0;
    this.#lostAt = undefined;
    if (typeof said.time_ms === 'number') this.clockOffset = said.time_ms - Date.now();
    this.#become({ kind: 'live' });
    const subscription = this.#subscriptions.get(String(said.topic));
    if (subscription === undefined) return;
    if (said.type === 'refused') {
      const [code, detail] = [String(said.code), String(said.detail)];
      for (const listener of subscription.listeners) listener.refused?.(code, detail);
    }
    if (said.type !== 'message' || typeof said.seq !== 'number') return;
    const [seq, prev] = [said.seq, Number(said.prev ?? 0)];
    const message: FeedMessage = {
      topic: subscription.topic,
      seq,
      prev,
      timeMs: Number(said.time_ms ?? 0),
      data: said.data,
    };
    subscription.after = seq;
    subscription.last = message;
    for (const listener of subscription.listeners) listener.message(message);
  }

  #lost(code: number): void {
    this.#wire = undefined;
    this.#isOpen = false;
    if (code === 4001) this.#options.onSessionEnd?.();
    const now = Date.now();
    this.#lostAt ??= now;
    const retryAt = now + this.#backOff();
    this.#attempts += 1;
    this.#become({ kind: 'disconnected', since: this.#lostAt, retryAt });
    if (this.#clock === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), retryAt - now);
  }

  /** Twice as long each time, between half and all of it, so that not everybody comes at once. */
  #backOff(): number {
    const most = Math.min(BACK_OFF_MIN_MS * 2 ** this.#attempts, BACK_OFF_MAX_MS);
    return most * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
  }

  /** Once a second: is anybody still there? */
  #look(): void {
    if (this.#wire === undefined) return;
    const silent = Date.now() - this.#heard;
    if (silent > DEAD_MS) {
      this.#drop();
      this.#lost(1006);
    } else if (silent > STALE_MS && this.state.kind !== 'disconnected') {
      this.#become({ kind: 'stale', since: this.#heard });
    }
  }

  #drop(): void {
    const wire = this.#wire;
    this.#wire = undefined;
    this.#isOpen = false;
    if (wire === undefined) return;
    // Browsers report it as a failure when one is closed that is not open yet.
    if (wire.readyState === 0) wire.onopen = () => wire.close();
    else wire.close();
  }

  #become(state: FeedState): void {
    if (state.kind === 'live' && this.state.kind === 'live') return;
    this.state = state;
    for (const watcher of this.#watchers) watcher();
  }
}
