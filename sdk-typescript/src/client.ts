import { Core } from "./core/core.js";
import { type Runtime, SYSTEM } from "./core/runtime.js";
import { type ClientOptions, settingsFrom, withOptions } from "./core/settings.js";
import type { Fetch } from "./core/transport.js";
import { UsageError } from "./errors.js";
import { Namespaces } from "./generated/methods.gen.js";

/** How a client is made; everything has a default or is read from the environment. */
export interface HookwrightOptions extends ClientOptions {
  /** Else HOOKWRIGHT_BASE_URL. Without `/v1`, which calls add. */
  baseUrl?: string | undefined;
  /** Names your program in the User-Agent, like "shop/2.1". */
  appInfo?: string | undefined;
  /** Another `fetch` than the global one, for proxies or certificates of your own. */
  fetch?: Fetch | undefined;
}

/**
 * The API. One client serves the whole program and needs no closing.
 *
 * A failed call is tried again up to `maxRetries` times: connection errors, 408, 425, 429, 5xx, and
 * 409 while an earlier try is still in progress. A deletion that finds nothing after a try whose
 * outcome is unknown (no answer, or 5xx) counts as done: that try may have deleted.
 *
 * Throws UsageError when something is missing or malformed.
 */
export class Hookwright extends Namespaces {
  readonly #core: Core;

  constructor(options?: HookwrightOptions);
  /** @internal */
  constructor(options: HookwrightOptions | Core, runtime?: Runtime);
  constructor(options: HookwrightOptions | Core = {}, runtime: Runtime = SYSTEM) {
    const core = options instanceof Core ? options : coreOf(options, runtime);
    super(core);
    this.#core = core;
  }

  /** Where requests go, without a slash at the end. */
  get baseUrl(): string {
    return this.#core.settings.baseUrl;
  }

  /** A client with other defaults. `headers` come on top of those that there are. */
  withOptions(options: ClientOptions): Hookwright {
    const { settings, fetch, runtime } = this.#core;
    return new Hookwright(new Core(withOptions(settings, options), fetch, runtime));
  }
}

function coreOf(options: HookwrightOptions, runtime: Runtime): Core {
  const { fetch = globalThis.fetch } = options;
  if (typeof fetch !== "function")
    throw new UsageError("there is no global fetch here; pass one as the option fetch");
  // Not the method itself: browsers refuse a fetch whose `this` is not the window.
  return new Core(settingsFrom(options), (url, init) => fetch(url, init), runtime);
}
