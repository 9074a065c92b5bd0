"""Parent and worker live and die together; a stop loses no request."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import hookwright_server.serving

_GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
_HOLD = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"


def _no_problem(code: str, detail: str, request_id: str) -> tuple[int, bytes]:
    raise AssertionError(code, detail, request_id)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2][1] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_finishes_requests(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """A signal to the whole group: no new client, running requests end, then the shutdown."""
    with serve(tmp_path) as served:
        idle = connect(served.port)
        busy = connect(served.port).send(_HOLD)
        wait_until(served.file("holding").exists)
        os.killpg(served.process.pid, number)
        ended = idle.read_to_end()
        early = served.file("shutdown-ran").exists()
        with pytest.raises(ConnectionRefusedError):
            connect(served.port)
        served.file("release").touch()
        answers = busy.read_to_end()
        code = served.process.wait(60)

    assert [] == ended
    assert not early
    assert [(200, "close")] == [(a.status, a.headers["connection"]) for a in answers]
    assert 0 == code
    assert served.file("shutdown-ran").exists()
    assert not _running(served.worker_pid)
    assert b"" == served.file("stderr").read_bytes()
    assert [] == list(tmp_path.glob("hookwright-*"))


def test_stop_answers_requests_on_their_way(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """A kept connection that sends just as the server stops is answered, then closed."""
    with serve(tmp_path, limits={"drain_grace_s": 10.0}) as served:
        kept = connect(served.port)
        busy = connect(served.port).send(_HOLD)
        wait_until(served.file("holding").exists)
        served.process.terminate()
        wait_until(lambda: _refuses(served.port))
        kept.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answers = kept.read_to_end()
        served.file("release").touch()
        busy.read_to_end()
        code = served.process.wait(60)

    assert [(200, "close")] == [(a.status, a.headers["connection"]) for a in answers]
    assert 0 == code


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_second_signal_does_not_wait(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """The second signal gives up on requests that do not end."""
    with serve(tmp_path, process={"stop_hurried_s": 0.2}) as served:
        idle = connect(served.port)
        connect(served.port).send(_HOLD)
        wait_until(served.file("holding").exists)
        served.process.send_signal(signal.SIGTERM)
        idle.read_to_end()
        started = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        code = served.process.wait(60)
        took = time.monotonic() - started

    assert 1 == code
    assert took < 15
    assert not _running(served.worker_pid)


def test_death_of_the_worker_is_reported(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """A dead worker ends the parent with an error line; a client in flight is told."""
    with serve(tmp_path) as served:
        busy = connect(served.port).send(_HOLD)
        wait_until(served.file("holding").exists)
        os.kill(served.worker_pid, signal.SIGKILL)
        answers = busy.read_to_end()
        code = served.process.wait(60)

    assert ["unavailable"] == [answer.problem["code"] for answer in answers]
    assert 1 == code
    assert b"the worker process ended unexpectedly (signal 9)" in (
        served.file("stderr").read_bytes()
    )


def test_failing_start_is_reported(serve: Any, tmp_path: Path) -> None:
    """An application that cannot be built ends the parent, and says why."""
    with serve(tmp_path, factory="serving_app:fail_to_make_app") as served:
        code = served.process.wait(60)

    assert (1, 0) == (code, served.port)
    assert b"the database is not there" in served.file("stderr").read_bytes()


def test_death_of_the_parent_kills_the_worker(
    serve: Any, connect: Any, wait_until: Any, tmp_path: Path
) -> None:
    """After kill -9 of the parent nothing is left, even with a request running."""
    with serve(tmp_path) as served:
        connect(served.port).send(_HOLD)
        wait_until(served.file("holding").exists)
        served.process.kill()

        wait_until(lambda: not _running(served.worker_pid))


def test_worker_socket_is_private(serve: Any) -> None:
    """Only our user can reach the worker behind the door."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short, serve(Path(short)):
        (folder,) = Path(short).glob("hookwright-*")
        modes = [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "worker-1.sock")]

    assert ["0o700", "0o600"] == modes


def test_taken_port_is_an_error(serve: Any, tmp_path: Path) -> None:
    """A port that somebody else has is refused before a worker is started."""
    with serve(tmp_path) as served, pytest.raises(OSError, match="in use"):
        hookwright_server.serving.serve(
            "nowhere:nothing", render_problem=_no_problem, port=served.port
        )
