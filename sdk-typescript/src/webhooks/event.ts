// The body of a genuine webhook as a typed event.
import { isObject } from "../core/shapes.js";
import { shown } from "../core/shown.js";
import { InvalidPayloadError, UsageError } from "../errors.js";

/** What a genuine webhook tells. */
export interface WebhookEvent<T = Record<string, unknown>> {
  /** `webhook-id`: the same on every attempt, so it is what to deduplicate by. */
  readonly id: string;
  /** The event's name, such as `order.created`. */
  readonly type: string;
  /** When the event was accepted for delivery. */
  readonly timestamp: Date;
  /** When this attempt was signed. */
  readonly attemptedAt: Date;
  /** The event's payload, as `into` made it. */
  readonly data: T;
  /** The request's body as it was received. */
  readonly body: Uint8Array;
}

/** A schema of Zod, Valibot, ArkType and others (standardschema.dev). */
export interface StandardSchema<T> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

/**
 * What makes something of `data`: a schema, whose issues are an InvalidPayloadError, or a function;
 * what that throws passes through, unless it is an InvalidPayloadError itself.
 */
export type Into<T> = StandardSchema<T> | ((data: Record<string, unknown>, type: string) => T);

/** The event in `body`, whose signature was right. Throws InvalidPayloadError. */
export function readEvent<T>(
  id: string,
  timestamp: number,
  body: Uint8Array,
  into: Into<T> | undefined,
): WebhookEvent<T> {
  const envelope = parsed(body);
  if (!isObject(envelope))
    throw new InvalidPayloadError("the body is signed, but its JSON is no object");
  const { type, data } = envelope;
  if (typeof type !== "string" || type === "")
    throw new InvalidPayloadError("the body is signed, but its `type` is no event's name");
  if (!isObject(data)) throw new InvalidPayloadError(`\`data\` of ${shown(type)} is no object`);
  return {
    id,
    type,
    timestamp: instant(type, envelope["timestamp"]),
    attemptedAt: new Date(timestamp * 1000),
    data: converted(type, data, into),
    body,
  };
}

/** JSON in UTF-8. InvalidPayloadError when it is not. */
export function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    const why = (error as Error).message;
    throw new InvalidPayloadError(`the body is signed, but not JSON in UTF-8: ${why}`);
  }
}

function instant(type: string, value: unknown): Date {
  const hasZone = typeof value === "string" && /^\d{4}-.*(?:[Zz]|[+-]\d\d:\d\d)$/.test(value);
  const moment = new Date(hasZone ? value : Number.NaN);
  if (Number.isNaN(moment.getTime()))
    throw new InvalidPayloadError(`\`timestamp\` of ${shown(type)} is no RFC 3339 instant`);
  return moment;
}

function converted<T>(type: string, data: Record<string, unknown>, into: Into<T> | undefined): T {
  if (into === undefined) return data as T;
  if (typeof into === "function") return into(data, type);
  const result = into["~standard"].validate(data);
  if (!isObject(result) || result instanceof Promise)
    throw new UsageError("`into` is a schema that validates asynchronously; use one that does not");
  if (result["issues"] !== undefined)
    // What a schema says may quote the payload, which belongs into no log.
    throw new InvalidPayloadError(`\`data\` of ${shown(type)} does not fit the schema`);
  return result["value"] as T;
}
