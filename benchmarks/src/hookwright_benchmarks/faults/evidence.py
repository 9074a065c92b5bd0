"""What the database holds, read from it directly and not through the server.

On Postgres a trigger writes down every change of a delivery's status together with who made it:
each process has a database user of its own, so that a result written under a lost lease can be
seen.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from hookwright_benchmarks.faults.accounts import StoredDelivery, StoredTask
from hookwright_benchmarks.faults.record import Transition
from hookwright_benchmarks.kill_campaign.history import StoredMessage
from hookwright_server.store.audit import CHECKS

AUDIT_TRAIL = """
CREATE SCHEMA faults;
CREATE TABLE faults.transitions (
    seq bigserial PRIMARY KEY, delivery_id text, before text, after text, fence int, writer text,
    taken_back bool);
CREATE FUNCTION faults.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO faults.transitions (delivery_id, before, after, fence, writer, taken_back)
    SELECT n.id, o.status, n.status, n.fence, session_user,
        o.status = 'sending' AND n.uncounted_attempts > o.uncounted_attempts
    FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE n.status <> o.status;
    RETURN NULL;
END $$;
CREATE TRIGGER faults_note AFTER UPDATE ON deliveries
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION faults.note();
"""

_TRANSITIONS = """
SELECT delivery_id, before, after, fence, writer, taken_back FROM faults.transitions ORDER BY seq
"""
_MESSAGES = "SELECT id, endpoint_count, event_name FROM messages ORDER BY id"
_DELIVERIES = """
SELECT id, message_id, endpoint_id, status, created_at, completed_at, attempt_count, replay_of,
    sequence
FROM deliveries ORDER BY id
"""
_TASKS = """
SELECT id, status, processed_count, replayed_count, skipped_count, total_count
FROM replay_tasks ORDER BY id
"""
_UNFINISHED = """
SELECT (SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending'))
    + (SELECT count(*) FROM replay_tasks WHERE status IN ('queued', 'running'))
"""

Select = Callable[[str], Iterable[Sequence[Any]]]
"""Asks a database for rows."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows at the end. `findings`: what the server's doctor says."""

    messages: list[StoredMessage]
    deliveries: list[StoredDelivery]
    tasks: list[StoredTask]
    findings: list[str]

    @property
    def statuses(self) -> dict[str, int]:
        """How many deliveries are in each status."""
        return dict(Counter(row.status for row in self.deliveries))


def unfinished(select: Select) -> int:
    """Deliveries that are still to be made, and replay tasks that have not ended."""
    return next(int(row[0]) for row in select(_UNFINISHED))


def stored(select: Select, names: Mapping[str, str], findings: list[str]) -> Stored:
    """Everything but the audit trail; `names` gives each endpoint id its name."""
    rows = [
        StoredDelivery(own_id, (names.get(endpoint_id, endpoint_id), message_id), *others)
        for own_id, message_id, endpoint_id, *others in select(_DELIVERIES)
    ]
    fan_out: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.replay_of is None:
            name, message_id = row.pair
            own = fan_out.setdefault(message_id, {})
            own[f"{name} again" if name in own else name] = 0  # a doubled row is to be seen
    return Stored(
        [
            StoredMessage(own_id, promised, fan_out.get(own_id, {}), event_name)
            for own_id, promised, event_name in select(_MESSAGES)
        ],
        rows,
        [StoredTask(*row) for row in select(_TASKS)],
        findings,
    )


@contextmanager
def postgres(url: str) -> Generator[Select]:
    """Rows of a Postgres."""
    with psycopg.connect(url) as connection:
        yield lambda statement: connection.execute(statement.encode())


@contextmanager
def sqlite(database: Path) -> Generator[Select]:
    """Rows of a file that another process writes."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)) as file:
        yield file.execute


def transitions(url: str) -> Iterator[Transition]:
    """The audit trail, in order."""
    with psycopg.connect(url) as connection, connection.cursor("trail") as cursor:
        for row in cursor.execute(_TRANSITIONS):
            yield Transition(*row)


def audit(select: Select) -> list[str]:
    """What the server's doctor would call a fault."""
    findings: list[str] = []
    for check in CHECKS:
        if check.is_fault:
            (count,) = next(iter(select(f"SELECT count(*) FROM ({check.rows}) AS broken")))
            if count:
                findings.append(f"{check.name}: {check.meaning} ({count})")
    return findings
