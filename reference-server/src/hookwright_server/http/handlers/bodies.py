"""Request bodies as the services take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from hookwright_server.domain.instants import LATEST_MS
from hookwright_server.errors import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def given(body: BaseModel) -> dict[str, Any]:
    """The members that the request held, at every depth; defaults are left out.

    They are called as in the contract, also where Python has another use for the name.
    """
    return body.model_dump(exclude_unset=True, by_alias=True)


def instant_ms(fields: dict[str, Any], name: str) -> int | None:
    """The member `name`, if any, as milliseconds since the epoch."""
    at: datetime | None = fields.get(name)
    return None if at is None else at_ms(at, name)


def at_ms(at: datetime, name: str) -> int:
    """The value of the member `name` as milliseconds since the epoch."""
    ms = (at - _EPOCH) // _MILLISECOND
    if ms > LATEST_MS:
        raise invalid(f"/{name}", "format", f"'{name}' lies beyond the year 9999 (UTC).")
    return ms
