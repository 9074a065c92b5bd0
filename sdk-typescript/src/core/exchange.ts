import type { APIConnectionError, APIError } from "../errors.js";
import type { Call, PostOptions } from "./call.js";
import { checkedHeaders } from "./headers.js";
import { type RequestInfo, told } from "./hooks.js";
import { IDEMPOTENCY_HEADER, keyFor } from "./idempotency.js";
import { encoded } from "./json.js";
import { CallLog } from "./log.js";
import { requestIdOf, statusError } from "./problems.js";
import { delaySeconds, isRepeatable, isTransient } from "./retry.js";
import type { Runtime } from "./runtime.js";
import { checkedRetries, checkedTimeout, type Settings } from "./settings.js";
import { type Fetch, isSuccess, type Reply, send, type WireRequest } from "./transport.js";
import { pathOf, urlOf } from "./url.js";

/** The tries of one call, up to its success or its last failure. */
export class Exchange {
  readonly #call: Call;
  readonly #settings: Settings;
  readonly #runtime: Runtime;
  readonly #request: WireRequest;
  readonly #log: CallLog;
  #retriesLeft: number;
  #tries = 0;
  #maybeDone = false;

  /** UsageError when the call cannot be made as written. */
  constructor(call: Call, options: PostOptions, settings: Settings, runtime: Runtime) {
    this.#call = call;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#request = prepared(call, options, settings, runtime);
    this.#log = new CallLog(settings.log, call.id, this.#request);
    const { maxRetries } = options;
    const retries = maxRetries === undefined ? settings.maxRetries : checkedRetries(maxRetries);
    const key = this.#request.headers[IDEMPOTENCY_HEADER];
    this.#retriesLeft = isRepeatable(call.method, key) ? retries : 0;
  }

  /** How many tries failed before the answer. */
  get retries(): number {
    return this.#tries - 1;
  }

  /** Do it. Throws the APIError of anything but a success. */
  async run(fetch: Fetch): Promise<Reply> {
    for (;;) {
      this.#tries += 1;
      this.#log.request(this.#tries);
      told(this.#settings.hooks.request, this.#info());
      const started = this.#runtime.monotonic();
      const outcome = await send(fetch, this.#request);
      const error = this.#errorOf(outcome);
      const delayMs = error === null ? null : this.#delayMs(outcome, error);
      this.#tell(outcome, this.#runtime.monotonic() - started, delayMs);
      if (error === null) return outcome as Reply;
      if (delayMs === null) throw error;
      await this.#runtime.sleep(delayMs, this.#request.signal);
    }
  }

  /** Whether an earlier try of this DELETE may have done what this one finds done. */
  isGone(reply: Reply): boolean {
    return this.#call.method === "DELETE" && this.#maybeDone && reply.status === 404;
  }

  #errorOf(outcome: Reply | APIConnectionError): APIError | null {
    if (outcome instanceof Error) {
      this.#maybeDone = true;
      return outcome;
    }
    if (isSuccess(outcome) || this.isGone(outcome)) return null;
    this.#maybeDone ||= outcome.status >= 500;
    return statusError(outcome, this.#runtime.now());
  }

  #delayMs(outcome: Reply | APIConnectionError, error: APIError): number | null {
    let retryAfter: number | null = null;
    if (!(outcome instanceof Error)) {
      const { code, retryAfterSeconds } = error as ReturnType<typeof statusError>;
      if (!isTransient(outcome.status, code)) return null;
      retryAfter = retryAfterSeconds;
    }
    if (this.#retriesLeft === 0) return null;
    const seconds = delaySeconds(this.#tries - 1, retryAfter, this.#runtime.random);
    if (seconds === null) return null;
    this.#retriesLeft -= 1;
    return seconds * 1000;
  }

  #info(): RequestInfo {
    return {
      operation: this.#call.id,
      method: this.#call.method,
      path: pathOf(this.#call),
      attempt: this.#tries,
      idempotencyKey: this.#request.headers[IDEMPOTENCY_HEADER] ?? null,
    };
  }

  #tell(outcome: Reply | APIConnectionError, durationMs: number, retryInMs: number | null): void {
    this.#log.outcome(outcome, this.#tries, durationMs, retryInMs);
    const hook = this.#settings.hooks.response;
    if (hook === undefined) return;
    const failed = outcome instanceof Error;
    told(hook, {
      request: this.#info(),
      status: failed ? null : outcome.status,
      requestId: failed ? null : requestIdOf(outcome),
      error: failed ? outcome : null,
      durationMs,
      retryInMs,
    });
  }
}

function prepared(
  call: Call,
  options: PostOptions,
  settings: Settings,
  runtime: Runtime,
): WireRequest {
  const headers = { ...settings.headers, ...checkedHeaders(options.headers) };
  const body = call.body === undefined ? undefined : encoded(call.body);
  if (body !== undefined) headers["content-type"] = "application/json";
  const key = keyFor(call, options, headers, runtime.newKey);
  if (key !== undefined) headers[IDEMPOTENCY_HEADER] = key;
  const { timeoutMs } = options;
  return {
    method: call.method,
    url: urlOf(settings.baseUrl, call),
    headers,
    body,
    timeoutMs: timeoutMs === undefined ? settings.timeoutMs : checkedTimeout(timeoutMs),
    label: `${call.method} ${pathOf(call)}`,
    signal: options.signal,
  };
}
