"""What every member's tests share: services that must be there, tests that run alone."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator

_HERE = Path(__file__).resolve().parent

# A service is present when one of its programs is, on the path or where Debian has it; tests start
# their own instance of it (tools/service_fixtures.py).
PROGRAMS = {
    "postgres": ("postgres", "/usr/lib/postgresql/*/bin/postgres"),
    "redis": ("redis-server", "valkey-server"),
    "compiler": ("cc",),  # for the clock that jumps
    "curl": ("curl",),
    "openssl": ("openssl",),
    # `make libraries` brings them, and Node where the machine has none.
    "webhook libraries for Node": (
        str(_HERE / "reference-server/tests/libraries/node_modules/.installed"),
    ),
    "mypy": (f"{sys.prefix}/bin/mypy",),  # `make check` brings it
    "browser": ("chromium", "chromium-browser", "google-chrome"),
}
_NOT_RUN = "not run, needs "

# What is locked; that it is these two has no meaning.
_TURNSTILE = Path(__file__)
_ROOM = Path(__file__).parent

pytest_plugins = ["flaky", "pytester", "service_fixtures", "hookwright.testing.plugin"]

# Machines differ in speed: a slow example is no failure. Failing examples are printed in full.
settings.register_profile(
    "hookwright",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hookwright")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a `serial` test run alone, among xdist's workers and other runs in this checkout."""
    # The turnstile keeps a serial test from waiting for ever while others come and go. (xdist's
    # own groups have no effect under pytest 9.2, and would not keep other tests away.)
    serial = item.get_closest_marker("serial") is not None
    with ExitStack() as room:
        with _locked(_TURNSTILE, fcntl.LOCK_EX):
            room.enter_context(_locked(_ROOM, fcntl.LOCK_EX if serial else fcntl.LOCK_SH))
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what others wait for and with what takes longest: it must not form the tail."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    marks = [item.get_closest_marker(name) is not None for name in ("serial", "long")]
    return marks.index(True) if any(marks) else len(marks)


@contextmanager
def _locked(path: Path, mode: int) -> Generator[None]:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, mode)
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a forked child may hold the handle open
        os.close(handle)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Name a test whose service is missing; with REQUIRE_SERVICES=1 it fails."""
    missing = [
        name
        for marker in item.iter_markers("needs_service")
        for name in marker.args
        if not any(_is_installed(program) for program in PROGRAMS[name])
    ]
    if not missing:
        return
    message = f"{_NOT_RUN}{', '.join(missing)}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _is_installed(program: str) -> bool:
    return any(Path("/").glob(program[1:])) if "/" in program else bool(shutil.which(program))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last and loudly what was not tested and how to have it tested."""
    not_run: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        found = re.search(_NOT_RUN + r"([\w, ]+)", str(report.longrepr))
        if found:
            services = found[1]
            not_run[services] += 1
            terminalreporter.write_line(f"NOT RUN (needs {services}): {report.nodeid}", red=True)
    for services, count in sorted(not_run.items()):
        terminalreporter.write_line(
            f"{count} tests were NOT RUN: install {services}; REQUIRE_SERVICES=1 makes this fail.",
            red=True,
            bold=True,
        )
