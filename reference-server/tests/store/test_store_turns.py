"""Processes of one server that write to the same file: in turns, and none of them starves."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from hookwright_server.store.database import Connection
from hookwright_server.store.errors import StoreLocked
from hookwright_server.store.migrations import migrate
from hookwright_server.store.sqlite import SqliteDatabase
from hookwright_server.store.tables import writers
from hookwright_server.store.writer import WriterLimits

_WRITES = 150
# One argument after the file: the inherited lock. Says what it has begun, and how long the
# longest of its writes took.
_OTHER = """
import sys, time
from pathlib import Path
import sqlalchemy as sa
from hookwright_server.store.sqlite import SqliteDatabase
from hookwright_server.store.tables import writers

database = SqliteDatabase(Path(sys.argv[1]), lock=int(sys.argv[2]))
add_one = sa.update(writers).where(writers.c.id == "shared").values(number=writers.c.number + 1)
print("open", flush=True)
longest = 0.0
for _ in range(int(sys.argv[3])):
    began = time.monotonic()
    database.write(lambda tx: tx.execute(add_one))
    longest = max(longest, time.monotonic() - began)
print(longest, flush=True)
sys.stdin.read()
"""
_HOLDER = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("mine", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    """A database with a row that counts."""
    with closing(SqliteDatabase(tmp_path / "hookwright.db")) as database:
        migrate(database.engine)
        database.write(
            lambda tx: tx.execute(sa.insert(writers).values(id="shared", number=0, seen_at=0))
        )
        yield database


def _started(script: str, *arguments: object, handles: tuple[int, ...] = ()) -> _Child:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=handles,
    )


_Child = subprocess.Popen[str]


def _line(child: _Child) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _add_one(tx: Connection) -> None:
    tx.execute(
        sa.update(writers).where(writers.c.id == "shared").values(number=writers.c.number + 1)
    )


def _number(tx: Connection) -> int:
    number: int = tx.execute(sa.select(writers.c.number)).scalar_one()
    return number


def test_two_processes_write_in_turns(database: SqliteDatabase, tmp_path: Path) -> None:
    """No write is lost or refused, and neither has to wait until the other has nothing to do."""
    path = tmp_path / "hookwright.db"
    with _started(_OTHER, path, database.lock, _WRITES, handles=(database.lock,)) as other:
        assert "open" == _line(other)
        longest = 0.0
        for _ in range(_WRITES):
            began = time.monotonic()
            database.write(_add_one)
            longest = max(longest, time.monotonic() - began)
        others_longest = float(_line(other))
        number = database.read(_number)
        other.communicate()

    assert 2 * _WRITES == number
    assert max(longest, others_longest) < 30


def test_the_file_is_locked_until_the_last_process_has_closed_it(tmp_path: Path) -> None:
    """A process that shares the lock keeps other servers off after the first one has gone."""
    path = tmp_path / "hookwright.db"
    database = SqliteDatabase(path)
    migrate(database.engine)
    with _started(_OTHER, path, database.lock, 0, handles=(database.lock,)) as other:
        assert ["open", "0.0"] == [_line(other), _line(other)]
        database.close()
        with pytest.raises(StoreLocked):
            SqliteDatabase(path)
        other.communicate()

    SqliteDatabase(path).close()


def test_a_turn_does_not_die_with_a_process(database: SqliteDatabase, tmp_path: Path) -> None:
    """Whoever waits gets it at once."""
    with _started(_HOLDER, tmp_path / "hookwright.db.turn") as holder:
        assert "mine" == _line(holder)
        waiting = database.submit(_add_one)
        waited = not waiting.done()
        holder.kill()
        waiting.result(60)

    assert waited
    assert 1 == database.read(_number)


def test_what_queues_while_another_writes_is_one_group(tmp_path: Path) -> None:
    """The group is gathered when the turn has come, not before."""
    groups: list[int] = []
    database = SqliteDatabase(
        tmp_path / "hookwright.db", meter=_Meter(groups.append), limits=WriterLimits()
    )
    with closing(database), _started(_HOLDER, tmp_path / "hookwright.db.turn") as holder:
        assert "mine" == _line(holder)
        waiting = [database.submit(_nothing) for _ in range(20)]
        holder.kill()
        for each in waiting:
            each.result(60)

    assert [20] == groups


def _nothing(_tx: Connection) -> None:
    pass


class _Meter:
    """See `WriterMeter`."""

    def __init__(self, note: Callable[[int], object]) -> None:
        self._note = note

    def committed(self, jobs: int, waiting: int, seconds: float) -> None:
        del waiting, seconds
        self._note(jobs)
