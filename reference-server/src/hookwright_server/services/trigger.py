"""Trigger: from a published event to one transaction that holds it and all its deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hookwright_server.domain import slug
from hookwright_server.domain.filters import Filter, compile_filter
from hookwright_server.domain.subscriptions import Subscription, subscription
from hookwright_server.errors import Fault, Refusal
from hookwright_server.services import publish_times
from hookwright_server.services.catalogue import Catalogue, EventSchemas, read_catalogue
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, require_app
from hookwright_server.services.routing import accepting
from hookwright_server.services.short_memory import ShortMemory
from hookwright_server.store import endpoints
from hookwright_server.store.acceptance import (
    DELIVERIES_AT_ONCE,
    Acceptance,
    NewDelivery,
    NewMessage,
    NewRecord,
)
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.endpoints import EndpointRow
from hookwright_server.store.errors import RecordExists, StaleSubscriptions
from hookwright_server.telemetry.meters import SILENT, RequestMeter

_FRESH_FOR_S = 1.0
_MOST_AUDIENCES = 10_000
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the caller publishes it; `payload` is kept byte for byte.

    `document` is the value of the payload, for the schema of the event's type. Its deliveries
    carry `traceparent` on. See Acceptance for `admit`. `filter_context` is what filters see beside
    the payload. Of a `dry_run` nothing is written.
    """

    event_name: str
    payload: bytes
    document: object
    event_id: str | None
    endpoint_ids: tuple[str, ...] | None
    traceparent: str | None = None
    admit: Callable[[], None] | None = None
    filter_context: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    deliver_at: int | None = None
    expires_at: int | None = None
    dry_run: bool = False
    ordering_key: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the transaction will hold; of a `dry_run`, would have held."""

    message_id: str
    event_name: str
    delivery_ids: tuple[str, ...]
    filtered_count: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One endpoint as the fan-out sees it."""

    endpoint_id: str
    subscription: Subscription
    max_attempts: int
    filter: Filter | None = None


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
    catalogue: Catalogue
    is_selective: bool
    """Whether one of them has a filter."""


Recorder = Callable[[Accepted], NewRecord]


class Trigger:
    """The service of the tag `trigger`; it makes its own transaction, shared with others'."""

    def __init__(self, parts: Parts, database: Database, meter: RequestMeter = SILENT) -> None:
        self._parts = parts
        self._database = database
        self._meter = meter
        self._event_schemas = EventSchemas(database)
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
        if event.dry_run:
            # No transaction checks whether what it was planned by is still so.
            self._cache.forget(_cache_key(principal, app_slug))
        for _ in range(_TRIES):
            try:
                acceptance, accepted = self._planned(principal, app_slug, event, record)
                if event.dry_run:
                    return _admitted(event, accepted)
                self._database.accept(acceptance)
            except StaleSubscriptions:
                self._cache.forget(_cache_key(principal, app_slug))
                continue
            self._meter.accepted(len(acceptance.deliveries))
            return accepted
        raise _too_restless()

    def send_batch(
        self,
        principal: Principal,
        app_slug: str,
        events: Sequence[Event],
        record: Callable[[int, Accepted], NewRecord] | None,
    ) -> list[Accepted | Exception]:
        """Accept the events, each by itself; for each what `send` would have returned or raised.

        So many at once that memory and transactions do not grow with the app's endpoints. When some
        were not stored, those behind them are not tried: they must not overtake. Raises Refusal
        when the app takes no events at all.
        """
        tries = any(event.dry_run for event in events)
        if tries or not self._audience(principal, app_slug).active:
            self._cache.forget(_cache_key(principal, app_slug))
        _require_active(self._audience(principal, app_slug))
        done: dict[int, Accepted | Exception] = {}
        begin = 0
        while begin < len(events):
            end = self._send_some(principal, app_slug, events, begin, record, done)
            some = (done[index] for index in range(begin, end))
            not_stored = next(filter(_is_not_stored, some), None)
            if not_stored is not None:
                done |= dict.fromkeys(range(end, len(events)), not_stored)
                break
            begin = end
        return [done[index] for index in range(len(events))]

    def _send_some(
        self,
        principal: Principal,
        app_slug: str,
        events: Sequence[Event],
        begin: int,
        record: Callable[[int, Accepted], NewRecord] | None,
        done: dict[int, Accepted | Exception],
    ) -> int:
        """Put into `done` what came of the events from `begin` on; where that ends."""
        end = len(events)
        left: Sequence[int] = range(begin, end)
        is_fresh = False
        for tried in range(_TRIES):
            count = 0
            plans: dict[int, tuple[Acceptance, Accepted]] = {}
            stale: list[int] = []
            for index in left:
                if not tried and count >= DELIVERIES_AT_ONCE:
                    end = index
                    break
                recorder = record and partial(record, index)
                try:
                    plan = self._planned(
                        principal, app_slug, events[index], recorder, is_fresh=is_fresh
                    )
                except Refusal as refusal:
                    done[index] = refusal
                    is_fresh = True
                    continue
                except StaleSubscriptions:
                    stale.append(index)
                    continue
                count += len(plan[0].deliveries)
                if events[index].dry_run:
                    done[index] = plan[1]
                else:
                    plans[index] = plan
            if _is_torn(plans.values()):
                left = sorted([*stale, *plans])
            else:
                left = sorted([*stale, *self._accept_all(plans, done)])
            if not left:
                break
            self._cache.forget(_cache_key(principal, app_slug))
        for index in left:
            done[index] = _too_restless()
        return end

    def _accept_all(
        self,
        plans: Mapping[int, tuple[Acceptance, Accepted]],
        done: dict[int, Accepted | Exception],
    ) -> list[int]:
        """Put into `done` what came of each plan; the indexes of those to be planned anew."""
        stale: list[int] = []
        errors = self._database.accept_all([acceptance for acceptance, _ in plans.values()])
        for (index, (acceptance, accepted)), error in zip(plans.items(), errors, strict=True):
            if isinstance(error, StaleSubscriptions):
                stale.append(index)
                continue
            done[index] = error or accepted
            if error is None:
                self._meter.accepted(len(acceptance.deliveries))
        return stale

    def _planned(
        self,
        principal: Principal,
        app_slug: str,
        event: Event,
        record: Recorder | None,
        *,
        is_fresh: bool = False,
    ) -> tuple[Acceptance, Accepted]:
        """Plan the event. `is_fresh`: the audience has been read anew for this request."""
        try:
            return self._plan(self._audience(principal, app_slug), event, record)
        except Refusal:
            if is_fresh:
                raise
            # No transaction checks a refusal, so it must not rest on what may be a second old.
            self._cache.forget(_cache_key(principal, app_slug))
            return self._plan(self._audience(principal, app_slug), event, record)

    def _plan(
        self, audience: Audience, event: Event, record: Recorder | None
    ) -> tuple[Acceptance, Accepted]:
        _require_active(audience)
        self._event_schemas.judge(
            audience.catalogue, event.event_name, event.document, len(event.payload)
        )
        wanted = _wanted(audience, event)
        chosen = [s for s in wanted if s.subscription.matches(event.event_name)]
        if audience.is_selective:
            chosen = accepting(chosen, event.payload, event.filter_context)
        now_ms = self._parts.clock.now_ms()
        due_at = now_ms
        if event.deliver_at is not None or event.expires_at is not None:
            publish_times.require_schedulable(event.deliver_at, event.ordering_key)
            due_at = publish_times.due_at(event.deliver_at, event.expires_at, now_ms)
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
                due_at,
                now_ms,
                event.expires_at,
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
            event.tags,
            event.deliver_at,
            event.expires_at,
            event.ordering_key,
        )
        ids = tuple(d.id for d in deliveries)
        accepted = Accepted(message_id, event.event_name, ids, filtered, event.dry_run)
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
        if app.slug == slug.SYSTEM:
            raise Refusal("forbidden", "Only Hookwright itself publishes to the app '_system'.")
        rows = endpoints.of_app(tx, app.id)
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
                    _filter(row),
                )
                for row in rows
            ),
            catalogue=read_catalogue(tx, app),
            is_selective=any(row.filter_rules is not None for row in rows),
        )


def _is_torn(plans: Iterable[tuple[Acceptance, Accepted]]) -> bool:
    """Whether some could be accepted before others, although they have an order to keep to.

    Plans of one version of the subscriptions are all accepted, or from one on none.
    """
    acceptances = [acceptance for acceptance, _ in plans]
    return any(a.message.ordering_key is not None for a in acceptances) and (
        len({a.subscriptions_version for a in acceptances}) > 1
    )


def _is_not_stored(outcome: Accepted | Exception) -> bool:
    """Whether the event may be accepted if it is sent again."""
    if isinstance(outcome, Refusal):
        return outcome.code == "unavailable"
    return isinstance(outcome, Exception) and not isinstance(outcome, RecordExists)


def _require_active(audience: Audience) -> None:
    if not audience.active:
        raise Refusal("app_inactive", "The app accepts no events: its 'active' is false.")


def _too_restless() -> Refusal:
    return Refusal(
        "unavailable",
        "The app's endpoints are changing faster than the event can be planned. Repeat it.",
        retry_after_s=1,
    )


def _admitted(event: Event, accepted: Accepted) -> Accepted:
    # What is accepted is admitted by the writer.
    if event.admit is not None:
        event.admit()
    return accepted


_CacheKey = tuple[str, str, str | None, str]


def _cache_key(principal: Principal, app_slug: str) -> _CacheKey:
    return principal.account_id, principal.environment, principal.app_id, app_slug


def _filter(row: EndpointRow) -> Filter | None:
    return None if row.filter_rules is None else compile_filter(row.filter_rules)


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
