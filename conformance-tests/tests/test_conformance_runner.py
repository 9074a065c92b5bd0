"""The runner against a throw-away server: what it says, writes and exits with."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance_toyserver import KEY, ToyServer

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A target.yaml with patience enough for any machine; `_hurry` takes it away."""
    path = tmp_path / "target.yaml"
    path.write_text(
        "base_url: http://127.0.0.1:1\n"
        "credentials: {account: TOY_KEY}\n"
        "profiles: [core, signing]\n"
        "timing: {slack_seconds: 10, delivery_seconds: 30, request_timeout_seconds: 30}\n"
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
        server: ToyServer, *arguments: str, key: str = KEY
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hookwright_conformance", "server"]
        command += ["--target", str(target), "--base-url", server.base_url, *arguments]
        environment = {**os.environ, "TOY_KEY": key}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    return call


PASSING = (
    "--only",
    "errors.unknown-path-is-a-problem",
    "--only",
    "wire.request-is-a-documented-post",
)


def test_passing_cases_are_counted(toy: Callable[..., ToyServer], run: Run) -> None:
    """Exit status 0 and one sentence per profile, which does not certify what was not run."""
    done = run(toy(), *PASSING)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(r"partial: 2 of \d+ run of core 1\.0 \(2/2 MUST\)", done.stdout)
    assert "conforms to" not in done.stdout


def test_retry_after_may_be_a_date(toy: Callable[..., ToyServer], run: Run) -> None:
    """HTTP has two forms of it, on any answer."""
    done = run(toy(dates_retries=True), *PASSING)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_answers_that_nobody_foresaw_are_the_error_of_the_ping(
    toy: Callable[..., ToyServer], run: Run
) -> None:
    """Not of the suite: it says what it could not read, and stops."""
    done = run(toy(problems_are_objects=False), key="wrong")

    assert 2 == done.returncode, done.stdout + done.stderr
    assert "the first event could not be published: the answers: expected what" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


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


def test_a_code_of_another_status_is_no_documented_answer(
    toy: Callable[..., ToyServer], run: Run
) -> None:
    """Whatever the case looks for: programs decide by the code."""
    done = run(toy(other_codes=True), *PASSING)

    assert 1 == done.returncode
    assert "['the code validation_error belongs to the status 400']" in done.stdout


def test_failed_delivery_explains_itself(
    toy: Callable[..., ToyServer], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentence, expected, actual, calls and deliveries with their times, what can be repeated;
    once, also where pytest says more than elsewhere."""
    monkeypatch.setenv("CI", "true")
    server = toy(delivers_json=False)
    done = run(server, "--only", "wire.request-is-a-documented-post")
    lines = [line.strip() for line in done.stdout.splitlines()]

    assert 1 == done.returncode
    assert "WIRE-1 (MUST) An attempt MUST be one HTTP/1.1 POST to the endpoint's URL" in done.stdout
    assert "expected  'application/json'" in lines
    assert "actual    'text/plain'" in lines
    timed = [re.sub(r"^\d+\.\d{3}  ", "AT ", line) for line in lines]
    calls = [line for line in timed if line.startswith("AT API POST /v1/apps")]
    assert 3 == len(calls)
    told = [line.partition(" request ")[2] for line in timed if line.startswith(("AT ->", "AT <-"))]
    assert "1: POST, " in told[0]
    assert told[1:] in ([], ["1: answered 200"])  # the case may fail before the answer is sent
    seconds = [float(line.split()[0]) for line in lines if re.match(r"\d+\.\d{3}  ", line)]
    assert sorted(seconds) == seconds
    again = next(line for line in lines if line.startswith("hookwright-conformance server"))
    assert again.endswith("--only wire.request-is-a-documented-post")
    assert f"--base-url {server.base_url}" in again
    curl = next(line for line in lines if line.startswith("curl "))
    assert 202 == repeated(curl)
    assert any(line.startswith("last request (what it is about is deleted") for line in lines)


def repeated(curl: str) -> int:
    """The status that the request of a curl command gets."""
    words = shlex.split(curl.replace("$TOY_KEY", KEY))
    headers = [words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H"]
    body = words[words.index("--data-raw") + 1].encode()
    request = urllib.request.Request(words[-1], body, dict(headers), method=words[3])
    with urllib.request.urlopen(request, timeout=30) as response:
        status: int = response.status
    return status


def test_what_a_case_makes_is_deleted_unless_it_is_to_stay(
    toy: Callable[..., ToyServer], run: Run
) -> None:
    """So that the last request of a failure can be repeated."""
    server, case = toy(delivers_json=False), "wire.request-is-a-documented-post"
    run(server, "--only", case)
    deleted = server.deletions
    done = run(server, "--only", case, "--keep")

    assert (2, 3) == (deleted, server.deletions)  # of the ping and the case; of the ping
    assert "last request\n" in done.stdout


def test_a_repeated_case_must_pass_every_time(
    toy: Callable[..., ToyServer], run: Run, tmp_path: Path
) -> None:
    """What fails once has failed, and says how often; the command to run it again repeats it."""
    server = toy(problems=False, problems_later=True)
    done = run(server, *PASSING, "--repeat", "3", "--report", str(tmp_path))
    report = json.loads((tmp_path / "report.json").read_text())
    told = {one["id"]: one.get("failure", {}).get("what") for one in report["cases"]}

    assert 1 == done.returncode, done.stdout + done.stderr
    once = "the response against openapi.yaml (ERROR-13) (1 of 3 times)"
    expected = {
        "errors.unknown-path-is-a-problem": once,
        "wire.request-is-a-documented-post": None,
    }
    assert (expected, 3) == (told, report["rounds"])
    assert "--repeat 3 --only errors.unknown-path-is-a-problem" in done.stdout
    assert "each case was run 3 times" in done.stdout
    assert "2 cases, 3 times each" in (tmp_path / "report.html").read_text()


def test_each_round_of_a_case_is_a_fresh_one(toy: Callable[..., ToyServer], run: Run) -> None:
    """With an app of its own, which is deleted at its end."""
    server = toy()
    done = run(server, "--only", "wire.request-is-a-documented-post", "--repeat", "3")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert 4 == server.deletions  # the ping's too


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
    assert "text/html" in (folder / "report.html").read_text()
    assert "1/2 MUST" in (folder / "badge.svg").read_text()


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


def test_known_failure_of_no_claimed_profile_fails(
    toy: Callable[..., ToyServer], run: Run, target: Path
) -> None:
    """A whole run that never comes to the case says so; part of a run does not."""
    target.write_text(target.read_text().replace("[core, signing]", "[analytics]"))
    _hurry(target)
    _know(target, "{case: errors.unknown-path-is-a-problem, reason: x}")
    whole = run(toy(), "--parallel", "32")
    part = run(toy(), "--only", "analytics.bad-times-are-refused")

    assert (
        "fault: known_failures: errors.unknown-path-is-a-problem is in no claimed" in whole.stdout
    )
    assert 1 == whole.returncode
    assert "fault:" not in part.stdout


def test_known_failure_that_is_listed_twice_stops_the_run(
    toy: Callable[..., ToyServer], run: Run, target: Path
) -> None:
    """One of the two would be idle."""
    entry = "{case: errors.unknown-path-is-a-problem, reason: x}"
    _know(target, f"{entry}, {entry}")
    done = run(toy())

    assert 2 == done.returncode
    assert "names a case twice: errors.unknown-path-is-a-problem; keep one entry" in done.stderr


def test_known_failure_of_no_case_stops_the_run(
    toy: Callable[..., ToyServer], run: Run, target: Path
) -> None:
    """A misspelt case is found before anything is run."""
    _know(target, "{case: errors.misspelt, reason: x}")
    done = run(toy(), *PASSING)

    assert 2 == done.returncode
    assert "names no case of this suite: errors.misspelt" in done.stderr


def _hurry(target: Path) -> None:
    """Wait for what never comes only a moment."""
    text = target.read_text()
    for patient, hasty in (("slack_seconds: 10", "slack_seconds: 0.5"), ("30,", "0.5,")):
        assert text.count(patient) == 1
        text = text.replace(patient, hasty)
    target.write_text(text)


def _know(target: Path, entry: str) -> None:
    target.write_text(target.read_text() + f"known_failures: [{entry}]\n")


@pytest.mark.parametrize(
    ("switches", "key", "says"),
    [
        ({"delivers": False}, KEY, "its delivery engine or worker is not running"),
        ({}, "wrong", "the key in the environment variable is wrong"),
    ],
)
def test_failed_ping_lists_likely_causes(
    toy: Callable[..., ToyServer],
    run: Run,
    target: Path,
    switches: dict[str, bool],
    key: str,
    says: str,
) -> None:
    """One error instead of a hundred failures."""
    _hurry(target)
    done = run(toy(**switches), key=key)

    assert 2 == done.returncode
    assert "the first event" in done.stdout
    assert says in done.stdout
    assert "FAILED" not in done.stdout


def test_a_run_that_tests_nothing_certifies_nothing(
    toy: Callable[..., ToyServer], run: Run, tmp_path: Path
) -> None:
    """Its reports say so, and why: they may lie where those of yesterday lay."""
    server = toy()
    server.shutdown()
    server.server_close()
    done = run(server, "--report", str(tmp_path))
    report = json.loads((tmp_path / "report.json").read_text())

    assert (2, None, []) == (done.returncode, report["conforms"], report["cases"])
    (why,) = report["faults"]
    assert why.startswith("nothing was tested: the first event could not be published: connection")
    assert why in html.unescape((tmp_path / "report.html").read_text())
    assert "partial, 0/0 MUST" in (tmp_path / "badge.svg").read_text()


JUDGED_BY_DELIVERY = (
    "deadlines.slow-answer-in-time-is-delivered",
    "outcomes.any-2xx-is-delivered",
    "outcomes.broken-answers-are-retried",
    "outcomes.client-error-fails-at-once",
    "outcomes.temporary-errors-are-retried",
    "redirects.are-recorded-and-retried",
)


def test_what_is_not_named_is_not_passed(
    toy: Callable[..., ToyServer], run: Run, tmp_path: Path
) -> None:
    """A server that names no delivery, and retries none, fails what each delivery is judged by."""
    chosen = [part for case in JUDGED_BY_DELIVERY for part in ("--only", case)]
    run(toy(names_deliveries=False), *chosen, "--report", str(tmp_path))
    cases = json.loads((tmp_path / "report.json").read_text())["cases"]

    told = {case["id"]: case.get("failure", {}).get("what") for case in cases}
    assert dict.fromkeys(JUDGED_BY_DELIVERY, "delivery_ids of the event") == told


def test_a_key_that_is_told_back_is_not_shown(
    toy: Callable[..., ToyServer], run: Run, tmp_path: Path
) -> None:
    """Neither by the ping nor in a report: logs of CI are read by many."""
    key = "hw_live_of_somebody_else"
    done = run(toy(echoes_keys=True), "--report", str(tmp_path), key=key)
    written = [path.read_text() for path in tmp_path.iterdir()]

    assert "Bearer $TOY_KEY" in done.stdout
    assert [] == [text for text in (done.stdout, done.stderr, *written) if key in text]


def test_absent_server_is_named(toy: Callable[..., ToyServer], run: Run) -> None:
    """Nobody listens: the ping says so."""
    server = toy()
    server.shutdown()
    server.server_close()
    done = run(server)

    assert 2 == done.returncode
    assert "the implementation is not running at base_url" in done.stdout


def test_what_a_target_does_not_declare_is_not_run(
    toy: Callable[..., ToyServer], run: Run, target: Path, tmp_path: Path
) -> None:
    """With its reason, in every report; a run of nothing else tests nothing."""
    target.write_text(target.read_text().replace("[core, signing]", "[core, ssrf]"))
    without = ("--only", "egress.ipv6-addresses-are-called")
    folder = tmp_path / "out"
    beside = run(toy(), *PASSING, *without, "--report", str(folder))
    alone = run(toy(), *without)

    reason = "target.yaml declares no receiver.ipv6"
    assert 0 == beside.returncode, beside.stdout + beside.stderr
    assert f"egress.ipv6-addresses-are-called: not run: {reason}" in beside.stdout
    assert re.search(r"partial: 0 of \d+ run of ssrf 1\.0", beside.stdout)
    cases = json.loads((folder / "report.json").read_text())["cases"]
    verdicts = {case["verdict"]: case.get("note") for case in cases}
    assert {"passed": None, "not_run": reason} == verdicts
    assert "1" == ET.parse(folder / "junit.xml").getroot()[0].attrib["skipped"]
    assert reason in (folder / "report.html").read_text()
    assert (2, True) == (alone.returncode, reason in alone.stderr)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "nothing.here"], "no case matches nothing.here"),
        (["--profile", "ssrf"], "does not claim the profile(s) ssrf"),
        (["--repeat", "0"], "argument --repeat: 0 is less than 1"),
    ],
)
def test_selection_that_means_nothing_is_refused(
    toy: Callable[..., ToyServer], run: Run, arguments: list[str], says: str
) -> None:
    """A typing error never passes as success."""
    done = run(toy(), *arguments)

    assert 2 == done.returncode
    assert says in done.stderr
