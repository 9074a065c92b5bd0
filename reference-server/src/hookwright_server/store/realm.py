"""The part of the database that one caller may see; every query begins with it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Realm:
    """One account and environment, narrowed to `app_id` for a key that is bound to an app."""

    account_id: str
    environment: str
    app_id: str | None = None

    def owns(self, table: sa.Table, app_column: str = "app_id") -> sa.ColumnElement[bool]:
        """The condition that a row of `table` lies in this realm."""
        inside: list[sa.ColumnElement[bool]] = [
            table.c.account_id == self.account_id,
            table.c.environment == self.environment,
        ]
        if self.app_id is not None:
            inside.append(table.c[app_column] == self.app_id)
        return sa.and_(*inside)
