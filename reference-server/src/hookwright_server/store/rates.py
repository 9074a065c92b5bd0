"""Rate limits of endpoints: how many attempts may begin in the present window.

Read and written inside a claim's transaction, which has the endpoints for itself: on SQLite as
the only writer, on Postgres by the locks that `reserve` takes. So no window grants more than it
may, however many workers there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from hookwright_server.store.claims import Waiting, Window
from hookwright_server.store.database import Connection
from hookwright_server.store.tables import endpoint_windows
from hookwright_server.store.upserts import insert_into


class Rate(NamedTuple):
    """An endpoint's rate limit."""

    max_requests: int
    duration_ms: int


_c = endpoint_windows.c
_FIND = sa.select(_c.endpoint_id, _c.started_at, _c.used).where(
    _c.endpoint_id.in_(sa.bindparam("ids", expanding=True))
)


def windows(connection: Connection, rates: Mapping[str, Rate], now_ms: int) -> dict[str, Window]:
    """The window of each endpoint with a limit; one that is over is followed by one from now."""
    if not rates:
        return {}
    found = {row[0]: row for row in connection.execute(_FIND, {"ids": list(rates)})}
    opened: dict[str, Window] = {}
    for endpoint_id, rate in rates.items():
        started_at, used = now_ms, 0
        if endpoint_id in found and found[endpoint_id].started_at + rate.duration_ms > now_ms:
            _, started_at, used = found[endpoint_id]
        left = max(0, rate.max_requests - used)
        opened[endpoint_id] = Window(started_at, used, left, started_at + rate.duration_ms)
    return opened


def take(connection: Connection, waiting: Iterable[Waiting], leased: Iterable[str]) -> None:
    """Count the attempts that now begin: `leased` holds the endpoint of each."""
    limited = {each.endpoint_id: each.window for each in waiting if each.window is not None}
    if not limited:
        return
    for endpoint_id, count in Counter(leased).items():
        window = limited.get(endpoint_id)
        if window is not None:
            values = {"started_at": window.started_at, "used": window.used + count}
            connection.execute(
                insert_into(connection, endpoint_windows)
                .values(endpoint_id=endpoint_id, **values)
                .on_conflict_do_update(index_elements=["endpoint_id"], set_=values)
            )
