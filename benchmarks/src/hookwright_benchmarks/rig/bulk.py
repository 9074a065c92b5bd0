"""Many rows at once, by statements of the database itself: a backlog or a history of millions.

Ids rise as they do in life, so that indexes grow at their ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from hookwright_benchmarks.rig.server import Place
from hookwright_server.ids import first_id_at
from hookwright_server.store.opening import is_server

_AT_ONCE = 500_000
_TIME_DIGITS = 10
_SCATTER = "(({n}) * 2654435761) % 4294967296"
_POSTGRES_ID = (
    "'{kind}_{time}' || upper(lpad(to_hex({n}), 8, '0') || lpad(to_hex({scatter}), 8, '0'))"
)
_SQLITE_ID = "printf('{kind}_{time}%08X%08X', {n}, {scatter})"
_POSTGRES_NUMBERS = "generate_series(CAST({first} AS bigint), {last}) AS numbers(n)"
_SQLITE_NUMBERS = """(WITH RECURSIVE up(n) AS (
    SELECT {first} UNION ALL SELECT n + 1 FROM up WHERE n < {last}) SELECT n FROM up) AS numbers"""
_MESSAGES = """
INSERT INTO messages (id, account_id, environment, app_id, event_name, payload, endpoint_count,
    filtered_count, created_at)
SELECT {message}, '{account}', '{environment}', '{app}', 'bench.created', {payload}, {fan_out}, 0,
    {created} + n / 100
FROM {numbers}
"""
_DELIVERIES = """
INSERT INTO deliveries (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
    status, attempt_count, uncounted_attempts, max_attempts, next_attempt_at, fence,
    last_status_code, latency_ms, created_at, completed_at)
SELECT {delivery}, '{account}', '{environment}', '{app}', {message}, {endpoint}, 'bench.created',
    {state}, {created} + n / 100, {completed}
FROM {numbers}
"""
_CONNECTIONS = 2
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('messages', 'deliveries') AND indexname NOT LIKE '%_pkey'
"""
_PENDING = "'pending', 0, 0, 10, {created} + n / 100, 0, NULL, NULL"
_DELIVERED = "'delivered', 1, 0, 10, NULL, 1, 200, 12"


@dataclass(frozen=True, slots=True)
class Batch:
    """`deliveries` numbered from `first`, to the endpoints in turn, `fan_out` to a message.

    Either all pending and due since `created`, or all delivered then, with little payload.
    """

    account: str
    environment: str
    app: str
    endpoints: Sequence[str]
    deliveries: int
    created: int
    first: int = 0
    fan_out: int = 1
    pending: bool = True


def fill(place: Place, batches: Sequence[Batch]) -> None:
    """Write all batches, and let the planner know. Numbers must not overlap."""
    forms = (_POSTGRES_ID, _POSTGRES_NUMBERS) if is_server(place) else (_SQLITE_ID, _SQLITE_NUMBERS)
    statements = [statement for batch in batches for statement in _statements(batch, *forms)]
    write(place, statements, is_history=not all(batch.pending for batch in batches))


def write(place: Place, statements: Sequence[str], *, is_history: bool) -> None:
    """Run the statements, in any order, and let the planner know.

    On Postgres by two connections at a time; for a history, indexes are built when it is there.
    """
    if is_server(place):
        _write_postgres(str(place), statements, is_history=is_history)
        return
    with closing(sqlite3.connect(Path(place), isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")  # KiB; the indexes are written in place
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write_postgres(place: str, statements: Sequence[str], *, is_history: bool) -> None:
    with psycopg.connect(place, autocommit=True) as connection:
        found = connection.execute(_INDEXES).fetchall() if is_history else []
        for name, _ in found:
            connection.execute(f"DROP INDEX {name}".encode())
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            for all_of_them in (statements, [definition for _, definition in found]):
                parts = (all_of_them[start::_CONNECTIONS] for start in range(_CONNECTIONS))
                list(pool.map(partial(_run_all, place), parts))
        connection.execute("VACUUM (ANALYZE, FREEZE) messages, deliveries, message_tags, rollups")
        connection.execute("CHECKPOINT")  # what was written here is not the measured one's load


def delivery_id(created: int, number: int) -> str:
    """The id of a delivery of a batch."""
    return f"del_{_time(created)}{number:08X}{number * 2654435761 % 4294967296:08X}"


def run(place: str, statement: str) -> None:
    """One statement on Postgres, however long it takes."""
    _run_all(place, [statement])


def _run_all(place: str, statements: Sequence[str]) -> None:
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for statement in statements:
            connection.execute(statement.encode())


def owner(place: Place, endpoint_id: str) -> tuple[str, str, str]:
    """Account, environment and app of an endpoint."""
    question = f"SELECT account_id, environment, app_id FROM endpoints WHERE id = '{endpoint_id}'"
    row: tuple[str, str, str] | None
    if is_server(place):
        with psycopg.connect(str(place)) as connection:
            row = connection.execute(question.encode()).fetchone()
    else:
        with closing(sqlite3.connect(Path(place))) as file:
            row = file.execute(question).fetchone()
    if row is None:
        raise LookupError(endpoint_id)
    return row


def _statements(batch: Batch, id_form: str, numbers_form: str) -> list[str]:
    def id_of(kind: str, number: str) -> str:
        return id_form.format(kind=kind, time=time, n=number, scatter=_SCATTER.format(n=number))

    time = _time(batch.created)

    common = {
        "account": batch.account,
        "environment": batch.environment,
        "app": batch.app,
        "created": batch.created,
    }
    statements: list[str] = []
    end = batch.first + batch.deliveries
    for first in range(batch.first, end, _AT_ONCE):
        last = min(first + _AT_ONCE, end) - 1
        messages = {"first": first // batch.fan_out, "last": last // batch.fan_out}
        statements.append(
            _MESSAGES.format(
                **common,
                message=id_of("msg", "n"),
                payload=_payload(480 if batch.pending else 0, id_form is _POSTGRES_ID),
                fan_out=batch.fan_out,
                numbers=numbers_form.format(**messages),
            )
        )
        statements.append(
            _DELIVERIES.format(
                **common,
                delivery=id_of("del", "n"),
                message=id_of("msg", f"n / {batch.fan_out}"),
                endpoint=_turn(batch.endpoints, is_server_sql=id_form is _POSTGRES_ID),
                state=_PENDING.format(created=batch.created) if batch.pending else _DELIVERED,
                completed="NULL" if batch.pending else f"{batch.created} + n / 100",
                numbers=numbers_form.format(first=first, last=last),
            )
        )
    return statements


def _time(created: int) -> str:
    return first_id_at("msg", created).removeprefix("msg_")[:_TIME_DIGITS]


def _payload(pad: int, is_server_sql: bool) -> str:
    data = json.dumps({"pad": "x" * pad}).encode().hex()
    return f"'\\x{data}'::bytea" if is_server_sql else f"x'{data}'"


def _turn(endpoints: Sequence[str], *, is_server_sql: bool) -> str:
    if len(endpoints) == 1:
        return f"'{endpoints[0]}'"
    if is_server_sql:
        listed = ",".join(f"'{each}'" for each in endpoints)
        return f"(ARRAY[{listed}])[1 + n % {len(endpoints)}]"
    return f"json_extract('{json.dumps(list(endpoints))}', '$[' || (n % {len(endpoints)}) || ']')"
