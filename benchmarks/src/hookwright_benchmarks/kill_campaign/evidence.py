"""What the database holds, read from the file itself and not through the server."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from hookwright_benchmarks.kill_campaign.history import StoredMessage

_ROWS = """
SELECT m.id, m.endpoint_count, d.endpoint_id,
    (SELECT count(*) FROM attempts AS a
     WHERE a.delivery_id = d.id AND a.failure_reason = 'interrupted')
FROM messages AS m LEFT JOIN deliveries AS d ON d.message_id = m.id AND d.replay_of IS NULL
ORDER BY m.id
"""


def stored_messages(database: Path, names: Mapping[str, str]) -> list[StoredMessage]:
    """Every message; `names` gives each endpoint id its name. A doubled row gets a name of its
    own, so that it is seen."""
    messages: dict[str, tuple[int, dict[str, int]]] = {}
    with closing(_open(database)) as connection:
        for message_id, promised, endpoint_id, interrupted in connection.execute(_ROWS):
            rows = messages.setdefault(message_id, (promised, {}))[1]
            if endpoint_id is not None:
                name = names.get(endpoint_id, endpoint_id)
                rows[f"{name} again" if name in rows else name] = interrupted
    return [StoredMessage(key, promised, rows) for key, (promised, rows) in messages.items()]


def unfinished(database: Path) -> int:
    """Deliveries that are still to be sent."""
    with closing(_open(database)) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')"
        ).fetchone()
    return int(count)


def statuses(database: Path) -> dict[str, int]:
    """How many deliveries are in each status."""
    with closing(_open(database)) as connection:
        return dict(
            connection.execute("SELECT status, count(*) FROM deliveries GROUP BY status").fetchall()
        )


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)
