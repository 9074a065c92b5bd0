"""The schema: what the migrations build is what the tables say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from store_lab import StoreLab

from hookwright_server.store import tables
from hookwright_server.store.errors import StoreRefused
from hookwright_server.store.migrations import HEAD, is_current, migrate
from hookwright_server.store.migrations.upgrade import head, upgrade
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.sqlite import SqliteDatabase


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SqliteDatabase]:
    """A database without tables."""
    database = SqliteDatabase(tmp_path / "hookwright.db")
    yield database
    database.close()


def _schema(engine: sa.Engine) -> dict[str, str]:
    """Every table and index as the database describes it, white space aside."""
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE name <> 'alembic_version'")
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return {row.name: "".join((row.sql or "").split()) for row in rows if "alembic" not in row.name}


def test_migrations_build_what_the_tables_say(empty: SqliteDatabase) -> None:
    """All columns, types, keys, indexes and their predicates agree."""
    declared = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    tables.metadata.create_all(declared)

    migrate(empty.engine)

    assert _schema(declared) == _schema(empty.engine)
    declared.dispose()


@pytest.mark.needs_service("postgres")
def test_migrations_build_what_the_tables_say_on_postgres(
    opened: Callable[[], OpenDatabase],
) -> None:
    """The comparison of alembic finds nothing to change, and text is compared by its bytes."""
    with opened().engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, tables.metadata)

        collations = sa.text(
            "SELECT DISTINCT collation_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'text'"
        )
        assert ["C"] == connection.scalars(collations).all()


def test_migrating_again_changes_nothing(empty: SqliteDatabase) -> None:
    """Every start migrates; on a current database that is no change."""
    migrate(empty.engine)
    before = _schema(empty.engine)

    migrate(empty.engine)

    assert before == _schema(empty.engine)


def test_a_schema_is_current_from_this_version_on(empty: SqliteDatabase) -> None:
    """None and older ones are not; a newer one is, as an upgrade migrates first."""
    seen = [empty.read(is_current)]
    migrate(empty.engine)
    for version in ("0001", HEAD, "9999"):
        with empty.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE alembic_version SET version_num = :version"), {"version": version}
            )
        seen.append(empty.read(is_current))

    assert [False, False, True, True] == seen


def test_a_newer_database_is_refused(empty: SqliteDatabase) -> None:
    """A database of a later version is named and left alone."""
    migrate(empty.engine)
    with empty.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreRefused, match="9999"):
        migrate(empty.engine)


def test_head_is_the_newest_migration() -> None:
    """The constant that lets a start skip alembic names the newest file."""
    newest = head()

    assert HEAD == newest


def test_what_was_deleted_before_keeps_no_secrets(empty: SqliteDatabase) -> None:
    """The upgrade erases what deleted endpoints and apps had left, and nothing else."""
    upgrade(empty.engine, "0014")
    lab = StoreLab(empty)
    live, gone = lab.app(), lab.app(deleted_at=7)
    kept = lab.endpoint(live, headers_sealed=b"x")
    deleted = lab.endpoint(live, headers_sealed=b"x", deleted_at=7)
    of_gone = lab.endpoint(gone, headers_sealed=b"x", deleted_at=7)
    for app_id, endpoint_id in (
        *((live, None), (live, kept), (live, deleted)),
        *((gone, None), (gone, of_gone)),
    ):
        lab.secret(app_id, endpoint_id)

    upgrade(empty.engine)

    assert {(live, None), (live, kept)} == {
        (row["app_id"], row["endpoint_id"]) for row in lab.rows(tables.signing_secrets)
    }
    assert {kept: b"x", deleted: None, of_gone: None} == {
        row["id"]: row["headers_sealed"] for row in lab.rows(tables.endpoints)
    }
