import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as hookwright from "../src/index.js";
import { webhooks } from "../src/index.js";

interface Vector {
  name: string;
  secrets: string[];
  now: number;
  headers: Record<string, string>;
  body_base64: string;
  verdict: "valid" | "refused";
  reason: string | null;
}

const VECTORS = "conformance-tests/src/hookwright_conformance/vectors/signature.json";
const { vectors } = JSON.parse(readFileSync(join("..", VECTORS), "utf8")) as { vectors: Vector[] };

const SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PRIVATE = `whsk_${Buffer.alloc(32, 7).toString("base64")}`;
const NOW = 1_767_225_600;
const DATA = { type: "order.created", timestamp: "2026-01-01T00:00:00.000Z", data: { id: 7 } };
const BODY = JSON.stringify(DATA);

const REFUSALS: Record<string, typeof hookwright.HookwrightError> = {
  too_old: hookwright.TimestampOutOfToleranceError,
  too_new: hookwright.TimestampOutOfToleranceError,
  invalid_timestamp: hookwright.InvalidHeaderError,
  missing_header: hookwright.MissingHeaderError,
  no_matching_signature: hookwright.WebhookVerificationError,
  invalid_secret: hookwright.InvalidSecretError,
};

function signed(secret: string, body: string | Uint8Array = BODY): Record<string, string> {
  const signature = webhooks.sign("msg_1", NOW, body, secret);
  return { "webhook-id": "msg_1", "webhook-timestamp": `${NOW}`, "webhook-signature": signature };
}

function webhook(secrets: string | string[], now = NOW): webhooks.Webhook {
  return new webhooks.Webhook(secrets, { now: () => now * 1000 });
}

for (const vector of vectors)
  test(`the published vector: ${vector.name} is ${vector.reason ?? "valid"}`, () => {
    const body = Buffer.from(vector.body_base64, "base64");
    // An empty body is genuine, and no JSON: both are told apart.
    const judged = () => {
      try {
        webhook(vector.secrets, vector.now).verify(body, vector.headers);
      } catch (error) {
        if (!(error instanceof hookwright.InvalidPayloadError)) throw error;
      }
    };

    if (vector.verdict === "valid") assert.doesNotThrow(judged);
    else assert.throws(judged, REFUSALS[vector.reason ?? ""] ?? assert.fail("an unknown reason"));
  });

test("unwrap gives a typed event, dates included", () => {
  const event = webhook(SECRET).unwrap<{ id: number }>(BODY, signed(SECRET));

  assert.equal(event.id, "msg_1");
  assert.equal(event.type, "order.created");
  assert.equal(event.data.id, 7);
  assert.equal(event.timestamp.toISOString(), "2026-01-01T00:00:00.000Z");
  assert.equal(event.attemptedAt.getTime(), NOW * 1000);
  assert.equal(Buffer.from(event.body).toString(), BODY);
});

test("headers may be those of Node, of fetch, an object or pairs, in any case", () => {
  const headers = signed(SECRET);
  const shouted = Object.entries(headers).map(
    ([name, value]) => [name.toUpperCase(), value] as const,
  );
  const lists = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const kinds: webhooks.HeadersLike[] = [
    headers,
    new Headers(headers),
    shouted,
    Object.fromEntries(shouted),
    lists,
  ];

  for (const kind of kinds) assert.deepEqual(webhook(SECRET).verify(BODY, kind), DATA);
});

test("a header that is given twice, in any way, is refused", () => {
  const headers = signed(SECRET);
  const twice: webhooks.HeadersLike[] = [
    [...Object.entries(headers), ["Webhook-Id", "msg_1"]],
    { ...headers, "webhook-id": ["msg_1", "msg_1"] },
    { ...headers, "webhook-id": "msg_1, msg_1" },
  ];

  for (const kind of twice)
    assert.throws(() => webhook(SECRET).verify(BODY, kind), hookwright.InvalidHeaderError);
});

test("an ed25519 key signs, and its public key alone verifies", () => {
  const signature = webhooks.sign("msg_1", NOW, BODY, PRIVATE);
  const both = webhooks.sign("msg_1", NOW, BODY, [SECRET, PRIVATE]);

  assert.match(signature, /^v1a,[A-Za-z0-9+/]{86}==$/);
  assert.match(both, /^v1,\S+ v1a,\S+$/);
  assert.deepEqual(webhook(PRIVATE).verify(BODY, signed(PRIVATE)), DATA);
  assert.throws(
    () => webhook(PRIVATE).verify(`${BODY} `, signed(PRIVATE)),
    hookwright.SignatureMismatchError,
  );
});

test("a public key signs nothing, and a private one with a foreign public half is refused", () => {
  const publicKey = `whpk_${Buffer.alloc(32, 1).toString("base64")}`;
  const mixed = `whsk_${Buffer.alloc(64, 7).toString("base64")}`;

  assert.throws(() => webhooks.sign("msg_1", NOW, BODY, publicKey), hookwright.UsageError);
  assert.throws(() => webhook(mixed), hookwright.InvalidSecretError);
});

test("secrets that are none are refused without being shown", () => {
  const secrets: unknown[] = [
    "",
    "whsec_",
    "whsec_c2hvcnQ=",
    "whsec_!!!",
    "whpk_AAAA",
    [],
    [7],
    undefined,
    7,
  ];

  for (const secret of secrets)
    assert.throws(
      () => webhook(secret as string),
      (error: Error) =>
        error instanceof hookwright.UsageError && !error.message.includes("c2hvcnQ"),
      String(secret),
    );
});

test("a parsed body is a UsageError, which says what to pass", () => {
  assert.throws(
    () => webhook(SECRET).verify(DATA as never, signed(SECRET)),
    /pass the raw request body/,
  );
});

test("a signed body that is no event is an InvalidPayloadError", () => {
  const bodies = [
    "",
    "{",
    "[]",
    "{}",
    '{"type":"","data":{}}',
    '{"type":"a","data":[]}',
    '{"type":"a","data":{},"timestamp":"x"}',
    '{"type":"a","data":{},"timestamp":"2026-01-01T00:00:00"}',
  ];

  for (const body of bodies)
    assert.throws(
      () => webhook(SECRET).unwrap(body, signed(SECRET, body)),
      hookwright.InvalidPayloadError,
      body,
    );
  const latin = Uint8Array.of(0x22, 0xe9, 0x22);
  assert.throws(
    () => webhook(SECRET).verify(latin, signed(SECRET, latin)),
    hookwright.InvalidPayloadError,
  );
});

test("into is a function or a schema; its issues are an InvalidPayloadError", () => {
  const schema: webhooks.StandardSchema<string> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        (value as { id: unknown }).id === 7 ? { value: "seven" } : { issues: [{ message: "no" }] },
    },
  };
  const other = JSON.stringify({ ...DATA, data: { id: 8 } });
  const fault = new RangeError("the caller's own");
  const throwing = () => {
    throw fault;
  };

  const made = webhook(SECRET).unwrap(
    BODY,
    signed(SECRET),
    (data, type) => `${type} ${String(data["id"])}`,
  );
  const validated = webhook(SECRET).unwrap(BODY, signed(SECRET), schema);

  assert.deepEqual([made.data, validated.data], ["order.created 7", "seven"]);
  assert.throws(
    () => webhook(SECRET).unwrap(other, signed(SECRET, other), schema),
    hookwright.InvalidPayloadError,
  );
  assert.throws(
    () => webhook(SECRET).unwrap(BODY, signed(SECRET), throwing),
    (error) => error === fault,
  );
});

test("without secrets, HOOKWRIGHT_WEBHOOK_SECRET holds one or several", (t) => {
  const { HOOKWRIGHT_WEBHOOK_SECRET: before } = process.env;
  t.after(() => {
    if (before === undefined) delete process.env["HOOKWRIGHT_WEBHOOK_SECRET"];
    else process.env["HOOKWRIGHT_WEBHOOK_SECRET"] = before;
  });
  process.env["HOOKWRIGHT_WEBHOOK_SECRET"] = ` ${PRIVATE}\n${SECRET} `;

  const now = () => NOW * 1000;
  const event = webhooks.unwrap(BODY, signed(SECRET), undefined, { now });

  assert.equal(event.type, "order.created");
  process.env["HOOKWRIGHT_WEBHOOK_SECRET"] = "";
  assert.throws(() => webhooks.verify(BODY, signed(SECRET)), hookwright.InvalidSecretError);
});

test("a signature needs an id and a time that receivers take", () => {
  assert.throws(() => webhooks.sign("a b", NOW, BODY, SECRET), hookwright.UsageError);
  assert.throws(() => webhooks.sign("a", 1.5, BODY, SECRET), hookwright.UsageError);
});
