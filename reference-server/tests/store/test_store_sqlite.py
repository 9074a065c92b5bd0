"""What SQLite is held to: durable commits, one process, a file for its owner alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from store_lab import StoreLab
from store_waiting import PATIENCE_S, Gate, until

from hookwright_server.store import sqlite
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import (
    StoreLocked,
    StoreRefused,
    StoreUnavailable,
    WriterBusy,
    WriteUnknown,
)
from hookwright_server.store.migrations import migrate
from hookwright_server.store.sqlite import SqliteDatabase, read_only_engine
from hookwright_server.store.writer import WriterLimits

OPEN_AND_WAIT = """
import sys
from pathlib import Path
from hookwright_server.store.sqlite import SqliteDatabase
SqliteDatabase(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "hookwright.db"


@pytest.fixture
def opened(path: Path) -> Iterator[SqliteDatabase]:
    """An open database without tables."""
    database = SqliteDatabase(path)
    yield database
    database.close()


@pytest.fixture
def impatient(path: Path) -> Iterator[SqliteDatabase]:
    """One whose callers hardly wait."""
    database = SqliteDatabase(path, limits=WriterLimits(wait_s=0.05))
    yield database
    database.close()


def _pragma(name: str) -> sa.TextClause:
    return sa.text(f"PRAGMA {name}")


def test_commits_are_durable(opened: SqliteDatabase) -> None:
    """The writing connection runs in WAL mode with synchronous=FULL (2)."""

    def settings(connection: Connection) -> tuple[str, int]:
        return (
            connection.execute(_pragma("journal_mode")).scalar_one(),
            connection.execute(_pragma("synchronous")).scalar_one(),
        )

    assert ("wal", 2) == opened.write(settings)


def test_a_database_that_would_not_be_durable_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When FULL cannot be had the server does not start, and lets go of the lock."""
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_FULL", 3)
        with pytest.raises(StoreRefused, match="synchronous=2"):
            SqliteDatabase(path)

    SqliteDatabase(path).close()


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """Somebody else's file is left alone."""
    path.write_bytes(b"not a database, but long enough to be read as one" * 40)

    with pytest.raises(StoreRefused, match="not a database"):
        SqliteDatabase(path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message names the path that cannot be opened."""
    with pytest.raises(StoreRefused, match="nowhere"):
        SqliteDatabase(tmp_path / "nowhere" / "hookwright.db")


def test_a_second_process_is_kept_out(path: Path) -> None:
    """While one process has the database open, another is told which."""
    command = [sys.executable, "-c", OPEN_AND_WAIT, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert "open\n" == other.stdout.readline()
        with pytest.raises(StoreLocked, match=f"process {other.pid}"):
            SqliteDatabase(path)
        other.kill()

    SqliteDatabase(path).close()


def test_only_the_owner_can_read_the_files(path: Path) -> None:
    """Database, log, index and locks have mode 0600, also when the file was laxer before."""
    path.touch(mode=0o644)
    database = SqliteDatabase(path)
    migrate(database.engine)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    database.close()

    assert {
        "hookwright.db": 0o600,
        "hookwright.db-wal": 0o600,
        "hookwright.db-shm": 0o600,
        "hookwright.db.lock": 0o600,
        "hookwright.db.turn": 0o600,
    } == modes


def test_a_write_that_waits_too_long_is_withdrawn(impatient: SqliteDatabase) -> None:
    """A job still queued when its caller gives up is never run."""
    ran = threading.Event()
    gate = Gate(impatient)

    with pytest.raises(WriterBusy, match="not written"):
        impatient.write(lambda _: ran.set())
    gate.release()
    impatient.submit(lambda _: None).result(PATIENCE_S)
    assert not ran.is_set()


def test_a_write_under_way_when_the_wait_ends_is_called_unknown(
    impatient: SqliteDatabase,
) -> None:
    """The caller is not told that nothing happened: it may yet be committed."""
    release = threading.Event()

    def told() -> type[Exception]:
        with pytest.raises((WriterBusy, WriteUnknown)) as error:
            impatient.write(lambda _: release.wait(PATIENCE_S))
        return error.type

    until(lambda: told() is WriteUnknown)  # a busy machine may not begin with the first in time
    release.set()


def test_a_batch_is_waited_for_once(path: Path) -> None:
    """What cannot be written is refused as a whole after one wait, not after one for each."""
    wait_s, items = 0.2, 300
    database = SqliteDatabase(path, limits=WriterLimits(wait_s=wait_s))
    lab = StoreLab(database)
    batch = [lab.acceptance("app_1", []) for _ in range(items)]
    gate = Gate(database)

    began_at = time.monotonic()
    answers = database.accept_all(batch)
    took_s = time.monotonic() - began_at
    gate.release()
    database.close()

    assert [WriterBusy] * items == [type(answer) for answer in answers]
    assert took_s < items * wait_s / 2


def test_a_failure_of_the_database_is_unavailability(opened: SqliteDatabase) -> None:
    """Trouble of the database itself has a type of its own, for a 503."""
    with pytest.raises(StoreUnavailable, match="no such table"):
        opened.submit(lambda c: c.execute(sa.text("SELECT 1 FROM nowhere"))).result(60)


def test_readers_cannot_write(opened: SqliteDatabase) -> None:
    """A read that tries to write fails."""
    with pytest.raises(StoreUnavailable, match="readonly"):
        opened.read(lambda c: c.execute(sa.text("CREATE TABLE t (x)")))


def test_closing_writes_what_is_queued_and_refuses_the_rest(path: Path) -> None:
    """Jobs accepted before the close are run; later ones are refused."""
    database = SqliteDatabase(path)
    futures = [database.submit(lambda _: None) for _ in range(50)]

    database.close()

    assert [None] * 50 == [future.result(0) for future in futures]
    with pytest.raises(WriterBusy, match="stopping"):
        database.write(lambda _: None)


def test_a_reader_of_a_live_database_needs_no_lock(opened: SqliteDatabase, path: Path) -> None:
    """`doctor` reads beside a running server, and creates nothing where there is no database."""
    migrate(opened.engine)
    engine = read_only_engine(path)
    with engine.begin() as connection:
        tables = sa.inspect(connection).get_table_names()
    engine.dispose()

    assert "deliveries" in tables
    with pytest.raises(StoreRefused, match="serve"):
        read_only_engine(path.with_name("other.db"))
    assert not path.with_name("other.db").exists()
