"""A process of `api` that does not know the database's time yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from http_lab import Client, call_wsgi, settings_of

from hookwright_server.domain.vault import generate_key
from hookwright_server.production import build_api
from hookwright_server.settings import PostgresUrl
from hookwright_server.wiring import prepare

if TYPE_CHECKING:
    from service_fixtures import NewDatabase

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.mark.needs_service("postgres")
def test_nothing_is_stored_with_the_time_of_the_machine(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    """Until the database's clock is followed, requests and readiness are 503; then all is well."""
    settings = settings_of(
        tmp_path,
        database=PostgresUrl(new_database()),
        encryption_keys=generate_key("k1"),
        redis_url=NO_REDIS,
    )
    owner = prepare(settings, "owner")
    assert owner is not None
    process = build_api(settings)
    client = Client(lambda *sent: call_wsgi(process.app, *sent), owner.live_key)
    paths = ("/health/ready", "/v1/apps")

    unknown = [client.get(path) for path in paths]
    process.start()  # the database is there: it looks at once
    known = [client.get(path).status for path in paths]
    client.new_app()
    process.stop()

    assert [(503, "unavailable")] * 2 == [(each.status, each.code) for each in unknown]
    assert [200, 200] == known
