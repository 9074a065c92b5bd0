import { shapes } from "../generated/shapes.gen.js";
import type { Call, PostOptions } from "./call.js";
import { Exchange } from "./exchange.js";
import { type Envelope, envelopeMismatch, Page, PagePromise } from "./paging.js";
import { responseError } from "./problems.js";
import { type Answered, ApiPromise, answerInfo } from "./promise.js";
import type { Runtime } from "./runtime.js";
import type { Settings } from "./settings.js";
import { mismatch } from "./shapes.js";
import type { Fetch, Reply } from "./transport.js";

/** What generated methods call. */
export class Core {
  readonly settings: Settings;
  readonly fetch: Fetch;
  readonly runtime: Runtime;

  constructor(settings: Settings, fetch: Fetch, runtime: Runtime) {
    this.settings = settings;
    this.fetch = fetch;
    this.runtime = runtime;
  }

  /** Begin a call, with retries. Rejects with APIError and UsageError. */
  call<T>(call: Call, options: PostOptions = {}): ApiPromise<T> {
    const { result } = call;
    return new ApiPromise(
      this.#run<T>(call, options, (reply) => {
        if (result === undefined) return undefined as T;
        return decoded<T>(reply, (body) => mismatch(shapes, result, body));
      }),
    );
  }

  /** A call whose result is a page; it begins when it is awaited. */
  list<T>(call: Call, options: PostOptions = {}): PagePromise<T> {
    const { result = "object" } = call;
    return new PagePromise(() =>
      this.#run(call, options, (reply) => {
        const envelope = decoded<Envelope<T>>(reply, (body) =>
          envelopeMismatch(shapes, result, body),
        );
        return new Page(this, call, options, envelope);
      }),
    );
  }

  async #run<T>(
    call: Call,
    options: PostOptions,
    decode: (reply: Reply) => T,
  ): Promise<Answered<T>> {
    const exchange = new Exchange(call, options, this.settings, this.runtime);
    const reply = await exchange.run(this.fetch);
    return { data: decode(reply), response: answerInfo(reply, exchange.retries) };
  }
}

function decoded<T>(reply: Reply, wrongIn: (body: unknown) => string | null): T {
  if (reply.defect !== null) throw responseError(reply, reply.defect);
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(reply.body));
  } catch (error) {
    throw responseError(reply, `the body is not JSON in UTF-8: ${(error as Error).message}`);
  }
  const wrong = wrongIn(body);
  if (wrong !== null)
    throw responseError(reply, `the body is not what the contract promises: ${wrong}`);
  return body as T;
}
