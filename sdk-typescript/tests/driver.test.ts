import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { APP, json, problem, scripted } from "./scripted.js";

const PROGRAM = join(import.meta.dirname, "..", "src", "conformance-driver.js");

/** A driver that was started, with its client made; `say` gives the answer to one command. */
async function driver(t: TestContext, baseUrl: string) {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill());
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let id = 0;
  const say = async (command: string, members: object = {}) => {
    id += 1;
    child.stdin.write(`${JSON.stringify({ id, command, ...members })}\n`);
    const { value } = await lines.next();
    const { id: answered, ...answer } = JSON.parse(String(value));
    assert.equal(answered, id);
    return answer;
  };
  await say("start", { protocol: 1 });
  await say("client", { base_url: baseUrl, api_key: "hw_test_key", max_retries: 0 });
  return { say, ended };
}

test("the driver calls, pages and maps errors as its protocol says, and ends when told", async (t) => {
  const api = await scripted(
    t,
    json(200, APP),
    problem(404, "not_found"),
    json(200, { data: [APP], has_more: true, next_cursor: "c" }),
    problem(400, "validation_error"),
  );
  const { say, ended } = await driver(t, api.url);
  const path = { app_slug: "my-app" };

  const updated = await say("call", { operation: "apps.update", path, body: { name: "a" } });
  const missing = await say("call", { operation: "apps.get", path });
  const partly = await say("paginate", {
    operation: "apps.list",
    query: { limit: 1 },
    max_items: 5,
  });
  const wrong = await say("call", { operation: "apps.get", path: { app_slug: ".." } });
  await say("stop");
  const [code] = await ended;

  assert.deepEqual(updated, { result: { value: APP } });
  assert.deepEqual(missing.error, {
    kind: "api",
    message: "404 not_found: Not so. (request id req_h)",
    status: 404,
    code: "not_found",
    detail: "Not so.",
    request_id: "req_h",
    errors: [],
  });
  assert.deepEqual([partly.error.kind, partly.error.items], ["api", [APP]]);
  assert.equal(wrong.error.kind, "usage");
  assert.equal(code, 0);
});

test("what is no error of the SDK ends the driver with a status of its own", async (t) => {
  const { say, ended } = await driver(t, "http://127.0.0.1:9");

  const silent = say("call", { operation: "no.such" }).catch(() => "no answer");

  assert.equal(await silent, "no answer");
  assert.notEqual((await ended)[0], 0);
});
