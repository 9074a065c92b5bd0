import { Inject, Injectable, Logger, type OnApplicationShutdown } from "@nestjs/common";
import { Hookwright } from "../client.js";
import { told } from "../core/hooks.js";
import { EmitError } from "../errors.js";
import type { TriggerAccepted } from "../generated/types.gen.js";
import { MODULE_OPTIONS_TOKEN } from "./definition.js";
import { eventOf, isPromise } from "./event.js";
import type { WebhookClientOptions, WebhookEmitOptions, WebhookSend } from "./options.js";

/** What names the app that a key is bound to. */
const APP_OF_THE_KEY = "-";
const TIMEOUT_MS = 10_000;
const MAX_PENDING = 1000;
const EXIT_DEADLINE_MS = 5000;

/** Publishes events; `client` is the whole API. */
@Injectable()
export class WebhookClientService implements OnApplicationShutdown {
  readonly client: Hookwright;
  readonly #options: WebhookClientOptions;
  readonly #logger = new Logger("hookwright");
  readonly #pending = new Set<Promise<void>>();

  constructor(@Inject(MODULE_OPTIONS_TOKEN) options: WebhookClientOptions) {
    this.#options = options;
    this.client = new Hookwright({ timeoutMs: TIMEOUT_MS, ...options });
  }

  /** Publish an event; `id` of what comes back is the message's. Rejects as the API does. */
  async send(event: WebhookSend): Promise<TriggerAccepted & { id: string }> {
    const app = event.app ?? this.#options.app ?? (process.env["HOOKWRIGHT_APP"] || APP_OF_THE_KEY);
    const { eventType, payload, endpointIds, idempotencyKey, more } = event;
    const accepted = await this.client.trigger.send(
      app,
      {
        ...more,
        event_name: eventType,
        payload: payload as Record<string, unknown>,
        ...(endpointIds === undefined ? {} : { endpoint_ids: endpointIds }),
      },
      { idempotencyKey },
    );
    return { ...accepted, id: accepted.message_id };
  }

  /**
   * What @WebhookEmit does with a response. Resolves when the event is sent, or at once when it is
   * sent in the background. What goes wrong is logged and told to `onError`, and thrown only with
   * `raiseErrors`.
   */
  async emit(eventType: string, response: unknown, options: WebhookEmitOptions): Promise<void> {
    const sending = this.#emitted(eventType, response, options);
    if (options.await) {
      await sending;
      return;
    }
    const settled = sending.catch(() => undefined).finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
  }

  /** Wait for what is on its way in the background, for at most so many milliseconds. */
  async flush(deadlineMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([Promise.all(this.#pending), late]);
    clearTimeout(timer);
  }

  /** Nest calls it when the application is closed. */
  async onApplicationShutdown(): Promise<void> {
    await this.flush(this.#options.exitDeadlineMs ?? EXIT_DEADLINE_MS);
    if (this.#pending.size > 0)
      this.#logger.error(`${this.#pending.size} events were still on their way at the end`);
  }

  async #emitted(eventType: string, response: unknown, options: WebhookEmitOptions): Promise<void> {
    const pending = this.#pending.size;
    try {
      const made = eventOf(eventType, response, options);
      const event = isPromise(made) ? await made : made;
      if (event === null) return;
      if (!options.await && pending >= (this.#options.maxPending ?? MAX_PENDING))
        throw new EmitError(`${pending} events are on their way already (maxPending)`);
      await this.send(event);
    } catch (error) {
      this.#report(eventType, response, error);
      if (options.await && options.raiseErrors) throw error;
    }
  }

  #report(eventType: string, response: unknown, error: unknown): void {
    this.#logger.error(`${eventType} was not published: ${String(error)}`);
    told(this.#options.onError, { eventType, error, response }, (fault) => {
      this.#logger.error(`onError failed: ${String(fault)}`);
    });
  }
}
