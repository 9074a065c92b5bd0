"""What Postgres is held to: many processes at once, broken commits, a server that goes and comes.

Two databases of `opened` are two processes: each has its own writer and connections.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from store_lab import StoreLab
from store_places import migrated
from store_waiting import PATIENT, until

from hookwright_server.store import tables
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import (
    RecordExists,
    StoreRefused,
    StoreUnavailable,
    TookTooLong,
    WriteUnknown,
)
from hookwright_server.store.migrations import HEAD, migrate, version
from hookwright_server.store.migrations.upgrade import upgrade
from hookwright_server.store.opening import OpenDatabase, open_database
from hookwright_server.store.postgres import PostgresDatabase, PostgresTimeouts
from hookwright_server.store.postgres_commits import PostgresBackend
from hookwright_server.store.postgres_driver import BoundedConnection

if TYPE_CHECKING:
    from service_fixtures import StartService

pytestmark = pytest.mark.needs_service("postgres")

Opened = Callable[[], OpenDatabase]


def _ask(connection: Connection) -> None:
    connection.execute(sa.text("SELECT 1"))


def _does_not_answer(_backend: PostgresBackend) -> None:
    return None


def _lose_the_answer(connection: BoundedConnection) -> None:
    """The server commits, and nobody hears of it."""
    psycopg.Connection.commit(connection)
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


def _lose_the_question(connection: BoundedConnection) -> None:
    """The connection breaks before the server hears of the commit."""
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


@pytest.fixture
def break_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Let the next commit of a writer go wrong: `break_commit(_lose_the_answer)`."""

    def plan(how: Callable[[BoundedConnection], None]) -> None:
        planned = [how]

        def commit(connection: BoundedConnection) -> None:
            info = connection.info.transaction_status
            wrote = info == psycopg.pq.TransactionStatus.INTRANS
            if wrote and planned:
                planned.pop()(connection)
            else:
                psycopg.Connection.commit(connection)

        monkeypatch.setattr(BoundedConnection, "commit", commit)

    return plan


@pytest.fixture
def cluster_folder() -> Iterator[Path]:
    """Where a cluster outlives its server; the user postgres cannot reach pytest's folders."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "cluster"


@pytest.mark.parametrize("how", [_lose_the_answer, _lose_the_question])
def test_a_broken_commit_is_found_out(
    opened: Opened, break_commit: Callable[[Callable[..., None]], None], how: Callable[..., None]
) -> None:
    """Whether the answer or the question was lost: the trigger is accepted, and once."""
    lab = StoreLab(opened())
    app_id = lab.app()
    acceptance = lab.acceptance(app_id, [lab.endpoint(app_id)], record=lab.record())
    break_commit(how)

    lab.database.accept(acceptance)

    assert [acceptance.message.id] == [row["id"] for row in lab.rows(tables.messages)]
    assert 1 == len(lab.rows(tables.deliveries))


def test_a_broken_commit_that_nobody_can_tell_is_called_unknown(
    opened: Opened,
    break_commit: Callable[[Callable[..., None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the server cannot be asked, the caller is not told that nothing was written."""
    database = opened()
    lab = StoreLab(database)
    app_id = lab.app()
    monkeypatch.setattr(PostgresBackend, "_noted", _does_not_answer)
    monkeypatch.setattr("hookwright_server.store.postgres_commits._ASK_EVERY_S", 0)
    backend = PostgresBackend(database.engine, "a writer", asked_for_s=0.0)
    break_commit(_lose_the_answer)

    with pytest.raises(WriteUnknown):
        backend.transact(
            lambda c: c.execute(sa.update(tables.apps).values(name="new")), durable=True
        )

    assert "new" == lab.row(tables.apps, app_id)["name"]


def test_a_killed_server_loses_nothing_that_was_accepted(
    start_service: StartService, cluster_folder: Path
) -> None:
    """SIGKILL of Postgres under load: what was answered is there, the rest was refused in time."""
    service = start_service("postgres", folder=cluster_folder)
    migrated(service.url)
    databases = [open_database(service.url, readers=2) for _ in range(2)]
    labs = [StoreLab(database, seed) for seed, database in enumerate(databases)]
    app_id = labs[0].app()
    endpoint_id = labs[0].endpoint(app_id)
    accepted: list[str] = []
    refused: list[Exception] = []
    ended = threading.Event()

    def publish(lab: StoreLab) -> None:
        while not ended.is_set():
            acceptance = lab.acceptance(app_id, [endpoint_id])
            try:
                lab.database.accept(acceptance)
                accepted.append(acceptance.message.id)
            except (StoreUnavailable, WriteUnknown) as error:
                refused.append(error)
                time.sleep(0.01)

    with ThreadPoolExecutor(4) as pool:
        publishing = [pool.submit(publish, lab) for lab in labs * 2]
        until(lambda: len(accepted) > 50)
        os.kill(service.pid, signal.SIGKILL)
        until(lambda: bool(refused))
        start_service("postgres", folder=cluster_folder, port=service.port)
        before = len(accepted)
        until(lambda: len(accepted) > before + 50)
        ended.set()
    for future in publishing:
        future.result()

    present = {row["id"] for row in labs[0].rows(tables.messages)}
    assert set() == set(accepted) - present
    assert present == {row["message_id"] for row in labs[0].rows(tables.deliveries)}
    for database in databases:
        database.close()


def test_a_dead_connection_of_the_pool_is_no_failure(opened: Opened) -> None:
    """After a restart of the server the first read and the first write succeed."""
    database, other = opened(), opened()
    lab = StoreLab(database)
    app_id = lab.app()
    lab.rows(tables.apps)
    end_all = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    other.write(lambda c: c.execute(end_all).all())

    assert [app_id] == [row["id"] for row in lab.rows(tables.apps)]
    lab.update(tables.apps, app_id, name="new")
    assert "new" == lab.row(tables.apps, app_id)["name"]


def test_a_silent_server_costs_a_bounded_time(postgres_place: str) -> None:
    """A server that does not answer is unavailable once the bound has passed."""
    times = PostgresTimeouts(statement_s=60, answer_s=0.3)
    database = PostgresDatabase(postgres_place, timeouts=times)
    sleep = sa.text("SELECT pg_sleep(60)")

    with pytest.raises(StoreUnavailable, match=r"not answered for 0\.3 s"):
        database.read(lambda c: c.execute(sleep))
    with pytest.raises(StoreUnavailable, match=r"not answered for 0\.3 s"):
        database.write(lambda c: c.execute(sleep))
    database.close()


def test_an_absent_server_is_unavailable(postgres_place: str) -> None:
    """Opening needs no server; everything else is refused as a 503."""
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(StoreUnavailable):
        database.read(_ask)
    with pytest.raises(StoreUnavailable):
        database.write(_ask)
    with pytest.raises(StoreUnavailable):
        database.submit(_ask).result(60)
    database.close()


def test_a_url_that_is_none_is_refused() -> None:
    """The message does not repeat the password in it."""
    with pytest.raises(StoreRefused, match="no URL"):
        open_database("postgresql://user:secret@host:port/name")


def test_readers_cannot_write(opened: Opened) -> None:
    """A read that tries to write fails."""
    with pytest.raises(StoreUnavailable, match="read-only"):
        opened().read(lambda c: c.execute(sa.delete(tables.apps)))


def _tried_together(
    database: PostgresDatabase, works: list[Callable[[Connection], object]]
) -> list[BaseException | None]:
    """Let the writer find all of them waiting, in one group; what each raised."""
    entered, leave = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        leave.wait(60)

    database.submit(hold)
    assert entered.wait(60)
    futures = [database.submit(work) for work in works]
    leave.set()
    return [future.exception(30) for future in futures]


def _raise_as_server(sqlstate: str) -> sa.TextClause:
    return sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'no more' USING ERRCODE = '{sqlstate}'; END $$")


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "57014"])
def test_what_the_server_has_no_room_for_is_refused_at_once(
    postgres_place: str, sqlstate: str
) -> None:
    """Disk full, out of memory, statement timeout: no job of the group is tried on its own."""
    database = PostgresDatabase(postgres_place)
    lab = StoreLab(database)
    app_id = lab.app()
    runs: list[int] = []

    def change(connection: Connection) -> None:
        runs.append(1)
        connection.execute(sa.update(tables.apps).values(name="changed"))

    def fail(connection: Connection) -> None:
        runs.append(1)
        connection.execute(_raise_as_server(sqlstate))

    told = _tried_together(database, [change, fail, change])

    kind = TookTooLong if sqlstate == "57014" else StoreUnavailable
    assert [kind] * 3 == [type(each) for each in told]
    assert 2 == len(runs)
    assert "changed" != lab.row(tables.apps, app_id)["name"]
    database.close()


@pytest.mark.parametrize("alone", [False, True])
def test_two_waits_for_a_lock_are_enough(postgres_place: str, alone: bool) -> None:
    """The rest of the group is refused without a wait, also when each job is tried on its own."""
    database = PostgresDatabase(postgres_place, timeouts=PostgresTimeouts(lock_s=0.1))
    other = PostgresDatabase(postgres_place)
    lab = StoreLab(other)
    app_id = lab.app()
    runs: list[int] = []
    entered, leave = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.execute(sa.update(tables.apps).values(name="held"))
        entered.set()
        leave.wait(60)

    def change(connection: Connection) -> None:
        runs.append(1)
        connection.execute(sa.update(tables.apps).values(name="changed"))

    def spoil(connection: Connection) -> None:
        connection.execute(_raise_as_server("40001"))

    held = other.submit(hold)
    assert entered.wait(60)
    told = _tried_together(database, [*([spoil] * alone), change, _ask, *([change] * 5)])
    leave.set()
    held.result(60)

    assert 3 == len(runs)
    assert [StoreUnavailable] * (6 + alone) == [type(each) for each in told if each is not None]
    assert "held" == lab.row(tables.apps, app_id)["name"]
    database.close()
    other.close()


def test_a_stopped_process_does_not_hold_its_locks(postgres_place: str) -> None:
    """The server ends a transaction whose process stopped in the middle; its commit fails."""
    slow = PostgresDatabase(postgres_place, timeouts=PostgresTimeouts(idle_s=0.5))
    other = PostgresDatabase(postgres_place, timeouts=PATIENT)
    lab = StoreLab(other)
    app_id = lab.app()
    entered, leave = threading.Event(), threading.Event()
    runs: list[int] = []

    def hold(connection: Connection) -> None:
        runs.append(1)
        connection.execute(sa.update(tables.apps).values(name="slow"))
        entered.set()
        leave.wait(60)

    held = slow.submit(hold)
    assert entered.wait(60)
    lab.update(tables.apps, app_id, name="other")  # waits for the server to end the first
    leave.set()
    held.result(60)  # run again on a new connection, in time

    assert 2 == len(runs)
    assert "slow" == lab.row(tables.apps, app_id)["name"]
    slow.close()
    other.close()


def test_a_deadlock_is_repeated(opened: Opened) -> None:
    """Two transactions that wait for each other both end well."""
    one, other = opened(), opened()
    lab = StoreLab(one)
    ids = [lab.app(), lab.app()]
    began = threading.Event(), threading.Event()

    def add(connection: Connection, app_id: str) -> None:
        apps = tables.apps
        version = {apps.c.subscriptions_version: apps.c.subscriptions_version + 1}
        connection.execute(sa.update(apps).where(apps.c.id == app_id).values(version))

    def both(connection: Connection, first: int, second: int) -> None:
        add(connection, ids[first])
        began[first].set()
        began[second].wait(60)
        add(connection, ids[second])

    futures = [one.submit(lambda c: both(c, 0, 1)), other.submit(lambda c: both(c, 1, 0))]
    for future in futures:
        future.result(60)

    assert [3, 3] == [row["subscriptions_version"] for row in lab.rows(tables.apps)]


def test_the_same_key_in_two_processes_is_accepted_once(opened: Opened) -> None:
    """However the requests meet: one message, and the other is told of the record."""
    databases = [opened() for _ in range(3)]
    labs = [StoreLab(database, seed) for seed, database in enumerate(databases)]
    app_id = labs[0].app()
    endpoint_id = labs[0].endpoint(app_id)
    keys = [bytes([number]) * 32 for number in range(20)]

    def publish(lab: StoreLab) -> int:
        repeated = 0
        for key in keys:
            try:
                record = lab.record(key)
                lab.database.accept(lab.acceptance(app_id, [endpoint_id], record=record))
            except RecordExists:
                repeated += 1
        return repeated

    with ThreadPoolExecutor(3) as pool:
        repeated = sum(pool.map(publish, labs))

    assert 2 * len(keys) == repeated
    assert len(keys) == len(labs[0].rows(tables.messages)) == len(labs[0].rows(tables.deliveries))


def test_two_starters_migrate_one_after_the_other(
    new_database: Callable[[], str],
) -> None:
    """Several processes that start on an empty database all find the tables."""
    place = new_database()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrated, [place] * 4))

    database = open_database(place)
    assert HEAD == database.read(version)
    database.close()


@pytest.mark.parametrize("who", ["worker", "api"])
def test_an_old_database_is_not_migrated_while_it_is_in_use(
    new_database: Callable[[], str], who: str
) -> None:
    """A session that is renewed, or who reads, is told of; once they are gone it goes on."""
    place = new_database()
    database = open_database(place)
    upgrade(database.engine, "0010")
    StoreLab(database).session("wrk_1")
    _renewed(database, 0 if who == "worker" else 10_001)
    if who == "api":
        database.read(_ask)
    with pytest.raises(StoreRefused, match=r"schema 0010 and in use .*: stop every `api`"):
        migrated(place)
    _renewed(database, 10_001)
    database.close()
    with psycopg.connect(place, autocommit=True) as hands:
        assert ("0010",) == hands.execute("SELECT version_num FROM alembic_version").fetchone()
        # A connection that was closed is listed for a moment.
        hands.execute(_END_READERS)

    migrated(place)


_END_READERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'hookwright-reader'"
)


def _renewed(database: OpenDatabase, ago_ms: int) -> None:
    renewed_at = int(time.time() * 1000) - ago_ms
    change = sa.update(tables.worker_sessions).values(renewed_at=renewed_at)
    database.write(lambda c: c.execute(change))


def test_later_migrations_run_beside_others(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is new enough is changed while it is in use."""
    monkeypatch.setattr("hookwright_server.store.migrations.upgrade.ALONE_BEFORE", "0010")
    place = new_database()
    database = open_database(place)
    upgrade(database.engine, "0010")
    StoreLab(database).session("wrk_1")
    _renewed(database, 0)
    database.read(_ask)

    migrated(place)

    assert HEAD == database.read(version)
    database.close()


def test_a_migration_may_take_its_time(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bounds of requests do not end an upgrade that waits for another one."""
    place = new_database()
    times = PostgresTimeouts(lock_s=0.1, statement_s=0.1, answer_s=0.2)
    database = PostgresDatabase(place, timeouts=times)
    with psycopg.connect(place) as other:
        key = int.from_bytes(b"hookwrgt")
        other.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
        with ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(migrate, database.engine)
            time.sleep(0.5)  # longer than any of the bounds
            assert not migrating.done()
            other.commit()
            migrating.result(60)
    database.close()

    with closing(open_database(place)) as patient:
        assert HEAD == patient.read(version)
