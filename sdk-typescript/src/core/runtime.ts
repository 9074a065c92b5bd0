import { newKey } from "./idempotency.js";

/** Time, chance and waiting, handed in so that tests own them. */
export interface Runtime {
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** Measures spans, in milliseconds. */
  readonly monotonic: () => number;
  readonly random: () => number;
  /** Rejects with the reason of `signal` when that is aborted. */
  readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly newKey: () => string;
}

export const SYSTEM: Runtime = {
  now: Date.now,
  monotonic: () => performance.now(),
  random: Math.random,
  sleep,
  newKey,
};

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    function aborted(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", aborted, { once: true });
  });
}
