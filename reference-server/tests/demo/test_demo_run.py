"""The demo itself, from the command to its exit: real server, real sockets, real kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

import pytest

EVENTS = 40
PATIENCE_S = 600


@pytest.fixture
def short_temp() -> Iterator[Path]:
    """A folder for temporary files; pytest's own has too long a path for a socket."""
    with tempfile.TemporaryDirectory(prefix="hw-test-") as folder:
        yield Path(folder)


def _start(folder: Path, temp: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hookwright_server", "demo", "--seed", "7", *options],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(temp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _facts_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def _read_until(output: IO[str], event: str) -> dict[str, Any]:
    for line in output:
        fact: dict[str, Any] = json.loads(line)
        if fact["event"] == event:
            return fact
    raise AssertionError(f"the demo ended without {event}")


def _server_pid(started: dict[str, Any]) -> int:
    return int(started["text"].partition("pid ")[2].rstrip(")."))


def _is_running(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _ends(group: int) -> bool:
    give_up_at = time.monotonic() + 30
    while _is_running(group) and time.monotonic() < give_up_at:
        time.sleep(0.02)  # the kernel clears a killed process away in its own time
    return not _is_running(group)


class Links(HTMLParser):
    """Collects whatever a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "img", "iframe"}:
            self.found.append(tag)
        self.found += [f"{name}={value}" for name, value in attrs if name in {"src", "href"}]


@pytest.mark.serial
def test_the_demo_loses_nothing_although_it_kills_its_server(
    tmp_path: Path, short_temp: Path
) -> None:
    """A small demo passes, tells the whole story, writes its page and leaves nothing behind."""
    demo = _start(tmp_path, short_temp, "--events", str(EVENTS), "--json")
    output, errors = demo.communicate(timeout=PATIENCE_S)
    facts = _facts_of(output)
    summary = facts[-1]

    assert (0, "") == (demo.returncode, errors)
    assert summary["passed"]
    assert (EVENTS, [], 0) == (summary["accepted"], summary["lost"], summary["unfinished"])
    assert summary["requests"] == summary["signatures_verified"] > EVENTS
    assert summary["delivered"] == summary["states"]["delivered"]
    assert summary["deliveries"] == sum(summary["states"].values())
    assert summary["calls_repeated"] > 0
    assert {"killed", "restarted", "endpoint_disabled", "endpoint_released"} <= {
        fact["event"] for fact in facts
    }
    assert all(_ends(_server_pid(fact)) for fact in facts if fact["event"] == "started")
    assert [] == list(short_temp.iterdir())

    page = Links()
    page.feed((tmp_path / "demo-report.html").read_text(encoding="utf-8"))

    assert [] == page.found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(
    tmp_path: Path, short_temp: Path, number: signal.Signals
) -> None:
    """Ctrl-C in the middle kills the server and removes the temporary folder."""
    with _start(tmp_path, short_temp, "--json") as demo:
        assert demo.stdout is not None
        server = _server_pid(_read_until(demo.stdout, "started"))
        _read_until(demo.stdout, "publishing")
        was_running = _is_running(server)
        demo.send_signal(number)
        demo.communicate(timeout=PATIENCE_S)

    assert (130, True, True) == (demo.returncode, was_running, _ends(server))
    assert [] == list(short_temp.iterdir())


def test_a_missing_folder_for_the_report_is_told_at_once(tmp_path: Path, short_temp: Path) -> None:
    """Nobody waits for a demo whose page cannot be written."""
    demo = _start(tmp_path, short_temp, "--report", "missing/page.html")
    output, errors = demo.communicate(timeout=PATIENCE_S)

    assert (2, "") == (demo.returncode, output)
    assert "no folder missing" in errors
