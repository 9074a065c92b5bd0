"""A store to try things on: rows made with one call, read back with another."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hookwright_server.ids import Ids
from hookwright_server.store import tables
from hookwright_server.store.acceptance import Acceptance, NewDelivery, NewMessage, NewRecord
from hookwright_server.store.database import Connection, Database

START_MS = 1_790_000_000_000
ACCOUNT = "acc_one"
ENVIRONMENT = "test"


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


class StoreLab:
    """Makes and reads rows of `database`."""

    def __init__(self, database: Database, seed: int = 1) -> None:
        self.database = database
        self.clock = ManualClock()
        self.ids = Ids(random.Random(seed).randbytes)

    def app(self, account_id: str = ACCOUNT, **columns: Any) -> str:
        """A new app; returns its id."""
        now = self.clock.now
        app_id = self.ids.new("app", now)
        self._insert(
            tables.apps,
            {
                "id": app_id,
                "account_id": account_id,
                "environment": ENVIRONMENT,
                "slug": app_id.lower().replace("_", "-"),
                "name": "An app",
                "active": True,
                "metadata": "{}",
                "subscriptions_version": 1,
                "created_at": now,
                "updated_at": now,
            }
            | columns,
        )
        return app_id

    def endpoint(self, app_id: str, account_id: str = ACCOUNT, **columns: Any) -> str:
        """A new active endpoint; returns its id."""
        return self.endpoints(1, app_id, account_id, **columns)[0]

    def endpoints(
        self, count: int, app_id: str, account_id: str = ACCOUNT, **columns: Any
    ) -> list[str]:
        """New active endpoints, made at once; returns their ids."""
        now = self.clock.now
        common: dict[str, Any] = {
            "account_id": account_id,
            "environment": ENVIRONMENT,
            "app_id": app_id,
            "url": "http://127.0.0.1:9/",
            "events": '["*"]',
            "header_names": "[]",
            "metadata": "{}",
            "active": True,
            "timeout_ms": 15_000,
            "max_concurrency": 16,
            "signing_source": "endpoint",
            "consecutive_failures": 0,
            "dead_letter_streak": 0,
            "created_at": now,
            "updated_at": now,
        }
        ids = [self.ids.new("ep", now) for _ in range(count)]
        self._insert(tables.endpoints, *(common | {"id": each} | columns for each in ids))
        return ids

    def secret(
        self,
        app_id: str,
        endpoint_id: str | None,
        *,
        sealed: bytes = b"sealed",
        expires_at: int | None = None,
    ) -> str:
        """A new signing secret; returns its id."""
        secret_id = self.ids.new("sec", self.clock.now)
        self._insert(
            tables.signing_secrets,
            {
                "id": secret_id,
                "account_id": ACCOUNT,
                "environment": ENVIRONMENT,
                "app_id": app_id,
                "endpoint_id": endpoint_id,
                "sealed": sealed,
                "created_at": self.clock.now,
                "expires_at": expires_at,
            },
        )
        return secret_id

    def session(self, session_id: str) -> None:
        """A worker session that was renewed just now."""
        now = self.clock.now
        self._insert(
            tables.worker_sessions, {"id": session_id, "started_at": now, "renewed_at": now}
        )

    def attempt(self, delivery_id: str, attempt_id: str, *, number: int) -> None:
        """A succeeded attempt of the delivery."""
        self._insert(
            tables.attempts,
            {
                "id": attempt_id,
                "account_id": ACCOUNT,
                "environment": ENVIRONMENT,
                "delivery_id": delivery_id,
                "number": number,
                "response_body_truncated": False,
                "request_headers": "{}",
                "created_at": self.clock.now,
            },
        )

    def acceptance(
        self,
        app_id: str,
        endpoint_ids: Sequence[str],
        *,
        account_id: str = ACCOUNT,
        version: int = 1,
        payload: object = None,
        record: NewRecord | None = None,
        due_at: int | None = None,
        tags: tuple[str, ...] = (),
        ordering_key: str | None = None,
        expires_at: int | None = None,
    ) -> Acceptance:
        """A trigger of one event to the endpoints, not yet written; due at once by default."""
        now = self.clock.now
        message_id = self.ids.new("msg", now)
        message = NewMessage(
            id=message_id,
            account_id=account_id,
            environment=ENVIRONMENT,
            app_id=app_id,
            event_name="order.created",
            event_id=None,
            payload=json.dumps(payload).encode(),
            endpoint_count=len(endpoint_ids),
            filtered_count=0,
            created_at=now,
            tags=tags,
            ordering_key=ordering_key,
            expires_at=expires_at,
        )
        fan_out = tuple(
            NewDelivery(
                id=self.ids.new("del", now),
                account_id=account_id,
                environment=ENVIRONMENT,
                app_id=app_id,
                message_id=message_id,
                endpoint_id=endpoint_id,
                event_name="order.created",
                max_attempts=10,
                next_attempt_at=now if due_at is None else due_at,
                created_at=now,
                expires_at=expires_at,
            )
            for endpoint_id in endpoint_ids
        )
        return Acceptance(message, fan_out, version, record)

    def record(self, scope: bytes = b"scope", *, lifetime_ms: int = 86_400_000) -> NewRecord:
        """A finished idempotency record."""
        now = self.clock.now
        return NewRecord(
            scope=scope,
            account_id=ACCOUNT,
            environment=ENVIRONMENT,
            fingerprint=b"body",
            status=202,
            response_sealed=b"response",
            started_at=now,
            expires_at=now + lifetime_ms,
        )

    def deliver(
        self,
        app_id: str,
        endpoint_id: str,
        *,
        account_id: str = ACCOUNT,
        due_at: int | None = None,
        ordering_key: str | None = None,
        expires_at: int | None = None,
    ) -> str:
        """Accept one message to one endpoint; returns the delivery's id."""
        acceptance = self.acceptance(
            app_id,
            [endpoint_id],
            account_id=account_id,
            due_at=due_at,
            ordering_key=ordering_key,
            expires_at=expires_at,
        )
        self.database.accept(acceptance)
        return acceptance.deliveries[0].id

    def row(self, table: sa.Table, row_id: str) -> dict[str, Any]:
        """One row by its id."""
        return next(row for row in self.rows(table) if row["id"] == row_id)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """All rows of a table."""

        def all_of_it(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]

        return self.database.read(all_of_it)

    def update(self, table: sa.Table, row_id: str, **columns: Any) -> None:
        """Change one row."""

        def change(connection: Connection) -> None:
            connection.execute(sa.update(table).where(table.c.id == row_id).values(**columns))

        self.database.write(change)

    def delete(self, table: sa.Table, row_id: str) -> None:
        """Take one row away."""

        def away(connection: Connection) -> None:
            connection.execute(sa.delete(table).where(table.c.id == row_id))

        self.database.write(away)

    def _insert(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        def add(connection: Connection) -> None:
            connection.execute(sa.insert(table), rows)

        self.database.write(add)
