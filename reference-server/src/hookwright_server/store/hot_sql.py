"""The few statements that are written per dialect, because their speed is a promise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from hookwright_server.store import postgres_hot, sqlite_hot
from hookwright_server.store.acceptance import Acceptance
from hookwright_server.store.claims import Leased, Queue, Round, Share
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import NotWritten
from hookwright_server.store.results import Lease, NewAttempt, NewDelta, Settlement
from hookwright_server.store.rollup_counts import Counts, EventHour, RollupKey


class HotSql(Protocol):
    """What one dialect's module offers."""

    def accept(
        self, connection: Connection, acceptances: Sequence[Acceptance]
    ) -> list[NotWritten | None]:
        """Write all acceptances in a few statements; say for each why it was refused, if so."""
        ...

    def queue(self, connection: Connection, now_ms: int, limits: Mapping[str, int]) -> Queue:
        """Endpoints with claimable deliveries; the cost grows with the endpoints only.

        `limits` holds endpoints whose concurrency is at present below `max_concurrency`.
        """
        ...

    def reserve(
        self,
        connection: Connection,
        session_id: str,
        now_ms: int,
        limits: Mapping[str, int],
        round_: Round,
    ) -> Queue:
        """The queue of endpoints which no other claimer may lease from; `round_` moves on.

        That holds until the end of the transaction, so that all claimers together keep to
        `max_concurrency`. Endpoints that another claimer has are left out.
        Raises SessionLost when the session has been declared dead.
        """
        ...

    def lease(
        self, connection: Connection, session_id: str, now_ms: int, shares: Sequence[Share]
    ) -> list[Leased]:
        """Lease each share's longest due deliveries to the session, each under a new fence."""
        ...

    def versions(self, connection: Connection, ids: Collection[str]) -> dict[str, int]:
        """The subscriptions version of the app of each endpoint in `ids`."""
        ...

    def leases(self, connection: Connection, ids: Collection[str]) -> dict[str, Lease]:
        """The leases of those deliveries that are being sent by living sessions, locked."""
        ...

    def settle(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        """Write the attempts and move their deliveries on; `leases` has been asked."""
        ...

    def insert_attempts(self, connection: Connection, attempts: Sequence[NewAttempt]) -> None:
        """Add attempt rows."""
        ...

    def add_deltas(self, connection: Connection, deltas: Sequence[NewDelta]) -> None:
        """Add what a transaction has counted."""
        ...

    def delete_deltas(self, connection: Connection, ids: Collection[int]) -> None:
        """Delete what has been added up."""
        ...

    def rollups(
        self, connection: Connection, keys: Collection[RollupKey]
    ) -> dict[RollupKey, Counts]:
        """Those of these rollups that exist."""
        ...

    def put_rollups(self, connection: Connection, sums: Mapping[RollupKey, Counts]) -> None:
        """Write rollups, over what they were."""
        ...

    def event_names(self, connection: Connection, of: EventHour) -> set[str]:
        """The events that an app's rollups of an hour are of."""
        ...


def hot_sql(connection: Connection) -> HotSql:
    """The statements of the connection's dialect."""
    return _DIALECTS[connection.dialect.name]


_DIALECTS: dict[str, HotSql] = {
    "sqlite": sqlite_hot.SqliteHotSql(),
    "postgresql": postgres_hot.PostgresHotSql(),
}
