// A real `hookwright-server serve`, found on the path, empty at first, gone with its starter.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const SETTINGS = {
  HOOKWRIGHT_ALLOW_HTTP: "true",
  HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS: "true",
  HOOKWRIGHT_DRAIN_SECONDS: "0.5",
};

export interface Server {
  url: string;
  apiKey: string;
  stop: () => Promise<void>;
}

/** Starts one. A machine that is busy with other things may need more than one go. */
export async function serve(): Promise<Server> {
  for (let goesLeft = 3; ; goesLeft -= 1)
    try {
      return await started();
    } catch (error) {
      if (goesLeft === 1) throw error;
    }
}

async function started(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "hookwright-server-"));
  const foreign = Object.entries(process.env).filter(([name]) => !name.startsWith("HOOKWRIGHT_"));
  const args = ["serve", "--json", "--stop-with-stdin", "--host", "127.0.0.1", "--port", "0"];
  const child = spawn("hookwright-server", [...args, "--database", join(folder, "hookwright.db")], {
    env: { ...Object.fromEntries(foreign), ...SETTINGS },
  });
  const ended = once(child, "close");
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const facts = new Map<string, Record<string, string>>();
  for await (const line of createInterface({ input: child.stdout })) {
    const fact = JSON.parse(line) as Record<string, string>;
    facts.set(String(fact["event"]), fact);
    if (facts.has("ready") && facts.has("account_created")) break;
  }
  const url = facts.get("ready")?.["url"];
  const apiKey = facts.get("account_created")?.["live_key"];
  assert.ok(url && apiKey, `hookwright-server did not start:\n${log}`);
  child.stdout.resume();
  const stop = async () => {
    child.stdin.end();
    await ended;
    rmSync(folder, { recursive: true, maxRetries: 10 });
  };
  return { url, apiKey, stop };
}

/** Waits for a state that comes by itself, at most a minute. */
export async function eventually<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = await read();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail("it did not come about within 60 s");
}
