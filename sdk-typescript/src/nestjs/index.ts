/** Publishing from NestJS: a module, a service and a decorator for handlers. */
export { WebhookEmit } from "./emit.js";
export { WebhookClientModule } from "./module.js";
export type {
  EmitFailure,
  WebhookClientOptions,
  WebhookEmitOptions,
  WebhookSend,
} from "./options.js";
export { WebhookClientService } from "./service.js";
