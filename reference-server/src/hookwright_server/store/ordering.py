"""Order among the deliveries of one endpoint with the same key: they go one at a time, by sequence.

The others are pending without a time at which they are due, so that no claim ever looks at them;
whoever ends the one that goes makes the next one due, in the same transaction. Both that and the
acceptance of another one hold the row of their lane, and look for its deliveries by a later
statement, whose snapshot is younger than the lock: neither overlooks the other. The sequence of a
lane is therefore also the order of the commits. When the last delivery of a lane has been erased
and none waits in it, its row goes too, under the same lock.

Lanes are held in one order, before the deliveries that wait in them, and as late as can be: last
of all by who records attempts. An acceptance waits for them for a moment only, because others are
in its group. SQLite needs no locks: there is one writer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from hookwright_server.store.acceptance import Acceptance, NewDelivery
from hookwright_server.store.database import Connection
from hookwright_server.store.locking import is_shared_writing
from hookwright_server.store.tables import deliveries, ordering_lanes

Lane = tuple[str, str]
"""Endpoint and ordering key."""

_d = deliveries.c
LANE = (
    _d.endpoint_id.label("lane_endpoint"),
    sa.case((_d.is_ordered, _d.ordering_key)).label("lane_key"),
)
"""The columns of a delivery's lane, for SELECT and RETURNING; the key of none is null."""


def lanes(rows: Iterable[Sequence[Any]]) -> set[Lane]:
    """The lanes in rows of `LANE`."""
    return {(endpoint_id, key) for endpoint_id, key in rows if key is not None}


def place(connection: Connection, acceptances: Iterable[Acceptance]) -> None:
    """Write the deliveries of the messages with a key, behind those accepted before them."""
    ordered = [a for a in acceptances if a.message.ordering_key is not None]
    placed = [
        ((new.endpoint_id, a.message.ordering_key or ""), new)
        for a in ordered
        for new in a.deliveries
    ]
    if not placed:
        return
    counts = Counter(lane for lane, _ in placed)
    owners = {lane: (new.account_id, new.environment) for lane, new in placed}
    given = [(*lane, *owners[lane], counts[lane]) for lane in sorted(counts)]
    last = {(row[0], row[1]): row[2] for row in _run(connection, _LENGTHEN, given)}
    waiting = {(row[0], row[1]) for row in _run(connection, OPEN, sorted(counts))}
    sequences = {lane: last[lane] - count for lane, count in counts.items()}
    rows: list[dict[str, object]] = []
    for lane, new in placed:
        sequences[lane] += 1
        rows.append(_row(new, lane[1], sequences[lane], waits=lane in waiting))
        waiting.add(lane)
    connection.execute(sa.insert(deliveries), rows)


def waiting(connection: Connection, acceptances: Sequence[Acceptance]) -> list[bool]:
    """Hold the lanes of the acceptances; for each, whether somebody else does not let go of one.

    With it, all later ones of its app with its key wait: they must not overtake it.
    """
    owned = [
        {(d.endpoint_id, a.message.ordering_key or "") for d in a.deliveries} for a in acceptances
    ]
    taken = _not_held(connection, set[Lane]().union(*owned))
    behind: set[Lane] = set()
    told: list[bool] = []
    for acceptance, own in zip(acceptances, owned, strict=True):
        order = (acceptance.message.app_id, acceptance.message.ordering_key or "")
        if own & taken:
            behind.add(order)
        told.append(order in behind)
    return told


def hold(connection: Connection, held: Collection[Lane]) -> None:
    """Let no other transaction change these lanes until this one ends."""
    if held and is_shared_writing(connection):
        _run(connection, _HOLD, sorted(held))


def hold_of(connection: Connection, condition: sa.ColumnElement[bool]) -> None:
    """Hold the lanes of the deliveries that fit `condition`."""
    if is_shared_writing(connection):
        found = connection.execute(sa.select(*LANE).where(_d.is_ordered, condition).distinct())
        hold(connection, lanes(found))


def move_up(connection: Connection, ended: Collection[Lane], now_ms: int) -> int:
    """Deliveries of these lanes have ended: make due who is first now. How many that were."""
    if not ended:
        return 0
    hold(connection, ended)
    return len(_run(connection, MOVE_UP, sorted(ended), now=now_ms))


def forget(connection: Connection, erased: Mapping[Lane, int]) -> None:
    """Erase the lanes of which the last delivery was erased; given is the highest sequence of each.

    A lane stays in which one goes or waits, however old: a new one must come behind it. So does one
    that another transaction holds: it has something to do there.
    """
    if not erased:
        return
    last = [(*lane, sequence) for lane, sequence in sorted(erased.items())]
    over = lanes(_run(connection, _OVER, last))
    # A later statement than that which locked them: what was accepted until then is seen.
    over -= lanes(_run(connection, OPEN, sorted(over)))
    if over:
        place = sa.tuple_(ordering_lanes.c.endpoint_id, ordering_lanes.c.ordering_key)
        connection.execute(sa.delete(ordering_lanes).where(place.in_(sorted(over))))


def _not_held(connection: Connection, wanted: Collection[Lane]) -> set[Lane]:
    """Hold these lanes; those that another transaction has for longer than a moment."""
    if not wanted or not is_shared_writing(connection):
        return set()
    taken = lanes(_run(connection, _TAKE, sorted(wanted)))
    if not taken:
        return set()
    connection.exec_driver_sql("SAVEPOINT lanes")
    try:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_MOMENT_MS}")
        hold(connection, taken)
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
    except exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCKED:
            raise
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT lanes")
        return lanes(_run(connection, _TAKE, sorted(taken)))
    connection.exec_driver_sql("RELEASE SAVEPOINT lanes")
    return set()


_MOMENT_MS = 20
_LOCKED = "55P03"


def _row(new: NewDelivery, key: str, sequence: int, *, waits: bool) -> dict[str, object]:
    given: dict[str, object] = {name: getattr(new, name) for name in _GIVEN}
    if waits:
        given["next_attempt_at"] = None
    return given | {
        "status": "pending",
        "attempt_count": 0,
        "uncounted_attempts": 0,
        "fence": 0,
        "ordering_key": key,
        "sequence": sequence,
        "is_ordered": True,
    }


_GIVEN = tuple(NewDelivery.__dataclass_fields__)

_Statements = dict[str, sa.TextClause]


def _run(
    connection: Connection, statements: _Statements, rows: Sequence[object], **values: object
) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    statement = statements[connection.dialect.name]
    return connection.execute(statement, {"rows": json.dumps(rows)} | values).all()


# For a lane each a subquery, never a join: its plan must not depend on how many rows were guessed.
_FIRST = """(
    SELECT d.id FROM deliveries AS d {indexed}
    WHERE d.is_ordered AND d.status IN ('pending', 'sending')
        AND d.endpoint_id = {0} AND d.ordering_key = {1}
    ORDER BY d.sequence LIMIT 1
)"""

_SQLITE = {
    "rows": "json_each(:rows)",
    "indexed": "INDEXED BY deliveries_in_order",
    "any": "IN (",
    "end": ")",
    "locked": "",
}
_POSTGRES = {
    "rows": "json_array_elements(CAST(:rows AS json))",
    "indexed": "",
    "any": "= ANY (ARRAY(",
    "end": "))",
    "locked": "FOR UPDATE SKIP LOCKED",
}


def _per_dialect(statement: str) -> _Statements:
    """A statement on {rows}, the JSON text `rows`, of which {0}, {1} and so on are the columns.

    {first} is the first delivery of a row's lane that has not ended.
    """

    def written(words: dict[str, str], column: str) -> sa.TextClause:
        columns = [column.format(place) for place in range(5)]
        first = _FIRST.format(*columns, **words)
        return sa.text(statement.format(*columns, first=first, **words))

    return {
        "sqlite": written(_SQLITE, "json_extract(value, '$[{}]')"),
        "postgresql": written(_POSTGRES, "(value->>{})"),
    }


_LENGTHEN = _per_dialect("""
INSERT INTO ordering_lanes AS l
    (endpoint_id, ordering_key, account_id, environment, last_sequence)
SELECT {0}, {1}, {2}, {3}, CAST({4} AS bigint) FROM {rows} AS given WHERE true
ON CONFLICT (endpoint_id, ordering_key)
    DO UPDATE SET last_sequence = l.last_sequence + excluded.last_sequence
RETURNING endpoint_id, ordering_key, last_sequence
""")

OPEN = _per_dialect("SELECT {0}, {1} FROM {rows} AS given WHERE {first} IS NOT NULL")

# Those of which no place behind {2} was given; a lane that somebody else holds is not told.
_OVER = _per_dialect("""
SELECT {0}, {1} FROM {rows} AS given WHERE (
    SELECT 1 FROM ordering_lanes
    WHERE endpoint_id = {0} AND ordering_key = {1} AND last_sequence <= CAST({2} AS bigint)
    {locked}
) = 1
""")

_HOLD = {
    "postgresql": sa.text("""
SELECT held.one FROM json_array_elements(CAST(:rows AS json)) AS given CROSS JOIN LATERAL (
    SELECT 1 AS one FROM ordering_lanes
    WHERE endpoint_id = (value->>0) AND ordering_key = (value->>1)
    FOR NO KEY UPDATE
) AS held
""")
}

# Which are there, but cannot be had; two subqueries, so that none becomes a join.
_TAKE = {
    "postgresql": sa.text("""
SELECT value->>0, value->>1 FROM json_array_elements(CAST(:rows AS json)) AS given
WHERE (
    SELECT 1 FROM ordering_lanes
    WHERE endpoint_id = (value->>0) AND ordering_key = (value->>1)
    FOR NO KEY UPDATE SKIP LOCKED
) IS NULL AND (
    SELECT 1 FROM ordering_lanes
    WHERE endpoint_id = (value->>0) AND ordering_key = (value->>1)
) = 1
""")
}

MOVE_UP = _per_dialect("""
UPDATE deliveries SET next_attempt_at = :now
WHERE id {any}SELECT {first} FROM {rows} AS given{end}
    AND status = 'pending' AND next_attempt_at IS NULL
RETURNING id
""")
