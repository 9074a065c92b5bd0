"""What tools/service_fixtures.py hands to tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import redis

if TYPE_CHECKING:
    from service_fixtures import NewDatabase, StartService


def _with_table(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE notes (text text)")


def _count(url: str) -> int:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO notes VALUES ('one')")
        row = connection.execute("SELECT count(*) FROM notes").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.needs_service("postgres")
def test_databases_are_copies(new_database: NewDatabase) -> None:
    """Each database has what `prepare` made, and nothing that another test or copy wrote."""
    urls = [new_database(_with_table) for _ in range(3)]

    assert [1, 1, 1] == [_count(url) for url in urls]


@pytest.mark.needs_service("postgres")
def test_open_connection_does_not_keep_a_database(
    new_database: NewDatabase, postgres_url: str
) -> None:
    """A new database is empty, and a connection left open is no trouble for the end of a test."""
    with psycopg.connect(new_database()) as connection:
        tables = connection.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'")

        assert [] == tables.fetchall()


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.needs_service("redis")
def test_redis_is_empty(redis_url: str, turn: int) -> None:
    """Every test finds an empty Redis."""
    with redis.from_url(redis_url) as client:
        assert client.get("left") is None
        client.set("left", turn)


@pytest.mark.needs_service("redis")
def test_service_of_one_test(start_service: StartService) -> None:
    """A test can have a service with settings of its own, and stop it."""
    service = start_service("redis", databases="1")
    with (
        redis.from_url(service.url.removesuffix("0") + "1") as second_database,
        pytest.raises(redis.ResponseError, match="DB index is out of range"),
    ):
        second_database.get("name")

    service.stop()

    assert not service.folder.exists()
