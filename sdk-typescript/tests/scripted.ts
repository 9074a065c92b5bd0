// A server that answers by script and remembers what it was asked, over a real socket.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";
import { Hookwright, type HookwrightOptions } from "../src/client.js";
import { type Runtime, SYSTEM } from "../src/core/runtime.js";

export interface Asked {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

export type Answer = (response: ServerResponse, socket: Socket) => void;

/** A JSON answer. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return text(status, JSON.stringify(body), { "content-type": "application/json", ...headers });
}

/** A problem document. */
export function problem(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Answer {
  const body = { status, code, title: "No", detail: "Not so.", request_id: "req_b", errors: [] };
  return json(status, body, { "x-request-id": "req_h", ...headers });
}

export function text(
  status: number,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Answer {
  return (response) => response.writeHead(status, headers).end(body);
}

/** An app as a server describes it. */
export const APP = {
  id: "app_1",
  slug: "my-app",
  name: "My app",
  description: "",
  active: true,
  retry_policy: null,
  rate_limit_per_second: null,
  retention_days: 30,
  metadata: {},
  created_at: "2026-11-21T09:00:00.000Z",
  updated_at: "2026-11-21T09:00:00.000Z",
  event_type_policy: "open",
};

export interface Scripted {
  url: string;
  asked: Asked[];
  /** The waits before retries, in milliseconds. */
  slept: number[];
  /** A client that waits for nothing: its waits are noted, chance is always the highest. */
  client: (options?: HookwrightOptions) => Hookwright;
}

/** Starts it for one test; beyond the script, the last answer is repeated. */
export async function scripted(t: TestContext, ...answers: Answer[]): Promise<Scripted> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const body = await read(request).catch(() => null);
    if (body === null) return; // the caller has gone
    const { method = "", url = "", headers } = request;
    asked.push({ method, url, headers: headers as Record<string, string>, body });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    answer?.(response, request.socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const slept: number[] = [];
  const runtime: Runtime = {
    ...SYSTEM,
    random: () => 1,
    sleep: async (milliseconds) => {
      slept.push(milliseconds);
    },
  };
  const client = (options: HookwrightOptions = {}) =>
    new Hookwright({ apiKey: "hw_test_key", baseUrl: url, ...options }, runtime);
  return { url, asked, slept, client };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
