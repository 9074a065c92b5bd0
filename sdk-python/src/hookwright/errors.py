"""
Everything that this package raises on purpose:

* HookwrightError
  x UsageError                       the call itself is wrong; nothing was sent
    + InvalidSecretError             a webhook secret that is no secret
    + MissingExtraError              something optional is not installed
  x APIError
    + APIConnectionError             no answer: refused, reset, cut off
      - APITimeoutError              no answer in time
    + APIStatusError                 an answer that is not a success
      - BadRequestError              400
      - AuthenticationError          401
      - PermissionDeniedError        403
      - NotFoundError                404
      - ConflictError                409
      - PayloadTooLargeError         413
      - UnsupportedMediaTypeError    415
      - UnprocessableError           422
      - RateLimitError               429
      - InternalServerError          500 and above
    + APIResponseError               a success whose body cannot be understood
  x EmitError                        what a view returned could not be made an event
    + QueueFullError                 the emitter's queue is full, or closed
  x WebhookVerificationError         do not trust this webhook
    + MissingHeaderError
    + InvalidHeaderError
    + TimestampOutOfToleranceError
    + SignatureMismatchError
    + InvalidPayloadError
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hookwright._printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "EmitError",
    "FieldError",
    "HookwrightError",
    "InternalServerError",
    "InvalidHeaderError",
    "InvalidPayloadError",
    "InvalidSecretError",
    "MissingExtraError",
    "MissingHeaderError",
    "NotFoundError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "QueueFullError",
    "RateLimitError",
    "SignatureMismatchError",
    "TimestampOutOfToleranceError",
    "UnprocessableError",
    "UnsupportedMediaTypeError",
    "UsageError",
    "WebhookVerificationError",
]


class FieldError(NamedTuple):
    """One entry of a problem's `errors`: what is wrong at which place of the request."""

    pointer: str
    code: str | None
    message: str | None

    def __str__(self) -> str:
        return f"{self.pointer}: {self.message or self.code or 'invalid'}"


class HookwrightError(Exception):
    """The base of every error that this package raises. All of them can be pickled."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(
    kind: type[HookwrightError], args: tuple[Any, ...], state: dict[str, Any]
) -> HookwrightError:
    # Exceptions are unpickled through their constructor, whose keywords `args` does not hold.
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(HookwrightError):
    """The call cannot be made as written: a missing key, a bad URL, a value JSON cannot carry."""


class InvalidSecretError(UsageError):
    """A webhook secret is neither `whsec_` and 24 to 64 bytes in base64 nor an ed25519 key."""


class MissingExtraError(UsageError):
    """What was asked for needs a package that comes with an extra; the message names both."""


class APIError(HookwrightError):
    """
    The base of everything that can go wrong with a request that was sent. `request_id` is what
    the server calls the request, when an answer said so.
    """

    request_id: str | None = None


class APIConnectionError(APIError):
    """No complete answer arrived. Whether the server acted on the request is unknown."""


class APITimeoutError(APIConnectionError):
    """No complete answer arrived within the timeout."""


class APIResponseError(APIError):
    """The server reported success, but its body is not what the contract promises."""

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        request_id: str | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.request_id = request_id
        self.body = body

    def __str__(self) -> str:
        return _shown(str(self.args[0]), self.request_id)


class APIStatusError(APIError):
    """
    The server answered with something other than a success.

    `code`, `title`, `detail` and `errors` come from the problem document (RFC 9457) and are
    empty when the answer holds none, as an HTML page of a proxy does. `body` is the first part
    of the body as text, `headers` has lower-case names, `retry_after` is in seconds.
    """

    def __init__(  # noqa: PLR0913 - one for each documented attribute
        self,
        status_code: int,
        *,
        code: str | None = None,
        title: str | None = None,
        detail: str | None = None,
        errors: tuple[FieldError, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        body: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status_code)
        self.status_code = status_code
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after
        self.body = body
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        head = f"{self.status_code} {self.code}" if self.code else str(self.status_code)
        parts = [f"{head}: {self.detail or self.title or self._hint()}"]
        parts += [f"[{error}]" for error in self.errors]
        return _shown(" ".join(parts), self.request_id)

    def _hint(self) -> str:
        if 300 <= self.status_code < 400:
            return "the server redirects, which is never followed; check base_url"
        kind = self.headers.get("content-type", "no content type")
        return f"the answer is not a problem document ({kind}); see .body"


class BadRequestError(APIStatusError):
    """400: the request breaks the contract; `errors` points at the places."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing, unknown, revoked or expired."""


class PermissionDeniedError(APIStatusError):
    """403: the API key may not do this."""


class NotFoundError(APIStatusError):
    """404: there is no such thing, or it belongs to someone else."""


class ConflictError(APIStatusError):
    """409: the state of the resource forbids it; `code` says which rule."""


class PayloadTooLargeError(APIStatusError):
    """413: the body is larger than the server takes."""


class UnsupportedMediaTypeError(APIStatusError):
    """415: the server does not take this kind of body."""


class UnprocessableError(APIStatusError):
    """422: well formed, but refused; `code` says which rule."""


class RateLimitError(APIStatusError):
    """429: too many requests; `retry_after` seconds, when the server said so."""


class InternalServerError(APIStatusError):
    """500 and above: the server, or a proxy before it, failed."""


class EmitError(HookwrightError):
    """An event was not published: its payload cannot be told, or the process is ending."""


class QueueFullError(EmitError):
    """An event was not queued: as many as `max_queue` wait already, or the emitter is closed."""


class WebhookVerificationError(HookwrightError):
    """The request is not shown to come from the owner of the secret. Answer 400, do nothing."""


class MissingHeaderError(WebhookVerificationError):
    """`webhook-id`, `webhook-timestamp` or `webhook-signature` is absent or empty."""


class InvalidHeaderError(WebhookVerificationError):
    """A `webhook-*` header is given twice or cannot be read."""


class TimestampOutOfToleranceError(WebhookVerificationError):
    """The signed time is too far in the past (a replay) or in the future."""


class SignatureMismatchError(WebhookVerificationError):
    """No signature of a known scheme matches any of the secrets."""


class InvalidPayloadError(WebhookVerificationError):
    """The signature is right, but the body is no JSON in UTF-8, or not the event it should be."""


def _shown(text: str, request_id: str | None) -> str:
    """What a server wrote, fit to be printed."""
    whole = f"{text} (request id {request_id})" if request_id else text
    return printable(whole)
