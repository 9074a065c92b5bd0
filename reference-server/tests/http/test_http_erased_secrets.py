"""What is deleted leaves no secret in the database, on both back ends."""

from __future__ import annotations

import sqlalchemy as sa
from http_lab import Client
from http_sink import path_to

from hookwright_server.store.database import Database
from hookwright_server.store.tables import endpoints, signing_secrets

NOWHERE = "http://127.0.0.1:1/hook"


def _sealed(database: Database) -> tuple[set[str | None], set[str]]:
    """Whose secrets are stored (None: an app's), and which endpoints have values of headers."""
    with_headers = sa.select(endpoints.c.id).where(endpoints.c.headers_sealed.is_not(None))
    return database.read(
        lambda tx: (
            set(tx.scalars(sa.select(signing_secrets.c.endpoint_id))),
            set(tx.scalars(with_headers)),
        )
    )


def test_what_is_deleted_keeps_no_secrets(either_server: tuple[Database, Client]) -> None:
    """Neither an endpoint's signing secrets and header values, nor those of a whole app."""
    database, client = either_server
    slug, other = (client.new_app()["slug"] for _ in range(2))
    deleted, kept = (
        client.new_endpoint(slug, NOWHERE, active=False, headers={"X-Token": "hush"})
        for _ in range(2)
    )
    client.post(f"{path_to(deleted)}/rotate-secret", {"overlap_seconds": 60}).require(200)
    client.delete(path_to(deleted)).require(204)
    after_endpoint = _sealed(database)
    client.delete(f"/v1/apps/{slug}").require(204)
    last = client.new_endpoint(other, NOWHERE, active=False)
    after_app = _sealed(database)

    assert ({None, kept["id"]}, {kept["id"]}) == after_endpoint
    assert ({None, last["id"]}, set()) == after_app
