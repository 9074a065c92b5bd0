"""Test events: one real, signed request, now, outside the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hookwright_server.delivery.prepare import NotPreparable, Preparer, SignedRequest
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.domain.outcome import FailureReason, NotTransformed, failure_reason
from hookwright_server.domain.signing import build_body
from hookwright_server.domain.transformation import TransformationFailed
from hookwright_server.errors import Refusal
from hookwright_server.services.endpoints import Endpoints
from hookwright_server.services.parts import Parts
from hookwright_server.services.places import Places
from hookwright_server.services.principal import Principal
from hookwright_server.store.claims import targets
from hookwright_server.store.database import Database

# A test holds a request thread until its endpoint answers; the other threads stay for others.
_AT_A_TIME = 16
_AT_A_TIME_OF_ONE_ACCOUNT = 4

Send = Callable[[OutgoingRequest], Attempted]


@dataclass(frozen=True, slots=True)
class TestResult:
    """What was sent and what came of it; `sent` None: it could not be transformed."""

    __test__ = False

    sent: SignedRequest | None
    failure_reason: FailureReason | None
    status_code: int | None
    latency_ms: int
    response_body: bytes | None
    response_body_truncated: bool


_NOTHING_SENT = TestResult(
    sent=None,
    failure_reason=failure_reason(NotTransformed()),
    status_code=None,
    latency_ms=0,
    response_body=None,
    response_body_truncated=False,
)


class EndpointTests:
    """`endpoints.test`. No transaction is open while the request is under way."""

    def __init__(
        self,
        parts: Parts,
        database: Database,
        endpoints: Endpoints,
        preparer: Preparer,
        send: Send,
    ) -> None:
        self._parts = parts
        self._database = database
        self._endpoints = endpoints
        self._preparer = preparer
        self._send = send
        self._places = Places(
            _AT_A_TIME,
            _AT_A_TIME_OF_ONE_ACCOUNT,
            "Too many test events are waiting for their endpoints.",
        )

    def run(
        self,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        event_name: str,
        payload: bytes,
    ) -> TestResult:
        """Send one event to the endpoint, even to a disabled one, and wait for the outcome."""
        try:
            signed = self._sign(principal, app_slug, endpoint_id, event_name, payload)
        except TransformationFailed:
            return _NOTHING_SENT
        with self._places.taken(principal.account_id):
            attempted = self._send(signed.request)
        answered = attempted.status_code is not None
        return TestResult(
            sent=signed,
            failure_reason=failure_reason(attempted.outcome),
            status_code=attempted.status_code,
            latency_ms=attempted.latency_ms,
            response_body=attempted.response_body if answered else None,
            response_body_truncated=attempted.response_body_truncated,
        )

    def _sign(
        self,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        event_name: str,
        payload: bytes,
    ) -> SignedRequest:
        now_ms = self._parts.clock.now_ms()
        message_id = self._parts.ids.new("msg", now_ms)
        found = self._database.read(
            lambda tx: targets(
                tx,
                [self._endpoints.get(tx, principal, app_slug, endpoint_id).id],
                now_ms,
            )
        )
        target = found[endpoint_id]
        body = build_body(event_name, now_ms, self._preparer.data(target, payload))
        try:
            return self._preparer.sign(target, message_id, body)
        except NotPreparable as error:
            raise Refusal(
                "internal_error",
                "The endpoint's secret cannot be opened: the server lacks its encryption key.",
            ) from error
