"""Several workers behind one front door: they share the work, are replaced, and stop in order."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

from serving_load import under_load

_PID = b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n"
_HOLD = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
_READY = b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n"
_TWO = {"processes": 2, "restarts": True}


def _is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_workers_share_the_clients(serve: Any, connect: Any, tmp_path: Path) -> None:
    """New connections go to the workers in turn."""
    with serve(tmp_path, process=_TWO) as served:
        pids = [int(connect(served.port).send(_PID).read()[0].body) for _ in range(4)]

    assert sorted(served.worker_pids * 2) == sorted(pids)


def test_a_killed_worker_is_replaced(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """Only what the dead worker had under way fails, with 503; the others go on serving."""
    with serve(tmp_path, process=_TWO) as served:
        before = served.worker_pids
        with under_load(served.port) as load:
            wait_until(lambda: load.total > 200)
            os.kill(before[0], signal.SIGKILL)
            after = served.changed_workers()
            seen = load.total
            wait_until(lambda: load.total > seen + 200 and after[0] in load.pids)
        served.process.terminate()
        code = served.process.wait(60)

    assert [] == load.errors
    assert {200, 503} >= set(load.statuses)
    assert load.statuses[503] <= 6
    assert (before[1], True) == (after[1], before[0] != after[0])
    assert 0 == code


def test_a_worker_that_cannot_start_again_is_tried_again(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """While the replacement of a dead worker fails, the other one serves."""
    with serve(tmp_path, factory="serving_app:make_app_once", process=_TWO) as served:
        survivor = served.worker_pids[1]
        os.kill(served.worker_pids[0], signal.SIGKILL)
        wait_until(lambda: b"worker_restart_failed" in served.file("stderr").read_bytes())
        pids = {int(connect(served.port).send(_PID).read()[0].body) for _ in range(4)}
        served.file("repaired").touch()
        after = served.changed_workers()

    assert {survivor} == pids
    assert survivor == after[1]


def test_a_stop_while_a_worker_is_being_replaced_is_in_order(
    serve: Any, wait_until: Any, tmp_path: Path
) -> None:
    """The death was reported when it happened: SIGTERM ends who lives, with exit code 0."""
    with serve(tmp_path, factory="serving_app:make_app_once", process=_TWO) as served:
        os.kill(served.worker_pids[0], signal.SIGKILL)
        wait_until(lambda: b"worker_died" in served.file("stderr").read_bytes())
        served.process.terminate()
        code = served.process.wait(60)

    assert 0 == code


def test_hangup_renews_all_workers_without_a_failed_request(
    serve: Any, wait_until: Any, tmp_path: Path
) -> None:
    """SIGHUP under load, to the whole group: new processes serve, the old ones are gone."""
    with serve(tmp_path, process=_TWO) as served:
        before = served.worker_pids
        with under_load(served.port) as load:
            wait_until(lambda: load.total > 200)
            os.killpg(served.process.pid, signal.SIGHUP)
            served.changed_workers()
            after = served.changed_workers()
            wait_until(lambda: all(_is_gone(pid) for pid in before))
            wait_until(lambda: load.pids >= set(after))

    assert [] == load.errors
    assert {200} == set(load.statuses)
    assert set() == set(before) & set(after)
    assert {*before, *after} == load.pids


def test_a_request_in_flight_keeps_its_old_worker(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """An old worker ends only after its last request; the kept connection then moves on."""
    with serve(tmp_path, process=_TWO) as served:
        before = served.worker_pids
        busy = connect(served.port).send(_HOLD)
        wait_until(served.file("holding").exists)
        served.process.send_signal(signal.SIGHUP)
        served.changed_workers()
        after = served.changed_workers()
        wait_until(lambda: any(_is_gone(pid) for pid in before))
        alive = [pid for pid in before if not _is_gone(pid)]
        served.file("release").touch()
        statuses = [busy.read()[0].status]
        pid = int(busy.send(_PID).read()[0].body)
        wait_until(lambda: all(_is_gone(pid) for pid in before))

    assert 1 == len(alive)
    assert [200] == statuses
    assert pid in after


def test_new_workers_take_over_only_when_they_are_ready(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """While a new worker answers but is not ready, the old ones serve."""
    with serve(tmp_path, process=_TWO) as served:
        before = served.worker_pids
        served.file("unready").touch()
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served.file("apps-made").read_text() == "made\n" * 3)
        pids = {int(connect(served.port).send(_PID).read()[0].body) for _ in range(4)}
        served.file("unready").unlink()
        served.changed_workers()
        after = served.changed_workers()

    assert set(before) == pids
    assert set() == set(before) & set(after)


def test_workers_that_cannot_start_replace_nobody(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """A renewal whose first new worker fails leaves the old ones serving."""
    with serve(tmp_path, factory="serving_app:make_app_once", process=_TWO) as served:
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: b"renewal_given_up" in served.file("stderr").read_bytes())
        pids = {int(connect(served.port).send(_PID).read()[0].body) for _ in range(4)}

    assert set(served.worker_pids) == pids


def test_a_silent_worker_is_passed_by(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """A stopped process is noticed, and gets nothing until it goes on."""
    quick = {"asked_every_s": 0.1, "answer_within_s": 3.0}
    with serve(tmp_path, process=_TWO | quick) as served:
        frozen, other = served.worker_pids
        os.kill(frozen, signal.SIGSTOP)
        wait_until(lambda: b"worker_silent" in served.file("stderr").read_bytes())
        pids = [int(connect(served.port).send(_PID).read()[0].body) for _ in range(4)]
        os.kill(frozen, signal.SIGCONT)
        wait_until(lambda: b"worker_answers" in served.file("stderr").read_bytes())
        pids.append(int(connect(served.port).send(_PID).read()[0].body))

    assert [other, other, other, other, frozen] == pids


def test_stop_finishes_the_requests_of_all_workers(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """SIGTERM to several workers: what is in flight is answered, then all are gone."""
    with serve(tmp_path, process=_TWO) as served:
        busy = [connect(served.port).send(_HOLD) for _ in range(4)]
        wait_until(lambda: len(list(tmp_path.glob("held-*"))) == 4)
        served.process.terminate()
        wait_until(lambda: _refuses(served.port))
        served.file("release").touch()
        statuses = [answer.status for wire in busy for answer in wire.read_to_end()]
        code = served.process.wait(60)

    assert [200] * 4 == statuses
    assert 0 == code
    assert all(_is_gone(pid) for pid in served.worker_pids)


def test_notice_comes_before_the_stop(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """With a notice, clients are still served while the server already says it is not ready."""

    def ready() -> int:
        status: int = connect(served.port).send(_READY).read()[0].status
        return status

    with serve(tmp_path, process={**_TWO, "stop_notice_s": 600.0}) as served:
        before = ready()
        served.process.terminate()
        wait_until(lambda: {503} == {ready() for _ in range(4)})
        status = connect(served.port).send(_PID).read()[0].status
        served.process.terminate()
        code = served.process.wait(60)

    assert (200, 200) == (before, status)
    assert 0 == code


def test_one_of_two_servers_on_a_port_ends_without_a_failed_request(
    serve: Any, wait_until: Any, tmp_path: Path, tmp_path_factory: Any
) -> None:
    """Clients that connect anew all the time do not notice that the first server stops."""
    process = {"reuse_port": True}
    second_folder = tmp_path_factory.mktemp("second")
    with (
        serve(tmp_path, process=process) as first,
        serve(second_folder, process=process, port=first.port) as second,
        under_load(first.port, fresh=True) as load,
    ):
        wait_until(lambda: load.pids >= {first.worker_pid, second.worker_pid})
        first.process.terminate()
        code = first.process.wait(60)
        seen = load.total
        wait_until(lambda: load.total > seen + 200)

    assert 0 == code
    assert ([], {200}) == (load.errors, set(load.statuses))


def test_two_servers_share_a_port(
    serve: Any, connect: Any, tmp_path: Path, tmp_path_factory: Any
) -> None:
    """With `reuse_port` a second server starts on the same port, and stays when the first ends."""
    process = {"reuse_port": True}
    second_folder = tmp_path_factory.mktemp("second")
    with (
        serve(tmp_path, process=process) as first,
        serve(second_folder, process=process, port=first.port) as second,
    ):
        first.process.terminate()
        code = first.process.wait(60)
        pids = {int(connect(second.port).send(_PID).read()[0].body) for _ in range(4)}

    assert 0 == code
    assert (first.port, {second.worker_pid}) == (second.port, pids)
