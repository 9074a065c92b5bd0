import assert from "node:assert/strict";
import { test } from "node:test";
import { delaySeconds, isRepeatable, isTransient, retryAfterSeconds } from "../src/core/retry.js";

const NOW = Date.parse("2026-11-22T00:00:00Z");

test("the waits double from 0.5 s to 8 s, under full jitter", () => {
  const longest = [0, 1, 2, 3, 4, 5, 2000].map((done) => delaySeconds(done, null, () => 1));
  const none = delaySeconds(3, null, () => 0);

  assert.deepEqual(longest, [0.5, 1, 2, 4, 8, 8, 8]);
  assert.equal(none, 0);
});

test("a wait is never shorter than Retry-After, and beyond 120 s there is none", () => {
  const waits = [0.1, 7, 120, 120.5].map((asked) => delaySeconds(0, asked, () => 1));

  assert.deepEqual(waits, [0.5, 7, 120, null]);
});

test("Retry-After is a number of seconds or a date in one of three forms", () => {
  const read = (value: string | null) => retryAfterSeconds(value, NOW);

  assert.equal(read("7"), 7);
  assert.equal(read(" 0 "), 0);
  assert.equal(read("Sun, 22 Nov 2026 00:00:30 GMT"), 30);
  assert.equal(read("Sunday, 22-Nov-26 00:00:30 GMT"), 30);
  assert.equal(read("Sun Nov 22 00:00:30 2026"), 30);
  assert.equal(read("Sat, 21 Nov 2026 00:00:00 GMT"), 0);
});

test("an unreadable Retry-After counts as absent", () => {
  const read = [
    null,
    "",
    "soon",
    "-5",
    "1.5",
    "1e3",
    "in 5 minutes",
    "Sun, 99 Nov 2026 00:00:00 GMT",
  ];

  assert.deepEqual(
    read.map((value) => retryAfterSeconds(value, NOW)),
    read.map(() => null),
  );
});

test("408, 425, 429, 5xx and a 409 in progress are transient", () => {
  const statuses = [400, 401, 404, 408, 409, 410, 422, 425, 429, 500, 502, 503, 520];

  assert.deepEqual(
    statuses.filter((status) => isTransient(status, "slug_taken")),
    [408, 425, 429, 500, 502, 503, 520],
  );
  assert.equal(isTransient(409, "idempotency_in_progress"), true);
});

test("only a POST without a key is not repeatable", () => {
  assert.equal(isRepeatable("POST", undefined), false);
  assert.equal(isRepeatable("POST", "k"), true);
  assert.equal(isRepeatable("DELETE", undefined), true);
});
