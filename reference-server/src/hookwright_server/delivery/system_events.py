"""What the platform itself publishes: to the app `_system` of whom it concerns, if they have one.

Written in the transaction in which the thing happens. Who has no endpoint there costs one look,
and only when something has happened; about `_system` itself nothing is published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.domain.exact_json import read_exactly
from hookwright_server.domain.filters import Fields
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.domain.slug import SYSTEM
from hookwright_server.ids import Ids
from hookwright_server.store import system_app
from hookwright_server.store.acceptance import Acceptance, NewDelivery, NewMessage
from hookwright_server.store.claims import Tenant
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StaleSubscriptions
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.rollup_deltas import count_accepted
from hookwright_server.store.system_app import Listener, SystemApp

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to tell the tenant about. `data` is what the event holds beside `app_slug`."""

    event_name: str
    tenant: Tenant
    app_id: str
    data: Mapping[str, object]


class SystemEvents:
    """Publishes to `_system`."""

    def __init__(self, policies: RetryPolicies, clock: Clock, ids: Ids) -> None:
        self._policies = policies
        self._clock = clock
        self._ids = ids

    def publish(self, tx: Connection, happenings: Sequence[Happening]) -> bool:
        """Write events with their deliveries; whether there are any of these.

        Raises StaleSubscriptions when the endpoints of `_system` change faster than that.
        """
        left: Sequence[Happening] = happenings
        published = False
        for _ in range(_TRIES):
            if not left:
                return published
            planned = list(self._planned(tx, left))
            refusals = hot_sql(tx).accept(tx, [acceptance for _, acceptance in planned])
            pairs = list(zip(planned, refusals, strict=True))
            left = [happening for (happening, _), refusal in pairs if refusal is not None]
            accepted = [acceptance for (_, acceptance), refusal in pairs if refusal is None]
            count_accepted(tx, accepted)
            published |= any(acceptance.deliveries for acceptance in accepted)
        if left:
            raise StaleSubscriptions("_system")
        return published

    def _planned(
        self, tx: Connection, happenings: Sequence[Happening]
    ) -> Iterable[tuple[Happening, Acceptance]]:
        audiences = system_app.find(tx, {each.tenant for each in happenings})
        told = [each for each in happenings if each.tenant in audiences]
        slugs = system_app.slugs(tx, {each.app_id for each in told})
        for each in told:
            slug = slugs[each.app_id]
            if _concerns_others(slug):
                yield each, self._acceptance(audiences[each.tenant], each, slug)

    def _acceptance(self, app: SystemApp, happening: Happening, app_slug: str) -> Acceptance:
        now_ms = self._clock.now_ms()
        message_id = self._ids.new("msg", now_ms)
        account_id, environment = happening.tenant
        payload = json.dumps({"app_slug": app_slug, **happening.data}).encode()
        fields: Fields = {"payload": read_exactly(payload), "context": {}}
        chosen = [
            each
            for each in app.listeners
            if each.subscription.matches(happening.event_name) and _passes(each, fields)
        ]
        message = NewMessage(
            id=message_id,
            account_id=account_id,
            environment=environment,
            app_id=app.id,
            event_name=happening.event_name,
            event_id=None,
            payload=payload,
            endpoint_count=len(chosen),
            filtered_count=len(app.listeners) - len(chosen),
            created_at=now_ms,
        )
        deliveries = tuple(
            NewDelivery(
                id=self._ids.new("del", now_ms),
                account_id=account_id,
                environment=environment,
                app_id=app.id,
                message_id=message_id,
                endpoint_id=each.endpoint_id,
                event_name=happening.event_name,
                max_attempts=self._policies.from_document(each.retry_policy).max_attempts,
                next_attempt_at=now_ms,
                created_at=now_ms,
            )
            for each in chosen
        )
        return Acceptance(message, deliveries, app.version)


def _concerns_others(app_slug: str) -> bool:
    """Else what tells of a failure would fail, be told of, fail, and so on."""
    return app_slug != SYSTEM


def _passes(listener: Listener, fields: Fields) -> bool:
    return listener.filter is None or listener.filter.accepts(fields)
