"""tools/services.py as its callers use it: a command that runs while its input is open."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOOL = Path(__file__).resolve().parent.parent / "tools" / "services.py"
BOTH = [pytest.param(name, marks=pytest.mark.needs_service(name)) for name in ("postgres", "redis")]


class Started:
    """A running command and the line that it printed."""

    def __init__(self, *arguments: str) -> None:
        self.command = subprocess.Popen(
            [sys.executable, str(TOOL), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.command.stdout is not None
        self.line: dict[str, Any] = json.loads(self.command.stdout.readline() or "{}")

    def close(self) -> tuple[int, str]:
        """Close its input; its exit status and what it printed as errors."""
        _, errors = self.command.communicate(timeout=240)
        return self.command.returncode, errors

    def wait(self) -> tuple[int, str]:
        """Let it end by itself; its exit status and what it printed as errors."""
        self.command.wait(60)
        return self.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Started]]:
    """Starts the command, and ends it after the test."""
    all_started: list[Started] = []

    def start(*arguments: str) -> Started:
        all_started.append(Started(*arguments))
        return all_started[-1]

    yield start
    for started in all_started:
        started.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user postgres can reach; pytest's own ones are private."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        yield Path(parent) / "kept"


def _is_gone(line: dict[str, Any]) -> bool:
    with socket.socket() as probe:
        is_refused = probe.connect_ex(("127.0.0.1", line["port"])) != 0
    return is_refused and not Path(f"/proc/{line['pid']}").exists()


def _wait_until(condition: Callable[[], bool]) -> bool:
    give_up_at = time.monotonic() + 120
    while not condition() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return condition()


def _redis(line: dict[str, Any], *words: str) -> str:
    password = line["url"].split("@")[0].rpartition(":")[2]
    with socket.create_connection(("127.0.0.1", line["port"]), timeout=10) as connection:
        connection.sendall(f"AUTH {password}\r\n{' '.join(words)}\r\n".encode())
        with connection.makefile() as answers:
            assert answers.readline() == "+OK\n"
            return answers.readline().strip()


@pytest.mark.parametrize("name", BOTH)
def test_service_ends_with_the_input(start: Callable[..., Started], name: str) -> None:
    """The service answers when its line is printed, and closing the input ends it, status 0."""
    started = start(name)
    line = started.line
    with socket.create_connection(("127.0.0.1", line["port"]), timeout=10):
        assert Path(line["socket"]).is_socket()

    status, errors = started.close()

    assert (0, "") == (status, errors)
    assert (True, False) == (_is_gone(line), Path(line["folder"]).exists())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.needs_service("redis")
def test_signal_ends_the_service(start: Callable[..., Started], number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the service and remove its folder."""
    started = start("redis")

    started.command.send_signal(number)

    assert started.command.wait(60) == 0
    assert (True, False) == (_is_gone(started.line), Path(started.line["folder"]).exists())


@pytest.mark.parametrize("name", BOTH)
def test_killed_command_leaves_nothing(start: Callable[..., Started], name: str) -> None:
    """Killing the command itself ends the service all the same."""
    started = start(name)

    started.command.kill()

    assert _wait_until(lambda: not Path(started.line["folder"]).exists())
    assert _is_gone(started.line)


@pytest.mark.needs_service("redis")
def test_service_ends_with_the_callers_process() -> None:
    """A caller that dies takes the service with it, even if the input stays open elsewhere."""
    reader, writer = os.pipe()
    code = (
        "import subprocess, sys, os;"
        f"p = subprocess.Popen([sys.executable, {str(TOOL)!r}, 'redis'], stdout=subprocess.PIPE);"
        "sys.stdout.write(p.stdout.readline().decode()); sys.stdout.flush(); os._exit(0)"
    )
    with os.fdopen(writer, "w"):
        caller = subprocess.run(
            [sys.executable, "-c", code], stdin=reader, capture_output=True, check=True, timeout=240
        )
        os.close(reader)
        line = json.loads(caller.stdout)

        assert _wait_until(lambda: not Path(line["folder"]).exists())
        assert _is_gone(line)


@pytest.mark.needs_service("redis")
def test_kept_folder_continues(start: Callable[..., Started], folder: Path) -> None:
    """A killed service makes the command fail, and the same folder and port start it again."""
    kept = ("redis", "--folder", str(folder), "--set", "appendonly=yes")
    first = start(*kept, "--set", "appendfsync=always")
    assert _redis(first.line, "SET", "name", "kept") == "+OK"
    os.kill(first.line["pid"], signal.SIGKILL)
    assert (1, "services.py: redis ended by itself (status -9).\n") == first.wait()

    second = start(*kept, "--port", str(first.line["port"]))

    assert (first.line["url"], "$4") == (second.line["url"], _redis(second.line, "GET", "name"))
    assert second.close()[0] == 0
    assert folder.exists()


@pytest.mark.needs_service("postgres")
def test_killed_postgres_starts_again(start: Callable[..., Started], folder: Path) -> None:
    """A cluster whose first process was killed and whose others were stopped starts again."""
    first = start("postgres", "--folder", str(folder))
    pid = first.line["pid"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    assert first.wait()[0] == 1

    second = start("postgres", "--folder", str(folder), "--port", str(first.line["port"]))

    assert (first.line["url"], True) == (second.line["url"], second.line["pid"] != pid)


@pytest.mark.parametrize("name", BOTH)
def test_service_that_cannot_start_says_why(start: Callable[..., Started], name: str) -> None:
    """A setting that the service refuses ends the command with the service's own words."""
    started = start(name, "--set", "no_such_setting=1")

    status, errors = started.wait()

    assert (1, {}) == (status, started.line)
    assert "no_such_setting" in errors
