"""A receiver of webhooks for tests: a real HTTP server, its endpoints, answers and assertions."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, overload

from hookwright.errors import UsageError, WebhookVerificationError
from hookwright.testing.listener import Answer, Listener, Silence, read_answer
from hookwright.testing.received import ReceivedEvent, ReceivedRequest, received_event
from hookwright.testing.report import Account
from hookwright.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hookwright._webhook_events import Converter
    from hookwright.client import Hookwright
    from hookwright.models import AppCreated, Delivery, EndpointCreated

Event: TypeAlias = ReceivedEvent[dict[str, Any]]
P = TypeVar("P")

_AT_ONCE: Final = {"delays_seconds": [0, 0, 0, 0, 0, 0, 0, 0, 0], "jitter": 0}
_OPEN: Final = ("pending", "sending")
_LOOK_S: Final = 0.02
_PATIENCE_S: Final = 20.0


class RecordingReceiver:
    """
    Receives on loopback, at `url` and any path below, what the app `app_slug` sends there.

    Each request's signature is verified with the secrets of the endpoints that `subscribe` made
    and those given to `trust`; what does not verify is answered 400. Everything else is answered
    204 unless `answers` says otherwise.
    """

    def __init__(
        self,
        client: Hookwright,
        app: AppCreated,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app_slug = app.slug
        self.endpoints: list[EndpointCreated] = []
        self._client = client
        self._app_secret = app.signing_secret
        self._clock = clock
        self._secrets: list[str] = []
        self._script: deque[Answer | Silence] = deque()
        self._afterwards: Answer | Silence = Answer(204)
        self._requests: list[ReceivedRequest] = []
        self._attempts: Counter[str] = Counter()
        self._taken: set[int] = set()
        self._changed = threading.Condition()
        self._began_at = time.monotonic()
        self._listener = Listener(self._receive)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._listener.url

    @property
    def endpoint(self) -> EndpointCreated:
        """The endpoint that was made first. UsageError when there is none."""
        if not self.endpoints:
            raise UsageError("this receiver has no endpoint: `subscribe` makes one")
        return self.endpoints[0]

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request so far, in the order of arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def events(self) -> list[Event]:
        """The genuine events that were answered 2xx, in the order of arrival."""
        return [each.event for each in self.requests if each.event and each.accepted]

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def subscribe(
        self, events: Sequence[str] = ("*",), *, path: str = "", **fields: Any
    ) -> EndpointCreated:
        """
        Make an endpoint of the app for `events` at this receiver and trust what it signs.

        `fields` are those of `client.endpoints.create`. Unless `retry_policy` is among them,
        failed attempts are repeated at once, nine times.
        """
        fields.setdefault("retry_policy", _AT_ONCE)
        made = self._client.endpoints.create(
            self.app_slug, url=f"{self.url}{path.lstrip('/')}", events=list(events), **fields
        )
        self.endpoints.append(made)
        self.trust(self._verifying_secret(made))
        return made

    def trust(self, secret: str) -> None:
        """Accept what is signed with this secret too, as after a rotation."""
        Webhook(secret)  # a secret that is none is told of here, not at the next request
        with self._changed:
            self._secrets.append(secret)

    def answers(self, *script: int | Silence | Answer, then: int | Silence | Answer = 204) -> None:
        """
        Answer the next genuine requests with these, one each, and all later ones with `then`.

        A status, an `Answer`, "hang" (no answer until the sender gives up) or "close" (the
        connection is cut). Replaces what is left of an earlier script.
        """
        answers: list[Answer | Silence] = [read_answer(each) for each in script]
        afterwards = read_answer(then)
        with self._changed:
            self._script = deque(answers)
            self._afterwards = afterwards

    @overload
    def wait_for(self, event_name: str | None = None, *, timeout: float = _PATIENCE_S) -> Event: ...
    @overload
    def wait_for(
        self,
        event_name: str | None = None,
        *,
        into: Converter[P],
        timeout: float = _PATIENCE_S,
    ) -> ReceivedEvent[P]: ...
    def wait_for(
        self,
        event_name: str | None = None,
        *,
        into: Any = None,
        timeout: float = _PATIENCE_S,
    ) -> ReceivedEvent[Any]:
        """
        The next event of this name (None: of any) that was answered 2xx.

        Every event is returned once, so a second call waits for a second event. `into` is what
        `data` becomes, as for `Webhook.unwrap`. Fails after `timeout` seconds, or as soon as a
        request comes whose signature is wrong; the failure says what did arrive, and what the
        server knows of the rest.
        """
        __tracebackhide__ = True
        (event,) = self.wait_for_all(event_name, count=1, timeout=timeout)
        return event if into is None else event.into(into)

    def wait_for_all(
        self, event_name: str | None = None, *, count: int, timeout: float = _PATIENCE_S
    ) -> list[Event]:
        """The next `count` events of this name, like `wait_for`; none is taken if it fails."""
        __tracebackhide__ = True
        give_up_at = time.monotonic() + timeout
        with self._changed:
            why = f"within {timeout:g} s"
            while len(found := self._fresh(event_name)) < count:
                left = give_up_at - time.monotonic()
                if any(each.problem for each in self._requests):
                    why = "and a request came that is not to be trusted"
                    break
                if left <= 0:
                    break
                self._changed.wait(left)
            else:
                self._taken |= set(found[:count])
                taken = [self._requests[index].event for index in found[:count]]
                return [event for event in taken if event is not None]
        wanted = event_name or "an event"
        if count > 1:
            wanted = f"{count} of {event_name or 'any event'} ({len(found)} came)"
        raise AssertionError(f"{wanted} did not arrive at {self.url} {why}{self._account()}")

    def wait_for_attempts(
        self, count: int, event_name: str | None = None, *, timeout: float = _PATIENCE_S
    ) -> list[ReceivedRequest]:
        """
        The first `count` genuine requests for this event, whatever they were answered.

        Fails after `timeout` seconds like `wait_for`.
        """
        __tracebackhide__ = True
        give_up_at = time.monotonic() + timeout
        with self._changed:
            while len(found := self._genuine(event_name)) < count:
                left = give_up_at - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            else:
                return found[:count]
        raise AssertionError(
            f"{count} attempts of {event_name or 'any event'} ({len(found)} came) did not arrive "
            f"at {self.url} within {timeout:g} s{self._account()}"
        )

    def settle(self, *, timeout: float = _PATIENCE_S) -> None:
        """
        Wait until nothing is on its way to this receiver: no delivery is pending or sending.

        What the server shows of deliveries and attempts is final then. Fails after `timeout`
        seconds.
        """
        __tracebackhide__ = True
        give_up_at = time.monotonic() + timeout
        while any(self._deliveries(None, _OPEN)):
            if time.monotonic() > give_up_at:
                raise AssertionError(
                    f"deliveries to {self.url} have not ended within {timeout:g} s{self._account()}"
                )
            time.sleep(_LOOK_S)

    def assert_nothing(self, event_name: str | None = None, *, within: float = 0.0) -> None:
        """
        Fail when an event of this name (None: any) has arrived or is on its way.

        Whatever was published before this call counts, delivered already or not; `within` seconds
        are added for what is published later, by a background task for instance.
        """
        __tracebackhide__ = True
        give_up_at = time.monotonic() + within
        while True:
            came = any(event_name in (None, _name(each)) for each in self.requests)
            if came or any(self._deliveries(event_name)):
                raise AssertionError(
                    f"{event_name or 'an event'} was sent to {self.url}, and nothing was to be"
                    f"{self._account()}"
                )
            if time.monotonic() >= give_up_at:
                return
            time.sleep(_LOOK_S)

    def _verifying_secret(self, made: EndpointCreated) -> str:
        if made.signing.scheme == "v1a":
            keys = self._client.endpoints.get_secret_public_key(self.app_slug, made.id)
            return keys.public_key
        return self._app_secret if made.signing.source == "app" else made.signing_secret

    def _receive(self, path: str, headers: dict[str, str], body: bytes) -> Answer | Silence:
        at = time.monotonic() - self._began_at
        with self._changed:
            event, problem = self._judge(headers, body)
            answer: Answer | Silence
            if event is None:
                answer = Answer(400, f"{problem}\n")
            else:
                answer = self._script.popleft() if self._script else self._afterwards
            request = ReceivedRequest(at, path, headers, body, event, problem, answer)
            self._requests.append(request)
            self._changed.notify_all()
        return answer

    def _judge(self, headers: dict[str, str], body: bytes) -> tuple[Event | None, str | None]:
        if not self._secrets:
            return None, "this receiver has no endpoint and trusts no secret: `trust` one"
        try:
            told = Webhook(self._secrets, clock=self._clock).unwrap(body, headers)
        except WebhookVerificationError as error:
            return None, f"{type(error).__name__}: {error}"
        self._attempts[told.id] += 1
        return received_event(told, self._attempts[told.id], headers), None

    def _fresh(self, event_name: str | None) -> list[int]:
        return [
            index
            for index, each in enumerate(self._requests)
            if index not in self._taken and each.accepted and event_name in (None, _name(each))
        ]

    def _genuine(self, event_name: str | None) -> list[ReceivedRequest]:
        return [
            each
            for each in self._requests
            if each.event is not None and event_name in (None, each.event.type)
        ]

    def _deliveries(
        self, event_name: str | None, statuses: Sequence[Any] = ()
    ) -> Iterator[Delivery]:
        asked: dict[str, Any] = {"status": statuses} if statuses else {}
        if event_name is not None:
            asked["event_name"] = event_name
        for endpoint in self.endpoints:
            yield from self._client.deliveries.list(self.app_slug, endpoint_id=endpoint.id, **asked)

    def _account(self) -> str:
        return Account(self._client, self.app_slug, [each.id for each in self.endpoints]).text(
            self.requests
        )


class NewReceiver(Protocol):
    """The fixture `new_webhook_receiver`: another receiver, closed at the end of the test."""

    def __call__(self, events: Sequence[str] = ("*",), **fields: Any) -> RecordingReceiver:
        """`events` and `fields` as for `RecordingReceiver.subscribe`; no events: no endpoint."""
        ...


def _name(request: ReceivedRequest) -> str | None:
    return None if request.event is None else request.event.type
