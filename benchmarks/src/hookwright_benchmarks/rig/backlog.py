"""A database as the server leaves it: apps, endpoints with secrets, and messages to deliver."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial

import sqlalchemy as sa

from hookwright_benchmarks.rig.server import Place
from hookwright_server.domain.signing_keys import generate_secret
from hookwright_server.domain.vault import Vault
from hookwright_server.ids import Ids
from hookwright_server.store import tables
from hookwright_server.store.acceptance import Acceptance, NewDelivery, NewMessage
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.migrations import migrate
from hookwright_server.store.opening import open_database
from hookwright_server.store.writer import WriterLimits

ACCOUNT = "acc_bench"
_PLACE: dict[str, object] = {"account_id": ACCOUNT, "environment": "test"}
_GROUP = 500


class Backlog:
    """Fills a fresh database of its own; `database` is open until `close`."""

    def __init__(self, place: Place, limits: WriterLimits | None = None) -> None:
        self.place = str(place)
        self.database = open_database(self.place, limits=limits)
        migrate(self.database.engine)
        self.vault = Vault({"k": os.urandom(32)}, "k")
        self.ids = Ids()
        self.app_id = self.ids.new("app", self._now())
        self.database.write(lambda tx: self._insert(tx, tables.apps, [self._app()]))

    def endpoints(self, urls: Sequence[str], *, max_concurrency: int = 16) -> list[str]:
        """Endpoints of the app, each with a secret that is not told."""
        rows = [self._endpoint(url, max_concurrency) for url in urls]
        secrets = [self._secret(row["id"]) for row in rows]
        self.database.write(lambda tx: self._insert(tx, tables.endpoints, rows))
        self.database.write(lambda tx: self._insert(tx, tables.signing_secrets, secrets))
        return [str(row["id"]) for row in rows]

    def acceptance(self, endpoint_ids: Sequence[str], payload: bytes, due_at: int) -> Acceptance:
        """One message to these endpoints, not yet written."""
        message_id = self.ids.new("msg", due_at)
        place = (ACCOUNT, "test", self.app_id)
        return Acceptance(
            NewMessage(
                message_id, *place, "bench.created", None, payload, len(endpoint_ids), 0, due_at
            ),
            tuple(
                NewDelivery(
                    self.ids.new("del", due_at),
                    *place,
                    message_id,
                    endpoint_id,
                    "bench.created",
                    10,
                    due_at,
                    due_at,
                )
                for endpoint_id in endpoint_ids
            ),
            1,
        )

    def fill(self, receivers: Iterator[Sequence[str]], messages: int, payload: bytes) -> None:
        """Write `messages`, each to the endpoints that `receivers` names next, all due now."""
        began = self._now() - messages // 100 - 1
        for start in range(0, messages, _GROUP):
            group = [
                self.acceptance(next(receivers), payload, began + number // 100)
                for number in range(start, min(start + _GROUP, messages))
            ]
            self.database.write(partial(_accept, group=group))

    def close(self) -> None:
        self.database.close()

    def _insert(self, tx: Connection, table: sa.Table, rows: list[dict[str, object]]) -> None:
        tx.execute(sa.insert(table), rows)

    def _now(self) -> int:
        return time.time_ns() // 1_000_000

    def _app(self) -> dict[str, object]:
        now = self._now()
        return {
            **_PLACE,
            "id": self.app_id,
            "slug": "bench",
            "name": "bench",
            "active": True,
            "metadata": "{}",
            "subscriptions_version": 1,
            "created_at": now,
            "updated_at": now,
        }

    def _endpoint(self, url: str, max_concurrency: int) -> dict[str, object]:
        now = self._now()
        return {
            **_PLACE,
            "id": self.ids.new("ep", now),
            "app_id": self.app_id,
            "url": url,
            "events": '["*"]',
            "header_names": "[]",
            "metadata": "{}",
            "active": True,
            "timeout_ms": 15_000,
            "max_concurrency": max_concurrency,
            "signing_source": "endpoint",
            "consecutive_failures": 0,
            "dead_letter_streak": 0,
            "created_at": now,
            "updated_at": now,
        }

    def _secret(self, endpoint_id: object) -> dict[str, object]:
        now = self._now()
        secret_id = self.ids.new("sec", now)
        secret = generate_secret(os.urandom).encode()
        return {
            **_PLACE,
            "id": secret_id,
            "app_id": self.app_id,
            "endpoint_id": endpoint_id,
            "sealed": self.vault.seal(secret, f"signing_secrets:{secret_id}"),
            "created_at": now,
        }


def _accept(tx: Connection, group: Sequence[Acceptance]) -> None:
    hot_sql(tx).accept(tx, group)
