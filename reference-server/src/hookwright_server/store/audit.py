"""What `doctor` looks at: every accepted delivery is in exactly one state, and the rows agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.worker_sessions import DEAD_AFTER_MS

EXAMPLES = 3
LATE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Finding:
    """`count` rows break the rule that `check` names; `examples` are a few of their ids.

    A fault must never be seen; a notice tells of something that passes by itself.
    """

    check: str
    meaning: str
    count: int
    examples: tuple[str, ...]
    is_fault: bool


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    meaning: str
    rows: str  # selects the ids that break the rule
    is_fault: bool = True


CHECKS = (
    _Check(
        "delivery_status",
        "a delivery is in no known state",
        "SELECT id FROM deliveries WHERE status NOT IN"
        " ('pending', 'sending', 'delivered', 'failed', 'dead_letter', 'cancelled')",
    ),
    _Check(
        "pending_without_time",
        "a pending delivery would never be attempted: it has no due time",
        "SELECT id FROM deliveries WHERE status = 'pending' AND next_attempt_at IS NULL"
        " AND is_ordered IS NOT TRUE",
    ),
    _Check(
        "delivery_order",
        "of the deliveries with one ordering key another one than the first is due, or none is",
        "SELECT id FROM deliveries AS d WHERE is_ordered AND status IN ('pending', 'sending')"
        " AND (next_attempt_at IS NULL) <> EXISTS (SELECT 1 FROM deliveries AS first"
        " WHERE first.is_ordered AND first.status IN ('pending', 'sending')"
        " AND first.endpoint_id = d.endpoint_id AND first.ordering_key = d.ordering_key"
        " AND first.sequence < d.sequence)",
    ),
    _Check(
        "lease_without_session",
        "a delivery is being sent by no known worker session",
        "SELECT id FROM deliveries WHERE status = 'sending' AND (lease_session IS NULL"
        " OR lease_session NOT IN (SELECT id FROM worker_sessions))",
    ),
    _Check(
        "lease_without_sending",
        "a delivery that is not being sent is leased",
        "SELECT id FROM deliveries WHERE status <> 'sending' AND lease_session IS NOT NULL",
    ),
    _Check(
        "finished_without_end",
        "a finished delivery has no end, or is still due",
        "SELECT id FROM deliveries"
        " WHERE status IN ('delivered', 'failed', 'dead_letter', 'cancelled')"
        " AND (completed_at IS NULL OR next_attempt_at IS NOT NULL)",
    ),
    _Check(
        "unfinished_with_end",
        "a delivery that goes on has an end",
        "SELECT id FROM deliveries"
        " WHERE status IN ('pending', 'sending') AND completed_at IS NOT NULL",
    ),
    _Check(
        "cancelled_without_reason",
        "a cancelled delivery does not say why, or one does that is neither cancelled nor sent",
        "SELECT id FROM deliveries WHERE (status = 'cancelled') <> (cancel_reason IS NOT NULL)"
        " AND (status <> 'sending' OR cancel_reason IS NULL)",
    ),
    _Check(
        "attempts_of_delivery",
        "the attempts of a delivery are not as many as it counts",
        "SELECT id FROM deliveries AS d WHERE attempt_count <>"
        " (SELECT count(*) FROM attempts WHERE delivery_id = d.id)"
        " OR uncounted_attempts NOT BETWEEN 0 AND attempt_count",
    ),
    _Check(
        "attempt_numbers",
        "the attempts of a delivery are not numbered 1, 2, 3, and so on",
        "SELECT delivery_id AS id FROM attempts GROUP BY delivery_id"
        " HAVING min(number) <> 1 OR max(number) <> count(*)",
    ),
    _Check(
        "attempts_without_delivery",
        "an attempt belongs to no delivery",
        "SELECT id FROM attempts AS a"
        " WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE id = a.delivery_id)",
    ),
    _Check(
        "fan_out",
        "a message does not have the deliveries that were promised when it was accepted,"
        " and retention has not erased them",
        "SELECT id FROM messages AS m WHERE endpoint_count - erased_deliveries <>"
        " (SELECT count(*) FROM deliveries WHERE message_id = m.id AND replay_of IS NULL)",
    ),
    _Check(
        "delivery_owners",
        "a delivery's message or endpoint is missing or belongs to somebody else",
        "SELECT d.id FROM deliveries AS d"
        " LEFT JOIN messages AS m ON m.id = d.message_id AND m.app_id = d.app_id"
        " AND m.account_id = d.account_id AND m.environment = d.environment"
        " LEFT JOIN endpoints AS e ON e.id = d.endpoint_id AND e.app_id = d.app_id"
        " AND e.account_id = d.account_id AND e.environment = d.environment"
        " WHERE m.id IS NULL OR e.id IS NULL",
    ),
    _Check(
        "silent_sessions",
        "a worker session was not renewed lately: its worker has died, or none is running",
        "SELECT id FROM worker_sessions WHERE renewed_at < :silent_since",
        is_fault=False,
    ),
    _Check(
        "overdue",
        "a delivery is more than a minute overdue: no engine is running, or it is saturated",
        "SELECT d.id FROM deliveries AS d JOIN endpoints AS e ON e.id = d.endpoint_id"
        " WHERE d.status = 'pending' AND d.next_attempt_at < :late_since"
        " AND e.active AND e.deleted_at IS NULL",
        is_fault=False,
    ),
)


def audit(connection: Connection, now_ms: int) -> list[Finding]:
    """Everything that breaks a rule, in one snapshot; empty: all is well.

    Reads every delivery and attempt, and the whole file for its integrity.
    """
    findings = [_found(connection, check, now_ms) for check in CHECKS]
    return [*_file(connection), *(finding for finding in findings if finding.count)]


def _found(connection: Connection, check: _Check, now_ms: int) -> Finding:
    broken = sa.text(check.rows).columns(sa.column("id", sa.Text)).subquery("broken")
    values = {"silent_since": now_ms - DEAD_AFTER_MS, "late_since": now_ms - LATE_MS}
    ids = connection.scalars(sa.select(broken.c.id).limit(EXAMPLES), values).all()
    count = len(ids)
    if count == EXAMPLES:
        counting = sa.select(sa.func.count()).select_from(broken)
        count = connection.execute(counting, values).scalar_one()
    return Finding(check.name, check.meaning, count, tuple(ids), check.is_fault)


def _file(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name != "sqlite":
        return
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        meaning = "the journal is not write-ahead: commits are not durable as promised"
        yield Finding("journal_mode", meaning, 1, (str(mode),), is_fault=True)
    damages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    if damages != ["ok"]:
        meaning = "the database file is damaged"
        yield Finding("integrity", meaning, len(damages), tuple(damages[:EXAMPLES]), is_fault=True)
