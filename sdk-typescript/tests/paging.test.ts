import assert from "node:assert/strict";
import { test } from "node:test";
import { APIResponseError, type App, BadRequestError, UsageError } from "../src/index.js";
import { APP, json, problem, scripted } from "./scripted.js";

function page(slugs: string[], next: string | null, more = next !== null) {
  const data = slugs.map((slug) => ({ ...APP, slug }));
  return json(200, { data, has_more: more, next_cursor: next });
}

async function taken(apps: AsyncIterable<App>, most = Number.POSITIVE_INFINITY): Promise<string[]> {
  const slugs: string[] = [];
  for await (const app of apps) {
    slugs.push(app.slug);
    if (slugs.length >= most) break;
  }
  return slugs;
}

test("iteration goes on through all pages, with the same filters", async (t) => {
  const api = await scripted(t, page(["a", "b"], "c1"), page([], "c2"), page(["c"], null));

  const slugs = await taken(api.client().apps.list({ limit: 2, offset: 4 }));

  assert.deepEqual(slugs, ["a", "b", "c"]);
  assert.deepEqual(
    api.asked.map((each) => each.url),
    ["/v1/apps?limit=2&offset=4", "/v1/apps?limit=2&cursor=c1", "/v1/apps?limit=2&cursor=c2"],
  );
});

test("nothing is fetched before it is reached", async (t) => {
  const api = await scripted(t, page(["a", "b"], "c1"), page(["c"], null));
  const list = api.client().apps.list();

  assert.equal(api.asked.length, 0);
  assert.deepEqual(await taken(list, 2), ["a", "b"]);
  assert.equal(api.asked.length, 1);
});

test("a page is data and the way to the next one", async (t) => {
  const body = { data: [APP], has_more: true, next_cursor: "c1", total_count: 2 };
  const api = await scripted(t, json(200, body), page(["z"], null));

  const first = await api.client().apps.list({ include_total: true });
  const second = await first.nextPage();

  assert.deepEqual([first.data, first.totalCount, first.nextCursor], [[APP], 2, "c1"]);
  assert.deepEqual(
    [first.hasNextPage(), second.hasNextPage(), second.totalCount],
    [true, false, null],
  );
  await assert.rejects(second.nextPage(), UsageError);
});

test("the error of a later page comes after the items before it", async (t) => {
  const api = await scripted(t, page(["a"], "c1"), problem(400, "validation_error"));
  const seen: string[] = [];

  const failed = (async () => {
    for await (const app of api.client().apps.list()) seen.push(app.slug);
  })();

  await assert.rejects(failed, BadRequestError);
  assert.deepEqual(seen, ["a"]);
});

test("a list that would never end is an error", async (t) => {
  const circle = await scripted(t, page(["a"], "c1"), page(["b"], "c1"));
  const lost = await scripted(t, page(["a"], null, true));

  await assert.rejects(taken(circle.client().apps.list()), APIResponseError);
  await assert.rejects(taken(lost.client().apps.list()), APIResponseError);
  assert.equal(circle.asked.length, 2);
});

test("what is no page is an APIResponseError", async (t) => {
  const bodies = [
    [],
    { data: {} },
    { data: [], has_more: 1, next_cursor: null },
    { data: [1], has_more: false, next_cursor: null },
  ];
  const api = await scripted(t, ...bodies.map((body) => json(200, body)));

  for (const _ of bodies)
    await assert.rejects(async () => await api.client().apps.list(), APIResponseError);
});

test("a list can be caught and ended like every other promise", async (t) => {
  const api = await scripted(t, page(["a"], null), problem(400, "malformed_request"));
  let ends = 0;

  const first = await api
    .client()
    .apps.list()
    .finally(() => (ends += 1));
  const failed = await api
    .client()
    .apps.list()
    .catch((error: unknown) => error);

  assert.deepEqual([first.data.length, ends], [1, 1]);
  assert.ok(failed instanceof BadRequestError);
});
