"""Mutants of rate limits: of endpoints, and of publishers."""

# ruff: noqa: INP001 - launch.py puts this folder on the path
# What replaces a method sees what the method sees.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import sqlalchemy as sa
from replacing import nothing, replace

from hookwright_server.delivery.throttle import Throttle
from hookwright_server.http import rate_limit
from hookwright_server.http.dispatch import Dispatcher
from hookwright_server.http.edge.operations import Operation
from hookwright_server.services.principal import Principal
from hookwright_server.store import rates
from hookwright_server.store.claims import Waiting
from hookwright_server.store.database import Connection
from hookwright_server.store.tables import deliveries


def never_slows_down() -> None:
    """An overloaded endpoint gets as much at a time as before."""
    replace(Throttle, "note", nothing)


def counts_no_attempts() -> None:
    """Every window of a rate limit looks unused."""

    def take(connection: Connection, waiting: Iterable[Waiting], leased: Iterable[str]) -> None:
        del connection, waiting, leased

    replace(rates, "take", take)


def drops_what_is_beyond_the_rate() -> None:
    """What waits for the next window fails instead, without an attempt."""
    counted = rates.take

    def take(connection: Connection, waiting: Iterable[Waiting], leased: Iterable[str]) -> None:
        entries = list(waiting)
        counted(connection, entries, leased)
        full = [each.endpoint_id for each in entries if each.reopens_at is not None]
        connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.endpoint_id.in_(full), deliveries.c.status == "pending")
            .values(status="failed", next_attempt_at=None)
        )

    replace(rates, "take", take)


def takes_what_is_beyond_the_quota() -> None:
    """A used-up quota is told and not kept."""
    standing = rate_limit.standing

    def generous(policy: rate_limit.Policy, used: int, left_ms: int) -> rate_limit.Standing:
        return dataclasses.replace(standing(policy, used, left_ms), exceeded=False)

    replace(rate_limit, "standing", generous)


def counts_a_batch_once() -> None:
    """A batch counts as one event."""
    replace(rate_limit.Several, "count_more", nothing)


def tells_half_of_the_window() -> None:
    """The structured fields are left out."""
    headers = rate_limit.Standing.headers

    def plain(self: rate_limit.Standing) -> dict[str, str]:
        return {name: value for name, value in headers(self).items() if name.startswith("X-")}

    replace(rate_limit.Standing, "headers", plain)


def events_count_as_requests() -> None:
    """Published events use up the window of their key."""

    def of_the_key(
        self: Dispatcher, operation: Operation, principal: Principal, app_slug: str
    ) -> rate_limit.Counted:
        del operation, app_slug
        policy = rate_limit.Policy("key", principal.requests_per_minute, 60)
        return self._limiter.count(policy, principal.key_id)

    replace(Dispatcher, "_count_message", of_the_key)
