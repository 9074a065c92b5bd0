// An answer that is not a success → the typed error. Trusts nothing about the body.
import * as errors from "../errors.js";
import { retryAfterSeconds } from "./retry.js";
import { isObject } from "./shapes.js";
import type { Reply } from "./transport.js";

const LONGEST_TEXT = 16 * 1024;
const MOST_ENTRIES = 100;

const BY_STATUS: ReadonlyMap<number, typeof errors.APIStatusError> = new Map([
  [400, errors.BadRequestError],
  [401, errors.AuthenticationError],
  [403, errors.PermissionDeniedError],
  [404, errors.NotFoundError],
  [409, errors.ConflictError],
  [413, errors.PayloadTooLargeError],
  [415, errors.UnsupportedMediaTypeError],
  [422, errors.UnprocessableError],
  [429, errors.RateLimitError],
]);

/** The error for this answer; `nowMs` (Unix time) is what a Retry-After date counts from. */
export function statusError(reply: Reply, nowMs: number): errors.APIStatusError {
  const problem = problemIn(reply);
  return new (classOf(reply.status))({
    status: reply.status,
    code: text(problem["code"]),
    title: text(problem["title"]),
    detail: text(problem["detail"]),
    errors: entries(problem["errors"]),
    requestId: requestIdOf(reply) ?? text(problem["request_id"]),
    retryAfterSeconds: retryAfterSeconds(reply.headers["retry-after"], nowMs),
    body: bodyText(reply),
    headers: reply.headers,
  });
}

/** The error for a success that cannot be understood. */
export function responseError(reply: Reply, reason: string): errors.APIResponseError {
  return new errors.APIResponseError(`${reply.status}, but ${reason}`, {
    status: reply.status,
    requestId: requestIdOf(reply),
    body: bodyText(reply),
  });
}

export function requestIdOf(reply: Reply): string | null {
  return reply.headers["x-request-id"] ?? null;
}

function classOf(status: number): typeof errors.APIStatusError {
  if (status >= 500) return errors.InternalServerError;
  return BY_STATUS.get(status) ?? errors.APIStatusError;
}

function problemIn(reply: Reply): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(reply.body));
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function bodyText(reply: Reply): string {
  return new TextDecoder().decode(reply.body.subarray(0, LONGEST_TEXT));
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, LONGEST_TEXT) : null;
}

function entries(value: unknown): readonly errors.ProblemEntry[] {
  if (!Array.isArray(value)) return [];
  return value
    .slice(0, MOST_ENTRIES)
    .filter(isObject)
    .map((entry) => ({
      pointer: text(entry["pointer"]) ?? "",
      code: text(entry["code"]),
      message: text(entry["message"]),
    }));
}
