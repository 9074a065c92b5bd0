"""Mutants of what becomes of messages: times, cancelling, expunging, dry runs, batches, lists."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import dataclasses
from typing import Any

from replacing import nothing, replace

from hookwright_server.clock import Clock
from hookwright_server.delivery import claim, maintenance, outbox
from hookwright_server.http.handlers import deliveries as delivery_handlers
from hookwright_server.http.handlers import events
from hookwright_server.http.handlers import messages as message_handlers
from hookwright_server.services import endpoints as endpoint_services
from hookwright_server.services import publish_times
from hookwright_server.services import replays as replay_services
from hookwright_server.services.trigger import Accepted, Event, Trigger
from hookwright_server.store import cancelling
from hookwright_server.store import messages as message_store
from hookwright_server.store.claims import Leased
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryFilter
from hookwright_server.store.messages import MessageFilter

EARLY_MS = 2_000


def cancelling_spares_what_is_sent() -> None:
    """What is being sent when it is cancelled goes on as if nobody had asked."""
    replace(cancelling, "stop", nothing)


def expunging_erases_nothing() -> None:
    """The payload stays."""
    replace(message_store, "expunge", nothing)


def sends_what_has_expired() -> None:
    """A claim hands out what it should cancel as if it never expired, and nobody else looks."""

    def all_of_it(
        _connection: Connection, leased: list[Leased], _now_ms: int
    ) -> tuple[list[Leased], int]:
        return [dataclasses.replace(row, expires_at=None) for row in leased], 0

    replace(claim, "_in_time", all_of_it)
    chores = [chore for chore in maintenance.CHORES if chore.__name__ != "cancel_expired"]
    replace(maintenance, "CHORES", tuple(chores))


def delivers_at_once() -> None:
    """`deliver_at` is not heard."""

    def now(_deliver_at: int | None, _expires_at: int | None, now_ms: int) -> int:
        return now_ms

    replace(publish_times, "due_at", now)


class _Ahead:
    """A clock that is two seconds fast."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms() + EARLY_MS


def delivers_two_seconds_early() -> None:
    """What is due in two seconds is sent already; what is shown stays right."""
    claim_due = claim.claim

    def claim_early(connection: Connection, clock: Clock, *arguments: Any) -> claim.Claim:
        found = claim_due(connection, _Ahead(clock), *arguments)
        due_at = found.next_due_at
        early = None if due_at is None else due_at - EARLY_MS
        return dataclasses.replace(found, next_due_at=early)

    replace(outbox, "claim", claim_early)


def dry_runs_are_wet() -> None:
    """A dry run publishes."""

    def wet(**fields: Any) -> Event:
        fields["dry_run"] = False
        return Event(**fields)

    replace(events, "Event", wet)


def cancels_nothing_that_waits() -> None:
    """What waits when it is cancelled waits on."""
    replace(cancelling, "cancel", nothing)


def takes_impossible_times() -> None:
    """Any `deliver_at` and `expires_at` is taken."""

    def whenever(deliver_at: int | None, _expires_at: int | None, now_ms: int) -> int:
        return max(now_ms, deliver_at or 0)

    replace(publish_times, "due_at", whenever)


def one_bad_event_spoils_the_batch() -> None:
    """The refusal of one event is the answer to all of them."""
    send_batch = Trigger.send_batch

    def all_or_nothing(self: Trigger, *arguments: Any) -> list[Accepted | Exception]:
        done = send_batch(self, *arguments)
        for each in done:
            if isinstance(each, Exception):
                raise each
        return done

    replace(Trigger, "send_batch", all_or_nothing)


def finds_any_event_id() -> None:
    """The filter by `event_id` is not applied."""

    def nameless(**fields: Any) -> MessageFilter:
        return dataclasses.replace(MessageFilter(**fields), event_id=None)

    replace(message_handlers, "MessageFilter", nameless)


def ignores_an_event_name() -> None:
    """The list of deliveries does not look at `event_name`."""

    def of_any_event(**fields: Any) -> DeliveryFilter:
        return dataclasses.replace(DeliveryFilter(**fields), event_name=None)

    replace(delivery_handlers, "DeliveryFilter", of_any_event)


def lists_deliveries_of_other_endpoints() -> None:
    """An endpoint's list holds every delivery that the key may see."""

    def of_any_endpoint(row: Any, **changes: Any) -> Any:
        return row if isinstance(row, DeliveryFilter) else dataclasses.replace(row, **changes)

    replace(endpoint_services, "replace", of_any_endpoint)


def finds_any_tag() -> None:
    """The filter by tag is not applied."""

    def untagged(**fields: Any) -> MessageFilter:
        return dataclasses.replace(MessageFilter(**fields), tag=None)

    replace(message_handlers, "MessageFilter", untagged)


def replays_whatever_lies_in_the_range() -> None:
    """A replay task by range takes what was delivered, too."""
    everything = ("cancelled", "dead_letter", "delivered", "failed")

    def all_statuses(_statuses: tuple[str, ...]) -> tuple[str, ...]:
        return everything

    replace(replay_services, "_spelled_out", all_statuses)
