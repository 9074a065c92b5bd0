import { UsageError } from "../errors.js";
import { shown } from "./shown.js";

/** A request's body. UsageError for what JSON cannot carry, which JSON.stringify would hide. */
export function encoded(body: object): string {
  try {
    return JSON.stringify(body, checked);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`the body cannot be sent as JSON: ${(error as Error).message}`);
  }
}

function checked(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const given = this[key];
  if (given instanceof Date && value === null)
    throw new UsageError(`${place(key)} is an invalid Date`);
  if (typeof value === "number" && !Number.isFinite(value))
    throw new UsageError(`${place(key)} is ${value}, which JSON cannot carry`);
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
    throw new UsageError(
      `${place(key)} is a ${typeof value}, which JSON cannot carry: ${shown(value)}`,
    );
  if (typeof value === "string" && /\p{Surrogate}/u.test(value))
    throw new UsageError(`${place(key)} is not valid Unicode: ${shown(value)}`);
  if (value instanceof Map || value instanceof Set)
    // As JSON both are {}, whatever they hold.
    throw new UsageError(`${place(key)} is a ${value.constructor.name}; make it an object or list`);
  return value;
}

function place(key: string): string {
  return key === "" ? "the body" : `the body's member ${shown(key)}`;
}
