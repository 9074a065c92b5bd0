import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Runtime, SYSTEM } from "../src/core/runtime.js";
import * as hookwright from "../src/index.js";
import { APP, json, problem, scripted, text } from "./scripted.js";

const EVENT = { event_name: "order.created", payload: { id: 7 } };
const ACCEPTED = {
  message_id: "msg_1",
  event_name: "order.created",
  delivery_ids: [],
  endpoint_count: 0,
  filtered_count: 0,
  dry_run: false,
};

test("a call sends the key, its path, its query and its body", async (t) => {
  const api = await scripted(t, json(200, { data: [], has_more: false, next_cursor: null }));
  const client = api.client({ headers: { "X-Team": "blue" }, appInfo: "shop/2.1" });

  await client.deliveries.list("a/b ü", { status: ["failed", "delivered"], limit: 5 });
  await client
    .withOptions({ apiKey: "hw_other" })
    .apps.list({ cursor: "c&d" }, { headers: { "x-b": "1" } });

  const [first, second] = api.asked;
  assert.equal(
    first?.url,
    "/v1/apps/a%2Fb%20%C3%BC/deliveries?status=failed&status=delivered&limit=5",
  );
  assert.equal(first?.headers["authorization"], "Bearer hw_test_key");
  assert.equal(first?.headers["x-team"], "blue");
  assert.match(
    first?.headers["user-agent"] ?? "",
    /^hookwright-typescript\/[\d.]+ node\/[\d.]+ shop\/2\.1$/,
  );
  assert.equal(second?.url, "/v1/apps?cursor=c%26d");
  assert.equal(second?.headers["authorization"], "Bearer hw_other");
  assert.equal(second?.headers["x-b"], "1");
});

test("a body goes out as JSON, null kept and undefined left out", async (t) => {
  const api = await scripted(t, json(200, APP));

  await api
    .client()
    .apps.update("my-app", { name: "Ü", retry_policy: null, description: undefined as never });

  assert.deepEqual(api.asked[0]?.body, '{"name":"Ü","retry_policy":null}');
  assert.equal(api.asked[0]?.headers["content-type"], "application/json");
});

test("an answer is given as it is, unknown members and values of enums included", async (t) => {
  const answer = { ...APP, event_type_policy: "exotic", colour: { deep: [1] } };
  const api = await scripted(t, json(200, answer));

  const app: unknown = await api.client().apps.get("my-app");

  assert.deepEqual(app, answer);
});

test("one idempotency key covers all tries of a call, and another call has another", async (t) => {
  const api = await scripted(
    t,
    problem(503, "unavailable"),
    problem(503, "unavailable"),
    json(202, ACCEPTED),
  );
  const client = api.client();

  await client.trigger.send("my-app", EVENT);
  await client.trigger.send("my-app", EVENT);
  await client.trigger.send("my-app", EVENT, { idempotencyKey: "mine" });

  const keys = api.asked.map((each) => each.headers["idempotency-key"]);
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.match(keys[0] ?? "", /^auto-/);
  assert.notEqual(keys[3], keys[0]);
  assert.equal(keys[4], "mine");
  assert.deepEqual(new Set(api.asked.map((each) => each.body)), new Set([JSON.stringify(EVENT)]));
});

test("transient failures are tried again with growing waits, up to maxRetries", async (t) => {
  const api = await scripted(t, problem(503, "unavailable"));

  const failed = api.client().apps.get("my-app", { maxRetries: 3 });

  await assert.rejects(failed, hookwright.InternalServerError);
  assert.equal(api.asked.length, 4);
  assert.deepEqual(api.slept, [500, 1000, 2000]);
});

test("the wait is at least what Retry-After says; beyond 120 s the error comes at once", async (t) => {
  const api = await scripted(
    t,
    problem(429, "rate_limited", { "retry-after": "17" }),
    problem(429, "rate_limited", { "retry-after": "121" }),
  );

  const failed = api.client().apps.get("my-app");

  await assert.rejects(
    failed,
    (error: hookwright.RateLimitError) => error.retryAfterSeconds === 121,
  );
  assert.deepEqual(api.slept, [17_000]);
});

test("a 409 is tried again only while an earlier try is in progress", async (t) => {
  const api = await scripted(
    t,
    problem(409, "idempotency_in_progress"),
    problem(409, "slug_taken"),
  );

  const failed = api.client().apps.create({ name: "My app" });

  await assert.rejects(failed, (error: hookwright.ConflictError) => error.code === "slug_taken");
  assert.equal(api.asked.length, 2);
});

test("errors carry status, code, places, request id, headers and body, and say them", async (t) => {
  const errors = [{ pointer: "/name", code: "minLength", message: "Too short." }];
  const body = { status: 400, code: "validation_error", title: "T", detail: "D.", errors };
  const api = await scripted(t, json(400, body, { "x-request-id": "req_1" }));

  const error = await api
    .client()
    .apps.create({ name: "" })
    .catch((reason: unknown) => reason);

  assert.ok(error instanceof hookwright.BadRequestError && error instanceof hookwright.APIError);
  assert.equal(error.name, "BadRequestError");
  assert.equal(error.message, "400 validation_error: D. [/name: Too short.] (request id req_1)");
  assert.equal(error.status, 400);
  assert.deepEqual(error.errors, errors);
  assert.equal(error.requestId, "req_1");
  assert.equal(error.headers["content-type"], "application/json");
  assert.equal(error.body, JSON.stringify(body));
});

test("the page of a proxy is an error as well, without a code", async (t) => {
  const api = await scripted(
    t,
    text(502, "<html>\u001b[31mBad</html>", { "content-type": "text/html" }),
  );

  const error = await api
    .client({ maxRetries: 0 })
    .apps.list()
    .then(undefined, (reason) => reason);

  assert.ok(error instanceof hookwright.InternalServerError);
  assert.equal(error.code, null);
  assert.equal(error.message, "502: the answer is not a problem document (text/html); see .body");
  assert.match(error.body, /<html>/);
});

test("every status has its class", async (t) => {
  const classes = new Map([
    [401, "AuthenticationError"],
    [403, "PermissionDeniedError"],
    [404, "NotFoundError"],
    [413, "PayloadTooLargeError"],
    [415, "UnsupportedMediaTypeError"],
    [422, "UnprocessableError"],
    [418, "APIStatusError"],
    [599, "InternalServerError"],
  ]);
  const api = await scripted(t, ...[...classes.keys()].map((status) => problem(status, "x")));
  const client = api.client({ maxRetries: 0 });

  const names: unknown[] = [];
  for (const _ of classes)
    names.push(await client.apps.get("a").catch((error: Error) => error.name));

  assert.deepEqual(names, [...classes.values()]);
});

test("a redirect is an error, and the key goes nowhere else", async (t) => {
  const elsewhere = await scripted(t, json(200, APP));
  const api = await scripted(t, text(307, "", { location: `${elsewhere.url}/v1/apps/my-app` }));

  const failed = api.client().apps.get("my-app");

  await assert.rejects(failed, /307: the server redirects, which is never followed; check baseUrl/);
  assert.deepEqual(elsewhere.asked, []);
});

test("a limit of fetch's own, or of the kernel's, is an APITimeoutError as well", async () => {
  for (const code of ["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "ETIMEDOUT"]) {
    const cause = Object.assign(new Error(`late: ${code}`), { code });
    const client = new hookwright.Hookwright({
      apiKey: "hw_test_key",
      baseUrl: "http://127.0.0.1:1",
      maxRetries: 0,
      fetch: () => Promise.reject(new TypeError("fetch failed", { cause })),
    });

    await assert.rejects(client.apps.get("a"), (error: Error) => {
      const isLate = error instanceof hookwright.APITimeoutError;
      return isLate && error.message.includes(`fetch failed: late: ${code}`);
    });
  }
});

test("a connection that breaks is tried again, then an APIConnectionError", async (t) => {
  const api = await scripted(t, (_, socket) => socket.destroy());

  const failed = api.client().trigger.send("my-app", EVENT);

  await assert.rejects(
    failed,
    (error: Error) => error.constructor === hookwright.APIConnectionError,
  );
  assert.equal(api.asked.length, 3);
});

test("an answer that is cut off is no answer", async (t) => {
  const api = await scripted(t, (response, socket) => {
    response.writeHead(200, { "content-length": "1000" }).write("{");
    setImmediate(() => socket.destroy());
  });

  const failed = api.client({ maxRetries: 0 }).apps.get("my-app");

  await assert.rejects(failed, hookwright.APIConnectionError);
});

test("the timeout bounds the whole try, also while bytes still come", async (t) => {
  const api = await scripted(t, (response) => {
    response.writeHead(200);
    const dripping = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(dripping));
  });
  // A try may be over before the server has seen it.
  let tries = 0;
  const hooks = { request: () => (tries += 1) };

  const failed = api.client({ maxRetries: 1, timeoutMs: 200, hooks }).apps.get("my-app");

  await assert.rejects(failed, (error: Error) => {
    return error instanceof hookwright.APITimeoutError && /within 200 ms/.test(error.message);
  });
  assert.equal(tries, 2);
});

test("a fetch that does not heed its signal cannot outlast the timeout", async () => {
  const fetch = () => new Promise<never>(() => {});
  const client = new hookwright.Hookwright({
    apiKey: "k",
    baseUrl: "http://a.test",
    fetch,
    maxRetries: 0,
  });

  await assert.rejects(client.apps.get("a", { timeoutMs: 30 }), hookwright.APITimeoutError);
});

test("an aborted call ends with the signal's reason, also between two tries", async (t) => {
  const api = await scripted(t, problem(503, "unavailable"));
  const controller = new AbortController();
  const reason = new Error("enough");
  const hooks = { response: () => setImmediate(() => controller.abort(reason)) };
  const forAnHour: Runtime["sleep"] = (_, signal) => SYSTEM.sleep(3_600_000, signal);
  const waiting = new hookwright.Hookwright(
    { apiKey: "k", baseUrl: api.url, hooks },
    { ...SYSTEM, sleep: forAnHour },
  );

  const failed = waiting.apps.get("a", { signal: controller.signal, maxRetries: 100 });

  await assert.rejects(failed, (error) => error === reason);
  await assert.rejects(
    waiting.apps.get("a", { signal: controller.signal }),
    (error) => error === reason,
  );
  assert.equal(api.asked.length, 1);
});

test("a success that is not what the contract promises is an APIResponseError", async (t) => {
  const { slug: _, ...incomplete } = APP;
  const bodies: [string, RegExp][] = [
    ["<html>", /the body is not JSON/],
    ["", /the body is not JSON/],
    ["[]", /the body is a list, not the object App/],
    ["null", /the body is null/],
    [JSON.stringify(incomplete), /lacks the member slug of App/],
    [JSON.stringify({ ...APP, active: "yes" }), /the body\/active is a string, not a boolean/],
    [JSON.stringify({ ...APP, created_at: "yesterday" }), /created_at is a string, not an instant/],
    [JSON.stringify({ ...APP, retention_days: 1.5 }), /retention_days is a number, not an integer/],
    [
      JSON.stringify({ ...APP, retry_policy: { delays_seconds: [1, "2"] } }),
      /delays_seconds\/1 is a string/,
    ],
  ];
  const api = await scripted(
    t,
    ...bodies.map(([body]) => text(200, body, { "x-request-id": "req_2" })),
  );

  for (const [, message] of bodies)
    await assert.rejects(api.client().apps.get("my-app"), (error) => {
      assert.ok(error instanceof hookwright.APIResponseError);
      assert.match(error.message, message);
      return error.requestId === "req_2";
    });
  assert.equal(api.asked.length, bodies.length);
});

test("packed answers are unpacked, and broken ones are not taken for silence", async (t) => {
  const packed = { "content-encoding": "gzip", "content-type": "application/json" };
  const api = await scripted(
    t,
    text(200, gzipSync(JSON.stringify(APP)), packed),
    text(200, Buffer.from("this is no gzip"), packed),
  );

  const app = await api.client().apps.get("my-app");

  assert.deepEqual(app, APP);
  await assert.rejects(api.client().apps.get("my-app"), hookwright.APIResponseError);
});

test("bodies beyond the limit are not read", async (t) => {
  const api = await scripted(
    t,
    text(200, "", { "content-length": String(65 * 1024 * 1024) }),
    (response) => {
      response.writeHead(400);
      const write = () =>
        response.write(Buffer.alloc(64 * 1024), () => response.destroyed || write());
      write();
    },
  );
  const client = api.client();

  await assert.rejects(client.apps.get("a"), /the body is larger than 67108864 bytes/);
  await assert.rejects(client.apps.get("a"), hookwright.BadRequestError);
});

test("a deletion that finds nothing after a try of unknown outcome is done", async (t) => {
  const api = await scripted(t, (_, socket) => socket.destroy(), problem(404, "not_found"));

  const done = await api.client().apps.delete("my-app");

  assert.equal(done, undefined);
  await assert.rejects(api.client().apps.delete("my-app"), hookwright.NotFoundError);
});

test("withResponse gives the answer beside the result", async (t) => {
  const api = await scripted(
    t,
    problem(500, "internal_error"),
    json(200, APP, { "x-request-id": "req_9" }),
  );

  const { data, response } = await api.client().apps.get("my-app").withResponse();

  assert.equal(data.slug, "my-app");
  assert.equal(response.status, 200);
  assert.equal(response.requestId, "req_9");
  assert.equal(response.headers["content-type"], "application/json");
  assert.equal(response.retries, 1);
});

test("hooks are told of each try and end neither the call nor the program", async (t) => {
  const api = await scripted(t, problem(503, "unavailable"), json(202, ACCEPTED));
  const told: unknown[] = [];
  const hooks: hookwright.Hooks = {
    request: async (request) => {
      told.push([request.operation, request.attempt, request.path]);
      throw new Error("nobody waits for this");
    },
    response: ({ status, retryInMs }) => {
      told.push([status, retryInMs]);
      throw new Error("a watcher's fault");
    },
  };

  await api.client({ hooks }).trigger.send("my-app", EVENT);

  const path = "/v1/apps/my-app/trigger";
  assert.deepEqual(told, [
    ["trigger.send", 1, path],
    [503, 500],
    ["trigger.send", 2, path],
    [202, null],
  ]);
});

test("what cannot be sent is a UsageError, and nothing is sent", async (t) => {
  const api = await scripted(t, json(200, APP));
  const client = api.client();
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const send = (payload: object) =>
    client.trigger.send("a", { event_name: "x", payload: payload as never });
  const calls: (() => PromiseLike<unknown>)[] = [
    () => client.apps.get(""),
    () => client.apps.get(".."),
    () => client.apps.get("a/../b"),
    () => client.apps.get("\ud800"),
    () => client.apps.get(undefined as never),
    () => client.apps.get("a", { timeoutMs: 0 }),
    () => client.apps.get("a", { timeoutMs: 2 ** 31 }),
    () => client.apps.get("a", { maxRetries: -1 }),
    () => client.apps.get("a", { headers: { host: "b" } }),
    () => client.apps.get("a", { headers: { "x-a": "b\r\nc: d" } }),
    () => client.apps.list({ limit: Number.NaN }),
    () => client.trigger.send("a", EVENT, { idempotencyKey: "a b" }),
    () => send({ n: Number.NaN }),
    () => send({ n: 1n }),
    () => send({ f: () => 1 }),
    () => send({ d: new Date(Number.NaN) }),
    () => send({ m: new Map() }),
    () => send({ s: "\udfff" }),
    () => send(circle),
  ];

  for (const call of calls)
    await assert.rejects(async () => await call(), hookwright.UsageError, call.toString());
  assert.deepEqual(api.asked, []);
});

test("a client needs a key and a base URL, and says which is missing", () => {
  const { HOOKWRIGHT_API_KEY: _, HOOKWRIGHT_BASE_URL: __, ...rest } = process.env;
  const saved = process.env;
  process.env = rest;
  const made = (options: hookwright.HookwrightOptions) => () => new hookwright.Hookwright(options);
  try {
    assert.throws(
      made({ baseUrl: "http://a.test" }),
      /no API key: pass apiKey or set HOOKWRIGHT_API_KEY/,
    );
    assert.throws(made({ apiKey: "k" }), /no base URL: pass baseUrl or set HOOKWRIGHT_BASE_URL/);
    process.env = { ...rest, HOOKWRIGHT_API_KEY: "k", HOOKWRIGHT_BASE_URL: "http://a.test/hooks/" };
    assert.equal(made({})().baseUrl, "http://a.test/hooks");
  } finally {
    process.env = saved;
  }
});

test("a base URL or key that cannot be right is refused, and a key is never shown", () => {
  const urls = [
    "a.test",
    "ftp://a.test",
    "http://u:p@a.test",
    "http://a.test?x",
    "http://a.test/v1/",
    "http:///a",
    "http://a b",
  ];
  const inspected = new hookwright.Hookwright({ apiKey: "hw_secret", baseUrl: "http://a.test" });

  for (const baseUrl of urls)
    assert.throws(
      () => new hookwright.Hookwright({ apiKey: "k", baseUrl }),
      hookwright.UsageError,
      baseUrl,
    );
  assert.throws(
    () => new hookwright.Hookwright({ apiKey: "hw_secret\n", baseUrl: "http://a.test" }),
    (error: Error) =>
      error instanceof hookwright.UsageError && !error.message.includes("hw_secret"),
  );
  assert.doesNotMatch(JSON.stringify(inspected), /hw_secret/);
});
