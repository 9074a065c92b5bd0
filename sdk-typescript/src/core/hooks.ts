/** A request as hooks see it: without its body, and without what may be secret. */
export interface RequestInfo {
  /** The operationId, such as `trigger.send`. */
  readonly operation: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Which try of the call this is, from 1. */
  readonly attempt: number;
  readonly idempotencyKey: string | null;
}

/** What came of a try. */
export interface ResponseInfo {
  readonly request: RequestInfo;
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly requestId: string | null;
  /** Why there was no answer; null when there was one. */
  readonly error: Error | null;
  readonly durationMs: number;
  /** When the call is tried again; null when this was the last try. */
  readonly retryInMs: number | null;
}

/** Functions that are told of each try. What they throw, or reject with, is ignored. */
export interface Hooks {
  readonly request?: ((request: RequestInfo) => unknown) | undefined;
  readonly response?: ((response: ResponseInfo) => unknown) | undefined;
}

export const NO_HOOKS: Hooks = {};

/**
 * Call a function that only watches, without waiting for it. What it throws or rejects with goes to
 * `failed` and ends nothing: a watcher is never worth a call, and a rejection that nobody handles
 * would end the program.
 */
export function told<T>(
  watcher: ((about: T) => unknown) | undefined,
  about: T,
  failed: (fault: unknown) => void = () => undefined,
): void {
  if (watcher === undefined) return;
  try {
    Promise.resolve(watcher(about)).catch(failed);
  } catch (fault) {
    failed(fault);
  }
}
