/** The TypeScript SDK of Hookwright: publish events, manage apps and endpoints, verify webhooks. */
export { Hookwright, type HookwrightOptions } from "./client.js";
export type { CallOptions, PostOptions } from "./core/call.js";
export type { Hooks, RequestInfo, ResponseInfo } from "./core/hooks.js";
export { Page, type PagePromise } from "./core/paging.js";
export type { Answered, AnswerInfo, ApiPromise } from "./core/promise.js";
export type { ClientOptions } from "./core/settings.js";
export type { Fetch } from "./core/transport.js";
export { VERSION } from "./core/version.js";
export * from "./errors.js";
export type * from "./generated/types.gen.js";
export * as webhooks from "./webhooks.js";
