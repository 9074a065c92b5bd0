import { UsageError } from "../errors.js";
import type { Call } from "./call.js";
import { shown } from "./shown.js";

/** Where a call goes. UsageError for a parameter that cannot stand in a URL. */
export function urlOf(baseUrl: string, call: Call): string {
  const query = queryOf(call.query);
  return `${baseUrl}${pathOf(call)}${query === "" ? "" : `?${query}`}`;
}

/** The path with its parameters filled in. */
export function pathOf(call: Call): string {
  return call.path.replace(/\{(\w+)\}/g, (_, name: string) => segment(name, call.params?.[name]));
}

function segment(name: string, value: unknown): string {
  if (typeof value !== "string")
    throw new UsageError(`${name} must be a string, not ${value === null ? "null" : typeof value}`);
  if (value === "") throw new UsageError(`${name} must not be empty`);
  if (value.split(/[/\\]/).some((part) => part === "." || part === ".."))
    throw new UsageError(`${name} must not hold the path segment '.' or '..': ${shown(value)}`);
  return escaped(name, value);
}

function queryOf(query: object | undefined): string {
  const pairs: string[] = [];
  for (const [name, given] of Object.entries(query ?? {}))
    for (const value of Array.isArray(given) ? given : [given])
      if (value !== undefined && value !== null)
        pairs.push(`${escaped(name, name)}=${escaped(name, text(name, value))}`);
  return pairs.join("&");
}

function text(name: string, value: unknown): string {
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  throw new UsageError(`${name} cannot be sent in a query: ${shown(value)}`);
}

function escaped(name: string, value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    throw new UsageError(`${name} is not valid Unicode: ${shown(value)}`);
  }
}
