/**
 * Webhooks in a route handler of Next, and wherever else a `Request` comes in and a `Response` goes
 * out: Remix, SvelteKit, Hono, Bun, Deno.
 *
 *     export const POST = receives(async (event) => { … }, { secret: process.env.WEBHOOK_SECRET });
 */
import { type Handler, Receiver, type ReceiverOptions, type Reply } from "./receiving/receiver.js";

export type { Handler, ReceiverOptions } from "./receiving/receiver.js";
export { type Claim, type DeduplicationStore, MemoryStore } from "./receiving/stores.js";

/**
 * A route handler that calls `handler` with each genuine webhook, and answers 204 once it is done.
 * What is not genuine is answered with 400 or 401, a larger body with 413; what `handler` throws is
 * thrown, and becomes the framework's 500, upon which the sender tries again.
 */
export function receives<T = Record<string, unknown>>(
  handler: Handler<T, [request: Request]>,
  options: ReceiverOptions<T> = {},
): (request: Request) => Promise<Response> {
  const receiver = new Receiver(options);
  return async (request) => {
    const body = await read(request, receiver.maxBodyBytes);
    if (body === null) return responseOf(receiver.tooLarge());
    const reply = await receiver.receive(body, request.headers, (event) => handler(event, request));
    return responseOf(reply);
  };
}

function responseOf({ status, headers, body }: Reply): Response {
  return new Response(body === "" ? null : body, { status, headers: { ...headers } });
}

/** The body, null when it is larger than `limit`. */
async function read(request: Request, limit: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (const reader = request.body?.getReader(); reader !== undefined;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
