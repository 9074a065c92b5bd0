import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { json, problem, scripted } from "./scripted.js";

const PRIVATE = ["hw_test_key", "c-private", "t-private", "d-private"];

/** What two tries of a list show on stderr at this level. */
async function shownAt(t: TestContext, level: string): Promise<string[]> {
  const lines: string[] = [];
  t.mock.method(console, "error", (line: string) => lines.push(line));
  process.env["HOOKWRIGHT_LOG"] = level;
  t.after(() => delete process.env["HOOKWRIGHT_LOG"]);
  const page = { data: [], has_more: false, next_cursor: null };
  const sent = { "x-request-id": "req_1", "x-data": "d-private" };
  const api = await scripted(t, problem(503, "unavailable"), json(200, page, sent));
  await api.client().apps.list({ cursor: "c-private" }, { headers: { "x-team": "t-private" } });
  return lines;
}

for (const [level, kinds] of [
  ["info", ["response", "retry", "response"]],
  ["DEBUG", ["request", "response", "retry", "request", "response"]],
  ["", []],
] as const)
  test(`HOOKWRIGHT_LOG=${level} shows ${kinds.length} lines of two tries, and no secret`, async (t) => {
    const lines = await shownAt(t, level);

    assert.deepEqual(
      lines.map((line) => line.split(" ")[3]),
      kinds,
    );
    assert.equal(
      /GET \/v1\/apps 200 attempt=2 .*request_id=req_1/.test(lines.at(-1) ?? ""),
      level !== "",
    );
    assert.equal(lines.join().includes("query=[cursor]"), level === "DEBUG");
    assert.deepEqual(
      PRIVATE.filter((word) => lines.join().includes(word)),
      [],
    );
  });

test("a level of HOOKWRIGHT_LOG that there is not is said, and shows nothing else", async (t) => {
  const lines = await shownAt(t, "loud");

  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /WARNING HOOKWRIGHT_LOG=.loud. is not understood; it takes debug or info$/,
  );
});
