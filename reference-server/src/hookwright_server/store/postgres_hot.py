"""Hot statements for Postgres, on the driver's own connection within SQLAlchemy's transaction.

Each writes all its rows in one round trip: a column is an array, and `unnest` makes rows of them.
Plans must not depend on how many rows were guessed, so what could become a join over two such
arrays is a hashed subquery instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hookwright_server.store import ordering, rates
from hookwright_server.store import postgres_statements as sql
from hookwright_server.store.acceptance import (
    Acceptance,
    NewDelivery,
    NewRecord,
    tag_rows,
    tags_text,
)
from hookwright_server.store.claims import Leased, Queue, Round, Share, Tenant, Waiting
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten, RecordExists, SessionLost, StaleSubscriptions
from hookwright_server.store.rates import Rate
from hookwright_server.store.results import (
    Lease,
    NewAttempt,
    NewDelta,
    Settlement,
    attempt_row,
    delta_row,
    settlement_row,
)
from hookwright_server.store.rollup_counts import (
    Counts,
    EventHour,
    RollupKey,
    rollup_of,
    rollup_row,
)

if TYPE_CHECKING:
    import psycopg

# What one look takes in: due rows, and endpoints beside them when more rows are due.
WINDOW = 500
# Counting an endpoint's due rows stops here: a longer queue is claimed in several steps.
_MOST_COUNTED = 33
# Endpoints of a known backlog that every look takes in, wherever the round is.
_MOST_KNOWN = 200
# Others have to be looked at, or another claimer has some of these for a few milliseconds.
_LOOK_AGAIN_MS = 20
# A round that found nothing is not begun again at once, and the later the longer it was: looking
# in vain takes a small part of the time only.
_REST_PER_LOOK_MS = 200
_LONGEST_REST_MS = 10_000


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
        ordering.place(connection, [a for n, a in enumerate(acceptances) if refusals[n] is None])
        return [refusals[number] for number in range(len(acceptances))]

    def queue(self, connection: Connection, now_ms: int, limits: Mapping[str, int]) -> Queue:
        raw = _driver(connection)
        look = _Look.of(raw, "", now_ms, Round())
        return _queue(connection, look, list(look.due), limits, Round())

    def reserve(
        self,
        connection: Connection,
        session_id: str,
        now_ms: int,
        limits: Mapping[str, int],
        round_: Round,
    ) -> Queue:
        raw = _driver(connection)
        look = _Look.of(raw, session_id, now_ms, round_)
        if not look.session_lives:
            raise SessionLost(session_id)
        due = list(look.due)
        won = [row[0] for row in raw.execute(sql.RESERVE, (due,)).fetchall()] if due else []
        return _queue(connection, look, won, limits, round_)

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

    def versions(self, connection: Connection, ids: Collection[str]) -> dict[str, int]:
        return dict(_driver(connection).execute(sql.VERSIONS, (list(ids),)).fetchall())

    def leases(self, connection: Connection, ids: Collection[str]) -> dict[str, Lease]:
        rows = _driver(connection).execute(sql.LEASES, (list(ids),))
        return {
            key: Lease(session_id, fence, bool(is_stopped))
            for key, session_id, fence, is_stopped in rows
        }

    def settle(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        if not settlements:
            return
        self.insert_attempts(connection, [settlement.attempt for settlement in settlements])
        columns = _columns([settlement_row(settlement) for settlement in settlements])
        _driver(connection).execute(sql.MOVE_ON, columns)

    def insert_attempts(self, connection: Connection, attempts: Sequence[NewAttempt]) -> None:
        if attempts:
            columns = _columns([attempt_row(attempt) for attempt in attempts])
            _driver(connection).execute(sql.INSERT_ATTEMPTS, columns)

    def add_deltas(self, connection: Connection, deltas: Sequence[NewDelta]) -> None:
        columns = _columns([delta_row(delta) for delta in deltas])
        _driver(connection).execute(sql.INSERT_DELTAS, columns)

    def delete_deltas(self, connection: Connection, ids: Collection[int]) -> None:
        _driver(connection).execute(sql.DELETE_DELTAS, (list(ids),))

    def rollups(
        self, connection: Connection, keys: Collection[RollupKey]
    ) -> dict[RollupKey, Counts]:
        rows = _driver(connection).execute(sql.ROLLUPS, _columns(list(keys))) if keys else ()
        return dict(map(rollup_of, rows))

    def put_rollups(self, connection: Connection, sums: Mapping[RollupKey, Counts]) -> None:
        if sums:
            columns = _columns([rollup_row(key, counts) for key, counts in sums.items()])
            _driver(connection).execute(sql.PUT_ROLLUPS, columns)

    def event_names(self, connection: Connection, of: EventHour) -> set[str]:
        return {row[0] for row in _driver(connection).execute(sql.EVENT_NAMES, of)}


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
        for delivery in acceptance.unordered
    ]
    columns: list[list[object]] = [[] for _ in range(sql.DELIVERY_COLUMNS)]
    if deliveries:
        columns = _columns(deliveries)
    verdicts: dict[int, str] = dict(raw.execute(sql.ACCEPT, [*messages, *columns]).fetchall())
    tags = tag_rows(acceptance for number, acceptance in numbered if verdicts[number] == "good")
    if tags:
        raw.execute(sql.INSERT_TAGS, _columns(tags))
    return {number: _refusal(verdicts[number], acceptance) for number, acceptance in numbered}


def _refusal(verdict: str, acceptance: Acceptance) -> NotWritten | None:
    if verdict == "stale":
        return StaleSubscriptions(acceptance.message.app_id)
    if verdict == "repeated" and acceptance.record is not None:
        return RecordExists(acceptance.record.scope)
    return None


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One that may be sent to. `is_sought`: no due row of it was among the latest."""

    tenant: Tenant
    slots: int
    is_sought: bool
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class _Look:
    """Endpoints with due rows, and when the next row falls due.

    `has_more`: not all due rows were seen. `ended_at`: behind it are endpoints that were not
    looked at; empty when there are none, or none were looked for.
    """

    now_ms: int
    due: Mapping[str, _Endpoint]
    next_due_at: int | None
    ended_at: str
    has_more: bool
    session_lives: bool

    @classmethod
    def of(cls, raw: psycopg.Connection[Any], session_id: str, now_ms: int, round_: Round) -> _Look:
        after = None if now_ms < round_.rests_until else round_.after
        values = (session_id, now_ms, WINDOW, after, list(round_.known))
        *rows, last = raw.execute(sql.LOOK, values).fetchall()
        due = {
            row[0]: _Endpoint(
                (row[1], row[2]), row[3], row[4], None if row[6] is None else Rate(row[6], row[7])
            )
            for row in rows
        }
        _, session, ended_at, next_due_at, _, has_more, _, _ = last
        return cls(now_ms, due, next_due_at, ended_at or "", has_more, session is not None)


def _queue(
    connection: Connection,
    look: _Look,
    ids: Sequence[str],
    limits: Mapping[str, int],
    round_: Round,
) -> Queue:
    """The queue of the endpoints `ids`; the round moves on.

    A statement of its own: its snapshot is younger than the locks on them, and so sees every
    lease of whoever had them before.
    """
    most = [min(_MOST_COUNTED, look.due[endpoint_id].slots + 1) for endpoint_id in ids]
    values = {"ids": ids, "now": look.now_ms, "most": most}
    limited = {each: rate for each in ids if (rate := look.due[each].rate) is not None}
    windows = rates.windows(connection, limited, look.now_ms) if limited else {}
    waiting: list[Waiting] = []
    for endpoint_id, leased, due in _driver(connection).execute(sql.COUNTS, values) if ids else ():
        endpoint = look.due[endpoint_id]
        waiting.append(
            Waiting.of(
                endpoint_id,
                endpoint.tenant,
                free=min(endpoint.slots, limits.get(endpoint_id, endpoint.slots)) - leased,
                due=due,
                most_counted=_MOST_COUNTED,
                window=windows.get(endpoint_id),
            )
        )
    left_to_others = look.due.keys() - ids
    backlog = {each.endpoint_id for each in waiting if each.has_more}
    backlog |= left_to_others & round_.known
    round_.known = frozenset(sorted(backlog)[:_MOST_KNOWN])
    again = [look.next_due_at, _look_again_at(look, waiting, round_)]
    again += [each.reopens_at for each in waiting if each.window is not None]
    if left_to_others:
        again.append(look.now_ms + _LOOK_AGAIN_MS)
    return Queue(tuple(waiting), min((at for at in again if at is not None), default=None))


def _look_again_at(look: _Look, waiting: Sequence[Waiting], round_: Round) -> int | None:
    """When to look for what this look has not seen; None: it has seen all. Moves the round on."""
    claimable = [each.endpoint_id for each in waiting if each.claimable]
    soon = look.now_ms + (0 if claimable else _LOOK_AGAIN_MS)
    if not look.has_more:
        round_.begin()
        return None
    if look.now_ms < round_.rests_until:
        return soon if claimable else round_.rests_until
    round_.looks += 1
    round_.has_found |= any(look.due[endpoint_id].is_sought for endpoint_id in claimable)
    if look.ended_at:
        round_.after = look.ended_at
        return soon
    looks, has_found = round_.looks, round_.has_found
    round_.begin()
    if looks == 1:
        return None
    if not has_found:
        rest_ms = min(looks * _REST_PER_LOOK_MS, _LONGEST_REST_MS)
        round_.rests_until = look.now_ms + rest_ms
        return soon if claimable else round_.rests_until
    return soon


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
        tags_text(m),
        m.deliver_at,
        m.expires_at,
        m.ordering_key,
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
        d.expires_at,
    )
