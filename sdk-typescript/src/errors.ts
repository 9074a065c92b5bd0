/**
 * Everything that this package throws on purpose:
 *
 *     HookwrightError
 *     ├ UsageError                       the call itself is wrong; nothing was sent
 *     │ └ InvalidSecretError             a webhook secret that is no secret
 *     ├ APIError
 *     │ ├ APIConnectionError             no answer: refused, reset, cut off
 *     │ │ └ APITimeoutError              no answer in time
 *     │ ├ APIStatusError                 an answer that is not a success
 *     │ │ ├ BadRequestError              400
 *     │ │ ├ AuthenticationError          401
 *     │ │ ├ PermissionDeniedError        403
 *     │ │ ├ NotFoundError                404
 *     │ │ ├ ConflictError                409
 *     │ │ ├ PayloadTooLargeError         413
 *     │ │ ├ UnsupportedMediaTypeError    415
 *     │ │ ├ UnprocessableError           422
 *     │ │ ├ RateLimitError               429
 *     │ │ └ InternalServerError          500 and above
 *     │ └ APIResponseError               a success whose body cannot be understood
 *     ├ EmitError                        what a handler returned could not be made an event
 *     └ WebhookVerificationError         do not trust this webhook
 *       ├ MissingHeaderError
 *       ├ InvalidHeaderError
 *       ├ TimestampOutOfToleranceError
 *       ├ SignatureMismatchError
 *       └ InvalidPayloadError
 */

/** The base of every error that this package throws. */
export class HookwrightError extends Error {
  static {
    // On the prototype: `name` is not listed among an error's own members when it is printed.
    Object.defineProperty(HookwrightError.prototype, "name", {
      configurable: true,
      get(this: object) {
        return this.constructor.name;
      },
    });
  }

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/** The call cannot be made as written: a missing key, a bad URL, a value JSON cannot carry. */
export class UsageError extends HookwrightError {}

/** A webhook secret is neither `whsec_` and 24 to 64 bytes in base64 nor an ed25519 key. */
export class InvalidSecretError extends UsageError {}

/** The base of everything that can go wrong with a request that was sent. */
export class APIError extends HookwrightError {
  /** What the server calls the request, when an answer said so. */
  readonly requestId: string | null;

  constructor(message: string, requestId: string | null = null, options?: ErrorOptions) {
    super(requestId === null ? message : `${message} (request id ${requestId})`, options);
    this.requestId = requestId;
  }
}

/** No complete answer arrived. Whether the server acted on the request is unknown. */
export class APIConnectionError extends APIError {}

/** No complete answer arrived within the timeout. */
export class APITimeoutError extends APIConnectionError {}

/** One entry of a problem's `errors`: what is wrong at which place of the request. */
export interface ProblemEntry {
  /** A JSON pointer into the body, or `query/limit`, `path/app_slug`, `header/idempotency-key`. */
  readonly pointer: string;
  readonly code: string | null;
  readonly message: string | null;
}

/** What an APIStatusError is made of. */
export interface StatusDetails {
  status: number;
  code: string | null;
  title: string | null;
  detail: string | null;
  errors: readonly ProblemEntry[];
  requestId: string | null;
  retryAfterSeconds: number | null;
  body: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * The server answered with something other than a success. `code`, `title`, `detail` and `errors`
 * come from the problem document (RFC 9457) and are empty when the answer holds none, as an HTML
 * page of a proxy does.
 */
export class APIStatusError extends APIError {
  readonly status: number;
  readonly code: string | null;
  readonly title: string | null;
  readonly detail: string | null;
  readonly errors: readonly ProblemEntry[];
  /** How long the server asks to wait, in seconds. */
  readonly retryAfterSeconds: number | null;
  /** The first part of the body as text. */
  declare readonly body: string;
  /** With lower-case names. */
  declare readonly headers: Readonly<Record<string, string>>;

  constructor(details: StatusDetails) {
    super(statusText(details), details.requestId);
    this.status = details.status;
    this.code = details.code;
    this.title = details.title;
    this.detail = details.detail;
    this.errors = details.errors;
    this.retryAfterSeconds = details.retryAfterSeconds;
    // Not listed: a printed error is to fit a screen.
    hide(this, "body", details.body);
    hide(this, "headers", details.headers);
  }
}

/** 400: the request breaks the contract; `errors` points at the places. */
export class BadRequestError extends APIStatusError {}

/** 401: the API key is missing, unknown, revoked or expired. */
export class AuthenticationError extends APIStatusError {}

/** 403: the API key may not do this. */
export class PermissionDeniedError extends APIStatusError {}

/** 404: there is no such thing, or it belongs to someone else. */
export class NotFoundError extends APIStatusError {}

/** 409: the state of the resource forbids it; `code` says which rule. */
export class ConflictError extends APIStatusError {}

/** 413: the body is larger than the server takes. */
export class PayloadTooLargeError extends APIStatusError {}

/** 415: the server does not take this kind of body. */
export class UnsupportedMediaTypeError extends APIStatusError {}

/** 422: well formed, but refused; `code` says which rule. */
export class UnprocessableError extends APIStatusError {}

/** 429: too many requests; `retryAfterSeconds`, when the server said so. */
export class RateLimitError extends APIStatusError {}

/** 500 and above: the server, or a proxy before it, failed. */
export class InternalServerError extends APIStatusError {}

/** The server reported success, but its body is not what the contract promises. */
export class APIResponseError extends APIError {
  readonly status: number | null;
  /** The first part of the body as text. */
  declare readonly body: string;

  constructor(
    message: string,
    about: { status?: number; requestId?: string | null; body?: string } = {},
  ) {
    super(message, about.requestId ?? null);
    this.status = about.status ?? null;
    hide(this, "body", about.body ?? "");
  }
}

/** An event was not published: what a handler returned is no payload. */
export class EmitError extends HookwrightError {}

/** The request is not shown to come from the owner of the secret. Answer 400, do nothing. */
export class WebhookVerificationError extends HookwrightError {}

/** `webhook-id`, `webhook-timestamp` or `webhook-signature` is absent or empty. */
export class MissingHeaderError extends WebhookVerificationError {}

/** A `webhook-*` header is given twice or cannot be read. */
export class InvalidHeaderError extends WebhookVerificationError {}

/** The signed time is too far in the past (a replay) or in the future. */
export class TimestampOutOfToleranceError extends WebhookVerificationError {}

/** No signature of a known scheme matches any of the secrets. */
export class SignatureMismatchError extends WebhookVerificationError {}

/** The signature is right, but the body is no JSON in UTF-8, or not the event it should be. */
export class InvalidPayloadError extends WebhookVerificationError {}

function statusText(details: StatusDetails): string {
  const { status, code, title, detail, errors, headers } = details;
  const head = code === null ? `${status}` : `${status} ${code}`;
  const places = errors.map(
    (each) => `[${each.pointer}: ${each.message ?? each.code ?? "invalid"}]`,
  );
  return [`${head}: ${detail ?? title ?? hint(status, headers)}`, ...places].join(" ");
}

function hint(status: number, headers: Readonly<Record<string, string>>): string {
  if (status >= 300 && status < 400)
    return "the server redirects, which is never followed; check baseUrl";
  const kind = headers["content-type"] ?? "no content type";
  return `the answer is not a problem document (${kind}); see .body`;
}

function hide(error: object, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, enumerable: false });
}

/** What a server wrote, fit to be printed: a terminal obeys control characters. */
function printable(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex -- they are what is looked for
    /[\x00-\x1f\x7f-\x9f]/g,
    (found) => `\\x${found.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
