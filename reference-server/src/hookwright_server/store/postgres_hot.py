"""Hot statements for Postgres, on the driver's own connection within SQLAlchemy's transaction.

Each writes all its rows in one round trip: a column is an array, and `unnest` makes rows of them.
Plans must not depend on how many rows were guessed, so what could become a join over two such
arrays is a hashed subquery instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hookwright_server.store import postgres_statements as sql
from hookwright_server.store.acceptance import Acceptance, NewDelivery, NewRecord
from hookwright_server.store.claims import Leased, Queue, Share, Tenant, Waiting
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, RecordExists, StaleSubscriptions
from hookwright_server.store.results import Lease, NewAttempt, Settlement

if TYPE_CHECKING:
    import psycopg

# Endpoints that one claim looks at; with more, the next claim goes on where this one ended.
WINDOW = 500
# Counting an endpoint's due rows stops here: a longer queue is claimed in several steps.
_MOST_COUNTED = 33
# Others have to be looked at, or another claimer has some of these for a few milliseconds.
_LOOK_AGAIN_MS = 20


class PostgresHotSql:
    """See `HotSql`."""

    def accept(
        self, connection: Connection, acceptances: Sequence[Acceptance]
    ) -> list[NotWritten | None]:
        raw = _driver(connection)
        refusals: dict[int, NotWritten | None] = {}
        left = list(enumerate(acceptances))
        while left:
            some, left = _with_distinct_records(left)
            refusals |= _accept(raw, some)
        return [refusals[number] for number in range(len(acceptances))]

    def queue(self, connection: Connection, now_ms: int, limits: Mapping[str, int]) -> Queue:
        raw = _driver(connection)
        window = _Window.of(raw, now_ms, "")
        return _queue(raw, window, list(window.due), limits)

    def reserve(
        self, connection: Connection, now_ms: int, limits: Mapping[str, int], after: str
    ) -> Queue:
        raw = _driver(connection)
        window = _Window.of(raw, now_ms, after)
        due = list(window.due)
        won = [row[0] for row in raw.execute(sql.RESERVE, (due,)).fetchall()] if due else []
        return _queue(raw, window, won, limits)

    def lease(
        self, connection: Connection, session_id: str, now_ms: int, shares: Sequence[Share]
    ) -> list[Leased]:
        values = {
            "session": session_id,
            "now": now_ms,
            "endpoints": [share.endpoint_id for share in shares],
            "counts": [share.count for share in shares],
        }
        rows = _driver(connection).execute(sql.LEASE, values, binary=True).fetchall()
        return [Leased(*row) for row in rows]

    def session_lives(self, connection: Connection, session_id: str) -> bool:
        # `lease` locks the session's row: it cannot die between the two.
        return _driver(connection).execute(sql.SESSION, (session_id,)).fetchone() is not None

    def versions(self, connection: Connection, ids: Collection[str]) -> dict[str, int]:
        return dict(_driver(connection).execute(sql.VERSIONS, (list(ids),)).fetchall())

    def leases(self, connection: Connection, ids: Collection[str]) -> dict[str, Lease]:
        rows = _driver(connection).execute(sql.LEASES, (list(ids),))
        return {key: Lease(session_id, fence) for key, session_id, fence in rows}

    def settle(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        if not settlements:
            return
        self.insert_attempts(connection, [settlement.attempt for settlement in settlements])
        columns = _columns([_settlement_row(settlement) for settlement in settlements])
        _driver(connection).execute(sql.MOVE_ON, columns)

    def insert_attempts(self, connection: Connection, attempts: Sequence[NewAttempt]) -> None:
        if attempts:
            columns = _columns([_attempt_row(attempt) for attempt in attempts])
            _driver(connection).execute(sql.INSERT_ATTEMPTS, columns)


_Numbered = tuple[int, Acceptance]
_NO_RECORD = (None, None, None, None, None, None)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _with_distinct_records(left: Sequence[_Numbered]) -> tuple[list[_Numbered], list[_Numbered]]:
    """Those that one statement can take: it cannot judge a record that it is writing itself."""
    scopes: set[bytes] = set()
    some: list[_Numbered] = []
    later: list[_Numbered] = []
    for numbered in left:
        record = numbered[1].record
        if record is not None and record.scope in scopes:
            later.append(numbered)
            continue
        some.append(numbered)
        if record is not None:
            scopes.add(record.scope)
    return some, later


def _accept(
    raw: psycopg.Connection[Any], numbered: Sequence[_Numbered]
) -> dict[int, NotWritten | None]:
    messages = _columns([_message_row(number, acceptance) for number, acceptance in numbered])
    deliveries = [
        _delivery_row(number, delivery)
        for number, acceptance in numbered
        for delivery in acceptance.deliveries
    ]
    columns: list[list[object]] = [[] for _ in range(sql.DELIVERY_COLUMNS)]
    if deliveries:
        columns = _columns(deliveries)
    verdicts: dict[int, str] = dict(raw.execute(sql.ACCEPT, [*messages, *columns]).fetchall())
    return {number: _refusal(verdicts[number], acceptance) for number, acceptance in numbered}


def _refusal(verdict: str, acceptance: Acceptance) -> NotWritten | None:
    if verdict == "stale":
        return StaleSubscriptions(acceptance.message.app_id)
    if verdict == "repeated" and acceptance.record is not None:
        return RecordExists(acceptance.record.scope)
    return None


@dataclass(frozen=True, slots=True)
class _Window:
    """Some endpoints with pending rows: those with due ones, and when the others are due."""

    now_ms: int
    due: Mapping[str, tuple[Tenant, int]]
    next_due_at: int | None
    ended_at: str
    is_all: bool

    @classmethod
    def of(cls, raw: psycopg.Connection[Any], now_ms: int, after: str) -> _Window:
        due: dict[str, tuple[Tenant, int]] = {}
        next_due_at: int | None = None
        ended_at = ""
        for row in raw.execute(sql.WINDOW, (after, now_ms, WINDOW)):
            endpoint_id, account_id, environment, number, last = row
            if endpoint_id is not None:
                due[endpoint_id] = ((account_id, environment), number)
            else:
                next_due_at, ended_at = number, last or ""
        return cls(now_ms, due, next_due_at, ended_at, is_all=not (after or ended_at))


def _queue(
    raw: psycopg.Connection[Any], window: _Window, ids: list[str], limits: Mapping[str, int]
) -> Queue:
    """The queue of the endpoints `ids`.

    A statement of its own: its snapshot is younger than the locks on them, and so sees every
    lease of whoever had them before.
    """
    most = [min(_MOST_COUNTED, window.due[endpoint_id][1] + 1) for endpoint_id in ids]
    values = {"ids": ids, "now": window.now_ms, "most": most}
    waiting: list[Waiting] = []
    next_due = [] if window.next_due_at is None else [window.next_due_at]
    for endpoint_id, leased, due, later in raw.execute(sql.COUNTS, values) if ids else ():
        tenant, slots = window.due[endpoint_id]
        free = min(slots, limits.get(endpoint_id, slots)) - leased
        claimable = max(0, min(free, due))
        more = due > claimable or due == _MOST_COUNTED
        waiting.append(Waiting(endpoint_id, tenant, claimable, more))
        if later is not None:
            next_due.append(later)
    if not window.is_all and any(each.claimable for each in waiting):
        next_due.append(window.now_ms)
    elif not window.is_all or len(ids) < len(window.due):
        next_due.append(window.now_ms + _LOOK_AGAIN_MS)
    return Queue(tuple(waiting), min(next_due, default=None), window.ended_at)


def _message_row(number: int, acceptance: Acceptance) -> tuple[object, ...]:
    m = acceptance.message
    return (
        number,
        m.id,
        m.account_id,
        m.environment,
        m.app_id,
        m.event_name,
        m.event_id,
        m.payload,
        m.endpoint_count,
        m.filtered_count,
        m.created_at,
        m.traceparent,
        acceptance.subscriptions_version,
        *(_NO_RECORD if acceptance.record is None else _record_row(acceptance.record)),
    )


def _record_row(r: NewRecord) -> tuple[object, ...]:
    return r.scope, r.fingerprint, r.status, r.response_sealed, r.started_at, r.expires_at


def _delivery_row(number: int, d: NewDelivery) -> tuple[object, ...]:
    return (
        number,
        d.id,
        d.account_id,
        d.environment,
        d.app_id,
        d.message_id,
        d.endpoint_id,
        d.event_name,
        d.max_attempts,
        d.next_attempt_at,
        d.created_at,
    )


def _attempt_row(a: NewAttempt) -> tuple[object, ...]:
    return (
        a.id,
        a.account_id,
        a.environment,
        a.delivery_id,
        a.number,
        a.failure_reason,
        a.status_code,
        a.latency_ms,
        a.response_body,
        a.response_body_truncated,
        a.request_headers,
        a.created_at,
    )


def _settlement_row(s: Settlement) -> tuple[object, ...]:
    a = s.attempt
    return (
        a.delivery_id,
        s.fence,
        s.status,
        a.number,
        s.max_attempts,
        s.next_attempt_at,
        a.status_code,
        a.failure_reason,
        a.latency_ms,
        s.completed_at,
    )
