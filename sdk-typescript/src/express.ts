/**
 * Webhooks in Express, and in any server of `node:http`:
 *
 *     app.post("/webhooks", receives(async (event) => { … }, { secret: process.env.WEBHOOK_SECRET }));
 *
 * It reads the raw body itself: register it before `express.json()`, or give the route
 * `express.raw({ type: "*\/*" })`.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { UsageError } from "./errors.js";
import { type Handler, Receiver, type ReceiverOptions, type Reply } from "./receiving/receiver.js";

export type { Handler, ReceiverOptions } from "./receiving/receiver.js";
export { type Claim, type DeduplicationStore, MemoryStore } from "./receiving/stores.js";

/**
 * A handler that calls `handler` with each genuine webhook, and answers 204 once it is done. What is
 * not genuine is answered with 400 or 401, a larger body with 413; what `handler` throws goes to
 * `next`, and becomes Express's 500, upon which the sender tries again.
 */
export function receives<
  T = Record<string, unknown>,
  Request extends IncomingMessage = IncomingMessage,
>(
  handler: Handler<T, [request: Request]>,
  options: ReceiverOptions<T> = {},
): (request: Request, response: ServerResponse, next: (error?: unknown) => void) => Promise<void> {
  const receiver = new Receiver(options);
  return async (request, response, next) => {
    try {
      const body = await read(request, receiver.maxBodyBytes);
      if (body === null) {
        // The rest of the body is not waited for.
        end(response.setHeader("connection", "close"), receiver.tooLarge());
        return;
      }
      end(
        response,
        await receiver.receive(body, request.headers, (event) => handler(event, request)),
      );
    } catch (error) {
      next(error);
    }
  };
}

function end(response: ServerResponse, { status, headers, body }: Reply): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  response.end(body);
}

/** The raw body, null when it is larger than `limit`. */
async function read(request: IncomingMessage, limit: number): Promise<Uint8Array | null> {
  const given: unknown = (request as { body?: unknown }).body;
  if (given instanceof Uint8Array) return given.byteLength > limit ? null : given;
  if (request.readableEnded || request.readableDidRead)
    throw new UsageError(
      "the body of the webhook was parsed before it could be verified; " +
        'register receives() before express.json(), or with express.raw({ type: "*/*" })',
    );
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
