import { StreamableFile } from "@nestjs/common";
import { EmitError } from "../errors.js";
import type { WebhookEmitOptions, WebhookSend } from "./options.js";

type Waited<T> = T | PromiseLike<T>;

/**
 * The event that a response becomes; null when none is to be published. There is no wait where
 * nothing has to be waited for: other interceptors may change the response after this.
 */
export function eventOf(
  eventType: string,
  response: unknown,
  { when, payload, app }: WebhookEmitOptions,
): Waited<WebhookSend | null> {
  if (response === null || response === undefined) return null;
  return then(when === undefined || when(response), (isWanted) => {
    if (!isWanted) return null;
    return then(payload === undefined ? response : payload(response), (made) => {
      if (made === null || made === undefined) return null;
      const checked = checkedPayload(eventType, made);
      return then(typeof app === "function" ? app(response) : app, (slug) => {
        return { eventType, payload: checked, app: slug };
      });
    });
  });
}

export function isPromise<T>(value: Waited<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === "function";
}

function then<A, B>(value: Waited<A>, next: (value: A) => Waited<B>): Waited<B> {
  return isPromise(value) ? value.then(next) : next(value);
}

function checkedPayload(eventType: string, made: unknown): object {
  if (ArrayBuffer.isView(made) || made instanceof StreamableFile)
    throw new EmitError(
      `what ${eventType} would tell is a file; make an object of it with payload`,
    );
  if (typeof made !== "object" || made === null || Array.isArray(made))
    throw new EmitError(`what ${eventType} would tell is no object; make one with payload`);
  return made;
}
