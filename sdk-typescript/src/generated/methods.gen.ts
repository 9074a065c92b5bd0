// Generated from openapi.yaml; do not edit. `make generate` rebuilds it.
import type { CallOptions, PostOptions } from "../core/call.js";

import type { Core } from "../core/core.js";

import type { ApiPromise } from "../core/promise.js";

import type { PagePromise } from "../core/paging.js";

import type {
  AnalyticsOverview,
  AnalyticsStats,
  AnalyticsSummary,
  AnalyticsSummaryData,
  AnalyticsTimelineData,
  AnalyticsTimeseries,
  AnalyticsTimeseriesData,
  ApiKey,
  ApiKeyCreate,
  ApiKeyCreated,
  ApiKeyRotate,
  ApiKeyRotated,
  ApiKeysListData,
  App,
  AppCreate,
  AppCreated,
  AppProvision,
  AppProvisioned,
  AppRotateSecret,
  AppUpdate,
  AppsListData,
  Attempt,
  DeliveriesListAttemptsData,
  DeliveriesListData,
  DeliveriesListReplaysData,
  Delivery,
  Endpoint,
  EndpointCreate,
  EndpointCreated,
  EndpointEnable,
  EndpointTest,
  EndpointTestResult,
  EndpointUpdate,
  EndpointsListData,
  EndpointsListDeliveriesData,
  EndpointsStatsData,
  EventType,
  EventTypeCreate,
  EventTypeUpdate,
  EventTypesListData,
  Message,
  MessageCancelled,
  MessageDetail,
  MessagesListData,
  ReplayCreate,
  ReplayTask,
  RotateSecret,
  SecretPublicKey,
  SecretRotated,
  TransformationPreview,
  TransformationPreviewed,
  TriggerAccepted,
  TriggerBatch,
  TriggerBatchResult,
  TriggerSend,
} from "./types.gen.js";

/**
 * A broadcast channel with its endpoints.
 */
export class Apps {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * List apps.
   *
   * The apps that the key may see, newest first.
   */
  list(query?: AppsListData["query"], options?: CallOptions): PagePromise<App> {
    return this.#core.list(
      { id: "apps.list", method: "GET", path: "/v1/apps", query, result: "App" },
      options,
    );
  }

  /**
   * Create an app.
   *
   * Creates an app with a signing secret of its own, which is shown once. Needs a key that is
   * not bound to an app.
   *
   * @throws APIStatusError, among others with the codes `slug_taken`.
   *
   * @example
   * await client.apps.create({
   *   "name": "Payments",
   *   "slug": "payments",
   *   "description": "Fires when invoices change.",
   *   "metadata": {
   *     "team": "billing"
   *   }
   * });
   */
  create(body: AppCreate, options?: PostOptions): ApiPromise<AppCreated> {
    return this.#core.call(
      {
        id: "apps.create",
        method: "POST",
        path: "/v1/apps",
        body,
        idempotent: true,
        result: "AppCreated",
      },
      options,
    );
  }

  /**
   * Get an app.
   *
   * With a key bound to an app, `-` names that app.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  get(appSlug: string, options?: CallOptions): ApiPromise<App> {
    return this.#core.call(
      {
        id: "apps.get",
        method: "GET",
        path: "/v1/apps/{app_slug}",
        params: { app_slug: appSlug },
        result: "App",
      },
      options,
    );
  }

  /**
   * Get or create an app.
   *
   * Creates the app if the slug is free, otherwise returns it unchanged: safe to repeat on every
   * start of your program. `-` is refused here. Needs a key that is not bound to an app.
   *
   * @param appSlug The slug of the app to find or to create; `_system` is that of the app to
   * which Hookwright itself publishes, see `webhooks`.
   *
   * @example
   * await client.apps.getOrCreate("my-app", {
   *   "name": "Payments"
   * });
   */
  getOrCreate(
    appSlug: string,
    body: AppProvision,
    options?: CallOptions,
  ): ApiPromise<AppProvisioned> {
    return this.#core.call(
      {
        id: "apps.get_or_create",
        method: "PUT",
        path: "/v1/apps/{app_slug}",
        params: { app_slug: appSlug },
        body,
        result: "AppProvisioned",
      },
      options,
    );
  }

  /**
   * Delete an app.
   *
   * Deletes the app and its endpoints, with their secrets. Its messages and deliveries stay
   * readable under the app slug `-`; what was pending is cancelled (`endpoint_deleted`). Needs a
   * key that is not bound to an app.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  delete(appSlug: string, options?: CallOptions): ApiPromise<void> {
    return this.#core.call(
      {
        id: "apps.delete",
        method: "DELETE",
        path: "/v1/apps/{app_slug}",
        params: { app_slug: appSlug },
      },
      options,
    );
  }

  /**
   * Change an app.
   *
   * A merge patch. While `active` is false, `trigger.send` answers 409 `app_inactive`; what was
   * accepted is still delivered.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   *
   * @example
   * await client.apps.update("my-app", {
   *   "description": null,
   *   "metadata": {
   *     "team": "payments"
   *   }
   * });
   */
  update(appSlug: string, body: AppUpdate, options?: CallOptions): ApiPromise<App> {
    return this.#core.call(
      {
        id: "apps.update",
        method: "PATCH",
        path: "/v1/apps/{app_slug}",
        params: { app_slug: appSlug },
        body,
        result: "App",
      },
      options,
    );
  }

  /**
   * Rotate an app's signing secret.
   *
   * Makes a new secret for the endpoints whose `signing.source` is `app` and whose
   * `signing.scheme` is the given one. The old one signs beside it until the overlap ends;
   * secrets of the other scheme stay. An attempt that is just being made ready may still be
   * signed as before, up to 10 seconds after the answer.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   *
   * @example
   * await client.apps.rotateSecret("my-app", {
   *   "overlap_seconds": 86400
   * });
   */
  rotateSecret(
    appSlug: string,
    body?: AppRotateSecret,
    options?: PostOptions,
  ): ApiPromise<SecretRotated> {
    return this.#core.call(
      {
        id: "apps.rotate_secret",
        method: "POST",
        path: "/v1/apps/{app_slug}/rotate-secret",
        params: { app_slug: appSlug },
        body,
        idempotent: true,
        result: "SecretRotated",
      },
      options,
    );
  }
}

/**
 * The catalogue of an app's events.
 */
export class EventTypes {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * List event types.
   *
   * The app's catalogue, newest first. The app slug `-` lists those of every app that the key
   * may see.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  list(
    appSlug: string,
    query?: EventTypesListData["query"],
    options?: CallOptions,
  ): PagePromise<EventType> {
    return this.#core.list(
      {
        id: "event_types.list",
        method: "GET",
        path: "/v1/apps/{app_slug}/event-types",
        params: { app_slug: appSlug },
        query,
        result: "EventType",
      },
      options,
    );
  }

  /**
   * Create an event type.
   *
   * Adds an event to the app's catalogue. Its schema judges the payloads that `trigger.send`
   * gets under this name from now on, and the example payload at once. An app has at most 10,000
   * event types, archived ones included (409 `too_many_event_types`).
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @throws APIStatusError, among others with the codes `event_type_exists`,
   * `payload_schema_mismatch`, `too_many_event_types`.
   *
   * @example
   * await client.eventTypes.create("my-app", {
   *   "name": "invoice.paid",
   *   "description": "An invoice was paid in full.",
   *   "group": "invoices",
   *   "schema": {
   *     "type": "object",
   *     "required": [
   *       "id",
   *       "total"
   *     ],
   *     "properties": {
   *       "id": {
   *         "type": "string",
   *         "pattern": "^inv_[0-9]+$"
   *       },
   *       "total": {
   *         "type": "integer",
   *         "minimum": 0
   *       }
   *     }
   *   },
   *   "example_payload": {
   *     "id": "inv_123",
   *     "total": 4900
   *   }
   * });
   */
  create(appSlug: string, body: EventTypeCreate, options?: PostOptions): ApiPromise<EventType> {
    return this.#core.call(
      {
        id: "event_types.create",
        method: "POST",
        path: "/v1/apps/{app_slug}/event-types",
        params: { app_slug: appSlug },
        body,
        idempotent: true,
        result: "EventType",
      },
      options,
    );
  }

  /**
   * Get an event type.
   *
   * Archived ones are found too.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param eventTypeId The event type's id.
   */
  get(appSlug: string, eventTypeId: string, options?: CallOptions): ApiPromise<EventType> {
    return this.#core.call(
      {
        id: "event_types.get",
        method: "GET",
        path: "/v1/apps/{app_slug}/event-types/{event_type_id}",
        params: { app_slug: appSlug, event_type_id: eventTypeId },
        result: "EventType",
      },
      options,
    );
  }

  /**
   * Archive an event type.
   *
   * Takes the event type out of the catalogue. It can still be read, and `event_types.update`
   * with `archived` false brings it back. One that is archived is not archived again (404).
   * Messages that were accepted are not touched.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param eventTypeId The event type's id.
   */
  delete(appSlug: string, eventTypeId: string, options?: CallOptions): ApiPromise<void> {
    return this.#core.call(
      {
        id: "event_types.delete",
        method: "DELETE",
        path: "/v1/apps/{app_slug}/event-types/{event_type_id}",
        params: { app_slug: appSlug, event_type_id: eventTypeId },
      },
      options,
    );
  }

  /**
   * Change an event type.
   *
   * A merge patch; `schema` and `example_payload` are replaced whole. `archived` takes an event
   * type out of the catalogue and brings it back. The name never changes.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param eventTypeId The event type's id.
   * @throws APIStatusError, among others with the codes `payload_schema_mismatch`.
   *
   * @example
   * await client.eventTypes.update("my-app", eventTypeId, {
   *   "description": "An invoice was paid.",
   *   "schema": null
   * });
   */
  update(
    appSlug: string,
    eventTypeId: string,
    body: EventTypeUpdate,
    options?: CallOptions,
  ): ApiPromise<EventType> {
    return this.#core.call(
      {
        id: "event_types.update",
        method: "PATCH",
        path: "/v1/apps/{app_slug}/event-types/{event_type_id}",
        params: { app_slug: appSlug, event_type_id: eventTypeId },
        body,
        result: "EventType",
      },
      options,
    );
  }
}

/**
 * Where an app's events go.
 */
export class Endpoints {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * List endpoints.
   *
   * The app's endpoints, newest first. The app slug `-` lists those of every app that the key
   * may see.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  list(
    appSlug: string,
    query?: EndpointsListData["query"],
    options?: CallOptions,
  ): PagePromise<Endpoint> {
    return this.#core.list(
      {
        id: "endpoints.list",
        method: "GET",
        path: "/v1/apps/{app_slug}/endpoints",
        params: { app_slug: appSlug },
        query,
        result: "Endpoint",
      },
      options,
    );
  }

  /**
   * Create an endpoint.
   *
   * Adds a receiver to the app. Its signing secret is shown once. An app has at most 10,000
   * endpoints, the app `_system` 10 (409 `too_many_endpoints`).
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @throws APIStatusError, among others with the codes `header_not_allowed`,
   * `secret_not_valid`, `too_many_endpoints`, `url_not_allowed`.
   *
   * @example
   * await client.endpoints.create("my-app", {
   *   "url": "https://example.com/webhooks",
   *   "description": "Orders service",
   *   "events": [
   *     "invoice.*"
   *   ],
   *   "headers": {
   *     "X-Api-Key": "key-of-the-receiver"
   *   },
   *   "metadata": {
   *     "env": "production"
   *   }
   * });
   */
  create(
    appSlug: string,
    body: EndpointCreate,
    options?: PostOptions,
  ): ApiPromise<EndpointCreated> {
    return this.#core.call(
      {
        id: "endpoints.create",
        method: "POST",
        path: "/v1/apps/{app_slug}/endpoints",
        params: { app_slug: appSlug },
        body,
        idempotent: true,
        result: "EndpointCreated",
      },
      options,
    );
  }

  /**
   * Get an endpoint.
   *
   * With its health.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   */
  get(appSlug: string, endpointId: string, options?: CallOptions): ApiPromise<Endpoint> {
    return this.#core.call(
      {
        id: "endpoints.get",
        method: "GET",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        result: "Endpoint",
      },
      options,
    );
  }

  /**
   * Delete an endpoint.
   *
   * Its deliveries stay readable; what was pending is cancelled (`endpoint_deleted`). An attempt
   * under way finishes, none follows. Its secrets and the values of its headers are erased.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   */
  delete(appSlug: string, endpointId: string, options?: CallOptions): ApiPromise<void> {
    return this.#core.call(
      {
        id: "endpoints.delete",
        method: "DELETE",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}",
        params: { app_slug: appSlug, endpoint_id: endpointId },
      },
      options,
    );
  }

  /**
   * Change an endpoint.
   *
   * A merge patch. The next attempt of every delivery uses the new settings.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   * @throws APIStatusError, among others with the codes `header_not_allowed`, `url_not_allowed`.
   *
   * @example
   * await client.endpoints.update("my-app", endpointId, {
   *   "events": [
   *     "invoice.paid",
   *     "order.*"
   *   ],
   *   "headers": {
   *     "X-Api-Key": null
   *   }
   * });
   */
  update(
    appSlug: string,
    endpointId: string,
    body: EndpointUpdate,
    options?: CallOptions,
  ): ApiPromise<Endpoint> {
    return this.#core.call(
      {
        id: "endpoints.update",
        method: "PATCH",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        body,
        result: "Endpoint",
      },
      options,
    );
  }

  /**
   * Enable an endpoint.
   *
   * Also after an automatic disable. Resets its health and releases what was held, or cancels it
   * with `release: false`, in several transactions: a request that fails may have cancelled a
   * part, and a repetition goes on. Of more than 50,000 held one cancels about so many, answers
   * 503 `unavailable` and leaves the endpoint disabled.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   *
   * @example
   * await client.endpoints.enable("my-app", endpointId, {
   *   "release": true
   * });
   */
  enable(
    appSlug: string,
    endpointId: string,
    body?: EndpointEnable,
    options?: PostOptions,
  ): ApiPromise<Endpoint> {
    return this.#core.call(
      {
        id: "endpoints.enable",
        method: "POST",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/enable",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        body,
        idempotent: true,
        result: "Endpoint",
      },
      options,
    );
  }

  /**
   * Disable an endpoint.
   *
   * New and pending deliveries are held until it is enabled. Disabling a disabled endpoint
   * changes nothing.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   */
  disable(appSlug: string, endpointId: string, options?: PostOptions): ApiPromise<Endpoint> {
    return this.#core.call(
      {
        id: "endpoints.disable",
        method: "POST",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/disable",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        idempotent: true,
        result: "Endpoint",
      },
      options,
    );
  }

  /**
   * Send a test event.
   *
   * Sends one real, signed request now and answers with what came of it. It counts in neither
   * health nor analytics, and is not retried. The endpoint's `transformation` applies, its
   * `events` and `filter_rules` do not.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   *
   * @example
   * await client.endpoints.test("my-app", endpointId, {
   *   "event_name": "invoice.paid",
   *   "payload": {
   *     "id": "inv_123",
   *     "total": 4900
   *   }
   * });
   */
  test(
    appSlug: string,
    endpointId: string,
    body?: EndpointTest,
    options?: PostOptions,
  ): ApiPromise<EndpointTestResult> {
    return this.#core.call(
      {
        id: "endpoints.test",
        method: "POST",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/test",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        body,
        idempotent: true,
        result: "EndpointTestResult",
      },
      options,
    );
  }

  /**
   * Rotate an endpoint's signing secret.
   *
   * Makes a new secret of the endpoint's own, for its `signing.scheme`. Its old ones sign beside
   * it until the overlap ends; `overlap_seconds: 0` ends them at once. An attempt that is just
   * being made ready may still be signed as before, up to 10 seconds after the answer. While
   * `signing.source` is `app` neither signs: rotate the app's with `apps.rotate_secret`.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   *
   * @example
   * await client.endpoints.rotateSecret("my-app", endpointId, {
   *   "overlap_seconds": 86400
   * });
   */
  rotateSecret(
    appSlug: string,
    endpointId: string,
    body?: RotateSecret,
    options?: PostOptions,
  ): ApiPromise<SecretRotated> {
    return this.#core.call(
      {
        id: "endpoints.rotate_secret",
        method: "POST",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/rotate-secret",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        body,
        idempotent: true,
        result: "SecretRotated",
      },
      options,
    );
  }

  /**
   * Count an endpoint's deliveries.
   *
   * What became of the endpoint's deliveries and attempts in the last hour, day, week or 30
   * days. See `AnalyticsStats` for what is counted.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   */
  stats(
    appSlug: string,
    endpointId: string,
    query?: EndpointsStatsData["query"],
    options?: CallOptions,
  ): ApiPromise<AnalyticsStats> {
    return this.#core.call(
      {
        id: "endpoints.stats",
        method: "GET",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/stats",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        query,
        result: "AnalyticsStats",
      },
      options,
    );
  }

  /**
   * Get an endpoint's public key.
   *
   * What its receiver needs to verify signatures of scheme `v1a`; of the app's key while
   * `signing.source` is `app`. 404 while `signing.scheme` is `v1`, whose secret nobody may read.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   */
  getSecretPublicKey(
    appSlug: string,
    endpointId: string,
    options?: CallOptions,
  ): ApiPromise<SecretPublicKey> {
    return this.#core.call(
      {
        id: "endpoints.get_secret_public_key",
        method: "GET",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/public-key",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        result: "SecretPublicKey",
      },
      options,
    );
  }

  /**
   * List an endpoint's deliveries.
   *
   * Newest first; the same rows as `deliveries.list` with `endpoint_id`.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param endpointId The endpoint's id.
   */
  listDeliveries(
    appSlug: string,
    endpointId: string,
    query?: EndpointsListDeliveriesData["query"],
    options?: CallOptions,
  ): PagePromise<Delivery> {
    return this.#core.list(
      {
        id: "endpoints.list_deliveries",
        method: "GET",
        path: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/deliveries",
        params: { app_slug: appSlug, endpoint_id: endpointId },
        query,
        result: "Delivery",
      },
      options,
    );
  }
}

/**
 * Publish events.
 */
export class Trigger {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Publish an event.
   *
   * Answers 202 only after one transaction holds the message and all of its deliveries: from
   * then on it is delivered or visibly finished. With an `Idempotency-Key`, a repeat while the
   * first is still running waits for it and answers the same. The schema of the event's type
   * judges the payload as it was received: 422 `payload_schema_mismatch` points at what breaks
   * it. While the app's `event_type_policy` is `registered`, a name that is not in the
   * catalogue, or archived there, is 422 `unknown_event_type`.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @throws APIStatusError, among others with the codes `app_inactive`, `unknown_endpoint`,
   * `unknown_event_type`, `payload_schema_mismatch`, `not_schedulable`.
   *
   * @example
   * await client.trigger.send("my-app", {
   *   "event_name": "invoice.paid",
   *   "payload": {
   *     "id": "inv_123",
   *     "total": 4900
   *   },
   *   "event_id": "inv_123",
   *   "tags": [
   *     "priority"
   *   ]
   * });
   */
  send(appSlug: string, body: TriggerSend, options?: PostOptions): ApiPromise<TriggerAccepted> {
    return this.#core.call(
      {
        id: "trigger.send",
        method: "POST",
        path: "/v1/apps/{app_slug}/trigger",
        params: { app_slug: appSlug },
        body,
        idempotent: true,
        result: "TriggerAccepted",
      },
      options,
    );
  }

  /**
   * Publish many events.
   *
   * Each event is judged and stored by itself, as by `trigger.send`: one that is refused does
   * not keep the others out, and `results` says for each what became of it. What breaks the
   * contract's form is a 400 for the whole, and nothing is published. The body has at most 5
   * MiB. Against the app's rate the batch counts as its number of events; it is taken whole
   * while the window has room for one.
   * One `Idempotency-Key` stands for the whole batch. When the server could not finish it (503),
   * a repeat with the same key publishes what is missing and nothing twice.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @throws APIStatusError, among others with the codes `app_inactive`.
   *
   * @example
   * await client.trigger.sendBatch("my-app", {
   *   "events": [
   *     {
   *       "event_name": "invoice.paid",
   *       "payload": {
   *         "id": "inv_123",
   *         "total": 4900
   *       }
   *     },
   *     {
   *       "event_name": "invoice.paid",
   *       "payload": {
   *         "id": "inv_124",
   *         "total": 100
   *       },
   *       "endpoint_ids": [
   *         "ep_unknown"
   *       ]
   *     }
   *   ]
   * });
   */
  sendBatch(
    appSlug: string,
    body: TriggerBatch,
    options?: PostOptions,
  ): ApiPromise<TriggerBatchResult> {
    return this.#core.call(
      {
        id: "trigger.send_batch",
        method: "POST",
        path: "/v1/apps/{app_slug}/trigger/batch",
        params: { app_slug: appSlug },
        body,
        idempotent: true,
        result: "TriggerBatchResult",
      },
      options,
    );
  }
}

/**
 * Events that were accepted.
 */
export class Messages {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * List messages.
   *
   * Newest first, without payloads. The app slug `-` lists those of every app that the key may
   * see, deleted ones included.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  list(
    appSlug: string,
    query?: MessagesListData["query"],
    options?: CallOptions,
  ): PagePromise<Message> {
    return this.#core.list(
      {
        id: "messages.list",
        method: "GET",
        path: "/v1/apps/{app_slug}/messages",
        params: { app_slug: appSlug },
        query,
        result: "Message",
      },
      options,
    );
  }

  /**
   * Get a message.
   *
   * With its payload and its deliveries.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param messageId The message's id.
   */
  get(appSlug: string, messageId: string, options?: CallOptions): ApiPromise<MessageDetail> {
    return this.#core.call(
      {
        id: "messages.get",
        method: "GET",
        path: "/v1/apps/{app_slug}/messages/{message_id}",
        params: { app_slug: appSlug, message_id: messageId },
        result: "MessageDetail",
      },
      options,
    );
  }

  /**
   * Cancel a message.
   *
   * Its waiting deliveries become `cancelled` (`user`); those that are being sent finish that
   * attempt and none follows. What has ended stays as it is.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param messageId The message's id.
   */
  cancel(appSlug: string, messageId: string, options?: PostOptions): ApiPromise<MessageCancelled> {
    return this.#core.call(
      {
        id: "messages.cancel",
        method: "POST",
        path: "/v1/apps/{app_slug}/messages/{message_id}/cancel",
        params: { app_slug: appSlug, message_id: messageId },
        idempotent: true,
        result: "MessageCancelled",
      },
      options,
    );
  }

  /**
   * Erase a message's payload.
   *
   * The payload is erased for good; the message, its deliveries and their attempts stay. Waiting
   * deliveries are cancelled as by `messages.cancel`. Nothing of it can be retried or replayed
   * any more (409 `payload_expunged`). A second time changes nothing.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param messageId The message's id.
   */
  expunge(appSlug: string, messageId: string, options?: PostOptions): ApiPromise<Message> {
    return this.#core.call(
      {
        id: "messages.expunge",
        method: "POST",
        path: "/v1/apps/{app_slug}/messages/{message_id}/expunge",
        params: { app_slug: appSlug, message_id: messageId },
        idempotent: true,
        result: "Message",
      },
      options,
    );
  }
}

/**
 * One message to one endpoint.
 */
export class Deliveries {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * List deliveries.
   *
   * Newest first. The app slug `-` lists those of every app that the key may see, deleted ones
   * included.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  list(
    appSlug: string,
    query?: DeliveriesListData["query"],
    options?: CallOptions,
  ): PagePromise<Delivery> {
    return this.#core.list(
      {
        id: "deliveries.list",
        method: "GET",
        path: "/v1/apps/{app_slug}/deliveries",
        params: { app_slug: appSlug },
        query,
        result: "Delivery",
      },
      options,
    );
  }

  /**
   * Get a delivery.
   *
   * Its present state.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param deliveryId The delivery's id.
   */
  get(appSlug: string, deliveryId: string, options?: CallOptions): ApiPromise<Delivery> {
    return this.#core.call(
      {
        id: "deliveries.get",
        method: "GET",
        path: "/v1/apps/{app_slug}/deliveries/{delivery_id}",
        params: { app_slug: appSlug, delivery_id: deliveryId },
        result: "Delivery",
      },
      options,
    );
  }

  /**
   * List a delivery's attempts.
   *
   * Newest first, each with the endpoint's answer.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param deliveryId The delivery's id.
   */
  listAttempts(
    appSlug: string,
    deliveryId: string,
    query?: DeliveriesListAttemptsData["query"],
    options?: CallOptions,
  ): PagePromise<Attempt> {
    return this.#core.list(
      {
        id: "deliveries.list_attempts",
        method: "GET",
        path: "/v1/apps/{app_slug}/deliveries/{delivery_id}/attempts",
        params: { app_slug: appSlug, delivery_id: deliveryId },
        query,
        result: "Attempt",
      },
      options,
    );
  }

  /**
   * Retry a delivery.
   *
   * Sends a `failed` or `dead_letter` delivery again: at once, and then on a fresh schedule.
   * Attempt numbers go on; `webhook-id` stays the same. It waits for no order of an
   * `ordering_key`, and none for it. Any other state, and a message past its `expires_at`, is
   * 409 `delivery_not_retryable`.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param deliveryId The delivery's id.
   * @throws APIStatusError, among others with the codes `delivery_not_retryable`,
   * `endpoint_deleted`, `payload_expunged`.
   */
  retry(appSlug: string, deliveryId: string, options?: PostOptions): ApiPromise<Delivery> {
    return this.#core.call(
      {
        id: "deliveries.retry",
        method: "POST",
        path: "/v1/apps/{app_slug}/deliveries/{delivery_id}/retry",
        params: { app_slug: appSlug, delivery_id: deliveryId },
        idempotent: true,
        result: "Delivery",
      },
      options,
    );
  }

  /**
   * Cancel a delivery.
   *
   * A `pending` or `held` delivery becomes `cancelled` (`user`). One that is `sending` finishes
   * that attempt and none follows: until then it shows `cancel_reason`; it ends as `delivered`,
   * `failed` or `dead_letter` if the attempt decides so, else as `cancelled`. What has ended
   * stays as it is: the answer tells how.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param deliveryId The delivery's id.
   */
  cancel(appSlug: string, deliveryId: string, options?: PostOptions): ApiPromise<Delivery> {
    return this.#core.call(
      {
        id: "deliveries.cancel",
        method: "POST",
        path: "/v1/apps/{app_slug}/deliveries/{delivery_id}/cancel",
        params: { app_slug: appSlug, delivery_id: deliveryId },
        idempotent: true,
        result: "Delivery",
      },
      options,
    );
  }

  /**
   * Replay a delivery.
   *
   * Sends a delivery that has ended, however it ended, once more: a new delivery of the same
   * message to the same endpoint, with the same `webhook-id`, at once and on a fresh schedule.
   * Neither `expires_at` nor the order of an `ordering_key` binds it. To a disabled endpoint it
   * is held. While a delivery has not ended: 409 `delivery_not_replayable`.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param deliveryId The delivery's id.
   * @throws APIStatusError, among others with the codes `delivery_not_replayable`,
   * `endpoint_deleted`, `payload_expunged`.
   */
  replay(appSlug: string, deliveryId: string, options?: PostOptions): ApiPromise<Delivery> {
    return this.#core.call(
      {
        id: "deliveries.replay",
        method: "POST",
        path: "/v1/apps/{app_slug}/deliveries/{delivery_id}/replay",
        params: { app_slug: appSlug, delivery_id: deliveryId },
        idempotent: true,
        result: "Delivery",
      },
      options,
    );
  }

  /**
   * List replay tasks.
   *
   * Newest first.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  listReplays(
    appSlug: string,
    query?: DeliveriesListReplaysData["query"],
    options?: CallOptions,
  ): PagePromise<ReplayTask> {
    return this.#core.list(
      {
        id: "deliveries.list_replays",
        method: "GET",
        path: "/v1/apps/{app_slug}/replays",
        params: { app_slug: appSlug },
        query,
        result: "ReplayTask",
      },
      options,
    );
  }

  /**
   * Replay many deliveries.
   *
   * Makes a task that replays deliveries one after the other, oldest first, each as
   * `deliveries.replay` does: either those that `delivery_ids` names, or those made from `after`
   * to before `before` (at most 31 days, default now) that fit `statuses`, `event_name` and
   * `endpoint_id`, at most `max_count`. What cannot be replayed when its turn comes is skipped
   * and counted: its endpoint was deleted, its payload erased, or it has not ended. At most 3
   * tasks of an app are queued or running (409 `too_many_replays`).
   * A range is counted at once. For that at most 1,000,000 of its deliveries are looked at: of
   * all when `statuses` holds `delivered` or `cancelled`, else of those that failed or are dead
   * letters. A range in which so many do not suffice to find `max_count` is 400
   * `validation_error`.
   * With `dry_run` nothing is made: the answer tells how many deliveries fit.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @throws APIStatusError, among others with the codes `too_many_replays`.
   *
   * @example
   * await client.deliveries.createReplay("my-app", {
   *   "delivery_ids": [
   *     "del_01K9ZQ8C5DQ2R4S6T8V0W1X3Y5"
   *   ]
   * });
   */
  createReplay(appSlug: string, body: ReplayCreate, options?: PostOptions): ApiPromise<ReplayTask> {
    return this.#core.call(
      {
        id: "deliveries.create_replay",
        method: "POST",
        path: "/v1/apps/{app_slug}/replays",
        params: { app_slug: appSlug },
        body,
        idempotent: true,
        result: "ReplayTask",
      },
      options,
    );
  }

  /**
   * Get a replay task.
   *
   * Its progress.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param replayId The replay task's id.
   */
  getReplay(appSlug: string, replayId: string, options?: CallOptions): ApiPromise<ReplayTask> {
    return this.#core.call(
      {
        id: "deliveries.get_replay",
        method: "GET",
        path: "/v1/apps/{app_slug}/replays/{replay_id}",
        params: { app_slug: appSlug, replay_id: replayId },
        result: "ReplayTask",
      },
      options,
    );
  }

  /**
   * Cancel a replay task.
   *
   * Nothing more is replayed; what was replayed already goes on. A task that has ended stays as
   * it is.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   * @param replayId The replay task's id.
   */
  cancelReplay(appSlug: string, replayId: string, options?: PostOptions): ApiPromise<ReplayTask> {
    return this.#core.call(
      {
        id: "deliveries.cancel_replay",
        method: "POST",
        path: "/v1/apps/{app_slug}/replays/{replay_id}/cancel",
        params: { app_slug: appSlug, replay_id: replayId },
        idempotent: true,
        result: "ReplayTask",
      },
      options,
    );
  }
}

/**
 * Keys of the account.
 */
export class ApiKeys {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * List API keys.
   *
   * The account's keys of the caller's environment, newest first. Needs a key that is not bound
   * to an app.
   */
  list(query?: ApiKeysListData["query"], options?: CallOptions): PagePromise<ApiKey> {
    return this.#core.list(
      { id: "api_keys.list", method: "GET", path: "/v1/api-keys", query, result: "ApiKey" },
      options,
    );
  }

  /**
   * Create an API key.
   *
   * Its text is shown once. Without `environment` it gets the caller's; a test key cannot create
   * a live one (403). Needs a key that is not bound to an app.
   *
   * @throws APIStatusError, among others with the codes `unknown_app`.
   *
   * @example
   * await client.apiKeys.create({
   *   "name": "ci-deployment",
   *   "scopes": [
   *     "read",
   *     "trigger"
   *   ]
   * });
   */
  create(body: ApiKeyCreate, options?: PostOptions): ApiPromise<ApiKeyCreated> {
    return this.#core.call(
      {
        id: "api_keys.create",
        method: "POST",
        path: "/v1/api-keys",
        body,
        idempotent: true,
        result: "ApiKeyCreated",
      },
      options,
    );
  }

  /**
   * Rotate an API key.
   *
   * Makes a new text for the same key, shown once. The old text ends at once, or after
   * `overlap_seconds`. Needs a key that is not bound to an app.
   *
   * @param keyId The key's id.
   *
   * @example
   * await client.apiKeys.rotate(keyId, {
   *   "overlap_seconds": 3600
   * });
   */
  rotate(keyId: string, body?: ApiKeyRotate, options?: PostOptions): ApiPromise<ApiKeyRotated> {
    return this.#core.call(
      {
        id: "api_keys.rotate",
        method: "POST",
        path: "/v1/api-keys/{key_id}/rotate",
        params: { key_id: keyId },
        body,
        idempotent: true,
        result: "ApiKeyRotated",
      },
      options,
    );
  }

  /**
   * Revoke an API key.
   *
   * It is refused from the next request on. Needs a key that is not bound to an app.
   *
   * @param keyId The key's id.
   */
  delete(keyId: string, options?: CallOptions): ApiPromise<void> {
    return this.#core.call(
      {
        id: "api_keys.delete",
        method: "DELETE",
        path: "/v1/api-keys/{key_id}",
        params: { key_id: keyId },
      },
      options,
    );
  }
}

/**
 * Reshape payloads on their way to an endpoint.
 */
export class Transformations {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Try a transformation.
   *
   * Answers with what an endpoint with this transformation would receive as `data`; nothing is
   * sent or stored. Where a delivery would fail with `transformation_error`, the answer is 422
   * `transformation_failed`.
   *
   * @throws APIStatusError, among others with the codes `transformation_failed`.
   *
   * @example
   * await client.transformations.preview({
   *   "transformation": {
   *     "mappings": [
   *       {
   *         "from": "payload.data.amount",
   *         "to": "amount"
   *       },
   *       {
   *         "from": "payload.data.currency",
   *         "to": "currency"
   *       },
   *       {
   *         "from": "payload.event",
   *         "to": "type"
   *       }
   *     ]
   *   },
   *   "payload": {
   *     "event": "payment.completed",
   *     "data": {
   *       "amount": 4999,
   *       "currency": "usd"
   *     }
   *   }
   * });
   */
  preview(body: TransformationPreview, options?: PostOptions): ApiPromise<TransformationPreviewed> {
    return this.#core.call(
      {
        id: "transformations.preview",
        method: "POST",
        path: "/v1/transformations/preview",
        body,
        idempotent: true,
        result: "TransformationPreviewed",
      },
      options,
    );
  }
}

/**
 * Counts of messages, deliveries and attempts.
 */
export class Analytics {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Count the last 30 days.
   *
   * The app at a glance. See `AnalyticsStats` for what is counted.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  stats(appSlug: string, options?: CallOptions): ApiPromise<AnalyticsStats> {
    return this.#core.call(
      {
        id: "analytics.stats",
        method: "GET",
        path: "/v1/apps/{app_slug}/analytics/stats",
        params: { app_slug: appSlug },
        result: "AnalyticsStats",
      },
      options,
    );
  }

  /**
   * Sum up a time.
   *
   * The counts of a time, its most frequent events and busiest endpoints, and why attempts
   * failed.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  summary(
    appSlug: string,
    query?: AnalyticsSummaryData["query"],
    options?: CallOptions,
  ): ApiPromise<AnalyticsSummary> {
    return this.#core.call(
      {
        id: "analytics.summary",
        method: "GET",
        path: "/v1/apps/{app_slug}/analytics/summary",
        params: { app_slug: appSlug },
        query,
        result: "AnalyticsSummary",
      },
      options,
    );
  }

  /**
   * Count interval by interval.
   *
   * The counts of each interval of a time, oldest first; intervals in which nothing happened are
   * there too, with zeros.
   *
   * The time begins and ends with whole intervals: days begin at midnight UTC, weeks on Monday.
   * More than 1000 intervals, or ones finer than what is still kept of that time, are a 400.
   *
   * @param appSlug The app's slug. `-` means, on lists and wherever messages and deliveries are
   * read or steered, every app that the key may see; with a key bound to an app, that app on
   * every operation.
   */
  timeseries(
    appSlug: string,
    query?: AnalyticsTimeseriesData["query"],
    options?: CallOptions,
  ): ApiPromise<AnalyticsTimeseries> {
    return this.#core.call(
      {
        id: "analytics.timeseries",
        method: "GET",
        path: "/v1/apps/{app_slug}/analytics/timeseries",
        params: { app_slug: appSlug },
        query,
        result: "AnalyticsTimeseries",
      },
      options,
    );
  }

  /**
   * Show the last 24 hours of all apps.
   *
   * The counts of the last 24 hours over all apps that the key may see, deleted ones included,
   * and how endpoints and the queue are now.
   */
  overview(options?: CallOptions): ApiPromise<AnalyticsOverview> {
    return this.#core.call(
      {
        id: "analytics.overview",
        method: "GET",
        path: "/v1/analytics/overview",
        result: "AnalyticsOverview",
      },
      options,
    );
  }

  /**
   * Count all apps interval by interval.
   *
   * Like `analytics.timeseries`, for all apps that the key may see, deleted ones included. More
   * than 1000 intervals are a 400.
   */
  timeline(
    query?: AnalyticsTimelineData["query"],
    options?: CallOptions,
  ): ApiPromise<AnalyticsTimeseries> {
    return this.#core.call(
      {
        id: "analytics.timeline",
        method: "GET",
        path: "/v1/analytics/timeline",
        query,
        result: "AnalyticsTimeseries",
      },
      options,
    );
  }
}

/** Every namespace of the API. */
export abstract class Namespaces {
  /**
   * A broadcast channel with its endpoints.
   */
  readonly apps: Apps;
  /**
   * The catalogue of an app's events.
   */
  readonly eventTypes: EventTypes;
  /**
   * Where an app's events go.
   */
  readonly endpoints: Endpoints;
  /**
   * Publish events.
   */
  readonly trigger: Trigger;
  /**
   * Events that were accepted.
   */
  readonly messages: Messages;
  /**
   * One message to one endpoint.
   */
  readonly deliveries: Deliveries;
  /**
   * Keys of the account.
   */
  readonly apiKeys: ApiKeys;
  /**
   * Reshape payloads on their way to an endpoint.
   */
  readonly transformations: Transformations;
  /**
   * Counts of messages, deliveries and attempts.
   */
  readonly analytics: Analytics;

  constructor(core: Core) {
    this.apps = new Apps(core);
    this.eventTypes = new EventTypes(core);
    this.endpoints = new Endpoints(core);
    this.trigger = new Trigger(core);
    this.messages = new Messages(core);
    this.deliveries = new Deliveries(core);
    this.apiKeys = new ApiKeys(core);
    this.transformations = new Transformations(core);
    this.analytics = new Analytics(core);
  }
}
