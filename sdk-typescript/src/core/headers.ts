import { UsageError } from "../errors.js";
import { shown } from "./shown.js";

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/;
// These decide where a request goes and where it ends; they are the transport's.
const RESERVED = new Set([
  "connection",
  "content-length",
  "host",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The caller's headers with lower-case names. UsageError when one cannot be sent. */
export function checkedHeaders(given: unknown): Record<string, string> {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null || Symbol.iterator in given)
    throw new UsageError("headers are an object of names and values, like { 'x-trace': '7' }");
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [checkedName(name), checkedValue(name, value)]),
  );
}

function checkedName(name: string): string {
  if (!NAME.test(name)) throw new UsageError(`not a header name: ${shown(name)}`);
  const lowered = name.toLowerCase();
  if (RESERVED.has(lowered))
    throw new UsageError(`the header ${lowered} cannot be set; it belongs to the connection`);
  return lowered;
}

function checkedValue(name: string, value: unknown): string {
  // The message does not show the value: it may be a secret.
  if (typeof value !== "string" || !VALUE.test(value))
    throw new UsageError(`the value of the header ${name} must be text of visible ASCII`);
  return value;
}
