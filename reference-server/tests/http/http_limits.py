"""Apps that are full, filled past the API: one row is copied as often as needed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hookwright_server.store.database import Connection, Database
from hookwright_server.store.tables import endpoints, event_types


def copy_endpoint(database: Database, endpoint_id: str, count: int) -> None:
    """So many more like this endpoint, without secrets of their own."""

    def copy(tx: Connection) -> None:
        row = _only(tx, sa.select(endpoints).where(endpoints.c.id == endpoint_id))
        tx.execute(endpoints.insert(), [row | {"id": f"ep_copy{n:05}"} for n in range(count)])

    database.write(copy)


def copy_event_type(database: Database, name: str, count: int) -> None:
    """So many more like the event type of this name, archived and under other names."""

    def copy(tx: Connection) -> None:
        row = _only(tx, sa.select(event_types).where(event_types.c.name == name))
        copies = [
            row | {"id": f"ety_copy{n:05}", "name": f"copy_{n}", "archived": True}
            for n in range(count)
        ]
        tx.execute(event_types.insert(), copies)

    database.write(copy)


def _only(tx: Connection, select: sa.Select[Any]) -> dict[str, Any]:
    return dict(tx.execute(select).mappings().one())
