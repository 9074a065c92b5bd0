// Generated from openapi.yaml; do not edit. `make generate` rebuilds it.
export type ClientOptions = {
  baseUrl: `${string}://${string}` | (string & {});
};

export type Webhooks =
  | EndpointsWhenFailingWebhookRequest
  | EndpointsWhenDisabledWebhookRequest
  | EndpointsWhenRecoveredWebhookRequest
  | DeliveriesWhenDeadLetterWebhookRequest
  | DeliveriesWhenReplayCompletedWebhookRequest;

/**
 * What went wrong, for programs. The list is closed: a server answers no other code.
 *
 * * `validation_error` (400): A body, parameter, header or cursor breaks the rule that `errors` names, or the HTTP message itself is malformed.
 * * `unauthorized` (401): The `Authorization` header is missing, malformed, or names a key that is unknown, revoked or expired.
 * * `forbidden` (403): The key lacks the operation's scope, or is bound to one app and the operation concerns the account.
 * * `not_found` (404): No such path, or no such resource in this account and environment. What belongs to others reads the same.
 * * `method_not_allowed` (405): `Allow` lists the methods of the path.
 * * `request_timeout` (408): The header or the body did not arrive in time.
 * * `slug_taken` (409): Another app of this account and environment has this slug.
 * * `app_inactive` (409): Events are not accepted while `active` is false.
 * * `delivery_not_retryable` (409): Only `failed` and `dead_letter` deliveries can be retried.
 * * `endpoint_deleted` (409): The delivery's endpoint no longer exists, so nothing can be sent to it.
 * * `idempotency_in_progress` (409): Repeat the request after `Retry-After` seconds.
 * * `event_type_exists` (409): Another event type of this app, perhaps an archived one, has this name.
 * * `delivery_not_replayable` (409): A delivery can be replayed once it has ended; a waiting one is cancelled first.
 * * `payload_expunged` (409): The message's payload was erased, so there is nothing to send.
 * * `too_many_replays` (409): 3 replay tasks of this app are queued or running; wait for one or cancel it.
 * * `too_many_endpoints` (409): An app has 10,000 endpoints at most, the app `_system` 10; delete one that is not needed.
 * * `too_many_event_types` (409): An app has 10,000 event types at most, archived ones included; use one that it has.
 * * `payload_too_large` (413): The body, its payload, metadata, schema, filter rules or filter context exceeds its limit.
 * * `uri_too_long` (414): Request targets are limited to 8 KiB.
 * * `unsupported_media_type` (415): Send `Content-Type: application/json`, in UTF-8.
 * * `url_not_allowed` (422): The URL's form, scheme, port or host breaks the egress policy; `errors` gives the reason.
 * * `header_not_allowed` (422): The header is set by Hookwright itself or belongs to the connection.
 * * `secret_not_valid` (422): Secrets are `whsec_` and the base64 of 24 to 64 bytes, or with scheme `v1a` `whsk_` and the base64 of an ed25519 key.
 * * `unknown_app` (422): `app_slug` names no app of this account and environment.
 * * `unknown_endpoint` (422): `endpoint_ids` names an endpoint that this app does not have.
 * * `idempotency_key_reused` (422): A key stands for one body on one route for 24 hours.
 * * `unknown_event_type` (422): The app takes registered events only, and its catalogue has no event type of this name that is not archived.
 * * `payload_schema_mismatch` (422): The schema of the event type refuses the payload; `errors` points at the value.
 * * `transformation_failed` (422): The transformation cannot be carried out on this payload; `errors` names the mapping.
 * * `not_schedulable` (422): An event with an `ordering_key` goes when its turn comes, so it takes no `deliver_at`.
 * * `rate_limited` (429): Repeat the request after `Retry-After` seconds.
 * * `headers_too_large` (431): At most 100 header fields and 32 KiB in all.
 * * `internal_error` (500): Report it with the request id.
 * * `unavailable` (503): The server is starting, stopping or saturated. Repeat the request after `Retry-After` seconds.
 */
export type ErrorCode =
  | "validation_error"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "request_timeout"
  | "slug_taken"
  | "app_inactive"
  | "delivery_not_retryable"
  | "endpoint_deleted"
  | "idempotency_in_progress"
  | "event_type_exists"
  | "delivery_not_replayable"
  | "payload_expunged"
  | "too_many_replays"
  | "too_many_endpoints"
  | "too_many_event_types"
  | "payload_too_large"
  | "uri_too_long"
  | "unsupported_media_type"
  | "url_not_allowed"
  | "header_not_allowed"
  | "secret_not_valid"
  | "unknown_app"
  | "unknown_endpoint"
  | "idempotency_key_reused"
  | "unknown_event_type"
  | "payload_schema_mismatch"
  | "transformation_failed"
  | "not_schedulable"
  | "rate_limited"
  | "headers_too_large"
  | "internal_error"
  | "unavailable";

/**
 * One value that breaks a rule.
 */
export type FieldError = {
  /**
   * Where: a JSON pointer into the body, or `query/limit`, `path/app_slug`, `header/idempotency-key`.
   */
  pointer: string;
  /**
   * The rule that was broken, e.g. `required`, `maxLength`, `duplicate_key`.
   */
  code: string;
  /**
   * The value, the rule and the next step, in a sentence.
   */
  message: string;
};

/**
 * An error (RFC 9457). Every response that is not 2xx has this body.
 */
export type Problem = {
  /**
   * A URN that ends in the code.
   */
  type: string;
  /**
   * The code's fixed title.
   */
  title: string;
  /**
   * The HTTP status.
   */
  status: number;
  /**
   * What happened this time and what to do next.
   */
  detail: string;
  code: ErrorCode;
  /**
   * Equals the header `X-Request-Id`.
   */
  request_id: string;
  /**
   * The single values that break a rule; often empty.
   */
  errors: Array<FieldError>;
};

/**
 * Live and test are two sealed environments of one account.
 */
export type Environment = "live" | "test";

/**
 * Any JSON object of your own, at most 8 KiB as JSON text.
 */
export type Metadata = {
  [key: string]: unknown;
};

/**
 * Dotted words of letters, digits and underscores, e.g. `invoice.paid`.
 */
export type EventName = string;

/**
 * An event name, a prefix such as `order.*` (every name below `order.`), or `*` for every event.
 */
export type EventPattern = string;

/**
 * A named schedule. Waits are counted from the end of one attempt to the start of the next; jitter makes them only longer.
 *
 * * `default`: 5 s, 30 s, 2 min, 15 min, 1 h, 4 h, 10 h, 24 h, 36 h: 10 attempts over 75 h 17 min 35 s.
 * * `exponential`: 30 s, 1 min, 2 min, 4 min … capped at 1 h: 50 attempts.
 * * `linear`: one minute between attempts: 50 attempts.
 * * `none`: one attempt.
 */
export type RetryPreset = "default" | "exponential" | "linear" | "none";

/**
 * When and how often a failed attempt is repeated. Give `preset` or `delays_seconds`, not both; neither means the preset `default`. Precedence: endpoint, then app, then `default`.
 */
export type RetryPolicy = {
  preset?: RetryPreset;
  /**
   * The waits between attempts, in seconds; fractions are allowed. An empty list means one attempt.
   */
  delays_seconds?: Array<number>;
  /**
   * How many attempts at most. Beyond the list the last wait is repeated. Default: one more than the schedule has waits.
   */
  max_attempts?: number;
  /**
   * Each wait is lengthened by a random part of up to this fraction, never shortened. Default: the preset's; 0.1 with `delays_seconds`.
   */
  jitter?: number;
  /**
   * Whether 4xx answers are retried too (410 never is). Without it a 4xx other than 408, 409, 425 and 429 ends the delivery as `failed`.
   */
  retry_client_errors?: boolean;
};

/**
 * A broadcast channel with its endpoints.
 */
export type App = {
  /**
   * The app's id.
   */
  id: string;
  /**
   * Names the app in every path.
   */
  slug: string;
  /**
   * For people.
   */
  name: string;
  /**
   * For people.
   */
  description: string | null;
  /**
   * Whether the app accepts events.
   */
  active: boolean;
  /**
   * The retry policy of the app's endpoints that have none of their own; null: the preset `default`.
   */
  retry_policy: RetryPolicy | null;
  /**
   * How many messages per second the app may publish; null: the account's limit (100 unless set otherwise).
   */
  rate_limit_per_second: number | null;
  /**
   * For how many days what is over is kept: deliveries with their attempts from their end on, messages from their acceptance on and at least as long as a delivery of theirs is kept. A delivery that has been held for so long is cancelled (`retention`).
   */
  retention_days: number;
  metadata: Metadata;
  /**
   * When it was created.
   */
  created_at: string;
  /**
   * When it was last changed.
   */
  updated_at: string;
  event_type_policy: EventTypePolicy;
};

/**
 * An app with the secret that is shown once.
 */
export type AppCreated = App & {
  /**
   * The secret that signs for this app, shown in full only here. `whsec_` and the base64 of 32 random bytes.
   */
  signing_secret: string;
};

/**
 * An app that exists now, and whether this request created it.
 */
export type AppProvisioned = App & {
  /**
   * Whether this request created the app.
   */
  created: boolean;
  /**
   * The app's signing secret when this request created it, else null.
   */
  signing_secret: string | null;
};

/**
 * A new app.
 */
export type AppCreate = {
  /**
   * For people.
   */
  name: string;
  /**
   * Names the app in every path. Omitted: made from the name.
   */
  slug?: string;
  /**
   * For people.
   */
  description?: string | null;
  /**
   * The retry policy of the app's endpoints that have none of their own; null: the preset `default`.
   */
  retry_policy?: RetryPolicy | null;
  /**
   * How many messages per second the app may publish; null: the account's limit (100 unless set otherwise).
   */
  rate_limit_per_second?: number | null;
  /**
   * For how many days what is over is kept: deliveries with their attempts from their end on, messages from their acceptance on and at least as long as a delivery of theirs is kept. A delivery that has been held for so long is cancelled (`retention`).
   */
  retention_days?: number;
  metadata?: Metadata;
  /**
   * Whether the app accepts events.
   */
  active?: boolean;
  event_type_policy?: EventTypePolicy;
};

/**
 * The app to create if the slug is free. An app that exists is returned as it is.
 */
export type AppProvision = {
  /**
   * For people. Omitted: the slug.
   */
  name?: string;
  /**
   * For people.
   */
  description?: string | null;
  /**
   * The retry policy of the app's endpoints that have none of their own; null: the preset `default`.
   */
  retry_policy?: RetryPolicy | null;
  /**
   * How many messages per second the app may publish; null: the account's limit (100 unless set otherwise).
   */
  rate_limit_per_second?: number | null;
  /**
   * For how many days what is over is kept: deliveries with their attempts from their end on, messages from their acceptance on and at least as long as a delivery of theirs is kept. A delivery that has been held for so long is cancelled (`retention`).
   */
  retention_days?: number;
  metadata?: Metadata;
  event_type_policy?: EventTypePolicy;
};

/**
 * A merge patch: absent keeps, null clears. Members of `metadata` are merged (RFC 7396); `retry_policy` is replaced whole.
 */
export type AppUpdate = {
  /**
   * For people.
   */
  name?: string;
  /**
   * For people.
   */
  description?: string | null;
  /**
   * The retry policy of the app's endpoints that have none of their own; null: the preset `default`.
   */
  retry_policy?: RetryPolicy | null;
  /**
   * How many messages per second the app may publish; null: the account's limit (100 unless set otherwise).
   */
  rate_limit_per_second?: number | null;
  /**
   * For how many days what is over is kept: deliveries with their attempts from their end on, messages from their acceptance on and at least as long as a delivery of theirs is kept. A delivery that has been held for so long is cancelled (`retention`).
   */
  retention_days?: number;
  metadata?: Metadata;
  /**
   * Whether the app accepts events.
   */
  active?: boolean;
  event_type_policy?: EventTypePolicy;
};

/**
 * Which events the app takes: `open` any name, `registered` only those of its event types that are not archived (else 422 `unknown_event_type`). Under both the schema of an event type judges its payloads.
 */
export type EventTypePolicy = "open" | "registered";

/**
 * A JSON Schema of draft 2020-12, at most 32 KiB as JSON text. It stands alone: a reference begins with `#`, `$id` stands at the top only, and a reference that leads back without going deeper into the value is refused. `format` is asserted. Patterns are matched in linear time, without look-around and back-references. At most 1,000 subschemas, 100 patterns (each at most 256 KiB when compiled), and 1,000 looks at one value: so many subschemas may be asked about it, each as often as references lead to it. What is wrong with a schema is a 400. Judging a payload has a bounded cost: a schema with long lists of fractional numbers or objects in `enum`, or with many nested repetitions in a pattern, is a 400 too, and a payload that is too large for what its schema asks of each value is a 413 `payload_too_large` that names the largest size.
 */
export type EventSchema = {
  [key: string]: unknown;
};

/**
 * Any JSON object of at most 32 KiB as JSON text.
 */
export type ExamplePayload = {
  [key: string]: unknown;
};

/**
 * An event in the catalogue of an app.
 */
export type EventType = {
  /**
   * The event type's id.
   */
  id: string;
  /**
   * The app whose catalogue it is in.
   */
  app_slug: string;
  name: EventName;
  /**
   * For people.
   */
  description: string | null;
  /**
   * A heading to show it under, for people.
   */
  group: string | null;
  /**
   * What the payload must be; null: any object.
   */
  schema: EventSchema | null;
  /**
   * A payload that the schema takes.
   */
  example_payload: ExamplePayload | null;
  /**
   * Whether it is out of the catalogue. The schema of an archived event type judges nothing.
   */
  archived: boolean;
  /**
   * When it was created.
   */
  created_at: string;
  /**
   * When it was last changed.
   */
  updated_at: string;
};

/**
 * A new event type.
 */
export type EventTypeCreate = {
  name: EventName;
  /**
   * For people.
   */
  description?: string | null;
  /**
   * A heading to show it under, for people.
   */
  group?: string | null;
  /**
   * What the payload must be; null: any object.
   */
  schema?: EventSchema | null;
  /**
   * A payload that the schema takes.
   */
  example_payload?: ExamplePayload | null;
};

/**
 * A merge patch: absent keeps, null clears. `schema` and `example_payload` are replaced whole.
 */
export type EventTypeUpdate = {
  /**
   * For people.
   */
  description?: string | null;
  /**
   * A heading to show it under, for people.
   */
  group?: string | null;
  /**
   * What the payload must be; null: any object.
   */
  schema?: EventSchema | null;
  /**
   * A payload that the schema takes.
   */
  example_payload?: ExamplePayload | null;
  /**
   * Whether it is out of the catalogue. The schema of an archived event type judges nothing.
   */
  archived?: boolean;
};

/**
 * How to rotate a secret.
 */
export type RotateSecret = {
  /**
   * For so long the old secret signs beside the new one; 0 ends it at once. No more than the 10 newest secrets of one owner sign; a further rotation ends the oldest at once.
   */
  overlap_seconds?: number;
};

/**
 * How to rotate a secret of an app, and which.
 */
export type AppRotateSecret = {
  /**
   * For so long the old secret signs beside the new one; 0 ends it at once. No more than the 10 newest secrets of one owner sign; a further rotation ends the oldest at once.
   */
  overlap_seconds?: number;
  scheme?: SigningScheme;
};

/**
 * A public key whose private key was rotated away and still signs.
 */
export type RetiringPublicKey = {
  /**
   * `whpk_` and the base64 of the 32 bytes of an ed25519 public key.
   */
  public_key: string;
  /**
   * Until when its private key signs too.
   */
  valid_until: string;
};

/**
 * What a receiver needs to verify signatures of scheme `v1a`.
 */
export type SecretPublicKey = {
  /**
   * `whpk_` and the base64 of the 32 bytes of the ed25519 public key that belongs to the current private key.
   */
  public_key: string;
  /**
   * Keys that still sign beside the current one, newest first; a receiver needs one of them all.
   */
  retiring: Array<RetiringPublicKey>;
};

/**
 * The new secret, shown once.
 */
export type SecretRotated = {
  /**
   * The new secret.
   */
  signing_secret: string;
  /**
   * Until when the old secret signs too; null when it ended at once.
   */
  previous_valid_until: string | null;
};

/**
 * Whose secret signs: the endpoint's own or its app's.
 */
export type SigningSource = "endpoint" | "app";

/**
 * The scheme of Standard Webhooks: `v1` is HMAC-SHA256 with a secret that both sides know (`whsec_…`), `v1a` is ed25519: the private key (`whsk_…`) signs, and the receiver needs the public one alone (`whpk_…`, see `endpoints.get_secret_public_key`).
 */
export type SigningScheme = "v1" | "v1a";

/**
 * How deliveries to this endpoint are signed. Switching the source or the scheme keeps the secrets of before signing for 24 hours.
 */
export type EndpointSigning = {
  source: SigningSource;
  scheme: SigningScheme;
};

/**
 * How deliveries to this endpoint are signed.
 */
export type EndpointSigningCreate = {
  source?: SigningSource;
  /**
   * A secret of your own instead of a random one. Scheme `v1`: `whsec_` and the base64 of 24 to 64 bytes. Scheme `v1a`: `whsk_` and the base64 of an ed25519 private key (32 bytes), alone or followed by its public key (64 bytes).
   */
  secret?: string;
  scheme?: SigningScheme;
};

/**
 * Whose secret signs from now on, and by which scheme; what is absent stays. Who has no secret of that scheme yet gets a random one, which only a rotation shows.
 */
export type EndpointSigningUpdate = {
  source?: SigningSource;
  scheme?: SigningScheme;
};

/**
 * `degraded` after 1 failed attempt in a row, `failing` after 5; both are labels and stop nothing. `disabled`: the endpoint is not active.
 */
export type HealthState = "healthy" | "degraded" | "failing" | "disabled";

/**
 * How the endpoint's deliveries have gone.
 */
export type EndpointHealth = {
  state: HealthState;
  /**
   * Failed attempts in a row.
   */
  consecutive_failures: number;
  /**
   * When the present row of failures began.
   */
  first_failure_at: string | null;
  /**
   * When an attempt last succeeded.
   */
  last_success_at: string | null;
  /**
   * When an attempt last failed.
   */
  last_failure_at: string | null;
};

/**
 * `manual`: by request. `gone`: it answered 410. `failing`: every attempt failed for 5 days, with no more than 48 hours between two of them, or 20 deliveries in a row ended in `dead_letter`.
 */
export type DisabledReason = "manual" | "gone" | "failing";

/**
 * Where an app's events go.
 */
export type Endpoint = {
  /**
   * The endpoint's id.
   */
  id: string;
  /**
   * The app it belongs to.
   */
  app_slug: string;
  /**
   * Where deliveries are posted: an absolute https URL (http only where the server's settings allow it) whose host is public. Otherwise 422 `url_not_allowed`.
   */
  url: string;
  /**
   * For people.
   */
  description: string | null;
  /**
   * Which events it receives.
   */
  events: Array<EventPattern>;
  /**
   * Your own headers; every value reads `***`.
   */
  headers: {
    [key: string]: string;
  };
  metadata: Metadata;
  /**
   * Whether deliveries go out. While it is false they are held, not lost.
   */
  active: boolean;
  /**
   * One deadline for a whole attempt, from name resolution to the last byte of the answer.
   */
  timeout_seconds: number;
  /**
   * The endpoint's own retry policy; null: the app's.
   */
  retry_policy: RetryPolicy | null;
  /**
   * How many deliveries are sent to it at the same time, at most.
   */
  max_concurrency: number;
  /**
   * How many attempts are made in a time, at most; null: no such limit.
   */
  rate_limit: EndpointRateLimit | null;
  signing: EndpointSigning;
  health: EndpointHealth;
  /**
   * When it was disabled.
   */
  disabled_at: string | null;
  /**
   * Why it was disabled.
   */
  disabled_reason: DisabledReason | null;
  /**
   * When it was created.
   */
  created_at: string;
  /**
   * When it was last changed.
   */
  updated_at: string;
  /**
   * Which of the subscribed events it receives, judged when an event is published; null: all.
   */
  filter_rules: FilterRules | null;
  /**
   * What it receives instead of the payload; null: the payload, byte for byte.
   */
  transformation: Transformation | null;
};

/**
 * An endpoint with the secret that is shown once.
 */
export type EndpointCreated = Endpoint & {
  /**
   * The endpoint's own secret, shown in full only here. `whsec_` and the base64 of 32 random bytes; with the scheme `v1a` `whsk_` and the base64 of an ed25519 private key and its public key. It signs while `signing.source` is `endpoint`; with `app` the app's secret signs and this one waits for a switch.
   */
  signing_secret: string;
};

/**
 * A new endpoint.
 */
export type EndpointCreate = {
  /**
   * Where deliveries are posted: an absolute https URL (http only where the server's settings allow it) whose host is public. Otherwise 422 `url_not_allowed`.
   */
  url: string;
  /**
   * For people.
   */
  description?: string | null;
  /**
   * Which events it receives.
   */
  events?: Array<EventPattern>;
  /**
   * Headers of your own on every delivery, at most 20. Values are stored encrypted and read back as `***`. Headers that Hookwright or the connection sets (`host`, `content-*`, `webhook-*`, …) are refused with 422 `header_not_allowed`.
   */
  headers?: {
    [key: string]: string;
  };
  metadata?: Metadata;
  /**
   * Whether deliveries go out at once; false holds them until `endpoints.enable`.
   */
  active?: boolean;
  /**
   * One deadline for a whole attempt, from name resolution to the last byte of the answer.
   */
  timeout_seconds?: number;
  /**
   * The endpoint's own retry policy; null: the app's.
   */
  retry_policy?: RetryPolicy | null;
  /**
   * How many deliveries are sent to it at the same time, at most. An answer 429, 502, 503 or 504 halves that for a while; each success adds one back.
   */
  max_concurrency?: number;
  signing?: EndpointSigningCreate;
  /**
   * Which of the subscribed events it receives, judged when an event is published; null: all.
   */
  filter_rules?: FilterRules | null;
  /**
   * What it receives instead of the payload; null: the payload, byte for byte.
   */
  transformation?: Transformation | null;
  /**
   * How many attempts are made in a time, at most; null: no such limit.
   */
  rate_limit?: EndpointRateLimit | null;
};

/**
 * A merge patch: absent keeps, null clears. Members of `headers` and `metadata` are merged (RFC 7396); `events`, `retry_policy`, `filter_rules`, `transformation` and `rate_limit` are replaced whole.
 */
export type EndpointUpdate = {
  /**
   * Where deliveries are posted: an absolute https URL (http only where the server's settings allow it) whose host is public. Otherwise 422 `url_not_allowed`.
   */
  url?: string;
  /**
   * For people.
   */
  description?: string | null;
  /**
   * Which events it receives.
   */
  events?: Array<EventPattern>;
  /**
   * Headers of your own on every delivery, at most 20. Values are stored encrypted and read back as `***`. Headers that Hookwright or the connection sets (`host`, `content-*`, `webhook-*`, …) are refused with 422 `header_not_allowed`. Members are merged (RFC 7396): absent keeps, null removes; null for the whole map removes all.
   */
  headers?: {
    [key: string]: string | null;
  } | null;
  metadata?: Metadata;
  /**
   * False disables (`manual`), true enables and releases what was held.
   */
  active?: boolean;
  /**
   * One deadline for a whole attempt, from name resolution to the last byte of the answer.
   */
  timeout_seconds?: number;
  /**
   * The endpoint's own retry policy; null: the app's.
   */
  retry_policy?: RetryPolicy | null;
  /**
   * How many deliveries are sent to it at the same time, at most.
   */
  max_concurrency?: number;
  signing?: EndpointSigningUpdate;
  /**
   * Which of the subscribed events it receives, judged when an event is published; null: all.
   */
  filter_rules?: FilterRules | null;
  /**
   * What it receives instead of the payload; null: the payload, byte for byte.
   */
  transformation?: Transformation | null;
  /**
   * How many attempts are made in a time, at most; null: no such limit.
   */
  rate_limit?: EndpointRateLimit | null;
};

/**
 * At most `max_requests` attempts begin in each window of `duration_ms`; a window begins with the first attempt after the one before has ended. What is beyond waits for the next window, which costs it no attempt. `endpoints.test` does not count.
 */
export type EndpointRateLimit = {
  /**
   * How many attempts may begin in a window.
   */
  max_requests: number;
  /**
   * How long a window lasts, in milliseconds.
   */
  duration_ms: number;
};

/**
 * What an endpoint of the app `_system` gets for `endpoint.failing`.
 */
export type EndpointFailingEvent = {
  type: "endpoint.failing";
  /**
   * When it happened.
   */
  timestamp: string;
  data: EndpointFailing;
};

/**
 * An endpoint whose attempts fail.
 */
export type EndpointFailing = {
  /**
   * The app that the endpoint belongs to.
   */
  app_slug: string;
  /**
   * The endpoint.
   */
  endpoint_id: string;
  /**
   * The endpoint's URL.
   */
  url: string;
  /**
   * Failed attempts in a row.
   */
  consecutive_failures: number;
  /**
   * When the row of failures began.
   */
  first_failure_at: string;
  /**
   * Why the last attempt failed.
   */
  last_failure_reason: FailureReason | null;
  /**
   * The status of the last answer.
   */
  last_status_code: number | null;
};

/**
 * What an endpoint of the app `_system` gets for `endpoint.disabled`.
 */
export type EndpointDisabledEvent = {
  type: "endpoint.disabled";
  /**
   * When it happened.
   */
  timestamp: string;
  data: EndpointDisabled;
};

/**
 * An endpoint that was disabled.
 */
export type EndpointDisabled = {
  /**
   * The app that the endpoint belongs to.
   */
  app_slug: string;
  /**
   * The endpoint.
   */
  endpoint_id: string;
  /**
   * The endpoint's URL.
   */
  url: string;
  reason: DisabledReason;
  /**
   * When it was disabled.
   */
  disabled_at: string;
};

/**
 * What an endpoint of the app `_system` gets for `endpoint.recovered`.
 */
export type EndpointRecoveredEvent = {
  type: "endpoint.recovered";
  /**
   * When it happened.
   */
  timestamp: string;
  data: EndpointRecovered;
};

/**
 * An endpoint that was failing and answers again.
 */
export type EndpointRecovered = {
  /**
   * The app that the endpoint belongs to.
   */
  app_slug: string;
  /**
   * The endpoint.
   */
  endpoint_id: string;
  /**
   * The endpoint's URL.
   */
  url: string;
  /**
   * When the row of failures began.
   */
  failing_since: string;
};

/**
 * What an endpoint of the app `_system` gets for `delivery.dead_letter`.
 */
export type DeliveryDeadLetterEvent = {
  type: "delivery.dead_letter";
  /**
   * When it happened.
   */
  timestamp: string;
  data: DeliveryDeadLetter;
};

/**
 * A delivery whose attempts are used up.
 */
export type DeliveryDeadLetter = {
  /**
   * The app that the endpoint belongs to.
   */
  app_slug: string;
  /**
   * The endpoint.
   */
  endpoint_id: string;
  /**
   * The endpoint's URL.
   */
  url: string;
  /**
   * The delivery.
   */
  delivery_id: string;
  /**
   * Its message.
   */
  message_id: string;
  /**
   * The name of the event that was not delivered.
   */
  event_name: string;
  /**
   * How many attempts were made.
   */
  attempt_count: number;
  /**
   * Why the last attempt failed.
   */
  last_failure_reason: FailureReason | null;
  /**
   * The status of the last answer.
   */
  last_status_code: number | null;
};

/**
 * What an endpoint of the app `_system` gets for `replay.completed`.
 */
export type ReplayCompletedEvent = {
  type: "replay.completed";
  /**
   * When it happened.
   */
  timestamp: string;
  data: ReplayCompleted;
};

/**
 * A replay task that is completed.
 */
export type ReplayCompleted = {
  /**
   * The app that the task belongs to.
   */
  app_slug: string;
  /**
   * The task.
   */
  replay_id: string;
  /**
   * How many deliveries fitted when the task was created.
   */
  total_count: number;
  /**
   * How many had their turn.
   */
  processed_count: number;
  /**
   * How many of these were replayed.
   */
  replayed_count: number;
  /**
   * How many of these could not be replayed.
   */
  skipped_count: number;
  /**
   * When the task was created.
   */
  created_at: string;
  /**
   * When work on it began.
   */
  started_at: string;
  /**
   * When the last delivery had its turn.
   */
  completed_at: string;
};

/**
 * How to enable.
 */
export type EndpointEnable = {
  /**
   * Whether held deliveries go out now; false cancels them (`not_released`).
   */
  release?: boolean;
};

/**
 * What to send. Omitted: the event `hookwright.test` with an empty payload.
 */
export type EndpointTest = {
  event_name?: EventName;
  payload?: Payload;
};

/**
 * The event's data: any JSON object of at most 256 KiB. Unless the endpoint transforms it, it is delivered byte for byte as it was received: number precision, key order and escapes survive.
 */
export type Payload = {
  [key: string]: unknown;
};

/**
 * The request that was sent.
 */
export type SentRequest = {
  /**
   * The endpoint's URL.
   */
  url: string;
  /**
   * The headers; values of your own read `***`.
   */
  headers: {
    [key: string]: string;
  };
  /**
   * The body.
   */
  body: string;
};

/**
 * Why an attempt failed. `protocol_error`: the answer was not HTTP, or its header exceeded a limit. `interrupted`: the sender died before the answer was recorded; whether it arrived is unknown, and it does not count against the schedule. `transformation_error`: the endpoint's transformation cannot be carried out on the payload; nothing was sent, and the delivery is `failed`.
 */
export type FailureReason =
  | "timeout"
  | "dns_error"
  | "connect_error"
  | "tls_error"
  | "blocked_address"
  | "connection_reset"
  | "protocol_error"
  | "http_3xx"
  | "http_4xx"
  | "http_5xx"
  | "interrupted"
  | "transformation_error";

/**
 * What came of the test.
 */
export type EndpointTestResult = {
  /**
   * Whether the endpoint answered 2xx.
   */
  success: boolean;
  /**
   * The answer's status.
   */
  status_code: number | null;
  /**
   * From the start of the attempt to the end of the answer.
   */
  latency_ms: number | null;
  /**
   * The first 4 KiB of the answer's body as text; null without an answer. What is no UTF-8, and NUL, reads as U+FFFD.
   */
  response_body: string | null;
  /**
   * Whether the answer's body was longer.
   */
  response_body_truncated: boolean;
  /**
   * Why it failed.
   */
  failure_reason: FailureReason | null;
  /**
   * The request that was sent; null after `transformation_error`, when nothing was.
   */
  request: SentRequest | null;
};

/**
 * An event to publish.
 */
export type TriggerSend = {
  event_name: EventName;
  payload: Payload;
  /**
   * Your own correlation id; messages can be filtered by it. It need not be unique.
   */
  event_id?: string;
  /**
   * Only these endpoints; their subscriptions and filters still apply. An unknown id is 422 `unknown_endpoint`.
   */
  endpoint_ids?: Array<string>;
  filter_context?: FilterContext;
  /**
   * Labels of your own; messages can be filtered by one of them.
   */
  tags?: Array<Tag>;
  /**
   * Not before this instant is anything sent, at most 30 days ahead; in the past it means at once. Accepted is the event now.
   */
  deliver_at?: string;
  /**
   * From this instant on no attempt begins, and what still waits reads `cancelled` (`expired`). It lies in the future and after `deliver_at`.
   */
  expires_at?: string;
  ordering_key?: OrderingKey;
  /**
   * Judge the event and say where it would go, without writing or sending anything.
   */
  dry_run?: boolean;
};

/**
 * Events of one app with the same key go to each endpoint one at a time, in the order in which they were accepted; those of a batch in their order there. The next one waits while one is `pending`, `sending` or `held`, and goes once it is `delivered`, `failed`, `dead_letter` or `cancelled`. Different keys, and events without a key, wait for nothing. With `deliver_at` it is 422 `not_schedulable`.
 */
export type OrderingKey = string;

/**
 * A label of your own, of visible ASCII and spaces.
 */
export type Tag = string;

/**
 * Events to publish.
 */
export type TriggerBatch = {
  /**
   * The events, each as `trigger.send` takes it.
   */
  events: Array<TriggerSend>;
};

/**
 * What became of the events of a batch.
 */
export type TriggerBatchResult = {
  /**
   * How many events the batch had.
   */
  total: number;
  /**
   * How many of them were accepted.
   */
  accepted: number;
  /**
   * How many were refused.
   */
  rejected: number;
  /**
   * How many deliveries were made in all.
   */
  delivery_count: number;
  /**
   * One for each event, in their order.
   */
  results: Array<TriggerBatchItem>;
};

/**
 * What became of one event of a batch.
 */
export type TriggerBatchItem = {
  /**
   * The event's place in the batch, from 0.
   */
  index: number;
  /**
   * Whether it was accepted.
   */
  success: boolean;
  /**
   * The message; null when it was refused. In a dry run it names nothing.
   */
  message_id: string | null;
  /**
   * How many endpoints it goes to.
   */
  endpoint_count: number;
  /**
   * How many endpoints of the app (or of `endpoint_ids`) did not subscribe to it, or filtered it out.
   */
  filtered_count: number;
  /**
   * One delivery for each matching endpoint; none in a dry run.
   */
  delivery_ids: Array<string>;
  /**
   * Why it was refused.
   */
  error: TriggerBatchError | null;
};

/**
 * Why an event of a batch was refused; `trigger.send` would have answered so.
 */
export type TriggerBatchError = {
  code: ErrorCode;
  /**
   * What happened and what to do next.
   */
  detail: string;
  /**
   * The single values that break a rule; often empty. Pointers lead into the body of the batch.
   */
  errors: Array<FieldError>;
};

/**
 * The event is stored with all of its deliveries.
 */
export type TriggerAccepted = {
  /**
   * Equals the header `webhook-id` of every delivery. In a dry run it names nothing.
   */
  message_id: string;
  event_name: EventName;
  /**
   * One delivery for each matching endpoint; none in a dry run.
   */
  delivery_ids: Array<string>;
  /**
   * How many endpoints it goes to.
   */
  endpoint_count: number;
  /**
   * How many endpoints of the app (or of `endpoint_ids`) did not subscribe to it, or filtered it out.
   */
  filtered_count: number;
  /**
   * Whether nothing was written, because the request asked for that.
   */
  dry_run: boolean;
};

/**
 * An event that was accepted.
 */
export type Message = {
  /**
   * The message's id.
   */
  id: string;
  /**
   * The app it was published to.
   */
  app_slug: string;
  event_name: EventName;
  /**
   * Your own correlation id.
   */
  event_id: string | null;
  /**
   * How many endpoints it goes to.
   */
  endpoint_count: number;
  /**
   * How many endpoints did not subscribe to it, or filtered it out.
   */
  filtered_count: number;
  /**
   * When it was accepted.
   */
  created_at: string;
  /**
   * Its labels, as they were given.
   */
  tags: Array<Tag>;
  /**
   * Before this instant nothing was to be sent.
   */
  deliver_at: string | null;
  /**
   * From this instant on no attempt begins.
   */
  expires_at: string | null;
  /**
   * When its payload was erased.
   */
  expunged_at: string | null;
  /**
   * Its deliveries wait for those of earlier events with this key; null without an order.
   */
  ordering_key: OrderingKey | null;
};

/**
 * What became of a message's deliveries when it was cancelled.
 */
export type MessageCancelled = {
  /**
   * The message.
   */
  message_id: string;
  /**
   * How many deliveries waited and are cancelled now.
   */
  cancelled_count: number;
  /**
   * How many were being sent; that attempt finishes, none follows.
   */
  sending_count: number;
};

/**
 * A message with its payload and its deliveries.
 */
export type MessageDetail = Message & {
  /**
   * The event's data as it was received; null once it was erased.
   */
  payload: Payload | null;
  /**
   * Its newest 100 deliveries; `deliveries.list` with `message_id` pages through all.
   */
  deliveries: Array<Delivery>;
};

/**
 * * `pending`: waits for its first or next attempt.
 * * `sending`: an attempt is under way.
 * * `held`: waits while its endpoint is disabled; kept, not lost.
 * * `delivered`: the endpoint answered 2xx.
 * * `failed`: an answer that retrying cannot mend.
 * * `dead_letter`: all attempts were used.
 * * `cancelled`: see `cancel_reason`.
 */
export type DeliveryStatus =
  "pending" | "sending" | "held" | "delivered" | "failed" | "dead_letter" | "cancelled";

/**
 * A delivery status, or `unsuccessful` for `failed` and `dead_letter` together.
 */
export type DeliveryStatusFilter =
  | "pending"
  | "sending"
  | "held"
  | "delivered"
  | "failed"
  | "dead_letter"
  | "cancelled"
  | "unsuccessful";

/**
 * `endpoint_deleted`: its endpoint or app was deleted. `not_released`: the endpoint was enabled with `release: false`. `retention`: it was held for longer than its app keeps what is over. `user`: by request, or its payload was erased. `expired`: it still waited at `expires_at`.
 */
export type CancelReason = "endpoint_deleted" | "not_released" | "retention" | "user" | "expired";

/**
 * One message to one endpoint.
 */
export type Delivery = {
  /**
   * The delivery's id.
   */
  id: string;
  /**
   * The message; equals the header `webhook-id`.
   */
  message_id: string;
  /**
   * The app.
   */
  app_slug: string;
  /**
   * The endpoint.
   */
  endpoint_id: string;
  /**
   * The endpoint's present URL.
   */
  endpoint_url: string;
  event_name: EventName;
  status: DeliveryStatus;
  /**
   * Why it was cancelled; while it is `sending`, why no other attempt will follow.
   */
  cancel_reason: CancelReason | null;
  /**
   * How many attempts were made.
   */
  attempt_count: number;
  /**
   * After how many attempts it becomes `dead_letter`, by the policy of its last attempt (before the first, of its acceptance). Interrupted attempts and those before a retry by hand raise it.
   */
  max_attempts: number;
  /**
   * When the next attempt is due; null when none is planned, as while an earlier delivery with the same `ordering_key` has not ended.
   */
  next_attempt_at: string | null;
  /**
   * The status of the last answer.
   */
  last_status_code: number | null;
  /**
   * Why the last attempt failed.
   */
  last_failure_reason: FailureReason | null;
  /**
   * How long the last attempt took.
   */
  latency_ms: number | null;
  /**
   * When it was accepted.
   */
  created_at: string;
  /**
   * When it ended as delivered, failed, dead_letter or cancelled.
   */
  completed_at: string | null;
  /**
   * The delivery that this one is a replay of.
   */
  replay_of: string | null;
  /**
   * The message's key; null without an order, as of a replay.
   */
  ordering_key: OrderingKey | null;
  /**
   * Its place among the deliveries to this endpoint with this key: one more than that of the one accepted before it; it may begin again at 1 once that one is erased by retention. Null without an order.
   */
  sequence: number | null;
};

/**
 * A status in which a delivery has ended, or `unsuccessful` for `failed` and `dead_letter` together.
 */
export type ReplayableStatus =
  "delivered" | "failed" | "dead_letter" | "cancelled" | "unsuccessful";

/**
 * `queued`: not begun. `running`: under way. `completed`: every delivery had its turn. `cancelled`: by request.
 */
export type ReplayStatus = "queued" | "running" | "completed" | "cancelled";

/**
 * Which deliveries to replay: `delivery_ids` alone, or a range from `after` on.
 */
export type ReplayCreate = {
  /**
   * These deliveries; one that the app does not have is skipped.
   */
  delivery_ids?: Array<string>;
  /**
   * Deliveries made at or after this instant.
   */
  after?: string;
  /**
   * Deliveries made before this instant; default: now.
   */
  before?: string;
  /**
   * Of the range, deliveries in one of these states.
   */
  statuses?: Array<ReplayableStatus>;
  event_name?: EventName;
  /**
   * Of the range, deliveries to this endpoint.
   */
  endpoint_id?: string;
  /**
   * Of the range, at most so many deliveries, the oldest ones.
   */
  max_count?: number;
  /**
   * Only count.
   */
  dry_run?: boolean;
};

/**
 * Deliveries to be replayed, and how far that has come.
 */
export type ReplayTask = {
  /**
   * The task's id. In a dry run it names nothing.
   */
  id: string;
  /**
   * The app.
   */
  app_slug: string;
  status: ReplayStatus;
  /**
   * Whether nothing was made, because the request asked for that.
   */
  dry_run: boolean;
  /**
   * How many deliveries fitted when the task was made.
   */
  total_count: number;
  /**
   * How many have had their turn.
   */
  processed_count: number;
  /**
   * How many were replayed.
   */
  replayed_count: number;
  /**
   * How many could not be replayed.
   */
  skipped_count: number;
  /**
   * When it was made.
   */
  created_at: string;
  /**
   * When it began.
   */
  started_at: string | null;
  /**
   * When it ended.
   */
  completed_at: string | null;
};

/**
 * Whether the endpoint answered 2xx.
 */
export type AttemptStatus = "succeeded" | "failed";

/**
 * One try at a delivery.
 */
export type Attempt = {
  /**
   * The attempt's id.
   */
  id: string;
  /**
   * Counts from 1 and goes on over retries by hand.
   */
  number: number;
  status: AttemptStatus;
  /**
   * Why it failed.
   */
  failure_reason: FailureReason | null;
  /**
   * The answer's status.
   */
  status_code: number | null;
  /**
   * From the start of the attempt to the end of the answer.
   */
  latency_ms: number | null;
  /**
   * The first 4 KiB of the answer's body as text; null without an answer. What is no UTF-8, and NUL, reads as U+FFFD.
   */
  response_body: string | null;
  /**
   * Whether the answer's body was longer.
   */
  response_body_truncated: boolean;
  /**
   * The headers that were sent; values of your own read `***`.
   */
  request_headers: {
    [key: string]: string;
  };
  /**
   * When the attempt began.
   */
  created_at: string;
};

/**
 * `read`: every GET. `write`: changes to apps, endpoints and deliveries. `trigger`: publishing events. `admin`: API keys, and everything else.
 */
export type Scope = "read" | "write" | "trigger" | "admin";

/**
 * A key, without its text.
 */
export type ApiKey = {
  /**
   * The key's id.
   */
  id: string;
  /**
   * For people.
   */
  name: string;
  environment: Environment;
  /**
   * What the key may do.
   */
  scopes: Array<Scope>;
  /**
   * The one app that the key may see; null: every app.
   */
  app_slug: string | null;
  /**
   * From when on it is refused; null: never.
   */
  expires_at: string | null;
  /**
   * When it was created.
   */
  created_at: string;
};

/**
 * A key with its text, which is shown once.
 */
export type ApiKeyCreated = ApiKey & {
  /**
   * The key: `hw_live_…` or `hw_test_…`. Store it now; only its hash is kept.
   */
  key: string;
};

/**
 * A key with its new text, which is shown once.
 */
export type ApiKeyRotated = ApiKeyCreated & {
  /**
   * Until when the old text is accepted too; null when it ended at once.
   */
  previous_valid_until: string | null;
};

/**
 * A new key.
 */
export type ApiKeyCreate = {
  /**
   * For people.
   */
  name: string;
  environment?: Environment;
  /**
   * What the key may do.
   */
  scopes: Array<Scope>;
  /**
   * Binds the key to one app of its environment: it sees nothing else.
   */
  app_slug?: string;
  /**
   * From when on it is refused. It must lie in the future.
   */
  expires_at?: string;
};

/**
 * How to rotate a key.
 */
export type ApiKeyRotate = {
  /**
   * For so long the old text is accepted beside the new one; 0 ends it at once. A second rotation ends the overlap of the first.
   */
  overlap_seconds?: number;
};

/**
 * Whether a part works.
 */
export type CheckState = "ok" | "failing";

/**
 * The process answers.
 */
export type Liveness = {
  /**
   * Always `ok`.
   */
  status: "ok";
};

/**
 * The parts that the server needs.
 */
export type Readiness = {
  /**
   * Always `ready`; a server that is not ready answers 503.
   */
  status: "ready";
  /**
   * Each part and its state. A `failing` one delays deliveries, and nothing else.
   */
  checks: {
    [key: string]: CheckState;
  };
};

/**
 * How far to move the clock.
 */
export type ClockAdvance = {
  /**
   * An ISO 8601 duration of days, hours, minutes and seconds, e.g. `PT5M`.
   */
  advance: string;
};

/**
 * The clock after the move.
 */
export type ClockState = {
  /**
   * The server's present time.
   */
  now: string;
};

/**
 * Conditions that must all hold. Each member is a path with what its field must be, or one of `$and`, `$or` (lists of such objects) and `$not` (one such object).
 *
 * * A path is `payload` or `context` (the event's `filter_context`) and the names below it, with dots between: `payload.customer.plan`. In a list, a number picks an item, counted from 0. A dot or backslash within a name has a backslash before it.
 * * A value that is no object means `$eq`. Otherwise the operators of the object must all hold: `$eq`, `$ne`; `$gt`, `$gte`, `$lt`, `$lte` (a number or a text); `$in`, `$nin` (a list of up to 100 values); `$contains` (a text that the text contains, or a value that the list has); `$startswith`, `$endswith` (a text); `$exists` (true or false).
 * * Types are never converted: `"1"`, `1` and `true` differ. Numbers are compared by their exact values, so `1`, `1.0` and `1e0` are equal; texts by code points. Values of different types are not equal, and neither is greater.
 * * A field that is absent satisfies `$exists: false`, `$ne` and `$nin` only. A field that is null exists.
 *
 * At most 32 operators, and 8 KiB as JSON text. What cannot be a filter is a 400 that names the path.
 */
export type FilterRules = {
  [key: string]: unknown;
};

/**
 * What the filters of endpoints see as `context` beside the payload; any JSON object of at most 8 KiB. It is neither delivered nor stored.
 */
export type FilterContext = {
  [key: string]: unknown;
};

/**
 * A new object, built of parts of the payload. It is delivered as `data`. What is copied is copied byte for byte. A result of more than 256 KiB, or nested deeper than 64 levels, counts as failed.
 */
export type Transformation = {
  /**
   * The parts, in the order in which they appear in the result.
   */
  mappings: Array<FieldMapping>;
};

/**
 * Copies one field.
 */
export type FieldMapping = {
  /**
   * The path of the field, such as `payload.customer.id`, written as in `FilterRules`; `payload` alone is the whole payload. When the field is absent, the transformation fails.
   */
  from: string;
  /**
   * Where it stands in the result, such as `customer.id`; objects on the way are made. No path may repeat another one or lie inside it.
   */
  to: string;
};

/**
 * A transformation and a payload to try it on.
 */
export type TransformationPreview = {
  transformation: Transformation;
  payload: Payload;
};

/**
 * What an endpoint with this transformation would receive as `data`.
 */
export type TransformationPreviewed = {
  payload: Payload;
};

/**
 * A page. Apps.
 */
export type AppPage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<App>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. Endpoints.
 */
export type EndpointPage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<Endpoint>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. Event types.
 */
export type EventTypePage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<EventType>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. Messages.
 */
export type MessagePage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<Message>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. Deliveries.
 */
export type DeliveryPage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<Delivery>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. Attempts.
 */
export type AttemptPage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<Attempt>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. Replay tasks.
 */
export type ReplayTaskPage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<ReplayTask>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * A page. API keys.
 */
export type ApiKeyPage = {
  /**
   * The rows of this page, newest first.
   */
  data: Array<ApiKey>;
  /**
   * Whether older rows follow, or may follow; see `limit`.
   */
  has_more: boolean;
  /**
   * Pass it as `cursor` for the next page; null on the last page.
   */
  next_cursor: string | null;
  /**
   * How many rows match in all; present with `include_total=true`.
   */
  total_count?: number;
};

/**
 * The time up to now.
 */
export type AnalyticsPeriod = "1h" | "24h" | "7d" | "30d";

/**
 * Five minutes, an hour, a day or a week.
 */
export type AnalyticsInterval = "5m" | "1h" | "1d" | "1w";

/**
 * Five minutes, an hour or a day.
 */
export type TimelineInterval = "5m" | "1h" | "1d";

/**
 * `delivered` / (`delivered` + `failed` + `dead_letter`); null when none of these happened.
 */
export type SuccessRate = number | null;

/**
 * Deliveries that were accepted in this time, or made then by a replay, by their present status. `pending` are those that have not ended (`pending`, `sending` and `held`). What waited for an endpoint when it was deleted, and what has expired, counts as `cancelled` as soon as the server has written that down, usually within a minute.
 */
export type DeliveryCounts = {
  /**
   * All of them.
   */
  total: number;
  /**
   * Ended with a 2xx.
   */
  delivered: number;
  /**
   * Ended with an answer that retrying cannot mend.
   */
  failed: number;
  /**
   * Ended after all attempts.
   */
  dead_letter: number;
  /**
   * Ended without being sent, or sent again.
   */
  cancelled: number;
  /**
   * Not ended.
   */
  pending: number;
};

/**
 * Attempts that began in this time, interrupted ones included.
 */
export type AttemptCounts = {
  /**
   * All of them.
   */
  total: number;
  /**
   * Answered with a 2xx.
   */
  succeeded: number;
  /**
   * All others.
   */
  failed: number;
};

/**
 * How long attempts took that got an answer, whatever it was, in milliseconds. Percentiles are by nearest rank, at most 2 % off.
 */
export type LatencySummary = {
  /**
   * The mean, exactly.
   */
  avg_ms: number;
  /**
   * Half of them took this long at most.
   */
  p50_ms: number;
  /**
   * 95 % of them took this long at most.
   */
  p95_ms: number;
  /**
   * 99 % of them took this long at most.
   */
  p99_ms: number;
};

/**
 * What happened in a time. Messages and deliveries count when they were accepted, attempts when they began. `endpoints.test` counts nowhere. The counts are exact at any moment, and stay when what they count is erased.
 *
 * They are kept in steps of 5 minutes for 31 days, of an hour for 92 days and of a day for 400 days. A time begins and ends with whole steps, the finest that are kept of its beginning.
 */
export type AnalyticsStats = {
  /**
   * Where the time begins (inclusive), moved back to a whole step.
   */
  after: string;
  /**
   * Where the time ends (exclusive), moved on to a whole step.
   */
  before: string;
  /**
   * Messages accepted in this time; with an endpoint, those that went to it.
   */
  message_count: number;
  /**
   * How often a message did not go to an endpoint that had not subscribed to it or had filtered it out; 0 with an endpoint.
   */
  filtered_count: number;
  deliveries: DeliveryCounts;
  attempts: AttemptCounts;
  success_rate: SuccessRate;
  /**
   * Of the attempts that got an answer; null when none did.
   */
  latency: LatencySummary | null;
};

/**
 * What happened in a time, and where.
 */
export type AnalyticsSummary = AnalyticsStats & {
  /**
   * The 10 events with most deliveries, those first.
   */
  top_events: Array<EventCounts>;
  /**
   * The 10 endpoints with most deliveries, those first.
   */
  endpoint_performance: Array<EndpointCounts>;
  /**
   * Why attempts failed, the most frequent first.
   */
  failure_reasons: Array<FailureReasonCount>;
};

/**
 * The deliveries of one event.
 */
export type EventCounts = {
  /**
   * The event. null: all those together that came after the first 200 event names of an app in an hour.
   */
  event_name: EventName | null;
  deliveries: DeliveryCounts;
  success_rate: SuccessRate;
};

/**
 * The deliveries to one endpoint.
 */
export type EndpointCounts = {
  /**
   * The endpoint, which may be deleted.
   */
  endpoint_id: string;
  deliveries: DeliveryCounts;
  success_rate: SuccessRate;
  /**
   * The mean of the attempts that got an answer; null when none did.
   */
  avg_latency_ms: number | null;
};

/**
 * How often attempts failed for one reason.
 */
export type FailureReasonCount = {
  failure_reason: FailureReason;
  /**
   * Attempts that failed so.
   */
  attempt_count: number;
};

/**
 * What happened in one interval.
 */
export type AnalyticsPoint = {
  /**
   * Where the interval begins.
   */
  at: string;
  /**
   * Messages accepted in this time; with an endpoint, those that went to it.
   */
  message_count: number;
  deliveries: DeliveryCounts;
  attempts: AttemptCounts;
  success_rate: SuccessRate;
  /**
   * Of the attempts that got an answer; null when none did.
   */
  latency: LatencySummary | null;
};

/**
 * What happened interval by interval.
 */
export type AnalyticsTimeseries = {
  /**
   * Where the time begins (inclusive), moved back to a whole step.
   */
  after: string;
  /**
   * Where the time ends (exclusive), moved on to a whole step.
   */
  before: string;
  interval: AnalyticsInterval;
  /**
   * One point for each interval, oldest first.
   */
  data: Array<AnalyticsPoint>;
};

/**
 * How many endpoints are in each state of health now.
 */
export type EndpointsByHealth = {
  /**
   * Enabled; the last attempt succeeded, or there was none.
   */
  healthy: number;
  /**
   * Enabled, with failures in a row.
   */
  degraded: number;
  /**
   * Enabled, with five failures in a row or more.
   */
  failing: number;
  /**
   * Disabled.
   */
  disabled: number;
};

/**
 * The last 24 hours, and how things are now.
 */
export type AnalyticsOverview = AnalyticsStats & {
  endpoints: EndpointsByHealth;
  /**
   * Deliveries that have not ended, however old.
   */
  queue_depth: number;
};

/**
 * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
 */
export type AppSlug = string;

/**
 * The slug of the app to find or to create; `_system` is that of the app to which Hookwright itself publishes, see `webhooks`.
 */
export type NewAppSlug = string;

/**
 * The endpoint's id.
 */
export type EndpointId = string;

/**
 * The event type's id.
 */
export type EventTypeId = string;

/**
 * The message's id.
 */
export type MessageId = string;

/**
 * The delivery's id.
 */
export type DeliveryId = string;

/**
 * The replay task's id.
 */
export type ReplayId = string;

/**
 * The key's id.
 */
export type KeyId = string;

/**
 * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
 */
export type Limit = number;

/**
 * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
 */
export type Cursor = string;

/**
 * How many rows to skip, for shallow jumps. Not together with `cursor`.
 */
export type Offset = number;

/**
 * Whether to count all matching rows (`total_count`).
 */
export type IncludeTotal = boolean;

/**
 * Only rows created at or after this instant.
 */
export type After = string;

/**
 * Only rows created before this instant.
 */
export type Before = string;

/**
 * Where the time begins (inclusive); default: 7 days before its end. At most 400 days before its end.
 */
export type AnalyticsAfter = string;

/**
 * Where the time ends (exclusive); default: now.
 */
export type AnalyticsBefore = string;

/**
 * Makes the request safe to repeat for 24 hours: the same key with the same body on the same path gives the stored first response again (`Idempotency-Replayed: true`), with another body 422 `idempotency_key_reused`. While the first is still running, `trigger.*` waits for it and answers the same; elsewhere 409 `idempotency_in_progress`. Requests refused before they run (400, 401, 403, 413, 415, 429) and 5xx answers leave no record, so the key stays free.
 */
export type IdempotencyKey = string;

export type AppsListData = {
  body?: never;
  path?: never;
  query?: {
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps";
};

export type AppsListResponses = {
  /**
   * A page of apps.
   */
  200: AppPage;
};

export type AppsListResponse = AppsListResponses[keyof AppsListResponses];

export type AppsCreateData = {
  body: AppCreate;
  path?: never;
  query?: never;
  url: "/v1/apps";
};

export type AppsCreateResponses = {
  /**
   * The app.
   */
  201: AppCreated;
};

export type AppsCreateResponse = AppsCreateResponses[keyof AppsCreateResponses];

export type AppsDeleteData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}";
};

export type AppsDeleteResponses = {
  /**
   * It is gone.
   */
  204: void;
};

export type AppsDeleteResponse = AppsDeleteResponses[keyof AppsDeleteResponses];

export type AppsGetData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}";
};

export type AppsGetResponses = {
  /**
   * The app.
   */
  200: App;
};

export type AppsGetResponse = AppsGetResponses[keyof AppsGetResponses];

export type AppsUpdateData = {
  body: AppUpdate;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}";
};

export type AppsUpdateResponses = {
  /**
   * The app after the change.
   */
  200: App;
};

export type AppsUpdateResponse = AppsUpdateResponses[keyof AppsUpdateResponses];

export type AppsGetOrCreateData = {
  body: AppProvision;
  path: {
    /**
     * The slug of the app to find or to create; `_system` is that of the app to which Hookwright itself publishes, see `webhooks`.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}";
};

export type AppsGetOrCreateResponses = {
  /**
   * The app.
   */
  200: AppProvisioned;
};

export type AppsGetOrCreateResponse = AppsGetOrCreateResponses[keyof AppsGetOrCreateResponses];

export type AppsRotateSecretData = {
  body?: AppRotateSecret;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/rotate-secret";
};

export type AppsRotateSecretResponses = {
  /**
   * The new secret.
   */
  200: SecretRotated;
};

export type AppsRotateSecretResponse = AppsRotateSecretResponses[keyof AppsRotateSecretResponses];

export type EventTypesListData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * Whether archived event types are listed too.
     */
    include_archived?: boolean;
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/event-types";
};

export type EventTypesListResponses = {
  /**
   * A page of event types.
   */
  200: EventTypePage;
};

export type EventTypesListResponse = EventTypesListResponses[keyof EventTypesListResponses];

export type EventTypesCreateData = {
  body: EventTypeCreate;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/event-types";
};

export type EventTypesCreateResponses = {
  /**
   * The event type.
   */
  201: EventType;
};

export type EventTypesCreateResponse = EventTypesCreateResponses[keyof EventTypesCreateResponses];

export type EventTypesDeleteData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The event type's id.
     */
    event_type_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/event-types/{event_type_id}";
};

export type EventTypesDeleteResponses = {
  /**
   * It is archived.
   */
  204: void;
};

export type EventTypesDeleteResponse = EventTypesDeleteResponses[keyof EventTypesDeleteResponses];

export type EventTypesGetData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The event type's id.
     */
    event_type_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/event-types/{event_type_id}";
};

export type EventTypesGetResponses = {
  /**
   * The event type.
   */
  200: EventType;
};

export type EventTypesGetResponse = EventTypesGetResponses[keyof EventTypesGetResponses];

export type EventTypesUpdateData = {
  body: EventTypeUpdate;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The event type's id.
     */
    event_type_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/event-types/{event_type_id}";
};

export type EventTypesUpdateResponses = {
  /**
   * The event type after the change.
   */
  200: EventType;
};

export type EventTypesUpdateResponse = EventTypesUpdateResponses[keyof EventTypesUpdateResponses];

export type EndpointsListData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * Only active, or only disabled endpoints.
     */
    active?: boolean;
    /**
     * Only endpoints in this state of health.
     */
    state?: HealthState;
    /**
     * Only endpoints that receive this event.
     */
    event_name?: EventName;
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/endpoints";
};

export type EndpointsListResponses = {
  /**
   * A page of endpoints.
   */
  200: EndpointPage;
};

export type EndpointsListResponse = EndpointsListResponses[keyof EndpointsListResponses];

export type EndpointsCreateData = {
  body: EndpointCreate;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints";
};

export type EndpointsCreateResponses = {
  /**
   * The endpoint.
   */
  201: EndpointCreated;
};

export type EndpointsCreateResponse = EndpointsCreateResponses[keyof EndpointsCreateResponses];

export type EndpointsDeleteData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}";
};

export type EndpointsDeleteResponses = {
  /**
   * It is gone.
   */
  204: void;
};

export type EndpointsDeleteResponse = EndpointsDeleteResponses[keyof EndpointsDeleteResponses];

export type EndpointsGetData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}";
};

export type EndpointsGetResponses = {
  /**
   * The endpoint.
   */
  200: Endpoint;
};

export type EndpointsGetResponse = EndpointsGetResponses[keyof EndpointsGetResponses];

export type EndpointsUpdateData = {
  body: EndpointUpdate;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}";
};

export type EndpointsUpdateResponses = {
  /**
   * The endpoint after the change.
   */
  200: Endpoint;
};

export type EndpointsUpdateResponse = EndpointsUpdateResponses[keyof EndpointsUpdateResponses];

export type EndpointsEnableData = {
  body?: EndpointEnable;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/enable";
};

export type EndpointsEnableResponses = {
  /**
   * The endpoint.
   */
  200: Endpoint;
};

export type EndpointsEnableResponse = EndpointsEnableResponses[keyof EndpointsEnableResponses];

export type EndpointsDisableData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/disable";
};

export type EndpointsDisableResponses = {
  /**
   * The endpoint.
   */
  200: Endpoint;
};

export type EndpointsDisableResponse = EndpointsDisableResponses[keyof EndpointsDisableResponses];

export type EndpointsTestData = {
  body?: EndpointTest;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/test";
};

export type EndpointsTestResponses = {
  /**
   * What came of it.
   */
  200: EndpointTestResult;
};

export type EndpointsTestResponse = EndpointsTestResponses[keyof EndpointsTestResponses];

export type EndpointsRotateSecretData = {
  body?: RotateSecret;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/rotate-secret";
};

export type EndpointsRotateSecretResponses = {
  /**
   * The new secret.
   */
  200: SecretRotated;
};

export type EndpointsRotateSecretResponse =
  EndpointsRotateSecretResponses[keyof EndpointsRotateSecretResponses];

export type EndpointsStatsData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: {
    /**
     * How far back.
     */
    period?: AnalyticsPeriod;
  };
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/stats";
};

export type EndpointsStatsResponses = {
  /**
   * The counts.
   */
  200: AnalyticsStats;
};

export type EndpointsStatsResponse = EndpointsStatsResponses[keyof EndpointsStatsResponses];

export type EndpointsGetSecretPublicKeyData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/public-key";
};

export type EndpointsGetSecretPublicKeyResponses = {
  /**
   * The public keys.
   */
  200: SecretPublicKey;
};

export type EndpointsGetSecretPublicKeyResponse =
  EndpointsGetSecretPublicKeyResponses[keyof EndpointsGetSecretPublicKeyResponses];

export type EndpointsListDeliveriesData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The endpoint's id.
     */
    endpoint_id: string;
  };
  query?: {
    /**
     * Only deliveries in one of these states; repeat the parameter for several.
     */
    status?: Array<DeliveryStatusFilter>;
    /**
     * Only this event.
     */
    event_name?: EventName;
    /**
     * Only rows created at or after this instant.
     */
    after?: string;
    /**
     * Only rows created before this instant.
     */
    before?: string;
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/endpoints/{endpoint_id}/deliveries";
};

export type EndpointsListDeliveriesResponses = {
  /**
   * A page of deliveries.
   */
  200: DeliveryPage;
};

export type EndpointsListDeliveriesResponse =
  EndpointsListDeliveriesResponses[keyof EndpointsListDeliveriesResponses];

export type TriggerSendData = {
  body: TriggerSend;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/trigger";
};

export type TriggerSendResponses = {
  /**
   * The event is stored.
   */
  202: TriggerAccepted;
};

export type TriggerSendResponse = TriggerSendResponses[keyof TriggerSendResponses];

export type TriggerSendBatchData = {
  body: TriggerBatch;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/trigger/batch";
};

export type TriggerSendBatchResponses = {
  /**
   * What became of each event.
   */
  202: TriggerBatchResult;
};

export type TriggerSendBatchResponse = TriggerSendBatchResponses[keyof TriggerSendBatchResponses];

export type MessagesListData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * Only this event.
     */
    event_name?: EventName;
    /**
     * Only messages with this correlation id.
     */
    event_id?: string;
    /**
     * Only messages with this label.
     */
    tag?: Tag;
    /**
     * Only rows created at or after this instant.
     */
    after?: string;
    /**
     * Only rows created before this instant.
     */
    before?: string;
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/messages";
};

export type MessagesListResponses = {
  /**
   * A page of messages.
   */
  200: MessagePage;
};

export type MessagesListResponse = MessagesListResponses[keyof MessagesListResponses];

export type MessagesGetData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The message's id.
     */
    message_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/messages/{message_id}";
};

export type MessagesGetResponses = {
  /**
   * The message.
   */
  200: MessageDetail;
};

export type MessagesGetResponse = MessagesGetResponses[keyof MessagesGetResponses];

export type MessagesCancelData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The message's id.
     */
    message_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/messages/{message_id}/cancel";
};

export type MessagesCancelResponses = {
  /**
   * What was cancelled.
   */
  200: MessageCancelled;
};

export type MessagesCancelResponse = MessagesCancelResponses[keyof MessagesCancelResponses];

export type MessagesExpungeData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The message's id.
     */
    message_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/messages/{message_id}/expunge";
};

export type MessagesExpungeResponses = {
  /**
   * The message without its payload.
   */
  200: Message;
};

export type MessagesExpungeResponse = MessagesExpungeResponses[keyof MessagesExpungeResponses];

export type DeliveriesListData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * Only deliveries in one of these states; repeat the parameter for several.
     */
    status?: Array<DeliveryStatusFilter>;
    /**
     * Only deliveries to this endpoint.
     */
    endpoint_id?: string;
    /**
     * Only this event.
     */
    event_name?: EventName;
    /**
     * Only deliveries of this message.
     */
    message_id?: string;
    /**
     * Only rows created at or after this instant.
     */
    after?: string;
    /**
     * Only rows created before this instant.
     */
    before?: string;
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/deliveries";
};

export type DeliveriesListResponses = {
  /**
   * A page of deliveries.
   */
  200: DeliveryPage;
};

export type DeliveriesListResponse = DeliveriesListResponses[keyof DeliveriesListResponses];

export type DeliveriesGetData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The delivery's id.
     */
    delivery_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/deliveries/{delivery_id}";
};

export type DeliveriesGetResponses = {
  /**
   * The delivery.
   */
  200: Delivery;
};

export type DeliveriesGetResponse = DeliveriesGetResponses[keyof DeliveriesGetResponses];

export type DeliveriesListAttemptsData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The delivery's id.
     */
    delivery_id: string;
  };
  query?: {
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/deliveries/{delivery_id}/attempts";
};

export type DeliveriesListAttemptsResponses = {
  /**
   * A page of attempts.
   */
  200: AttemptPage;
};

export type DeliveriesListAttemptsResponse =
  DeliveriesListAttemptsResponses[keyof DeliveriesListAttemptsResponses];

export type DeliveriesRetryData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The delivery's id.
     */
    delivery_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/deliveries/{delivery_id}/retry";
};

export type DeliveriesRetryResponses = {
  /**
   * The delivery, pending again.
   */
  200: Delivery;
};

export type DeliveriesRetryResponse = DeliveriesRetryResponses[keyof DeliveriesRetryResponses];

export type DeliveriesCancelData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The delivery's id.
     */
    delivery_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/deliveries/{delivery_id}/cancel";
};

export type DeliveriesCancelResponses = {
  /**
   * The delivery after the request.
   */
  200: Delivery;
};

export type DeliveriesCancelResponse = DeliveriesCancelResponses[keyof DeliveriesCancelResponses];

export type DeliveriesReplayData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The delivery's id.
     */
    delivery_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/deliveries/{delivery_id}/replay";
};

export type DeliveriesReplayResponses = {
  /**
   * The new delivery.
   */
  201: Delivery;
};

export type DeliveriesReplayResponse = DeliveriesReplayResponses[keyof DeliveriesReplayResponses];

export type DeliveriesListReplaysData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/apps/{app_slug}/replays";
};

export type DeliveriesListReplaysResponses = {
  /**
   * A page of tasks.
   */
  200: ReplayTaskPage;
};

export type DeliveriesListReplaysResponse =
  DeliveriesListReplaysResponses[keyof DeliveriesListReplaysResponses];

export type DeliveriesCreateReplayData = {
  body: ReplayCreate;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/replays";
};

export type DeliveriesCreateReplayResponses = {
  /**
   * The task.
   */
  202: ReplayTask;
};

export type DeliveriesCreateReplayResponse =
  DeliveriesCreateReplayResponses[keyof DeliveriesCreateReplayResponses];

export type DeliveriesGetReplayData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The replay task's id.
     */
    replay_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/replays/{replay_id}";
};

export type DeliveriesGetReplayResponses = {
  /**
   * The task.
   */
  200: ReplayTask;
};

export type DeliveriesGetReplayResponse =
  DeliveriesGetReplayResponses[keyof DeliveriesGetReplayResponses];

export type DeliveriesCancelReplayData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
    /**
     * The replay task's id.
     */
    replay_id: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/replays/{replay_id}/cancel";
};

export type DeliveriesCancelReplayResponses = {
  /**
   * The task.
   */
  200: ReplayTask;
};

export type DeliveriesCancelReplayResponse =
  DeliveriesCancelReplayResponses[keyof DeliveriesCancelReplayResponses];

export type ApiKeysListData = {
  body?: never;
  path?: never;
  query?: {
    /**
     * How many rows a page holds. It may hold fewer, even none, while `has_more` is true: where nothing but looking at rows one by one can tell which fit a filter, a page looks at 1,000 at most, and `next_cursor` goes on behind them.
     */
    limit?: number;
    /**
     * `next_cursor` of the page before. It is opaque, sealed and tied to this query.
     */
    cursor?: string;
    /**
     * How many rows to skip, for shallow jumps. Not together with `cursor`.
     */
    offset?: number;
    /**
     * Whether to count all matching rows (`total_count`).
     */
    include_total?: boolean;
  };
  url: "/v1/api-keys";
};

export type ApiKeysListResponses = {
  /**
   * A page of keys.
   */
  200: ApiKeyPage;
};

export type ApiKeysListResponse = ApiKeysListResponses[keyof ApiKeysListResponses];

export type ApiKeysCreateData = {
  body: ApiKeyCreate;
  path?: never;
  query?: never;
  url: "/v1/api-keys";
};

export type ApiKeysCreateResponses = {
  /**
   * The key.
   */
  201: ApiKeyCreated;
};

export type ApiKeysCreateResponse = ApiKeysCreateResponses[keyof ApiKeysCreateResponses];

export type ApiKeysRotateData = {
  body?: ApiKeyRotate;
  path: {
    /**
     * The key's id.
     */
    key_id: string;
  };
  query?: never;
  url: "/v1/api-keys/{key_id}/rotate";
};

export type ApiKeysRotateResponses = {
  /**
   * The key with its new text.
   */
  200: ApiKeyRotated;
};

export type ApiKeysRotateResponse = ApiKeysRotateResponses[keyof ApiKeysRotateResponses];

export type ApiKeysDeleteData = {
  body?: never;
  path: {
    /**
     * The key's id.
     */
    key_id: string;
  };
  query?: never;
  url: "/v1/api-keys/{key_id}";
};

export type ApiKeysDeleteResponses = {
  /**
   * It is gone.
   */
  204: void;
};

export type ApiKeysDeleteResponse = ApiKeysDeleteResponses[keyof ApiKeysDeleteResponses];

export type AnalyticsStatsData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: never;
  url: "/v1/apps/{app_slug}/analytics/stats";
};

export type AnalyticsStatsResponses = {
  /**
   * The counts.
   */
  200: AnalyticsStats;
};

export type AnalyticsStatsResponse = AnalyticsStatsResponses[keyof AnalyticsStatsResponses];

export type AnalyticsSummaryData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * Where the time begins (inclusive); default: 7 days before its end. At most 400 days before its end.
     */
    after?: string;
    /**
     * Where the time ends (exclusive); default: now.
     */
    before?: string;
    /**
     * Only deliveries to this endpoint.
     */
    endpoint_id?: string;
    /**
     * Only this event.
     */
    event_name?: EventName;
  };
  url: "/v1/apps/{app_slug}/analytics/summary";
};

export type AnalyticsSummaryResponses = {
  /**
   * The summary.
   */
  200: AnalyticsSummary;
};

export type AnalyticsSummaryResponse = AnalyticsSummaryResponses[keyof AnalyticsSummaryResponses];

export type AnalyticsTimeseriesData = {
  body?: never;
  path: {
    /**
     * The app's slug. `-` means, on lists and wherever messages and deliveries are read or steered, every app that the key may see; with a key bound to an app, that app on every operation.
     */
    app_slug: string;
  };
  query?: {
    /**
     * Where the time begins (inclusive); default: 7 days before its end. At most 400 days before its end.
     */
    after?: string;
    /**
     * Where the time ends (exclusive); default: now.
     */
    before?: string;
    /**
     * How long each interval is.
     */
    interval?: AnalyticsInterval;
    /**
     * Only deliveries to this endpoint.
     */
    endpoint_id?: string;
    /**
     * Only this event.
     */
    event_name?: EventName;
  };
  url: "/v1/apps/{app_slug}/analytics/timeseries";
};

export type AnalyticsTimeseriesResponses = {
  /**
   * The counts, oldest first.
   */
  200: AnalyticsTimeseries;
};

export type AnalyticsTimeseriesResponse =
  AnalyticsTimeseriesResponses[keyof AnalyticsTimeseriesResponses];

export type AnalyticsOverviewData = {
  body?: never;
  path?: never;
  query?: never;
  url: "/v1/analytics/overview";
};

export type AnalyticsOverviewResponses = {
  /**
   * The overview.
   */
  200: AnalyticsOverview;
};

export type AnalyticsOverviewResponse =
  AnalyticsOverviewResponses[keyof AnalyticsOverviewResponses];

export type AnalyticsTimelineData = {
  body?: never;
  path?: never;
  query?: {
    /**
     * How far back.
     */
    period?: AnalyticsPeriod;
    /**
     * How long each interval is.
     */
    interval?: TimelineInterval;
  };
  url: "/v1/analytics/timeline";
};

export type AnalyticsTimelineResponses = {
  /**
   * The counts, oldest first.
   */
  200: AnalyticsTimeseries;
};

export type AnalyticsTimelineResponse =
  AnalyticsTimelineResponses[keyof AnalyticsTimelineResponses];

export type TransformationsPreviewData = {
  body: TransformationPreview;
  path?: never;
  query?: never;
  url: "/v1/transformations/preview";
};

export type TransformationsPreviewResponses = {
  /**
   * The result.
   */
  200: TransformationPreviewed;
};

export type TransformationsPreviewResponse =
  TransformationsPreviewResponses[keyof TransformationsPreviewResponses];

export type EndpointsWhenFailingWebhookPayload = EndpointFailingEvent;

export type EndpointsWhenFailingWebhookRequest = {
  body: EndpointsWhenFailingWebhookPayload;
  key: "endpoint.failing";
  path?: never;
  query?: never;
};

export type EndpointsWhenDisabledWebhookPayload = EndpointDisabledEvent;

export type EndpointsWhenDisabledWebhookRequest = {
  body: EndpointsWhenDisabledWebhookPayload;
  key: "endpoint.disabled";
  path?: never;
  query?: never;
};

export type EndpointsWhenRecoveredWebhookPayload = EndpointRecoveredEvent;

export type EndpointsWhenRecoveredWebhookRequest = {
  body: EndpointsWhenRecoveredWebhookPayload;
  key: "endpoint.recovered";
  path?: never;
  query?: never;
};

export type DeliveriesWhenDeadLetterWebhookPayload = DeliveryDeadLetterEvent;

export type DeliveriesWhenDeadLetterWebhookRequest = {
  body: DeliveriesWhenDeadLetterWebhookPayload;
  key: "delivery.dead_letter";
  path?: never;
  query?: never;
};

export type DeliveriesWhenReplayCompletedWebhookPayload = ReplayCompletedEvent;

export type DeliveriesWhenReplayCompletedWebhookRequest = {
  body: DeliveriesWhenReplayCompletedWebhookPayload;
  key: "replay.completed";
  path?: never;
  query?: never;
};
