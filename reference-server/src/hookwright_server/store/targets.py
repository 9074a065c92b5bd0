"""Endpoints as claims need them, read again only when their app says that something changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hookwright_server.store.claims import Target, targets
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql

_MOST_KEPT = 10_000
# A server that lost its last commits in a failover may come to the same version by another way.
_FRESH_FOR_MS = 30_000


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    target: Target
    until: float


class Targets:
    """Keeps targets by the version of their app's endpoints. Belongs to one claimer.

    Every change that a delivery feels makes that version grow: of the endpoint, of the app's
    retry policy, of signing secrets. What ends by itself, an overlap, is in `Target.fresh_until`.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._read: dict[str, _Kept] = {}

    def of(self, connection: Connection, ids: Collection[str], now_ms: int) -> dict[str, Target]:
        """The endpoints `ids` as they are in this transaction; call `keep` once it is committed.

        What is read may be undone: a change of the same group that is rolled back.
        """
        versions = hot_sql(connection).versions(connection, ids)
        found = {
            endpoint_id: kept.target
            for endpoint_id, version in versions.items()
            if (kept := self._kept.get(endpoint_id)) is not None
            and kept.version == version
            and now_ms < kept.until
        }
        missing = [endpoint_id for endpoint_id in ids if endpoint_id not in found]
        read = targets(connection, missing, now_ms) if missing else {}
        self._read = {
            endpoint_id: _Kept(
                versions[endpoint_id], target, min(target.fresh_until, now_ms + _FRESH_FOR_MS)
            )
            for endpoint_id, target in read.items()
        }
        return found | read

    def keep(self) -> None:
        """Remember what was read last."""
        if len(self._kept) + len(self._read) > _MOST_KEPT:
            self._kept.clear()
        self._kept |= self._read
        self._read = {}
