import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  mixin,
  type NestInterceptor,
  UseInterceptors,
} from "@nestjs/common";
import { concatMap, type Observable } from "rxjs";
import type { WebhookEmitOptions } from "./options.js";
import { WebhookClientService } from "./service.js";

/**
 * Publishes what a handler returns, once it has succeeded: an event `eventType` whose payload is the
 * response. A response of null or undefined publishes nothing.
 */
export function WebhookEmit<R = unknown>(
  eventType: string,
  options: WebhookEmitOptions<R> = {},
): ClassDecorator & MethodDecorator {
  @Injectable()
  class WebhookEmitInterceptor implements NestInterceptor<unknown, unknown> {
    readonly service: WebhookClientService;

    constructor(@Inject(WebhookClientService) service: WebhookClientService) {
      this.service = service;
    }

    intercept(_: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
      return next.handle().pipe(
        concatMap(async (response) => {
          await this.service.emit(eventType, response, options as WebhookEmitOptions);
          return response;
        }),
      );
    }
  }
  return UseInterceptors(mixin(WebhookEmitInterceptor));
}
