"""Every sealed value in the database: found by the key it is sealed under, written anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.tables import endpoints, idempotency_records, signing_secrets

Reseal = Callable[[bytes, str], bytes]
"""`(blob, additional data) -> blob` under the current key."""


@dataclass(frozen=True, slots=True)
class _Place:
    key: sa.Column[str] | sa.Column[bytes]
    blob: sa.Column[bytes]
    sealed_as: Callable[[Any], str]


_PLACES = (
    _Place(signing_secrets.c.id, signing_secrets.c.sealed, lambda key: f"signing_secrets:{key}"),
    _Place(endpoints.c.id, endpoints.c.headers_sealed, lambda key: f"endpoints.headers:{key}"),
    _Place(
        idempotency_records.c.scope,
        idempotency_records.c.response_sealed,
        lambda key: f"idempotency_records:{key.hex()}",
    ),
)


def reseal_some(tx: Connection, header: bytes, reseal: Reseal, limit: int) -> int:
    """Seal anew at most `limit` values that do not begin with `header`; how many it were."""
    done = 0
    for place in _PLACES:
        elsewhere = sa.func.substr(place.blob, 1, len(header)) != header
        found = tx.execute(
            sa.select(place.key, place.blob)
            .where(place.blob.is_not(None), elsewhere)
            .limit(limit - done)
        ).all()
        for key, blob in found:
            values = {place.blob.name: reseal(blob, place.sealed_as(key))}
            # As it was read: what another process has changed since stays as that one wrote it.
            unchanged = (place.key == key, place.blob == blob)
            tx.execute(sa.update(place.blob.table).where(*unchanged).values(values))
        done += len(found)
    return done
