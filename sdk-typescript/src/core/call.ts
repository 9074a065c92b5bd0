/** What one call may override. */
export interface CallOptions {
  /** How long each try may take as a whole, in milliseconds; null leaves it to `fetch`. */
  timeoutMs?: number | null | undefined;
  /** How often a failed try is repeated. */
  maxRetries?: number | undefined;
  /** Headers of this call, over those of the client. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Ends the call, its waits included; what is thrown then is the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What a call that changes something may override. */
export interface PostOptions extends CallOptions {
  /** Makes the call safe to repeat; without it, a random one covers the call's own retries. */
  idempotencyKey?: string | undefined;
}

/** One logical call of one operation, as generated code hands it to the core. */
export interface Call {
  readonly id: string;
  readonly method: string;
  /** With `{name}` for each of `params`. */
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: object | undefined;
  readonly body?: object | undefined;
  /** Whether the operation declares an Idempotency-Key. */
  readonly idempotent?: boolean;
  /** The shape of the answer, or of an item of the page; absent when it has no body. */
  readonly result?: string;
}
