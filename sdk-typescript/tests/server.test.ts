// The SDK against a real server, which delivers to a real receiver.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { receives } from "../src/express.js";
import { Hookwright, NotFoundError, UnprocessableError, type webhooks } from "../src/index.js";
import { eventually, type Server, serve } from "./server.js";

const EXAMPLES = join(import.meta.dirname, "readme");

let server: Server;
let client: Hookwright;

before(async () => {
  server = await serve();
  client = new Hookwright({ apiKey: server.apiKey, baseUrl: server.url });
});
after(async () => {
  await server?.stop();
});

for (const scheme of ["v1", "v1a"] as const)
  test(`what is published arrives, and its ${scheme} signature is verified`, async (t) => {
    const app = `delivery-${scheme}`;
    const events: webhooks.WebhookEvent[] = [];
    let secrets: string[] = [];
    const receive = receives((event) => events.push(event), { secret: () => secrets });
    const receiver = createServer((request, response) => {
      void receive(request, response, () => response.writeHead(500).end());
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      receiver.closeAllConnections();
      receiver.close();
    });
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
    await client.apps.getOrCreate(app, { name: app });
    const endpoint = await client.endpoints.create(app, {
      url,
      events: ["order.*"],
      signing: { scheme },
    });
    secrets =
      scheme === "v1"
        ? [endpoint.signing_secret ?? ""]
        : [(await client.endpoints.getSecretPublicKey(app, endpoint.id)).public_key];

    const accepted = await client.trigger.send(app, {
      event_name: "order.created",
      payload: { id: 7 },
    });
    const event = await eventually(async () => events[0]);

    assert.deepEqual(
      [event.id, event.type, event.data],
      [accepted.message_id, "order.created", { id: 7 }],
    );
    const delivered = await eventually(async () => {
      const [delivery] = (await client.deliveries.list(app, { status: ["delivered"] })).data;
      return delivery;
    });
    assert.equal(delivered.endpoint_id, endpoint.id);
  });

test("lists walk all pages of a real server", async () => {
  await client.apps.create({ name: "Paged", slug: "paged" });
  const names = ["a.a", "a.b", "a.c", "a.d", "a.e"];
  for (const name of names) await client.eventTypes.create("paged", { name });

  const found: string[] = [];
  for await (const type of client.eventTypes.list("paged", { limit: 2 })) found.push(type.name);

  assert.deepEqual(found.sort(), names);
});

test("an idempotency key makes a repeat the same call", async () => {
  await client.apps.create({ name: "Once", slug: "once" });
  const event = { event_name: "order.created", payload: {} };

  const first = await client.trigger.send("once", event, { idempotencyKey: "k-1" });
  const again = await client.trigger.send("once", event, { idempotencyKey: "k-1" }).withResponse();

  assert.deepEqual(again.data, first);
  assert.equal(again.response.headers["idempotency-replayed"], "true");
});

test("a real server's problems are the typed errors", async () => {
  const refused = async () => client.endpoints.create("once", { url: "ftp://example.com" });

  await assert.rejects(client.apps.get("nobody"), NotFoundError);
  await assert.rejects(refused, (error: UnprocessableError) => error.code === "url_not_allowed");
});

test("analytics, keys and deletions work as well", async () => {
  await client.apps.create({ name: "Short", slug: "short" });
  const key = await client.apiKeys.create({ name: "second", scopes: ["read"] });
  const summary = await client.analytics.summary("short");
  const reading = new Hookwright({ apiKey: key.key, baseUrl: server.url });

  assert.equal((await reading.apps.get("short")).name, "Short");
  assert.equal(summary.message_count, 0);
  assert.equal(await client.apps.delete("short"), undefined);
  await assert.rejects(client.apps.get("short"), NotFoundError);
});

for (const name of readdirSync(EXAMPLES).filter((each) => /^\d+\.js$/.test(each)))
  test(`the README's example ${name} runs`, () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const variables = {
      HOOKWRIGHT_API_KEY: server.apiKey,
      HOOKWRIGHT_BASE_URL: server.url,
      HOOKWRIGHT_WEBHOOK_SECRET: secret,
    };
    const done = spawnSync(process.execPath, [join(EXAMPLES, name)], {
      encoding: "utf8",
      env: { ...process.env, ...variables },
    });

    assert.equal(done.status, 0, done.stderr);
    assert.notEqual(done.stdout, "");
  });
