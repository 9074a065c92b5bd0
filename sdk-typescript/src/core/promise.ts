import { requestIdOf } from "./problems.js";
import type { Reply } from "./transport.js";

/** The answer behind a result. */
export interface AnswerInfo {
  readonly status: number;
  /** With lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string | null;
  /** How many tries failed before it. */
  readonly retries: number;
}

/** A result and the answer that it was in. */
export interface Answered<T> {
  readonly data: T;
  readonly response: AnswerInfo;
}

/** Makes an AnswerInfo of what the transport gave. */
export function answerInfo(reply: Reply, retries: number): AnswerInfo {
  const { status, headers } = reply;
  return { status, headers, requestId: requestIdOf(reply), retries };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in the standard Promise
export type Reason = any;

/** The result of a call that is under way; `withResponse()` gives status and headers as well. */
export class ApiPromise<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = "ApiPromise";
  readonly #answered: Promise<Answered<T>>;

  constructor(answered: Promise<Answered<T>>) {
    this.#answered = answered;
  }

  /** The result together with the status, the headers and the request id of its answer. */
  withResponse(): Promise<Answered<T>> {
    return this.#answered;
  }

  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: Reason) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#answered.then(({ data }) => data).then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: Reason) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, rejected);
  }

  finally(settled?: (() => void) | null): Promise<T> {
    return this.then().finally(settled);
  }
}
