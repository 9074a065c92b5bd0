/**
 * Signatures of webhooks: Standard Webhooks 1.0, schemes `v1` (HMAC-SHA256) and `v1a` (ed25519).
 *
 *     const event = webhooks.unwrap(rawBody, request.headers, "whsec_…");
 *
 * Give it the body exactly as it was received: JSON that was parsed and written again has other
 * bytes and another signature.
 */
import { Buffer } from "node:buffer";
import { shown } from "./core/shown.js";
import {
  InvalidHeaderError,
  InvalidPayloadError,
  InvalidSecretError,
  SignatureMismatchError,
  TimestampOutOfToleranceError,
  UsageError,
} from "./errors.js";
import { type Into, parsed, readEvent, type WebhookEvent } from "./webhooks/event.js";
import { type HeadersLike, isVisible, type Received, readHeaders } from "./webhooks/headers.js";
import { type Key, readKey } from "./webhooks/keys.js";

export {
  InvalidHeaderError,
  InvalidPayloadError,
  InvalidSecretError,
  MissingHeaderError,
  SignatureMismatchError,
  TimestampOutOfToleranceError,
  WebhookVerificationError,
} from "./errors.js";
export type { Into, StandardSchema, WebhookEvent } from "./webhooks/event.js";
export type { HeadersLike } from "./webhooks/headers.js";

export const SECRET_VARIABLE = "HOOKWRIGHT_WEBHOOK_SECRET";

/** A request's body as it was received. */
export type RawBody = string | Uint8Array | ArrayBuffer;

/** One secret, or several during a rotation. */
export type Secrets = string | readonly string[];

export interface WebhookOptions {
  /** How far the signed time may lie in the past or in the future (300). */
  toleranceSeconds?: number | undefined;
  /** Unix time in milliseconds. */
  now?: (() => number) | undefined;
}

/**
 * Signs and verifies with one secret or several (during a rotation the old and the new one).
 *
 * A secret is `whsec_` and 24 to 64 bytes in base64 (scheme `v1`), or an ed25519 key (scheme
 * `v1a`): the public key `whpk_…` verifies, the private key `whsk_…` signs too. Throws
 * InvalidSecretError.
 */
export class Webhook {
  readonly #keys: readonly Key[];
  readonly #toleranceSeconds: number;
  readonly #now: () => number;

  constructor(secrets: Secrets, options: WebhookOptions = {}) {
    const { toleranceSeconds = 300, now = Date.now } = options;
    const given: readonly unknown[] = typeof secrets === "string" ? [secrets] : secrets;
    if (!Array.isArray(given) || given.length === 0)
      throw new InvalidSecretError("a secret is a string, or a list of at least one");
    if (typeof toleranceSeconds !== "number" || !(toleranceSeconds >= 0))
      throw new UsageError(
        `toleranceSeconds is a number of at least 0, not ${shown(toleranceSeconds)}`,
      );
    this.#keys = given.map(readKey);
    this.#toleranceSeconds = toleranceSeconds;
    this.#now = now;
  }

  /**
   * The parsed JSON of a webhook that is genuine and recent. Throws a subclass of
   * WebhookVerificationError for a request that is not to be trusted, and UsageError when `body` is
   * something parsed.
   */
  verify<T = unknown>(body: RawBody, headers: HeadersLike): T {
    const content = contentOf(body);
    this.#checked(content, headers);
    return parsed(content) as T;
  }

  /**
   * The event of a webhook that is genuine and recent. Throws as `verify` does, and
   * InvalidPayloadError when the body is no event or does not fit `into`.
   */
  unwrap<T = Record<string, unknown>>(
    body: RawBody,
    headers: HeadersLike,
    into?: Into<T>,
  ): WebhookEvent<T> {
    const content = contentOf(body);
    const received = this.#checked(content, headers);
    return readEvent(received.id, received.timestamp, content, into);
  }

  /**
   * The value of `webhook-signature`: a `v1,…` or `v1a,…` per secret, separated by spaces.
   * `timestamp` is in Unix seconds and must be sent as `webhook-timestamp`. UsageError for an id or
   * a time that no receiver would take, and for a public key.
   */
  sign(id: string, timestamp: number, body: RawBody): string {
    if (!isVisible(id)) throw new UsageError(`a message id is visible ASCII, not ${shown(id)}`);
    if (!Number.isSafeInteger(timestamp) || timestamp < 0)
      throw new UsageError(`a timestamp is whole Unix seconds, not ${shown(timestamp)}`);
    const signed = signedContent(id, String(timestamp), contentOf(body));
    const signature = (key: Key) => Buffer.from(key.sign(signed)).toString("base64");
    return this.#keys.map((key) => `${key.scheme},${signature(key)}`).join(" ");
  }

  #checked(content: Uint8Array, headers: HeadersLike): Received {
    const schemes = new Set(this.#keys.map((key) => key.scheme));
    const received = readHeaders(headers, schemes);
    this.#checkTime(received.timestamp);
    const signed = signedContent(received.id, received.timestampText, content);
    let matched = false;
    for (const key of this.#keys) {
      const own = received.signatures.filter((each) => each.scheme === key.scheme);
      if (
        key.matches(
          signed,
          own.map((each) => each.bytes),
        )
      )
        matched = true;
    }
    if (!matched) throw refusal([...schemes].sort().join(" or "), received.malformed);
    return received;
  }

  #checkTime(timestamp: number): void {
    const age = this.#now() / 1000 - timestamp;
    if (Math.abs(age) <= this.#toleranceSeconds) return;
    throw new TimestampOutOfToleranceError(
      `the webhook was signed ${Math.abs(age).toFixed(0)} s in the ${age > 0 ? "past" : "future"}; ` +
        `${this.#toleranceSeconds} s are tolerated (is this machine's clock right?)`,
    );
  }
}

/** `new Webhook(secrets, options).verify(body, headers)`: the parsed JSON of a genuine webhook. */
export function verify<T = unknown>(
  body: RawBody,
  headers: HeadersLike,
  secrets: Secrets = secretsFromEnvironment(),
  options?: WebhookOptions,
): T {
  return new Webhook(secrets, options).verify<T>(body, headers);
}

/**
 * `new Webhook(secrets, options).unwrap(body, headers, into)`: the event of a genuine webhook.
 * Without `secrets`, HOOKWRIGHT_WEBHOOK_SECRET is read: one, or several with spaces between them.
 */
export function unwrap<T = Record<string, unknown>>(
  body: RawBody,
  headers: HeadersLike,
  secrets: Secrets = secretsFromEnvironment(),
  options: WebhookOptions & { into?: Into<T> | undefined } = {},
): WebhookEvent<T> {
  return new Webhook(secrets, options).unwrap(body, headers, options.into);
}

/** `new Webhook(secrets).sign(id, timestamp, body)`: the value of `webhook-signature`. */
export function sign(id: string, timestamp: number, body: RawBody, secrets: Secrets): string {
  return new Webhook(secrets).sign(id, timestamp, body);
}

/** The secrets in HOOKWRIGHT_WEBHOOK_SECRET. InvalidSecretError when there is none. */
export function secretsFromEnvironment(): string[] {
  const secrets = (process.env[SECRET_VARIABLE] ?? "").split(/\s+/).filter((each) => each !== "");
  if (secrets.length === 0)
    throw new InvalidSecretError(`no webhook secret: pass one or set ${SECRET_VARIABLE}`);
  return secrets;
}

function refusal(schemes: string, malformed: boolean): Error {
  if (malformed)
    return new InvalidHeaderError(
      `webhook-signature holds a ${schemes} signature that is not base64`,
    );
  return new SignatureMismatchError(
    `no ${schemes} signature matches; is this the endpoint's secret, and the raw body?`,
  );
}

function contentOf(body: unknown): Uint8Array {
  if (typeof body === "string") {
    if (/\p{Surrogate}/u.test(body))
      throw new InvalidPayloadError("the body holds lone surrogates");
    return Buffer.from(body);
  }
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  const kind = body === null ? "null" : typeof body;
  throw new UsageError(`pass the raw request body as bytes or a string, not ${kind}`);
}

function signedContent(id: string, timestamp: string, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), content]);
}
