import { UsageError } from "../errors.js";
import type { Call, PostOptions } from "./call.js";
import { shown } from "./shown.js";

export const IDEMPOTENCY_HEADER = "idempotency-key";

/** A fresh key. */
export function newKey(): string {
  return `auto-${globalThis.crypto.randomUUID()}`;
}

/** The key that the caller gave, as an option or as a header, or a new one where it counts. */
export function keyFor(
  call: Call,
  options: PostOptions,
  headers: Readonly<Record<string, string>>,
  make: () => string,
): string | undefined {
  if (options.idempotencyKey !== undefined) return checked(options.idempotencyKey);
  return headers[IDEMPOTENCY_HEADER] ?? (call.idempotent ? make() : undefined);
}

function checked(key: unknown): string {
  if (typeof key !== "string" || !/^[\x21-\x7e]+$/.test(key))
    throw new UsageError(`an idempotency key is visible ASCII without spaces, not ${shown(key)}`);
  return key;
}
