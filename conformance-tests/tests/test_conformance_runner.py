"""The runner against a throw-away server: what it says, writes and exits with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance_toyserver import ToyServer

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A target.yaml with short patience."""
    path = tmp_path / "target.yaml"
    path.write_text(
        "base_url: http://127.0.0.1:1\n"
        "credentials: {account: TOY_KEY}\n"
        "profiles: [core, signing]\n"
        "timing: {slack_seconds: 0.5, delivery_seconds: 0.5}\n"
    )
    return path


@pytest.fixture
def toy() -> Iterator[Callable[..., ToyServer]]:
    """Starts throw-away servers and closes them."""
    running: list[ToyServer] = []

    def start(**switches: bool) -> ToyServer:
        running.append(ToyServer(**switches))
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def run(target: Path) -> Run:
    """Calls `hookwright-conformance server` in a process of its own."""

    def call(
        server: ToyServer, *arguments: str, key: str = "k"
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hookwright_conformance", "server"]
        command += ["--target", str(target), "--base-url", server.base_url, *arguments]
        environment = {**os.environ, "TOY_KEY": key}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return call


PASSING = (
    "--only",
    "errors.unknown-path-is-a-problem",
    "--only",
    "wire.request-is-a-documented-post",
)


def test_passing_cases_conform(toy: Callable[..., ToyServer], run: Run) -> None:
    """Exit status 0 and one sentence per profile."""
    done = run(toy(), *PASSING)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "conforms to core 1.0 (2/2 MUST)" in done.stdout


def test_failing_case_explains_itself(toy: Callable[..., ToyServer], run: Run) -> None:
    """Requirement, expected, actual, timeline, curl and the command to repeat are all there."""
    done = run(toy(problems=False), *PASSING)

    assert 1 == done.returncode
    assert "does not conform to core 1.0 (1/2 MUST)" in done.stdout
    assert "ERROR-1 (MUST) Every response that is not 2xx MUST be" in done.stdout
    assert "content type 'text/html' instead of application/problem+json" in done.stdout
    assert "API GET / -> 404" in done.stdout
    assert 'curl -i -X GET -H "Authorization: Bearer $TOY_KEY"' in done.stdout
    assert "--only errors.unknown-path-is-a-problem" in done.stdout


def test_reports_are_written(toy: Callable[..., ToyServer], run: Run, tmp_path: Path) -> None:
    """report.json has every case with its verdict, junit.xml counts them."""
    folder = tmp_path / "out"
    run(toy(problems=False), *PASSING, "--report", str(folder))

    report = json.loads((folder / "report.json").read_text())
    verdicts = {case["id"]: case["verdict"] for case in report["cases"]}
    expected = {
        "errors.unknown-path-is-a-problem": "failed",
        "wire.request-is-a-documented-post": "passed",
    }
    assert expected == verdicts
    suite = ET.parse(folder / "junit.xml").getroot()[0]
    assert ("2", "1") == (suite.attrib["tests"], suite.attrib["failures"])


def test_known_failure_does_not_fail_the_run(
    toy: Callable[..., ToyServer], run: Run, target: Path
) -> None:
    """A failure that target.yaml explains is reported and forgiven."""
    _know(target, "{case: errors.unknown-path-is-a-problem, reason: proxy, message: text/html}")
    done = run(toy(problems=False), *PASSING)

    assert 0 == done.returncode, done.stdout
    assert "known failure: proxy" in done.stdout
    assert "does not conform to core 1.0 (1/2 MUST); 1 known failure(s)" in done.stdout


@pytest.mark.parametrize(
    ("entry", "problems", "says"),
    [
        (
            "{case: errors.unknown-path-is-a-problem, reason: x}",
            True,
            "it passes: remove the entry",
        ),
        (
            "{case: errors.unknown-path-is-a-problem, reason: x, message: other}",
            False,
            "the message of a known failure",
        ),
    ],
)
def test_known_failure_that_does_not_apply_fails(
    toy: Callable[..., ToyServer], run: Run, target: Path, entry: str, problems: bool, says: str
) -> None:
    """A stale entry, or one with another message, fails the run."""
    _know(target, entry)
    done = run(toy(problems=problems), *PASSING)

    assert 1 == done.returncode
    assert says in done.stdout


def test_known_failure_of_no_case_stops_the_run(
    toy: Callable[..., ToyServer], run: Run, target: Path
) -> None:
    """A misspelt case is found before anything is run."""
    _know(target, "{case: errors.misspelt, reason: x}")
    done = run(toy(), *PASSING)

    assert 2 == done.returncode
    assert "names no case of this suite: errors.misspelt" in done.stderr


def _know(target: Path, entry: str) -> None:
    target.write_text(target.read_text() + f"known_failures: [{entry}]\n")


@pytest.mark.parametrize(
    ("switches", "key", "says"),
    [
        ({"delivers": False}, "k", "its delivery engine or worker is not running"),
        ({}, "wrong", "the key in the environment variable is wrong"),
    ],
)
def test_failed_ping_lists_likely_causes(
    toy: Callable[..., ToyServer], run: Run, switches: dict[str, bool], key: str, says: str
) -> None:
    """One error instead of a hundred failures."""
    done = run(toy(**switches), key=key)

    assert 2 == done.returncode
    assert "the first event" in done.stdout
    assert says in done.stdout
    assert "FAILED" not in done.stdout


def test_absent_server_is_named(toy: Callable[..., ToyServer], run: Run) -> None:
    """Nobody listens: the ping says so."""
    server = toy()
    server.shutdown()
    server.server_close()
    done = run(server)

    assert 2 == done.returncode
    assert "the implementation is not running at base_url" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "nothing.here"], "no case matches nothing.here"),
        (["--profile", "ssrf"], "does not claim the profile(s) ssrf"),
    ],
)
def test_selection_that_means_nothing_is_refused(
    toy: Callable[..., ToyServer], run: Run, arguments: list[str], says: str
) -> None:
    """A typing error never passes as success."""
    done = run(toy(), *arguments)

    assert 2 == done.returncode
    assert says in done.stderr
