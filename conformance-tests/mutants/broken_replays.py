"""Mutants of replays: tasks that go too far or say something else, and what may be replayed."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from replacing import nothing, replace

from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import replays as handlers
from hookwright_server.http.handlers import views
from hookwright_server.services import deliveries
from hookwright_server.services import replays as replay_services
from hookwright_server.services.replays import Wanted
from hookwright_server.store import replay_steps, replay_tasks
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import DeliveryRow
from hookwright_server.store.replay_tasks import ReplayTaskRow


def cancels_no_replay_task() -> None:
    """A task that is cancelled goes on."""
    replace(replay_tasks, "cancel", nothing)


def counts_skipped_as_replayed() -> None:
    """Progress tells of replays that nobody made."""
    replay: Callable[..., int] = vars(replay_steps)["_replay"]

    def replay_and_boast(tx: Connection, app_id: str, ids: Sequence[str], *others: Any) -> int:
        replay(tx, app_id, ids, *others)
        return len(ids)

    replace(replay_steps, "_replay", replay_and_boast)


def replays_in_a_dry_run() -> None:
    """A dry run makes its task."""
    create = handlers.ReplayHandlers.create

    def create_wet(
        self: handlers.ReplayHandlers,
        context: Context,
        params: p.DeliveriesCreateReplayParams,
        body: requests.ReplayCreate,
    ) -> responses.ReplayTask:
        task = create(self, context, params, body.model_copy(update={"dry_run": False}))
        return {**task, "dry_run": body.dry_run}

    replace(handlers.ReplayHandlers, "create", create_wet)


def replays_other_events() -> None:
    """A range takes every event of the app, to every endpoint."""

    def wanted(**fields: Any) -> Wanted:
        return dataclasses.replace(Wanted(**fields), event_name=None, endpoint_id=None)

    replace(handlers, "Wanted", wanted)


def replays_what_has_not_ended() -> None:
    """A delivery that waits can be replayed."""
    every = ("cancelled", "dead_letter", "delivered", "failed", "held", "pending", "sending")
    replace(deliveries, "_ENDED", frozenset(every))


def retries_what_has_expired() -> None:
    """A retry does not look at `expires_at`."""
    get = deliveries.Deliveries.get

    def get_timeless(*arguments: Any) -> DeliveryRow:
        return dataclasses.replace(get(*arguments), expires_at=None)

    replace(deliveries.Deliveries, "get", get_timeless)


def takes_any_number_of_replays() -> None:
    """Nobody counts the tasks that have not ended."""

    def none_open(_tx: Connection, _app_id: str) -> int:
        return 0

    replace(replay_tasks, "count_open", none_open)


def hides_what_it_skips() -> None:
    """A task is shown as if it had skipped nothing."""
    view = views.replay_task

    def shown(row: ReplayTaskRow, *, dry_run: bool = False) -> responses.ReplayTask:
        return {**view(row, dry_run=dry_run), "skipped_count": 0}

    replace(views, "replay_task", shown)


def replays_any_range() -> None:
    """Neither the length of a range nor what excludes it is looked at."""
    replace(replay_services, "_check", nothing)
    replace(replay_services, "_check_range", nothing)
