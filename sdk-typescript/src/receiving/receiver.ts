// What an HTTP endpoint for webhooks does, in no framework's terms.
import { told } from "../core/hooks.js";
import {
  InvalidPayloadError,
  SignatureMismatchError,
  TimestampOutOfToleranceError,
  UsageError,
  WebhookVerificationError,
} from "../errors.js";
import {
  type HeadersLike,
  type Into,
  type Secrets,
  secretsFromEnvironment,
  Webhook,
  type WebhookEvent,
  type WebhookOptions,
} from "../webhooks.js";
import { type DeduplicationStore, LEASE_SECONDS, REMEMBER_SECONDS } from "./stores.js";

/** Bodies beyond this are refused: payloads have at most 256 KiB, here is room for a larger one. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** How webhooks are received. */
export interface ReceiverOptions<T = Record<string, unknown>> extends WebhookOptions {
  /**
   * A secret, several of them (during a rotation), or a function that gives them and is called at
   * the first request; without it HOOKWRIGHT_WEBHOOK_SECRET is read then.
   */
  secret?: Secrets | (() => Secrets | Promise<Secrets>) | undefined;
  /** What `event.data` becomes. */
  into?: Into<T> | undefined;
  /** Larger bodies are answered with 413 (1 MiB). */
  maxBodyBytes?: number | undefined;
  /** Remembers events, so that each is handled once; needs a `name`. */
  store?: DeduplicationStore | undefined;
  /** What events are remembered for: receivers of one name, in all processes, handle each once. */
  name?: string | undefined;
  /** How long handled events are remembered (7 days). */
  rememberSeconds?: number | undefined;
  /** How long a handler may take before another one may be called (300). */
  leaseSeconds?: number | undefined;
  /** Told of each webhook that is refused; it may not be trusted, so nothing else is. */
  onRefused?: ((error: WebhookVerificationError) => unknown) | undefined;
}

/** What is done with an event. When it throws, the sender tries again. */
export type Handler<T, Rest extends unknown[]> = (event: WebhookEvent<T>, ...rest: Rest) => unknown;

/** What is answered. `body` is a problem document, or empty. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const DONE: Reply = { status: 204, headers: {}, body: "" };
const RUNNING = problem(409, "Conflict", "This webhook is being handled; send it again.", {
  "retry-after": "5",
});

/** Verifies webhooks, parses them and sees to it that each is handled once. */
export class Receiver<T> {
  readonly maxBodyBytes: number;
  readonly #options: ReceiverOptions<T>;
  #webhook: Promise<Webhook> | undefined;

  constructor(options: ReceiverOptions<T> = {}) {
    const { maxBodyBytes = MAX_BODY_BYTES, store, name, secret } = options;
    if (!(maxBodyBytes > 0)) throw new UsageError(`maxBodyBytes is above 0, not ${maxBodyBytes}`);
    if (store !== undefined && !/^[!-9;-~]{1,128}$/.test(name ?? ""))
      throw new UsageError(
        "a store needs a name to remember events for: 1 to 128 visible characters, no colon",
      );
    this.maxBodyBytes = maxBodyBytes;
    this.#options = options;
    // What is given at once is wrong at once.
    if (secret !== undefined && typeof secret !== "function") this.#made(secret);
  }

  /** The answer to a request. Rejects with what `handle` throws. */
  async receive(
    body: Uint8Array,
    headers: HeadersLike,
    handle: (event: WebhookEvent<T>) => unknown,
  ): Promise<Reply> {
    const webhook = await this.#resolved();
    let event: WebhookEvent<T>;
    try {
      event = webhook.unwrap(body, headers, this.#options.into);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      told(this.#options.onRefused, error, (fault) => {
        process.emitWarning(`onRefused failed: ${String(fault)}`);
      });
      return refusal(error);
    }
    return await this.#once(event, handle);
  }

  /** What is answered to a body beyond `maxBodyBytes`. */
  tooLarge(): Reply {
    const detail = `A webhook has at most ${this.maxBodyBytes} bytes.`;
    return problem(413, "Content Too Large", detail);
  }

  async #once(event: WebhookEvent<T>, handle: (event: WebhookEvent<T>) => unknown): Promise<Reply> {
    const { store, name, leaseSeconds = LEASE_SECONDS, rememberSeconds } = this.#options;
    if (store === undefined) {
      await handle(event);
      return DONE;
    }
    const key = `${name}:${event.id}`;
    const claim = await store.claim(key, leaseSeconds);
    if (claim === "done") return DONE;
    if (claim === "running") return RUNNING;
    try {
      await handle(event);
    } catch (error) {
      await noted(event.id, () => store.release(key, claim.token));
      throw error;
    }
    await noted(event.id, () =>
      store.complete(key, claim.token, rememberSeconds ?? REMEMBER_SECONDS),
    );
    return DONE;
  }

  #resolved(): Promise<Webhook> {
    this.#webhook ??= this.#read();
    // A source of secrets that fails is asked again.
    this.#webhook.catch(() => {
      this.#webhook = undefined;
    });
    return this.#webhook;
  }

  async #read(): Promise<Webhook> {
    const { secret } = this.#options;
    const given = typeof secret === "function" ? await secret() : secret;
    return this.#made(given ?? secretsFromEnvironment());
  }

  #made(secrets: Secrets): Webhook {
    const { toleranceSeconds, now } = this.#options;
    return new Webhook(secrets, { toleranceSeconds, now });
  }
}

/** A store that fails now changes nothing: the answer is what the sender goes by. */
async function noted(id: string, note: () => void | PromiseLike<void>): Promise<void> {
  try {
    await note();
  } catch (error) {
    process.emitWarning(`the store could not note the end of the webhook ${id}: ${String(error)}`);
  }
}

function refusal(error: WebhookVerificationError): Reply {
  // Fixed texts: whoever sends a bad signature learns nothing from the answer.
  if (error instanceof SignatureMismatchError)
    return problem(401, "Unauthorized", "The webhook's signature does not match.");
  if (error instanceof TimestampOutOfToleranceError)
    return problem(401, "Unauthorized", "The webhook's timestamp is too far from now.");
  if (error instanceof InvalidPayloadError)
    return problem(400, "Bad Request", "The webhook's body is not what is expected.");
  return problem(400, "Bad Request", "The webhook's headers are missing or malformed.");
}

function problem(
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const body = JSON.stringify({ type: "about:blank", title, status, detail });
  return { status, headers: { "content-type": "application/problem+json", ...headers }, body };
}
