// When a call is tried again, and after how long. Pure: time and chance are arguments.

export const FIRST_DELAY_SECONDS = 0.5;
export const LONGEST_DELAY_SECONDS = 8;
export const LONGEST_RETRY_AFTER_SECONDS = 120;

const TRANSIENT = new Set([408, 425, 429]);
// RFC 9110, section 5.6.7: the three forms of a date. Date.parse alone takes nearly anything.
const DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/;

/** Whether doing the request twice is the same as doing it once. */
export function isRepeatable(method: string, idempotencyKey: string | undefined): boolean {
  return method !== "POST" || idempotencyKey !== undefined;
}

/** Whether the same request may get another answer in a while. */
export function isTransient(status: number, code: string | null): boolean {
  if (status === 409) return code === "idempotency_in_progress";
  return status >= 500 || TRANSIENT.has(status);
}

/**
 * A Retry-After header in seconds from `nowMs` (Unix time), from its number or its date (RFC 9110,
 * section 10.2.3); null when it is absent or unreadable. Never negative.
 */
export function retryAfterSeconds(value: string | null | undefined, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  if (!DATE.test(text)) return null;
  // The oldest form has no zone and would be taken for local time.
  const moment = Date.parse(/ (?:GMT|UTC|[+-]\d{4})$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(moment) ? null : Math.max(0, (moment - nowMs) / 1000);
}

/**
 * The wait before the next try: full jitter over 0.5 s × 2ⁿ, at most 8 s, and never less than the
 * server asked for. Null when the server asks for more than 120 s: then the caller decides.
 */
export function delaySeconds(
  retriesDone: number,
  retryAfter: number | null,
  random: () => number,
): number | null {
  if (retryAfter !== null && retryAfter > LONGEST_RETRY_AFTER_SECONDS) return null;
  const ceiling = Math.min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** retriesDone);
  return Math.max(random() * ceiling, retryAfter ?? 0);
}
