// What HOOKWRIGHT_LOG shows on stderr: with `info` what came of each try, with `debug` its request as
// well. What may appear is listed here; all else (keys, query values, bodies, unknown headers) stays
// out.
import { shown } from "./shown.js";
import type { Reply, WireRequest } from "./transport.js";

export const LOG_VARIABLE = "HOOKWRIGHT_LOG";
export type LogLevel = "debug" | "info";

const HEADERS = [
  "content-length",
  "content-type",
  "idempotency-replayed",
  "retry-after",
  "user-agent",
  "x-request-id",
];

/** The level of this name; null for none, and after a warning for one that there is not. */
export function logLevel(wanted: string | undefined): LogLevel | null {
  const name = wanted?.trim().toLowerCase() ?? "";
  if (name === "debug" || name === "info") return name;
  if (name !== "")
    print("WARNING", `${LOG_VARIABLE}=${shown(wanted)} is not understood; it takes debug or info`);
  return null;
}

/** The lines about one call. */
export class CallLog {
  readonly #level: LogLevel | null;
  readonly #operation: string;
  readonly #request: WireRequest;

  constructor(level: LogLevel | null, operation: string, request: WireRequest) {
    this.#level = level;
    this.#operation = operation;
    this.#request = request;
  }

  /** Before a try. */
  request(attempt: number): void {
    if (this.#level !== "debug") return;
    const names = [...new URL(this.#request.url).searchParams.keys()].join(",");
    const headers = listed(this.#request.headers);
    this.#line("DEBUG", "request", `query=[${names}] attempt=${attempt} headers=${headers}`);
  }

  /** After a try: the status or the kind of failure, and when the next one begins. */
  outcome(outcome: Reply | Error, attempt: number, tookMs: number, retryInMs: number | null): void {
    if (this.#level === null) return;
    const headers = outcome instanceof Error ? {} : outcome.headers;
    const what = outcome instanceof Error ? outcome.name : outcome.status;
    const seconds = (tookMs / 1000).toFixed(3);
    const id = headers["x-request-id"] ?? null;
    const more = this.#level === "debug" ? ` headers=${listed(headers)}` : "";
    const text = `${what} attempt=${attempt} seconds=${seconds} request_id=${id}${more}`;
    this.#line("INFO", "response", text);
    if (retryInMs !== null) this.#line("INFO", "retry", `in=${(retryInMs / 1000).toFixed(3)}s`);
  }

  #line(level: string, kind: string, text: string): void {
    print(level, `${kind} operation=${this.#operation} ${this.#request.label} ${text}`);
  }
}

function print(level: string, text: string): void {
  console.error(`${new Date().toISOString()} hookwright ${level} ${text}`);
}

function listed(headers: Readonly<Record<string, string>>): string {
  const known = HEADERS.filter((name) => name in headers);
  return JSON.stringify(Object.fromEntries(known.map((name) => [name, headers[name]])));
}
