"""The contract of `Database`: what is answered is committed, what is refused left nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa
from store_lab import StoreLab
from store_places import BACK_ENDS, migrated, new_place
from store_waiting import Gate, until

from hookwright_server.store import tables
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.errors import RecordExists, StaleSubscriptions, StoreUnavailable
from hookwright_server.store.opening import open_database
from hookwright_server.store.writer import WriterLimits


def _together(
    database: Database, calls: Sequence[Callable[[], object]]
) -> list[BaseException | None]:
    """Run the calls in one group, in order; what each raised."""
    gate = Gate(database)
    with ThreadPoolExecutor(len(calls)) as pool:
        futures: list[Future[object]] = []
        for call in calls:
            futures.append(pool.submit(call))
            until(lambda: database.queued() == len(futures))
        gate.release()
        return [future.exception(10) for future in futures]


def _count(connection: Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_an_accepted_trigger_is_there_with_all_its_deliveries(lab: StoreLab) -> None:
    """After `accept` the message and every delivery can be read, pending and due."""
    app_id = lab.app()
    endpoint_ids = [lab.endpoint(app_id) for _ in range(3)]
    acceptance = lab.acceptance(app_id, endpoint_ids, payload={"n": 1})

    lab.database.accept(acceptance)

    assert [b'{"n": 1}'] == [row["payload"] for row in lab.rows(tables.messages)]
    assert [(key, "pending", 0, lab.clock.now) for key in endpoint_ids] == [
        (row["endpoint_id"], row["status"], row["attempt_count"], row["next_attempt_at"])
        for row in lab.rows(tables.deliveries)
    ]


def test_a_stale_fan_out_is_refused_and_writes_nothing(lab: StoreLab) -> None:
    """An acceptance made from an older version of the subscriptions is refused."""
    app_id = lab.app(subscriptions_version=2)
    acceptance = lab.acceptance(app_id, [lab.endpoint(app_id)], version=1, record=lab.record())

    with pytest.raises(StaleSubscriptions):
        lab.database.accept(acceptance)

    assert [] == lab.rows(tables.messages)
    assert [] == lab.rows(tables.deliveries)
    assert [] == lab.rows(tables.idempotency_records)


def test_a_trigger_for_a_deleted_app_is_refused(lab: StoreLab) -> None:
    """A deleted app accepts nothing, whatever its version says."""
    app_id = lab.app(deleted_at=lab.clock.now)

    with pytest.raises(StaleSubscriptions):
        lab.database.accept(lab.acceptance(app_id, []))


def test_an_idempotency_key_works_once(lab: StoreLab) -> None:
    """A second acceptance under a living record is refused and leaves nothing."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    lab.database.accept(lab.acceptance(app_id, [endpoint_id], record=lab.record()))

    with pytest.raises(RecordExists):
        lab.database.accept(lab.acceptance(app_id, [endpoint_id], record=lab.record()))

    assert 1 == len(lab.rows(tables.messages))


def test_an_expired_record_gives_its_key_free(lab: StoreLab) -> None:
    """A record past its time is replaced, even before maintenance erased it."""
    app_id = lab.app()
    lab.database.accept(lab.acceptance(app_id, [], record=lab.record(lifetime_ms=5)))
    lab.clock.now += 5

    lab.database.accept(lab.acceptance(app_id, [], record=lab.record()))

    assert [lab.clock.now] == [row["started_at"] for row in lab.rows(tables.idempotency_records)]


def test_a_refusal_in_a_group_concerns_only_its_own_trigger(lab: StoreLab) -> None:
    """Stale and repeated triggers fail alone; the others of their group are written."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    good = lab.acceptance(app_id, [endpoint_id], record=lab.record(b"same"))
    repeated = lab.acceptance(app_id, [endpoint_id], record=lab.record(b"same"))
    stale = lab.acceptance(app_id, [endpoint_id], version=0)

    errors = _together(
        lab.database, [partial(lab.database.accept, a) for a in (good, repeated, stale)]
    )

    assert [type(None), RecordExists, StaleSubscriptions] == [type(error) for error in errors]
    assert [good.message.id] == [row["id"] for row in lab.rows(tables.messages)]


def test_a_failing_group_is_repeated_job_by_job(lab: StoreLab) -> None:
    """An acceptance that the database refuses does not take its group down with it."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    first, second = (lab.acceptance(app_id, [endpoint_id]) for _ in range(2))
    clash = replace(second, message=replace(second.message, id=first.message.id))

    errors = _together(lab.database, [partial(lab.database.accept, a) for a in (first, clash)])

    assert errors[0] is None
    assert "unique constraint" in str(errors[1]).lower()
    assert [first.message.id] == [row["id"] for row in lab.rows(tables.messages)]
    assert 1 == len(lab.rows(tables.deliveries))


def test_a_write_that_raises_is_undone_and_its_neighbours_are_not(lab: StoreLab) -> None:
    """An exception of a write reaches its caller and undoes only what that write did."""

    def broken(connection: Connection) -> None:
        connection.execute(sa.delete(tables.apps))
        raise LookupError("no")

    def seen(connection: Connection) -> int:
        return _count(connection, tables.apps)

    lab.app()
    gate = Gate(lab.database)
    futures = [lab.database.submit(work) for work in (broken, seen)]
    gate.release()

    with pytest.raises(LookupError):
        futures[0].result(60)
    assert 1 == futures[1].result(60)
    assert 1 == len(lab.rows(tables.apps))


def test_triggers_come_before_writes_of_their_group(lab: StoreLab) -> None:
    """A change of the subscriptions does not make triggers stale that came with it."""
    app_id = lab.app()

    def bump(connection: Connection) -> None:
        connection.execute(sa.update(tables.apps).values(subscriptions_version=2))

    errors = _together(
        lab.database,
        [
            lambda: lab.database.write(bump),
            lambda: lab.database.accept(lab.acceptance(app_id, [])),
        ],
    )

    assert [None, None] == errors


def test_a_read_sees_what_was_committed_and_nothing_later(lab: StoreLab) -> None:
    """A read is one snapshot: a commit during it does not show."""
    lab.app()

    def twice(connection: Connection) -> tuple[int, int]:
        before = _count(connection, tables.apps)
        lab.app()
        return before, _count(connection, tables.apps)

    assert (1, 1) == lab.database.read(twice)
    assert 2 == lab.database.read(lambda connection: _count(connection, tables.apps))


def test_a_group_that_makes_work_due_wakes_once(lab: StoreLab, wakes: list[str]) -> None:
    """Many triggers in one group are one hint; the engine's own jobs are none."""
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    acceptances = [lab.acceptance(app_id, [endpoint_id]) for _ in range(8)]
    wakes.clear()

    _together(lab.database, [partial(lab.database.accept, a) for a in acceptances])

    assert ["wake"] == wakes
    lab.database.submit(lambda _connection: None).result(60)
    assert ["wake"] == wakes


def test_what_a_failed_statement_was_given_is_not_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the error with its causes nor the log holds a parameter: it may be a secret."""
    secret = "https://receiver.example/token-7f3a"

    def fail(connection: Connection) -> None:
        insert = sa.text("INSERT INTO nowhere (url) VALUES (:url)")
        connection.execute(insert, {"url": secret})

    fails: list[Callable[[], object]] = [lambda: database.write(fail)]
    raised = _together(database, fails * 2)
    for run in (database.read, database.write):
        with pytest.raises(StoreUnavailable) as error:
            run(fail)
        raised.append(error.value)
    told = "".join("".join(traceback.format_exception(each)) for each in raised)

    assert "nowhere" in told
    assert secret not in told + caplog.text


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_group_holds_few_deliveries(request: pytest.FixtureRequest, back_end: str) -> None:
    """Acceptances that go to many endpoints are committed in groups that end soon."""
    wakes: list[str] = []
    place = new_place(request, back_end, migrated)
    limits = WriterLimits(deliveries=4)
    with closing(open_database(place, lambda: wakes.append("wake"), limits)) as database:
        lab = StoreLab(database)
        app_id = lab.app()
        endpoint_ids = lab.endpoints(2, app_id)
        acceptances = [lab.acceptance(app_id, endpoint_ids) for _ in range(5)]
        wakes.clear()
        errors = _together(database, [partial(database.accept, each) for each in acceptances])

        assert [None] * 5 == errors
        assert ["wake"] * 3 == wakes
        assert 10 == len(lab.rows(tables.deliveries))
