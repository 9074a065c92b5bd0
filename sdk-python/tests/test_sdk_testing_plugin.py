"""The pytest plugin as pytest runs it: what it costs, what it says, what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hookwright.testing import HookwrightServer, ServerFailed

PLUGIN = ("-p", "hookwright.testing.plugin", "-p", "no:cacheprovider")
PATIENCE_S = 240.0


def test_the_plugin_costs_a_run_without_it_nothing() -> None:
    """Loading it imports neither the client, nor an HTTP library, nor the server."""
    script = (
        "import sys, pytest, hookwright.testing.plugin\n"
        "dear = {'httpx', 'attrs', 'hookwright.client', 'hookwright_server', 'http.server'}\n"
        "print(sorted(dear & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "[]\n" == run.stdout


def test_a_server_that_does_not_start_fails_with_its_log(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test that needs it fails at once with the reason; those that do not need it run."""
    package = pytester.mkpydir("hookwright_server")
    (package / "__main__.py").write_text("raise SystemExit('the disk is full')")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    monkeypatch.setitem(sys.modules, "hookwright_server", None)
    monkeypatch.delitem(sys.modules, "hookwright_server")
    pytester.makepyfile(
        """
        def test_one(hookwright_app): ...
        def test_two(webhook_receiver): ...
        def test_three(signed_request): ...
        """
    )

    result = pytester.runpytest_inprocess(*PLUGIN)

    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        ["hookwright-server ended with exit code 1 before it was ready. The end of its log:"] * 2
    )
    result.stdout.fnmatch_lines(["*the disk is full"])


def test_without_the_server_the_fixtures_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra brings it."""
    monkeypatch.setitem(sys.modules, "hookwright_server", None)

    with pytest.raises(ServerFailed, match=r"pip install 'hookwright\[testing\]'"):
        HookwrightServer(tmp_path)


def test_the_fixtures_of_a_project_come_first(pytester: pytest.Pytester) -> None:
    """A project that has fixtures of the same names keeps them, and starts no server."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def hookwright_client():
            return "ours"
        """
    )
    pytester.makepyfile("def test_it(hookwright_client): assert hookwright_client == 'ours'")

    result = pytester.runpytest_inprocess(*PLUGIN, "-W", "error")

    result.assert_outcomes(passed=1)


def test_nothing_runs_on_when_pytest_is_killed(pytester: pytest.Pytester) -> None:
    """Even SIGKILL, which lets no fixture end, is the end of the server and all its processes."""
    pytester.makepyfile(
        """
        import json, pathlib, time

        def test_it(hookwright_server, webhook_receiver, hookwright_client):
            facts = {"pid": hookwright_server.pid, "url": hookwright_server.url}
            pathlib.Path("made").write_text(json.dumps(facts))
            pathlib.Path("made").rename("facts")
            time.sleep(600)
        """
    )
    facts = pytester.path / "facts"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *PLUGIN],
        cwd=pytester.path,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as run:
        _until(lambda: facts.exists() or run.poll() is not None)
        pid = json.loads(facts.read_text())["pid"]
        running = _group(pid)
        run.send_signal(signal.SIGKILL)

    assert pid in running
    _until(lambda: not _group(pid))


def _until(holds: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def _group(session: int) -> list[int]:
    """The processes of a session that run; what has ended may wait for somebody to take notice."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just gone
            state, _, _, of_session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(of_session) == session and state != "Z":
                found.append(int(stat.parent.name))
    return found
