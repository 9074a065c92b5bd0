"""Trigger: from a published event to one transaction that holds it and all its deliveries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hookwright_server.domain.subscriptions import Subscription, subscription
from hookwright_server.errors import Fault, Refusal
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, require_app
from hookwright_server.services.short_memory import ShortMemory
from hookwright_server.store import endpoints
from hookwright_server.store.acceptance import Acceptance, NewDelivery, NewMessage, NewRecord
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.errors import StaleSubscriptions
from hookwright_server.telemetry.meters import SILENT, RequestMeter

_FRESH_FOR_S = 1.0
_MOST_AUDIENCES = 10_000
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the caller publishes it; `payload` is kept byte for byte.

    Its deliveries carry `traceparent` on. See Acceptance for `admit`.
    """

    event_name: str
    payload: bytes
    event_id: str | None
    endpoint_ids: tuple[str, ...] | None
    traceparent: str | None = None
    admit: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the transaction will hold."""

    message_id: str
    event_name: str
    delivery_ids: tuple[str, ...]
    filtered_count: int


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One endpoint as the fan-out sees it."""

    endpoint_id: str
    subscription: Subscription
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Audience:
    """An app with its endpoints at one version; the transaction checks that it is current."""

    app_id: str
    account_id: str
    environment: str
    active: bool
    rate_limit_per_second: int | None
    version: int
    subscribers: tuple[Subscriber, ...]


Recorder = Callable[[Accepted], NewRecord]


class Trigger:
    """The service of the tag `trigger`; it makes its own transaction, shared with others'."""

    def __init__(self, parts: Parts, database: Database, meter: RequestMeter = SILENT) -> None:
        self._parts = parts
        self._database = database
        self._meter = meter
        self._cache = ShortMemory[_CacheKey, Audience](_FRESH_FOR_S, _MOST_AUDIENCES)

    def audience(self, principal: Principal, app_slug: str) -> Audience:
        """The app to publish to, perhaps a second old; not_found when there is none."""
        return self._audience(principal, app_slug)

    def forget(self) -> None:
        """Read every app anew: one has changed, and its rate is checked by no transaction."""
        self._cache.forget_all()

    def send(
        self, principal: Principal, app_slug: str, event: Event, record: Recorder | None
    ) -> Accepted:
        """Accept the event; returns after the commit.

        `record` makes the idempotency record that is written with it. Raises Refusal, the
        store's RecordExists when that key was used, and WriterBusy.
        """
        for _ in range(_TRIES):
            acceptance, accepted = self._planned(principal, app_slug, event, record)
            try:
                self._database.accept(acceptance)
            except StaleSubscriptions:
                self._cache.forget(_cache_key(principal, app_slug))
                continue
            self._meter.accepted(len(acceptance.deliveries))
            return accepted
        raise Refusal(
            "unavailable",
            "The app's endpoints are changing faster than the event can be planned. Repeat it.",
            retry_after_s=1,
        )

    def _planned(
        self, principal: Principal, app_slug: str, event: Event, record: Recorder | None
    ) -> tuple[Acceptance, Accepted]:
        try:
            return self._plan(self._audience(principal, app_slug), event, record)
        except Refusal:
            # No transaction checks a refusal, so it must not rest on what may be a second old.
            self._cache.forget(_cache_key(principal, app_slug))
            return self._plan(self._audience(principal, app_slug), event, record)

    def _plan(
        self, audience: Audience, event: Event, record: Recorder | None
    ) -> tuple[Acceptance, Accepted]:
        if not audience.active:
            raise Refusal("app_inactive", "The app accepts no events: its 'active' is false.")
        wanted = _wanted(audience, event)
        chosen = [s for s in wanted if s.subscription.matches(event.event_name)]
        now_ms = self._parts.clock.now_ms()
        message_id = self._parts.ids.new("msg", now_ms)
        place = (audience.account_id, audience.environment, audience.app_id)
        deliveries = tuple(
            NewDelivery(
                self._parts.ids.new("del", now_ms),
                *place,
                message_id,
                subscriber.endpoint_id,
                event.event_name,
                subscriber.max_attempts,
                now_ms,
                now_ms,
            )
            for subscriber in chosen
        )
        filtered = len(wanted) - len(chosen)
        message = NewMessage(
            message_id,
            *place,
            event.event_name,
            event.event_id,
            event.payload,
            len(chosen),
            filtered,
            now_ms,
            event.traceparent,
        )
        accepted = Accepted(message_id, event.event_name, tuple(d.id for d in deliveries), filtered)
        return (
            Acceptance(
                message, deliveries, audience.version, record and record(accepted), event.admit
            ),
            accepted,
        )

    def _audience(self, principal: Principal, app_slug: str) -> Audience:
        return self._cache.get(
            _cache_key(principal, app_slug),
            lambda: self._database.read(lambda tx: self._read(tx, principal, app_slug)),
        )

    def _read(self, tx: Connection, principal: Principal, app_slug: str) -> Audience:
        app = require_app(tx, principal, app_slug)
        return Audience(
            app_id=app.id,
            account_id=app.account_id,
            environment=app.environment,
            active=app.active,
            rate_limit_per_second=app.rate_limit_per_second,
            version=app.subscriptions_version,
            subscribers=tuple(
                Subscriber(
                    row.id,
                    subscription(row.events),
                    self._parts.policy(row.retry_policy, app.retry_policy).max_attempts,
                )
                for row in endpoints.of_app(tx, app.id)
            ),
        )


_CacheKey = tuple[str, str, str | None, str]


def _cache_key(principal: Principal, app_slug: str) -> _CacheKey:
    return principal.account_id, principal.environment, principal.app_id, app_slug


def _wanted(audience: Audience, event: Event) -> tuple[Subscriber, ...]:
    if event.endpoint_ids is None:
        return audience.subscribers
    known = {subscriber.endpoint_id: subscriber for subscriber in audience.subscribers}
    unknown = [
        Fault(
            f"/endpoint_ids/{index}",
            "unknown_endpoint",
            f"The app has no endpoint {endpoint_id!r}. Leave it out.",
        )
        for index, endpoint_id in enumerate(event.endpoint_ids)
        if endpoint_id not in known
    ]
    if unknown:
        raise Refusal("unknown_endpoint", unknown[0].message, tuple(unknown))
    return tuple(known[endpoint_id] for endpoint_id in event.endpoint_ids)
