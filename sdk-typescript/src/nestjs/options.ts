import type { HookwrightOptions } from "../client.js";
import type { TriggerSend } from "../generated/types.gen.js";

/** What WebhookClientModule.forRoot takes; everything has a default or is read from the environment. */
export interface WebhookClientOptions extends HookwrightOptions {
  /**
   * The slug of the app to publish to, where none is named with the event; else HOOKWRIGHT_APP, and
   * else `-`, the app that the API key is bound to.
   */
  app?: string | undefined;
  /** How many events may be on their way in the background (1000); more are not published. */
  maxPending?: number | undefined;
  /** How long the end of the application waits for what is on its way, in milliseconds (5000). */
  exitDeadlineMs?: number | undefined;
  /** Told of each event that @WebhookEmit did not publish, or of which that is not known. */
  onError?: ((failure: EmitFailure) => unknown) | undefined;
}

/** An event that was not published. */
export interface EmitFailure {
  readonly eventType: string;
  readonly error: unknown;
  /** What the handler had returned. */
  readonly response: unknown;
}

/** An event to publish. */
export interface WebhookSend {
  /** The event's name, such as `order.created`. */
  eventType: string;
  /** Any JSON object. */
  payload: object;
  /** Only these endpoints; their subscriptions still apply. */
  endpointIds?: string[] | undefined;
  /** The slug of the app, in place of the module's. */
  app?: string | undefined;
  /** Makes it safe to send the event again. */
  idempotencyKey?: string | undefined;
  /** More members of the request, such as `ordering_key` or `deliver_at`. */
  more?: Partial<TriggerSend> | undefined;
}

/** Any JSON object; null and undefined publish nothing. */
type Payload = object | null | undefined;

/** How @WebhookEmit publishes. `response` is what the handler returned. */
export interface WebhookEmitOptions<R = unknown> {
  /** Publish only if this is, or resolves to, true. */
  when?: ((response: R) => boolean | PromiseLike<boolean>) | undefined;
  /**
   * Wait for the end of the sending before the response goes out, as serverless environments need
   * it. Without it the event is sent in the background.
   */
  await?: boolean | undefined;
  /** Makes the payload, in place of the response; null and undefined publish nothing. */
  payload?: ((response: R) => Payload | PromiseLike<Payload>) | undefined;
  /** The slug of the app, or a function of the response. */
  app?: string | ((response: R) => string | PromiseLike<string>) | undefined;
  /** With `await`: also throw what went wrong, although the handler has succeeded. */
  raiseErrors?: boolean | undefined;
}
