/**
 * Webhooks in Fastify, as a plugin with a route of its own:
 *
 *     app.register(webhookReceiver({ path: "/webhooks", handler: async (event) => { … } }));
 *
 * The other routes keep their parsers of bodies.
 */
import { type Handler, Receiver, type ReceiverOptions } from "./receiving/receiver.js";

import type { WebhookEvent } from "./webhooks.js";

export type { Handler, ReceiverOptions } from "./receiving/receiver.js";
export { type Claim, type DeduplicationStore, MemoryStore } from "./receiving/stores.js";

/** As much of Fastify's request as is needed. */
export interface FastifyRequestLike {
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** As much of Fastify's reply as is needed. */
export interface FastifyReplyLike {
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body?: string): unknown;
}

/** As much of a Fastify instance as is needed. */
export interface FastifyLike {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    type: string,
    options: { parseAs: "buffer"; bodyLimit: number },
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Fastify's own types of these are generic
    parser: (request: any, body: any, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Fastify's own types of these are generic
  setErrorHandler(handler: (error: any, request: any, reply: any) => unknown): unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Fastify's own types of these are generic
  post(path: string, handler: (request: any, reply: any) => Promise<unknown>): unknown;
}

/** What the plugin is made with. */
export interface WebhookReceiverOptions<T = Record<string, unknown>> extends ReceiverOptions<T> {
  path: string;
  handler: Handler<T, [request: FastifyRequestLike]>;
}

/**
 * Makes a plugin that calls `handler` with each genuine webhook, and answers 204 once it is done. What is
 * not genuine is answered with 400 or 401, a larger body with 413; what `handler` throws becomes
 * Fastify's 500, upon which the sender tries again.
 */
export function webhookReceiver<T = Record<string, unknown>>(
  options: WebhookReceiverOptions<T>,
): (fastify: FastifyLike) => Promise<void> {
  const { path, handler, ...rest } = options;
  const receiver = new Receiver<T>(rest);
  return async (fastify) => {
    // A plugin has a scope of its own: the application's parsers stay as they are.
    fastify.removeAllContentTypeParsers();
    const raw = { parseAs: "buffer", bodyLimit: receiver.maxBodyBytes } as const;
    fastify.addContentTypeParser("*", raw, (_, body, done) => done(null, body));
    fastify.setErrorHandler((error, _, reply: FastifyReplyLike) => {
      if ((error as { code?: unknown }).code !== "FST_ERR_CTP_BODY_TOO_LARGE") throw error;
      return send(reply, receiver.tooLarge());
    });
    fastify.post(path, async (request: FastifyRequestLike, reply: FastifyReplyLike) => {
      const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
      const handled = (event: WebhookEvent<T>) => handler(event, request);
      return send(reply, await receiver.receive(body, request.headers, handled));
    });
  };
}

function send(
  reply: FastifyReplyLike,
  answer: { status: number; headers: Readonly<Record<string, string>>; body: string },
): unknown {
  reply.code(answer.status);
  reply.headers({ ...answer.headers });
  return reply.send(answer.body === "" ? undefined : answer.body);
}
