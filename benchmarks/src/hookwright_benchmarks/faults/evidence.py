"""What Postgres holds, read from it directly and not through the server.

A trigger writes down every change of a delivery's status together with who made it: each process
has a database user of its own, so that a result written under a lost lease can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg

from hookwright_benchmarks.faults.checker import Transition
from hookwright_benchmarks.kill_campaign.history import Pair, StoredMessage
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
_ROWS = """
SELECT m.id, m.endpoint_count, d.endpoint_id, d.attempt_count
FROM messages AS m LEFT JOIN deliveries AS d ON d.message_id = m.id ORDER BY m.id
"""
_UNFINISHED = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')"
_STATUSES = "SELECT status, count(*) FROM deliveries GROUP BY status"


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows at the end. `attempts`: by pair, those interrupted included."""

    messages: list[StoredMessage]
    attempts: dict[Pair, int]
    statuses: dict[str, int]
    findings: list[str]


def unfinished(url: str) -> int:
    """Deliveries that are still to be made."""
    with psycopg.connect(url) as connection:
        return _count(connection, _UNFINISHED)


def stored(url: str, names: Mapping[str, str]) -> Stored:
    """Everything but the audit trail; `names` gives each endpoint id its name."""
    messages: dict[str, tuple[int, dict[str, int]]] = {}
    attempts: dict[Pair, int] = {}
    with psycopg.connect(url) as connection:
        for message_id, promised, endpoint_id, count in connection.execute(_ROWS):
            rows = messages.setdefault(message_id, (promised, {}))[1]
            if endpoint_id is not None:
                name = names.get(endpoint_id, endpoint_id)
                rows[f"{name} again" if name in rows else name] = 0
                attempts[name, message_id] = count
        return Stored(
            [StoredMessage(key, promised, rows) for key, (promised, rows) in messages.items()],
            attempts,
            dict(connection.execute(_STATUSES).fetchall()),
            _audit(connection),
        )


def transitions(url: str) -> Iterator[Transition]:
    """The audit trail, in order."""
    with psycopg.connect(url) as connection, connection.cursor("trail") as cursor:
        for row in cursor.execute(_TRANSITIONS):
            yield Transition(*row)


def _audit(connection: psycopg.Connection) -> list[str]:
    """What the server's doctor would call a fault."""
    findings: list[str] = []
    for check in CHECKS:
        if check.is_fault:
            count = _count(connection, f"SELECT count(*) FROM ({check.rows}) AS broken")
            if count:
                findings.append(f"{check.name}: {check.meaning} ({count})")
    return findings


def _count(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])
