import { APIResponseError, UsageError } from "../errors.js";
import type { Call, CallOptions } from "./call.js";
import type { Core } from "./core.js";
import type { Answered, Reason } from "./promise.js";
import { isObject, mismatch, type Shapes } from "./shapes.js";

/** A page as the server sends it. */
export interface Envelope<T> {
  readonly data: T[];
  readonly has_more: boolean;
  readonly next_cursor: string | null;
  readonly total_count?: number;
}

/** What is wrong with a body as a page of `kind`; null when nothing is. */
export function envelopeMismatch(shapes: Shapes, kind: string, body: unknown): string | null {
  if (!isObject(body)) return "the body is not a page";
  const members = { data: `${kind}[]`, has_more: "boolean", next_cursor: "string|null" };
  const page = { ...members, "total_count?": "integer|null" };
  return mismatch({ ...shapes, Page: page }, "Page", body);
}

/**
 * One page of a list. `for await (const item of page)` goes on through all pages that follow,
 * fetching each when it is reached.
 */
export class Page<T> implements AsyncIterable<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  /** Where to go on: `list(…, { cursor: page.nextCursor })` with the same filters. */
  readonly nextCursor: string | null;
  /** How many there are in all, when `include_total` asked for it. */
  readonly totalCount: number | null;
  readonly #core: Core;
  readonly #call: Call;
  readonly #options: CallOptions | undefined;

  constructor(core: Core, call: Call, options: CallOptions | undefined, envelope: Envelope<T>) {
    this.data = envelope.data;
    this.hasMore = envelope.has_more;
    this.nextCursor = envelope.next_cursor;
    this.totalCount = envelope.total_count ?? null;
    this.#core = core;
    this.#call = call;
    this.#options = options;
  }

  /** Whether the list goes on after this page. */
  hasNextPage(): boolean {
    return this.hasMore;
  }

  /** The following page. UsageError when this is the last. */
  async nextPage(): Promise<Page<T>> {
    if (!this.hasMore) throw new UsageError("there is no next page; ask hasNextPage() first");
    if (this.nextCursor === null)
      throw new APIResponseError("the page says has_more, but holds no next_cursor");
    const { cursor, offset: _, ...kept } = { ...this.#call.query } as Record<string, unknown>;
    if (cursor === this.nextCursor)
      throw new APIResponseError("the page's next_cursor is the cursor that led to it");
    // A cursor takes the place of an offset.
    const call = { ...this.#call, query: { ...kept, cursor: this.nextCursor } };
    return await this.#core.list<T>(call, this.#options);
  }

  /** This page and all that follow. */
  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    let page: Page<T> = this;
    yield page;
    while (page.hasNextPage()) {
      page = await page.nextPage();
      yield page;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.data;
  }
}

/** A list that is about to be fetched: `await` it for its first page, or `for await` all items. */
export class PagePromise<T> implements Promise<Page<T>>, AsyncIterable<T> {
  readonly [Symbol.toStringTag] = "PagePromise";
  readonly #fetch: () => Promise<Answered<Page<T>>>;
  #first: Promise<Answered<Page<T>>> | undefined;

  constructor(fetch: () => Promise<Answered<Page<T>>>) {
    this.#fetch = fetch;
  }

  /** The first page together with the status, the headers and the request id of its answer. */
  withResponse(): Promise<Answered<Page<T>>> {
    this.#first ??= this.#fetch();
    return this.#first;
  }

  then<A = Page<T>, B = never>(
    fulfilled?: ((value: Page<T>) => A | PromiseLike<A>) | null,
    rejected?: ((reason: Reason) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.withResponse()
      .then(({ data }) => data)
      .then(fulfilled, rejected);
  }

  catch<B = never>(
    rejected?: ((reason: Reason) => B | PromiseLike<B>) | null,
  ): Promise<Page<T> | B> {
    return this.then(undefined, rejected);
  }

  finally(settled?: (() => void) | null): Promise<Page<T>> {
    return this.then().finally(settled);
  }

  /** All pages, from the first. */
  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    yield* (await this).pages();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    yield* await this;
  }
}
