"""Mutants of what takes days: overlaps, retention, health."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace as changed

import sqlalchemy as sa
from replacing import replace

from hookwright_server.delivery import recorder
from hookwright_server.domain import health
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.health import Health
from hookwright_server.domain.signing_keys import Scheme
from hookwright_server.services.secrets import Rotated, Secrets
from hookwright_server.store import retention
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm
from hookwright_server.store.retention import Walk
from hookwright_server.store.tables import attempts, deliveries

_WEEK_S = 604_800


def overlaps_last_longer() -> None:
    """After a rotation the old secret signs for a week, whatever was asked for."""
    rotate = Secrets.rotate

    def rotate_slowly(
        self: Secrets,
        tx: Connection,
        realm: Realm,
        app_id: str,
        endpoint_id: str | None,
        overlap_seconds: int,
        scheme: Scheme = "v1",
    ) -> Rotated:
        later = _WEEK_S if overlap_seconds else 0
        return rotate(self, tx, realm, app_id, endpoint_id, later, scheme)

    replace(Secrets, "rotate", rotate_slowly)


def remembers_keys_for_a_week() -> None:
    """Idempotency keys are held for seven days."""
    replace(Limits, "idempotency_hours", 7 * 24)


def switches_last_longer() -> None:
    """After a switch both sources or schemes sign for a week."""
    replace(Limits, "signing_switch_overlap_seconds", _WEEK_S)


def keeps_everything() -> None:
    """Retention rests for ever."""

    def step(connection: Connection, walk: Walk, now_ms: int, limit: int) -> Walk:
        del connection, limit
        return changed(walk, rests_until=now_ms + 60_000)

    replace(retention, "step", step)


def erases_a_day_early() -> None:
    """Retention lives a day ahead."""
    true_step = retention.step

    def step(connection: Connection, walk: Walk, now_ms: int, limit: int) -> Walk:
        return true_step(connection, walk, now_ms + retention.DAY_MS, limit)

    replace(retention, "step", step)


def erases_what_is_not_over() -> None:
    """Deliveries go with the age of their message, whatever becomes of them."""

    def erase(
        connection: Connection, batch: Sequence[str], cutoff: int, limit: int
    ) -> Sequence[object]:
        del cutoff, limit
        ids = connection.scalars(
            sa.select(deliveries.c.id).where(deliveries.c.message_id.in_(batch))
        ).all()
        connection.execute(sa.delete(attempts).where(attempts.c.delivery_id.in_(ids)))
        connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(ids)))
        return ()

    replace(retention, "_erase_deliveries", erase)


def never_disables_the_failing() -> None:
    """Only an answer 410 disables."""
    judge: Callable[[recorder.Completed, Health], recorder.Reason | None]
    judge = getattr(recorder, "_disable_reason")  # noqa: B009 - the rule itself is what is broken

    def gone_alone(done: recorder.Completed, after: Health) -> recorder.Reason | None:
        reason = judge(done, after)
        return reason if reason == "gone" else None

    replace(recorder, "_disable_reason", gone_alone)


def takes_silence_for_failing() -> None:
    """Two failures disable when five days lie between them, whether or not anything was sent."""
    replace(health, "UNTOLD_AFTER_MS", 400 * retention.DAY_MS)
