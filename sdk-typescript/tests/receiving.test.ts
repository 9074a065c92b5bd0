// One table of behaviours, shown by each framework over a real socket.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import express from "express";
import Fastify from "fastify";
import * as forExpress from "../src/express.js";
import * as forFastify from "../src/fastify.js";
import * as hookwright from "../src/index.js";
import * as forNext from "../src/next.js";

interface Order {
  id: number;
}

type Options = forNext.ReceiverOptions<Order>;
type Handle = (event: hookwright.webhooks.WebhookEvent<Order>) => unknown;

const SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const FRAMEWORKS: Record<
  string,
  (t: TestContext, handle: Handle, options: Options) => Promise<string>
> = {
  async Express(t, handle, options) {
    const app = express();
    app.post("/hooks", forExpress.receives<Order>(handle, options));
    app.use(express.json());
    const silent: express.ErrorRequestHandler = (_, __, response, ___) => {
      response.status(500).end();
    };
    app.use(silent);
    return await listening(t, app);
  },
  async Fastify(t, handle, options) {
    const app = Fastify();
    await app.register(forFastify.webhookReceiver({ path: "/hooks", handler: handle, ...options }));
    t.after(() => app.close());
    return await app.listen({ port: 0, host: "127.0.0.1" });
  },
  async Request(t, handle, options) {
    const route = forNext.receives<Order>(handle, options);
    // As Next does it: a Request is made of what Node received, and its Response is written.
    return await listening(t, (incoming, outgoing) => {
      const request = new Request("http://a.test/hooks", {
        method: "POST",
        headers: incoming.headers as Record<string, string>,
        body: incoming as never,
        duplex: "half",
      } as RequestInit);
      route(request).then(
        async (response) => {
          outgoing.writeHead(response.status, Object.fromEntries(response.headers));
          outgoing.end(await response.text());
        },
        () => outgoing.writeHead(500).end(),
      );
    });
  },
};

async function listening(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function signed(body: string, { id = "msg_1", at = Date.now(), secret = SECRET } = {}) {
  const seconds = Math.floor(at / 1000);
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": hookwright.webhooks.sign(id, seconds, body, secret),
  };
}

const BODY = JSON.stringify({
  type: "order.created",
  timestamp: "2026-01-01T00:00:00Z",
  data: { id: 7 },
});

async function post(url: string, headers: Record<string, string>, body = BODY) {
  const response = await fetch(`${url}/hooks`, { method: "POST", headers, body });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    text: await response.text(),
  };
}

for (const [name, start] of Object.entries(FRAMEWORKS)) {
  test(`${name}: the handler gets the event of a genuine webhook, and the answer is 204`, async (t) => {
    const events: unknown[] = [];
    const url = await start(t, (event) => events.push([event.id, event.type, event.data]), {
      secret: SECRET,
    });

    const answer = await post(url, signed(BODY));

    assert.deepEqual([answer.status, answer.text], [204, ""]);
    assert.deepEqual(events, [["msg_1", "order.created", { id: 7 }]]);
  });

  test(`${name}: what is not genuine is refused with a problem document, and not handled`, async (t) => {
    const refused: string[] = [];
    const options = {
      secret: async () => SECRET,
      onRefused: (error: Error) => refused.push(error.name),
    };
    const url = await start(t, () => assert.fail("it was handled"), options);
    const other = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;

    const answers = [
      await post(url, signed(BODY, { secret: other })),
      await post(url, signed(BODY, { at: Date.now() - 3_600_000 })),
      await post(url, signed("[]"), "[]"),
      await post(url, { "content-type": "application/json" }),
    ];

    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401, 400, 400],
    );
    assert.deepEqual(refused, [
      "SignatureMismatchError",
      "TimestampOutOfToleranceError",
      "InvalidPayloadError",
      "MissingHeaderError",
    ]);
    assert.ok(answers.every(({ type }) => type?.startsWith("application/problem+json")));
  });

  test(`${name}: a body beyond the limit is answered with 413`, async (t) => {
    const url = await start(t, () => assert.fail("it was handled"), {
      secret: SECRET,
      maxBodyBytes: 10,
    });

    const answer = await post(url, signed(BODY));

    assert.deepEqual([answer.status, JSON.parse(answer.text).status], [413, 413]);
  });

  test(`${name}: a handler that fails is the framework's 500, and the event comes again`, async (t) => {
    let calls = 0;
    const handle = () => {
      calls += 1;
      if (calls === 1) throw new Error("a database is down");
    };
    const store = new forNext.MemoryStore();
    const url = await start(t, handle, { secret: SECRET, store, name: "orders" });

    const statuses = [
      await post(url, signed(BODY)),
      await post(url, signed(BODY)),
      await post(url, signed(BODY)),
    ];

    assert.deepEqual(
      statuses.map(({ status }) => status),
      [500, 204, 204],
    );
    assert.equal(calls, 2);
  });

  test(`${name}: a repeat while the first is being handled is answered with 409`, async (t) => {
    let finish = () => {};
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const handle = async () => {
      begun();
      await running;
    };
    const url = await start(t, handle, {
      secret: SECRET,
      store: new forNext.MemoryStore(),
      name: "a",
    });

    const first = post(url, signed(BODY));
    await started;
    const second = await post(url, signed(BODY));
    finish();

    assert.deepEqual([second.status, (await first).status], [409, 204]);
  });
}

test("Express: a body that was parsed before is a fault, told to the application", async (t) => {
  const faults: unknown[] = [];
  const app = express();
  app.use(express.json());
  app.post(
    "/hooks",
    forExpress.receives(() => assert.fail("it was handled"), { secret: SECRET }),
  );
  const noting: express.ErrorRequestHandler = (error, _, response, __) => {
    faults.push(error);
    response.status(500).end();
  };
  app.use(noting);
  const url = await listening(t, app);

  const answer = await post(url, signed(BODY));

  assert.equal(answer.status, 500);
  assert.ok(faults[0] instanceof hookwright.UsageError);
});

test("Express: the body of express.raw is taken as it is", async (t) => {
  const app = express();
  const handled: string[] = [];
  const receive = forExpress.receives((event) => handled.push(event.type), { secret: SECRET });
  app.post("/hooks", express.raw({ type: "*/*" }), receive);
  const url = await listening(t, app);

  const answer = await post(url, signed(BODY));

  assert.deepEqual([answer.status, handled], [204, ["order.created"]]);
});

test("Fastify: other routes keep their parsers", async (t) => {
  const app = Fastify();
  const options = { path: "/hooks", handler: () => {}, secret: SECRET };
  await app.register(forFastify.webhookReceiver(options));
  app.post("/other", async (request) => request.body);
  t.after(() => app.close());
  const url = await app.listen({ port: 0, host: "127.0.0.1" });

  const response = await fetch(`${url}/other`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"a":1}',
  });

  assert.deepEqual(await response.json(), { a: 1 });
});

test("a receiver without a usable secret, or a store without a name, is refused at once", () => {
  assert.throws(
    () => forNext.receives(() => {}, { secret: "whsec_x" }),
    hookwright.InvalidSecretError,
  );
  assert.throws(
    () => forNext.receives(() => {}, { store: new forNext.MemoryStore() }),
    hookwright.UsageError,
  );
});

test("a store forgets the oldest, ends leases, and heeds the tokens of claims", () => {
  let now = 0;
  const store = new forNext.MemoryStore(2, { now: () => now });
  const first = store.claim("a", 10);
  now = 11_000;
  const second = store.claim("a", 10);
  assert.ok(typeof first === "object" && typeof second === "object");

  store.complete("a", first.token, 100);
  const afterStale = store.claim("a", 10);
  store.complete("a", second.token, 100);
  store.release("a", second.token);
  const afterDone = store.claim("a", 10);
  store.claim("b", 10);
  store.claim("c", 10);

  assert.deepEqual([afterStale, afterDone], ["running", "done"]);
  assert.equal(typeof store.claim("a", 10), "object");
});

test("an onRefused that fails changes no answer, and becomes a warning", async () => {
  const warnings = once(process, "warning");
  const failing = [
    () => {
      throw new Error("a log is full");
    },
    () => Promise.reject(new Error("a log is gone")),
  ];

  const statuses = [];
  for (const onRefused of failing) {
    const route = forNext.receives(() => assert.fail("it was handled"), {
      secret: SECRET,
      onRefused,
    });
    const forged = { ...signed("{}"), "webhook-signature": "v1,AAAA" };
    const body = { method: "POST", headers: forged, body: BODY };
    statuses.push((await route(new Request("http://a.test/hooks", body))).status);
  }

  assert.deepEqual(statuses, [401, 401]);
  assert.match(String(await warnings), /onRefused failed: Error: a log is full/);
});
