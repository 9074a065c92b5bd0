import { UsageError } from "../errors.js";
import { checkedHeaders } from "./headers.js";
import { type Hooks, NO_HOOKS } from "./hooks.js";
import { LOG_VARIABLE, type LogLevel, logLevel } from "./log.js";
import { shown } from "./shown.js";
import { VERSION } from "./version.js";

export const API_KEY_VARIABLE = "HOOKWRIGHT_API_KEY";
export const BASE_URL_VARIABLE = "HOOKWRIGHT_BASE_URL";
export const DEFAULT_TIMEOUT_MS = 60_000;
export const DEFAULT_MAX_RETRIES = 2;
/** More than this no timer takes. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** What may differ between clients over the same `fetch`. */
export interface ClientOptions {
  /** Else HOOKWRIGHT_API_KEY. */
  apiKey?: string | undefined;
  /**
   * How long each try may take as a whole, in milliseconds (60,000); null leaves it to `fetch`,
   * which in Node gives up after 300 s without a byte.
   */
  timeoutMs?: number | null | undefined;
  /** How often a failed try is repeated (2). */
  maxRetries?: number | undefined;
  /** Headers of every request. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Told of each try. */
  hooks?: Hooks | undefined;
}

/** Where requests go and how: checked once, when a client is made. Header names are lower-case. */
export interface Settings {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  readonly maxRetries: number;
  readonly hooks: Hooks;
  readonly log: LogLevel | null;
}

/** From arguments or, where these are absent, the environment. UsageError says what is missing. */
export function settingsFrom(
  options: ClientOptions & { baseUrl?: string | undefined; appInfo?: string | undefined },
): Settings {
  const base: Settings = {
    baseUrl: checkedUrl(options.baseUrl ?? variable(BASE_URL_VARIABLE)),
    headers: { accept: "application/json", "user-agent": agentOf(options.appInfo) },
    timeoutMs: DEFAULT_TIMEOUT_MS,
    maxRetries: DEFAULT_MAX_RETRIES,
    hooks: NO_HOOKS,
    log: logLevel(variable(LOG_VARIABLE)),
  };
  return withOptions(base, {
    ...options,
    apiKey: options.apiKey ?? variable(API_KEY_VARIABLE) ?? "",
  });
}

/** The same with some of it replaced; headers come on top. UsageError for a value out of range. */
export function withOptions(settings: Settings, options: ClientOptions): Settings {
  const { apiKey, timeoutMs, maxRetries, headers, hooks } = options;
  return {
    baseUrl: settings.baseUrl,
    headers: {
      ...settings.headers,
      ...(apiKey === undefined ? {} : { authorization: bearer(apiKey) }),
      ...checkedHeaders(headers),
    },
    timeoutMs: timeoutMs === undefined ? settings.timeoutMs : checkedTimeout(timeoutMs),
    maxRetries: maxRetries === undefined ? settings.maxRetries : checkedRetries(maxRetries),
    hooks: hooks ?? settings.hooks,
    log: settings.log,
  };
}

/** UsageError unless it is null or a number above 0 that a timer can wait for. */
export function checkedTimeout(milliseconds: unknown): number | null {
  if (milliseconds === null) return null;
  if (typeof milliseconds !== "number" || !(milliseconds > 0 && milliseconds <= LONGEST_TIMEOUT_MS))
    throw new UsageError(
      `timeoutMs is a number above 0 and at most ${LONGEST_TIMEOUT_MS}, or null, ` +
        `not ${shown(milliseconds)}`,
    );
  return milliseconds;
}

/** UsageError unless it is a whole number of at least 0. */
export function checkedRetries(count: unknown): number {
  if (!Number.isInteger(count) || (count as number) < 0)
    throw new UsageError(`maxRetries is a whole number of at least 0, not ${shown(count)}`);
  return count as number;
}

function variable(name: string): string | undefined {
  // There is no `process` outside of Node and what imitates it.
  return globalThis.process?.env[name];
}

function agentOf(appInfo: unknown): string {
  const node = globalThis.process?.versions?.node;
  const own = `hookwright-typescript/${VERSION}${node === undefined ? "" : ` node/${node}`}`;
  if (appInfo === undefined) return own;
  if (typeof appInfo !== "string" || !/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(appInfo))
    throw new UsageError(`appInfo is visible ASCII like "shop/2.1", not ${shown(appInfo)}`);
  return `${own} ${appInfo}`;
}

function bearer(key: unknown): string {
  if (key === "") throw new UsageError(`no API key: pass apiKey or set ${API_KEY_VARIABLE}`);
  if (typeof key !== "string") throw new UsageError(`the API key is a string, not ${typeof key}`);
  if (!/^[\x21-\x7e]+$/.test(key))
    // Not shown: it may be a good key with a line end behind it.
    throw new UsageError("the API key holds characters other than visible ASCII; was it cut well?");
  return `Bearer ${key}`;
}

function checkedUrl(url: unknown): string {
  if (url === undefined || url === "")
    throw new UsageError(`no base URL: pass baseUrl or set ${BASE_URL_VARIABLE}`);
  if (typeof url !== "string") throw new UsageError(`the base URL is a string, not ${shown(url)}`);
  if (!/^[\x21-\x7e]+$/.test(url) || url.includes("\\"))
    throw new UsageError(`the base URL holds characters that no URL has: ${shown(url)}`);
  const parts = parsed(url);
  if (parts === null || !/^https?:\/\/[^/]/i.test(url) || parts.port === "0")
    throw new UsageError(`the base URL must be like https://hooks.example.com, not ${shown(url)}`);
  if (parts.username !== "" || parts.password !== "")
    throw new UsageError("the base URL must not hold a user or a password");
  if (/[?#]/.test(url))
    throw new UsageError(`the base URL must not hold a query or a fragment: ${shown(url)}`);
  const bare = url.replace(/\/+$/, "");
  if (bare.endsWith("/v1"))
    throw new UsageError(
      `the base URL must not end in /v1, which calls add: pass ${shown(bare.slice(0, -3))}`,
    );
  return bare;
}

function parsed(url: string): URL | null {
  try {
    return new URL(url);
  } catch {
    return null;
  }
}
