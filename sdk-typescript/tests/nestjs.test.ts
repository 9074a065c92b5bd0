import "reflect-metadata";
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  StreamableFile,
  type Type,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import {
  type EmitFailure,
  type WebhookClientOptions,
  WebhookClientModule,
  WebhookClientService,
  WebhookEmit,
} from "../src/nestjs/index.js";
import { json, problem, scripted, type Scripted } from "./scripted.js";

interface Order {
  id: string;
  total: number;
}

const ACCEPTED = json(202, {
  message_id: "msg_1",
  event_name: "order.created",
  delivery_ids: [],
  endpoint_count: 0,
  filtered_count: 0,
  dry_run: false,
});

@Controller("orders")
class Orders {
  @Post()
  @WebhookEmit("order.created", {
    when: (response) => Boolean((response as { id?: string }).id),
    await: true,
  })
  create(): Order {
    return { id: "ord_123", total: 4900 };
  }

  @Post("refused")
  @WebhookEmit("order.created", { when: (order: Order) => order.total > 0, await: true })
  refused(): Order {
    return { id: "ord_1", total: 0 };
  }

  @Get("none")
  @WebhookEmit("order.created", { await: true })
  none(): null {
    return null;
  }

  @Post("background/:id")
  @WebhookEmit("order.queued", {
    payload: (order: Order) => ({ only: order.id }),
    app: (order) => `app-${order.total}`,
  })
  async background(@Param("id") id: string): Promise<Order> {
    return { id, total: 7 };
  }

  @Post("strict")
  @WebhookEmit("order.created", { await: true, raiseErrors: true })
  strict(): Order {
    return { id: "ord_1", total: 1 };
  }

  @Post("broken")
  @WebhookEmit("order.created", { await: true })
  broken(): Order {
    throw new TypeError("the handler's own");
  }

  @Post("later")
  @WebhookEmit("order.created", {
    when: async (order: Order) => order.total > 0,
    payload: async (order) => ({ only: order.id }),
    app: async (order) => `app-${order.total}`,
    await: true,
  })
  later(): Order {
    return { id: "ord_1", total: 3 };
  }

  @Post("refused-later")
  @WebhookEmit("order.created", { when: async () => false, await: true })
  refusedLater(): Order {
    return { id: "ord_1", total: 1 };
  }

  @Post("buffer")
  @WebhookEmit("report.made", { await: true })
  buffer(): Buffer {
    return Buffer.from("a report");
  }

  @Post("file")
  @WebhookEmit("report.made", { await: true })
  file(): StreamableFile {
    return new StreamableFile(Buffer.from("a report"));
  }

  @Post("list")
  @WebhookEmit("order.created", { await: true })
  list(): Order[] {
    return [];
  }
}

@Injectable()
class Config {
  readonly app = "from-config";
}

@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

@Injectable()
class OrderEvents {
  constructor(@Inject(WebhookClientService) readonly webhooks: WebhookClientService) {}

  async emitOrderCreated(order: Order): Promise<string> {
    const result = await this.webhooks.send({
      eventType: "order.created",
      payload: order,
      endpointIds: ["ep_1"],
    });
    return result.id;
  }
}

/** A real application on a real socket; `post` answers the status and the body. */
async function application(t: TestContext, module: Type | object) {
  @Module({ imports: [module as Type], controllers: [Orders], providers: [OrderEvents] })
  class App {}
  const app = await NestFactory.create<NestExpressApplication>(App, { logger: false });
  await app.listen(0, "127.0.0.1");
  t.after(() => app.close());
  const { port } = app.getHttpServer().address() as AddressInfo;
  const ask = async (method: string, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/orders${path}`, { method });
    return [response.status, await response.text()] as const;
  };
  return { app, post: (path = "") => ask("POST", path), get: (path: string) => ask("GET", path) };
}

function forRoot(api: Scripted, more: WebhookClientOptions = {}) {
  const patient = { maxRetries: 0, timeoutMs: 60_000 };
  const options = { apiKey: "hw_test_key", baseUrl: api.url, app: "shop", ...patient, ...more };
  return WebhookClientModule.forRoot(options);
}

test("a handler's response is published before it goes out, where `await` is set", async (t) => {
  const api = await scripted(t, ACCEPTED);
  const { post } = await application(t, forRoot(api));

  const answer = await post();

  assert.deepEqual(answer, [201, '{"id":"ord_123","total":4900}']);
  assert.equal(api.asked[0]?.url, "/v1/apps/shop/trigger");
  assert.deepEqual(JSON.parse(api.asked[0]?.body ?? ""), {
    event_name: "order.created",
    payload: { id: "ord_123", total: 4900 },
  });
});

test("what `when` refuses, null and failures of the handler publish nothing", async (t) => {
  const api = await scripted(t, ACCEPTED);
  const { post, get } = await application(t, forRoot(api));

  const answers = [
    await post("/refused"),
    await post("/refused-later"),
    await get("/none"),
    await post("/broken"),
  ];

  assert.deepEqual(
    answers.map(([status]) => status),
    [201, 201, 200, 500],
  );
  assert.deepEqual(api.asked, []);
});

test("`when`, `payload` and `app` may be asynchronous", async (t) => {
  const api = await scripted(t, ACCEPTED);
  const { post } = await application(t, forRoot(api));

  const [status] = await post("/later");

  assert.equal(status, 201);
  assert.equal(api.asked[0]?.url, "/v1/apps/app-3/trigger");
  assert.deepEqual(JSON.parse(api.asked[0]?.body ?? "").payload, { only: "ord_1" });
});

test("a response that is a file is not published, and arrives whole", async (t) => {
  const failures: string[] = [];
  const api = await scripted(t, ACCEPTED);
  const onError = ({ error }: EmitFailure) => failures.push(String(error));
  const { post } = await application(t, forRoot(api, { onError }));

  const answers = [await post("/buffer"), await post("/file")];

  const told =
    "EmitError: what report.made would tell is a file; make an object of it with payload";
  assert.deepEqual(failures, [told, told]);
  assert.deepEqual(answers[1], [201, "a report"]);
  assert.deepEqual(api.asked, []);
});

test("without `await` the response does not wait, and closing the application does", async (t) => {
  let answer = () => {};
  const api = await scripted(t, (response) => {
    answer = () => ACCEPTED(response, response.socket as never);
  });
  const { app, post } = await application(t, forRoot(api));

  const [status] = await post("/background/ord_9");
  const closing = app.close();
  while (api.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  answer();
  await closing;

  assert.equal(status, 201);
  assert.equal(api.asked[0]?.url, "/v1/apps/app-7/trigger");
  assert.deepEqual(JSON.parse(api.asked[0]?.body ?? "").payload, { only: "ord_9" });
});

test("an event that is not published is told to onError, and leaves the response alone", async (t) => {
  const failures: EmitFailure[] = [];
  const api = await scripted(t, problem(503, "unavailable"));
  const { post } = await application(
    t,
    forRoot(api, { onError: (failure) => failures.push(failure) }),
  );

  const answers = [await post(), await post("/list"), await post("/strict")];

  assert.deepEqual(
    answers.map(([status]) => status),
    [201, 201, 500],
  );
  assert.deepEqual(
    failures.map(({ eventType, error }) => [eventType, (error as Error).name]),
    [
      ["order.created", "InternalServerError"],
      ["order.created", "EmitError"],
      ["order.created", "InternalServerError"],
    ],
  );
});

test("an onError that rejects is logged and ends nothing", async (t) => {
  const api = await scripted(t, problem(503, "unavailable"));
  const onError = () => Promise.reject(new Error("no pager"));
  const { post } = await application(t, forRoot(api, { onError }));

  const statuses = [(await post())[0], (await post())[0]];

  assert.deepEqual(statuses, [201, 201]);
});

test("more than maxPending events in the background are not published", async (t) => {
  const failures: EmitFailure[] = [];
  const api = await scripted(t, () => {});
  const options = {
    maxPending: 1,
    exitDeadlineMs: 1,
    onError: (failure: EmitFailure) => failures.push(failure),
  };
  const { post } = await application(t, forRoot(api, options));

  await post("/background/a");
  await post("/background/b");

  assert.deepEqual(
    failures.map(({ response }) => response),
    [{ id: "b", total: 7 }],
  );
});

test("forRootAsync makes the options out of other providers; the service can be injected", async (t) => {
  const api = await scripted(t, ACCEPTED);
  const module = WebhookClientModule.forRootAsync({
    imports: [ConfigModule],
    inject: [Config],
    useFactory: (config: Config) => ({ apiKey: "k", baseUrl: api.url, app: config.app }),
  });
  const { app } = await application(t, module);

  const id = await app.get(OrderEvents).emitOrderCreated({ id: "ord_1", total: 1 });

  assert.equal(id, "msg_1");
  assert.equal(api.asked[0]?.url, "/v1/apps/from-config/trigger");
  assert.deepEqual(JSON.parse(api.asked[0]?.body ?? "").endpoint_ids, ["ep_1"]);
});

test("the service and the decorator of the platform's own client work as they are written", async (t) => {
  const api = await scripted(t, ACCEPTED);
  Object.assign(process.env, { WEBHOOK_BASE_URL: api.url, WEBHOOK_API_KEY: "hw_bound_key" });
  const { AppModule, OrderEventsService, OrdersController } = await import("./seed.js");
  @Module({
    imports: [AppModule],
    controllers: [OrdersController],
    providers: [OrderEventsService],
  })
  class Whole {}
  const app = await NestFactory.create<NestExpressApplication>(Whole, { logger: false });
  await app.listen(0, "127.0.0.1");
  t.after(() => app.close());
  const { port } = app.getHttpServer().address() as AddressInfo;

  const id = await app.get(OrderEventsService).emitOrderCreated({ id: "ord_1", total: 1 });
  const response = await fetch(`http://127.0.0.1:${port}/orders`, { method: "POST" });

  assert.deepEqual([id, response.status], ["msg_1", 201]);
  assert.deepEqual(
    api.asked.map(({ url, headers }) => [url, headers["authorization"]]),
    Array(2).fill(["/v1/apps/-/trigger", "Bearer hw_bound_key"]),
  );
});
