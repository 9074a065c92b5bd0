// One try: a request that is sent, and its whole answer, bounded in time and in size.
import { APIConnectionError, APITimeoutError } from "../errors.js";

export const LARGEST_BODY_BYTES = 64 * 1024 * 1024;
export const LARGEST_ERROR_BODY_BYTES = 1024 * 1024;
// The kernel's, and those of Node's fetch, which gives a connection 10 s, and an answer 300 s.
const OTHER_TIMEOUTS = /^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/;

/** As much of the standard `fetch` as is needed. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** One HTTP request, sent as it is on each try. `label` is what errors may show of it. */
export interface WireRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number | null;
  readonly label: string;
  readonly signal: AbortSignal | undefined;
}

/** One HTTP answer. `defect` says why the body is not whole, if it is not. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly defect: string | null;
}

export function isSuccess(reply: Reply): boolean {
  return reply.status >= 200 && reply.status < 300;
}

/** The answer, or why there is none. Throws only what `signal` was aborted with. */
export async function send(
  fetch: Fetch,
  request: WireRequest,
): Promise<Reply | APIConnectionError> {
  const { timeoutMs, signal } = request;
  signal?.throwIfAborted();
  const controller = new AbortController();
  // A `fetch` of the caller's may not heed its signal, so the wait itself ends as well.
  let end: (why: unknown) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    end = (why) => {
      reject(why);
      controller.abort(why);
    };
  });
  const late = new APITimeoutError(`${request.label} got no answer within ${timeoutMs} ms`);
  const timer = timeoutMs === null ? undefined : setTimeout(() => end(late), timeoutMs);
  const aborted = () => end(signal?.reason);
  signal?.addEventListener("abort", aborted);
  try {
    return await Promise.race([exchange(fetch, request, controller.signal), ended]);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    return error === late ? late : failure(request, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
    controller.abort(); // whatever of the answer was not wanted
  }
}

async function exchange(fetch: Fetch, request: WireRequest, signal: AbortSignal): Promise<Reply> {
  const { method, url, headers, body } = request;
  const response = await fetch(url, {
    method,
    headers: { ...headers },
    redirect: "manual",
    signal,
    ...(body === undefined ? {} : { body }),
  });
  const head = { status: response.status, headers: Object.fromEntries(response.headers) };
  const limit = response.ok ? LARGEST_BODY_BYTES : LARGEST_ERROR_BODY_BYTES;
  if (Number(head.headers["content-length"]) > limit) return tooLarge(head, limit);
  try {
    const content = await bounded(response, limit);
    return content === null ? tooLarge(head, limit) : { ...head, body: content, defect: null };
  } catch (error) {
    const packing = unpackingError(error);
    if (packing === null) throw error;
    return { ...head, body: new Uint8Array(), defect: `the body cannot be decoded: ${packing}` };
  }
}

function tooLarge(head: Pick<Reply, "status" | "headers">, limit: number): Reply {
  const defect = `the body is larger than ${limit} bytes`;
  return { ...head, body: new Uint8Array(), defect };
}

/** The body, null when it is larger than `limit`. */
async function bounded(response: Response, limit: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (const reader = response.body?.getReader(); reader !== undefined;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) return null;
    chunks.push(value);
  }
  return joined(chunks, size);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** What zlib said when it was zlib that failed: then there is an answer, but not a good one. */
function unpackingError(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^(?:Z_|ERR__ZLIB|ERR_BROTLI|ERR__ERROR)/.test(code))
      return at.message;
  }
  return null;
}

function failure(request: WireRequest, error: unknown): APIConnectionError {
  const reasons: string[] = [];
  let isLate = false;
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code = "" } = at as { code?: string };
    reasons.push(at.message || code || at.name);
    isLate ||= OTHER_TIMEOUTS.test(code);
  }
  const why = reasons.join(": ") || String(error);
  const kind = isLate ? APITimeoutError : APIConnectionError;
  return new kind(`${request.label} failed: ${why}`, null, { cause: error });
}
