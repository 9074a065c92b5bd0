/**
 * Remembering which webhooks were handled: delivery is at least once, so a handler may see one
 * twice. A handler that is running has *claimed* its event for a lease; once it has succeeded the
 * event is *done* and remembered; when it failed the event is *released*, so that the sender's next
 * attempt is handled. A claim has a token: who comes back after its lease has ended cannot touch
 * the claim, or the done event, of who came next.
 */
import { UsageError } from "../errors.js";

/** How long handled events are remembered: longer than the longest preset of retries, 82 h 50 min. */
export const REMEMBER_SECONDS = 7 * 24 * 3600;
/** How long a claim of a handler that never comes back keeps others from handling the event. */
export const LEASE_SECONDS = 300;

/** The token of a claim, or why there is none. */
export type Claim = { readonly token: string } | "running" | "done";

type Awaitable<T> = T | PromiseLike<T>;

/** Where events are remembered. All processes that receive the same webhooks share one. */
export interface DeduplicationStore {
  /** Claim an event, if it is neither claimed nor done. Of several callers one gets it. */
  claim(key: string, leaseSeconds: number): Awaitable<Claim>;
  /** Remember an event as done, unless another claim than `token`'s has followed. */
  complete(key: string, token: string, rememberSeconds: number): Awaitable<void>;
  /** Give a claim back, unless the event is done or claimed by another token. */
  release(key: string, token: string): Awaitable<void>;
}

interface Entry {
  /** Null: done. */
  readonly token: string | null;
  readonly untilMs: number;
}

/**
 * Remembers in this process: for tests, and for a server of one process that may handle an event
 * again after a restart. Of more than `maxEntries` the oldest are forgotten.
 */
export class MemoryStore implements DeduplicationStore {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;
  readonly #now: () => number;

  constructor(maxEntries = 100_000, options: { now?: () => number } = {}) {
    if (!(maxEntries >= 1)) throw new UsageError(`maxEntries is at least 1, not ${maxEntries}`);
    this.#maxEntries = maxEntries;
    this.#now = options.now ?? (() => performance.now());
  }

  claim(key: string, leaseSeconds: number): Claim {
    const entry = this.#current(key);
    if (entry !== undefined) return entry.token === null ? "done" : "running";
    const token = globalThis.crypto.randomUUID();
    this.#put(key, token, leaseSeconds);
    return { token };
  }

  complete(key: string, token: string, rememberSeconds: number): void {
    const entry = this.#current(key);
    if (entry === undefined || entry.token === token) this.#put(key, null, rememberSeconds);
  }

  release(key: string, token: string): void {
    if (this.#current(key)?.token === token) this.#entries.delete(key);
  }

  #current(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > this.#now() ? entry : undefined;
  }

  #put(key: string, token: string | null, seconds: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { token, untilMs: this.#now() + seconds * 1000 });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries) break;
      this.#entries.delete(oldest);
    }
  }
}
