"""The part of the database that one caller may see; every query begins with it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hookwright_server.store.planning import equal


@dataclass(frozen=True, slots=True)
class Realm:
    """One account and environment, narrowed to `app_id` for a key that is bound to an app."""

    account_id: str
    environment: str
    app_id: str | None = None

    def owns(
        self, table: sa.Table, app_column: str = "app_id", *, indexed: bool = True
    ) -> sa.ColumnElement[bool]:
        """The condition that a row of `table` lies in this realm. For `indexed` see `planning`."""
        inside = [
            equal(table.c.account_id, self.account_id, indexed=indexed),
            equal(table.c.environment, self.environment, indexed=indexed),
        ]
        if self.app_id is not None:
            inside.append(equal(table.c[app_column], self.app_id, indexed=indexed))
        return sa.and_(*inside)
