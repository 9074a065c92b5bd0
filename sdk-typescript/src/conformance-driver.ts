/**
 * The driver that `hookwright-conformance sdk` judges this SDK by: JSON Lines in and out.
 *
 *     hookwright-conformance sdk --driver "node node_modules/hookwright/dist/conformance-driver.js"
 *
 * It adds nothing to the SDK: no retries, no waits, no checks. The protocol is described by the
 * conformance suite.
 */
import { createInterface } from "node:readline";
import { operations } from "./generated/operations.gen.js";
import * as hookwright from "./index.js";

type Document = Record<string, unknown>;
type Method = (...args: unknown[]) => PromiseLike<unknown> & AsyncIterable<unknown>;

const PROFILES = ["sdk-core", "sdk-errors", "sdk-retries", "sdk-paging", "sdk-webhooks"];
const KINDS = [
  [hookwright.APIStatusError, "api"],
  [hookwright.APITimeoutError, "timeout"],
  [hookwright.APIConnectionError, "connection"],
  [hookwright.APIResponseError, "decode"],
  [hookwright.WebhookVerificationError, "verification"],
  [hookwright.UsageError, "usage"],
] as const;

let client: hookwright.Hookwright | undefined;

const commands: Record<string, (command: Document) => Document | Promise<Document>> = {
  start: () => ({
    protocol: 1,
    sdk: "hookwright-typescript",
    version: hookwright.VERSION,
    profiles: PROFILES,
  }),
  client(command) {
    client = new hookwright.Hookwright({
      apiKey: command["api_key"] as string,
      baseUrl: command["base_url"] as string,
      ...optionsOf(command),
    });
    return {};
  },
  async call(command) {
    const result = await called(command);
    return { value: result instanceof hookwright.Page ? pageDocument(result) : (result ?? null) };
  },
  async paginate(command) {
    const items: unknown[] = [];
    try {
      for await (const item of called(command)) {
        items.push(item);
        if (items.length === command["max_items"]) break;
      }
    } catch (error) {
      throw new Stopped(error, items);
    }
    return { items };
  },
  verify: verified,
  stop: () => ({}),
};

/** What ended an iteration, and what came before. */
class Stopped extends Error {
  readonly items: unknown[];

  constructor(cause: unknown, items: unknown[]) {
    super("the iteration ended early", { cause });
    this.items = items;
  }
}

function called(command: Document): ReturnType<Method> {
  const found = operations[command["operation"] as string];
  if (found === undefined) throw new Error(`no operation ${String(command["operation"])}`);
  const { namespace, method, path, takes } = found;
  const params = (command["path"] ?? {}) as Record<string, string>;
  const args: unknown[] = path.map((name) => params[name]);
  if (takes !== "nothing") args.push(command[takes]);
  args.push({ ...optionsOf(command), idempotencyKey: command["idempotency_key"] });
  const methods = client?.[namespace as "apps"] as unknown as Record<string, Method> | undefined;
  const result = methods?.[method]?.(...args);
  if (result === undefined) throw new Error("there is no client yet; send the command `client`");
  return result;
}

function optionsOf(command: Document): hookwright.ClientOptions {
  const seconds = command["timeout_seconds"] as number | undefined;
  return {
    timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    maxRetries: command["max_retries"] as number | undefined,
  };
}

function pageDocument(page: hookwright.Page<unknown>): Document {
  const total = page.totalCount === null ? {} : { total_count: page.totalCount };
  return { data: page.data, has_more: page.hasMore, next_cursor: page.nextCursor, ...total };
}

function verified(command: Document): Document {
  const now = command["now"] as number;
  const webhook = new hookwright.webhooks.Webhook(command["secrets"] as string[], {
    now: () => now * 1000,
    toleranceSeconds: command["tolerance_seconds"] as number | undefined,
  });
  try {
    const body = Buffer.from(command["body_base64"] as string, "base64");
    webhook.verify(body, command["headers"] as Record<string, string>);
  } catch (error) {
    // Signature and time were right; what the body holds is not asked here.
    if (!(error instanceof hookwright.InvalidPayloadError)) throw error;
  }
  return {};
}

/** An error as the protocol knows it. Whatever is none of the SDK's own is thrown again. */
function errorDocument(thrown: unknown): Document {
  if (thrown instanceof Stopped) return { ...errorDocument(thrown.cause), items: thrown.items };
  const kind = KINDS.find(([type]) => thrown instanceof type)?.[1];
  if (kind === undefined) throw thrown;
  const { message } = thrown as Error;
  if (thrown instanceof hookwright.APIStatusError) {
    const { status, code, detail, requestId, errors } = thrown;
    return { kind, message, status, code, detail, request_id: requestId, errors };
  }
  if (thrown instanceof hookwright.APIResponseError)
    return { kind, message, request_id: thrown.requestId };
  return { kind, message };
}

async function answered(command: Document): Promise<Document> {
  const carryOut = commands[command["command"] as string];
  if (carryOut === undefined) throw new Error(`no command ${String(command["command"])}`);
  try {
    return { result: await carryOut(command) };
  } catch (error) {
    return { error: errorDocument(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Document;
  const answer = { id: command["id"], ...(await answered(command)) };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (command["command"] === "stop") break;
}
process.stdin.destroy(); // what it still holds would keep the process alive
