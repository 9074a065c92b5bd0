"""
What an HTTP endpoint for webhooks does, in no framework's terms; `hookwright.integrations` puts it
behind Flask, FastAPI, Starlette and Django.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast, overload

from hookwright._webhook_events import check_converter
from hookwright.deduplication import LEASE_SECONDS, REMEMBER_SECONDS, Refusal
from hookwright.errors import (
    InvalidPayloadError,
    SignatureMismatchError,
    TimestampOutOfToleranceError,
    UsageError,
    WebhookVerificationError,
)
from hookwright.webhooks import Webhook, secrets_from_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hookwright._webhook_events import Converter, WebhookEvent
    from hookwright._webhook_headers import Headers
    from hookwright.deduplication import DeduplicationStore

__all__ = ["MAX_BODY_BYTES", "Answer", "Handling", "WebhookReceiver"]

MAX_BODY_BYTES: Final = 1024 * 1024
"""Bodies beyond this are refused: payloads have at most 256 KiB, here is room for a larger one."""

P_co = TypeVar("P_co", covariant=True)
Q = TypeVar("Q")
Secret: TypeAlias = "str | Sequence[str] | Webhook"  # noqa: S105 - a type

_logger = logging.getLogger("hookwright.webhooks")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered instead of calling the handler. `body` is a problem document, or empty."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def _problem(status: int, title: str, detail: str, **headers: str) -> Answer:
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(
        status,
        json.dumps(document).encode(),
        {"Content-Type": "application/problem+json", **headers},
    )


_DONE: Final = Answer(204)
_RUNNING: Final = _problem(
    409, "Conflict", "This webhook is being handled; send it again.", **{"Retry-After": "5"}
)


@dataclass(frozen=True, slots=True)
class Handling:
    """An event that was begun. `token` is that of its claim, None without a store."""

    event_id: str
    key: str
    token: str | None


class WebhookReceiver(Generic[P_co]):
    """
    Verifies webhooks, parses them and sees to it that each is handled once.

    `secret` is a secret, several of them (during a rotation), a `Webhook`, or a function that
    gives one of these and is called at the first request; without it HOOKWRIGHT_WEBHOOK_SECRET is
    read then. `into` is what `event.data` becomes, as in `Webhook.unwrap`. Bodies of more than
    `max_body_bytes` are answered with 413, without being read to their end.

    With a `store` (see `hookwright.deduplication`) an event is remembered for `remember_seconds`
    once its handler has succeeded: answered 2xx. A repeat of it is answered with 204 and not
    handled. A repeat while the first is still being handled is answered with 409, upon which the
    sender tries again later. A handler that fails releases the event. One that takes longer than
    `lease_seconds` may be called a second time meanwhile.

    Several endpoints get one message under the same id, so what is remembered is remembered for a
    `name`: by default the view's module and qualified name, which must not change between
    processes. Views that share these (made by a function that is called twice, or wrapped by a
    decorator without `functools.wraps`) need receivers with names; receivers of one name, and all
    views behind a named receiver, together handle an event once.
    """

    @overload
    def __init__(
        self: WebhookReceiver[dict[str, Any]],
        secret: Secret | Callable[[], Secret] | None = None,
        *,
        into: None = None,
        tolerance_seconds: float = 300,
        max_body_bytes: int = MAX_BODY_BYTES,
        store: DeduplicationStore | None = None,
        remember_seconds: float = REMEMBER_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: WebhookReceiver[Q | dict[str, Any]],
        secret: Secret | Callable[[], Secret] | None = None,
        *,
        into: Mapping[str, Converter[Q]],
        tolerance_seconds: float = 300,
        max_body_bytes: int = MAX_BODY_BYTES,
        store: DeduplicationStore | None = None,
        remember_seconds: float = REMEMBER_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: WebhookReceiver[Q],
        secret: Secret | Callable[[], Secret] | None = None,
        *,
        into: Converter[Q],
        tolerance_seconds: float = 300,
        max_body_bytes: int = MAX_BODY_BYTES,
        store: DeduplicationStore | None = None,
        remember_seconds: float = REMEMBER_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        name: str | None = None,
    ) -> None: ...
    def __init__(
        self,
        secret: Secret | Callable[[], Secret] | None = None,
        *,
        into: Any = None,
        tolerance_seconds: float = 300,
        max_body_bytes: int = MAX_BODY_BYTES,
        store: DeduplicationStore | None = None,
        remember_seconds: float = REMEMBER_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        name: str | None = None,
    ) -> None:
        check_converter(into)
        _check_above_0("max_body_bytes", max_body_bytes, int)
        _check_above_0("remember_seconds", remember_seconds, (int, float))
        _check_above_0("lease_seconds", lease_seconds, (int, float))
        _check_name(name)
        _check_store(store)
        self._secret = secret
        self._into = into
        self._tolerance = tolerance_seconds
        self._webhook: Webhook | None = None
        self._lock = threading.Lock()
        self._remember = remember_seconds
        self._lease = lease_seconds
        self.name = name
        self.store = store
        self.max_body_bytes = max_body_bytes
        if secret is not None and not callable(secret):
            self._resolved()  # what is given at once is wrong at once

    def unwrap(self, body: bytes, headers: Headers) -> WebhookEvent[P_co]:
        """
        The event of a genuine request. Raises a WebhookVerificationError, and what `into` raises
        beside what says that data does not fit.
        """
        # The overloads of the constructor know what the overloads of `unwrap` would say.
        unwrap: Callable[..., Any] = self._resolved().unwrap
        event: WebhookEvent[P_co] = unwrap(body, headers, self._into)
        return event

    def opened(self, body: bytes, headers: Headers) -> WebhookEvent[P_co] | Answer:
        """The event of a request, or what to answer to one that is not to be trusted."""
        try:
            return self.unwrap(body, headers)
        except WebhookVerificationError as error:
            _logger.warning("refused a webhook: %s: %s", type(error).__name__, error)
            return _refusal(error)

    def begin(self, event: WebhookEvent[Any], view: str = "") -> Handling | Answer:
        """
        Claim the event for the receiver's name, without one for `view`. An answer means that it is
        not to be handled now; what else is given goes to `end`.
        """
        key = f"{self.name or view}:{event.id}"
        if self.store is None:
            return Handling(event.id, key, None)
        claim = self.store.claim(key, self._lease)
        if not isinstance(claim, Refusal):
            return Handling(event.id, key, claim)
        _logger.info("the webhook %s is %s already", event.id, claim.value)
        return _DONE if claim is Refusal.DONE else _RUNNING

    def end(self, handling: Handling, *, succeeded: bool) -> None:
        """
        Say how it went. A store that fails now is logged and changes nothing: the answer is what
        the sender goes by, and a claim ends by itself.
        """
        if self.store is None or handling.token is None:
            return
        try:
            if succeeded:
                self.store.complete(handling.key, handling.token, self._remember)
            else:
                self.store.release(handling.key, handling.token)
        except Exception:
            _logger.exception(
                "the store could not note the end of the webhook %s", handling.event_id
            )

    def too_large(self) -> Answer:
        """What is answered to a body beyond `max_body_bytes`."""
        _logger.warning("refused a webhook: its body has more than %d bytes", self.max_body_bytes)
        detail = f"A webhook has at most {self.max_body_bytes} bytes."
        return _problem(413, "Content Too Large", detail)

    def _resolved(self) -> Webhook:
        if self._webhook is None:
            with self._lock:
                if self._webhook is None:
                    self._webhook = self._made()
        return self._webhook

    def _made(self) -> Webhook:
        # A Webhook is not callable, a list of secrets neither.
        given = self._secret() if callable(self._secret) else self._secret
        if isinstance(given, Webhook):
            return given
        secrets = secrets_from_environment() if given is None else given
        return Webhook(secrets, self._tolerance)


def _check_above_0(option: str, value: object, kinds: type | tuple[type, ...]) -> None:
    if not isinstance(value, kinds) or isinstance(value, bool) or not cast("float", value) > 0:
        what = "a whole number" if kinds is int else "a number"
        raise UsageError(f"{option} is {what} above 0, not {value!r:.100}")


def _check_name(name: object) -> None:
    if name is None or (isinstance(name, str) and re.fullmatch(r"[!-9;-~]{1,128}", name)):
        return
    raise UsageError(
        f"name has 1 to 128 visible characters of ASCII, none of them a colon, not {name!r:.200}"
    )


def _check_store(store: object) -> None:
    methods = ("claim", "complete", "release")
    if store is not None and not all(callable(getattr(store, each, None)) for each in methods):
        raise UsageError(
            "store is a DeduplicationStore, such as MemoryStore() or RedisStore(…), "
            f"not {store!r:.100}"
        )


def _refusal(error: WebhookVerificationError) -> Answer:
    # Fixed texts: whoever sends a bad signature learns nothing from the answer.
    match error:
        case SignatureMismatchError():
            return _problem(401, "Unauthorized", "The webhook's signature does not match.")
        case TimestampOutOfToleranceError():
            return _problem(401, "Unauthorized", "The webhook's timestamp is too far from now.")
        case InvalidPayloadError():
            return _problem(400, "Bad Request", "The webhook's body is not what is expected.")
        case _:
            return _problem(400, "Bad Request", "The webhook's headers are missing or malformed.")


def is_success(status: int) -> bool:
    """Whether the sender takes this status for a success: redirects are none."""
    return 200 <= status < 300


def view_name(view: Callable[..., Any]) -> str:
    """What a view is remembered by: the same in every process that runs this code."""
    # What `as_view` gives is called alike for all classes.
    named: Any = getattr(view, "view_class", view)
    if not hasattr(named, "__qualname__"):
        named = type(view)
    return f"{named.__module__}.{named.__qualname__}"
