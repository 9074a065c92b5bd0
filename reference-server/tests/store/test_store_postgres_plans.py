"""Plans on Postgres that must not depend on how large the tables are."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from hookwright_server.store import ordering, postgres_statements
from hookwright_server.store.opening import OpenDatabase

_MANY = """
INSERT INTO deliveries (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
    status, attempt_count, uncounted_attempts, max_attempts, next_attempt_at, fence, created_at)
SELECT 'del_' || n, 'acc', 'test', 'app', 'msg_' || n, 'ep_' || n % 50, 'a.b',
    'pending', 0, 0, 10, n, 0, n
FROM generate_series(1, 20000) AS n
"""
_MESSAGES = """
INSERT INTO messages (id, account_id, environment, app_id, event_name, payload, endpoint_count,
    filtered_count, created_at)
SELECT 'msg_' || n, 'acc', 'test', 'app', 'a.b', '{}', 1, 0, n FROM generate_series(1, 20000) AS n
"""


_BLOCKED = """
INSERT INTO deliveries (id, account_id, environment, app_id, message_id, endpoint_id, event_name,
    status, attempt_count, uncounted_attempts, max_attempts, fence, created_at, ordering_key,
    sequence, is_ordered)
SELECT 'del_a' || n, 'acc', 'test', 'app', 'msg_1', 'ep_1', 'a.b',
    'pending', 0, 0, 10, 0, n, 'a', n, true
FROM generate_series(1, 5000) AS n
"""


@pytest.mark.needs_service("postgres")
def test_the_next_one_of_an_order_is_one_seek(opened: Callable[[], OpenDatabase]) -> None:
    """Whatever waits behind it: both statements find the first of a lane by the index of that."""
    database = opened()
    values = {"rows": '[["ep_1", "a"]]', "now": 1}
    with database.engine.begin() as connection:
        for statement in (_MANY, _BLOCKED, "ANALYZE deliveries"):
            connection.execute(sa.text(statement))
        plans = [
            str(line)
            for each in (ordering.MOVE_UP, ordering.OPEN)
            for (line,) in connection.execute(
                sa.text(f"EXPLAIN ANALYZE {each['postgresql'].text}"), values
            )
        ]
    scans = [line for line in plans if "Scan using" in line and "deliveries" in line]

    assert [] == [line for line in plans if "Seq Scan" in line or "Sort" in line]
    assert 2 == sum("deliveries_in_order" in line and "rows=1 " in line for line in scans)


@pytest.mark.needs_service("postgres")
def test_a_lease_looks_up_its_rows_one_by_one(opened: Callable[[], OpenDatabase]) -> None:
    """Whatever the planner expects of 50 waiting endpoints, no table is read as a whole."""
    database = opened()
    values = {
        "session": "wrk_1",
        "now": sys.maxsize,
        "endpoints": [f"ep_{n}" for n in range(50)],
        "counts": [10] * 50,
    }
    with database.engine.begin() as connection:
        for statement in (_MESSAGES, _MANY, "ANALYZE messages, deliveries"):
            connection.execute(sa.text(statement))
        plan = connection.exec_driver_sql(f"EXPLAIN {postgres_statements.LEASE}", values)
        lines = [str(line) for (line,) in plan]

    assert [] == [line for line in lines if "Merge" in line or "Hash" in line or "Seq Scan" in line]
