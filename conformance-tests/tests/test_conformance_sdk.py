"""The SDK mode against the Python SDK: both flavours conform, and each broken driver dies.

`hookwright-conformance selftest --driver` also shows that a broken driver leaves nearly all other
cases alone; here each one meets only the cases that name it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hookwright_conformance.errors import TargetError
from hookwright_conformance.sdk.case import sdk_cases
from hookwright_conformance.sdk.driver import schema_text
from hookwright_conformance.sdk.selftest import failures, sdk_selftest
from hookwright_conformance.selftest import SOUND, mutants

BROKEN = f"{sys.executable} {Path(__file__).parents[1] / 'mutants' / 'sdk_driver.py'}"
PYTHON = f"{sys.executable} -m hookwright.conformance_driver"
CASES = sdk_cases()
KILLERS = mutants(CASES)
ONE = "sdk-requests.query-values-are-escaped"
PAGES_ONLY = """
import json, sys
for line in sys.stdin:
    claim = {"sdk": "x", "version": "1", "protocol": 1, "profiles": ["sdk-paging"]}
    command = json.loads(line)
    result = {} if command["command"] == "stop" else claim
    print(json.dumps({"id": command["id"], "result": result}), flush=True)
    if not result:
        break
"""
"""A driver that claims one profile, and can do nothing."""
ODD_WORDS = """
import json, sys
for line in sys.stdin:
    command = json.loads(line)
    claim = {"sdk": "x", "version": "1", "protocol": 1, "profiles": ["sdk-paging"]}
    answer = {"result": claim if command["command"] == "start" else {}}
    if command["command"] == "paginate":
        answer = {"error": {"kind": "usage", "message": "odd \\ud800 \\x1b[2J", "items": []}}
    print(json.dumps({"id": command["id"], **answer}), flush=True)
    if command["command"] == "stop":
        break
"""
"""A driver whose errors hold half a surrogate pair, and clear the screen."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the command."""
    command = [sys.executable, "-m", "hookwright_conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)


@pytest.mark.long
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_the_python_sdk_conforms(flavour: str, tmp_path: Path) -> None:
    """Every case passes, MUST and SHOULD, and both reports say so."""
    done = run("sdk", "--driver", f"{PYTHON} --flavour {flavour}", "--report", str(tmp_path))
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    verdicts = {case["id"]: case["verdict"] for case in report["cases"]}

    assert 0 == done.returncode, done.stdout + done.stderr
    assert dict.fromkeys((case.id for case in CASES), "passed") == verdicts
    assert report["base_url"].startswith(f"hookwright-python {flavour} ")
    assert len(CASES) == len(ET.parse(tmp_path / "junit.xml").findall(".//testcase"))


@pytest.mark.parametrize("mutant", sorted(KILLERS))
def test_a_broken_driver_dies_by_each_case_that_names_it(mutant: str) -> None:
    """No killer sleeps."""
    dead: frozenset[str] = frozenset()
    for _ in range(3):  # on a busy machine what a case looks for may come after its look
        awake = [case for case in CASES if case.id in KILLERS[mutant] - dead]
        if awake:
            dead |= failures(BROKEN, mutant, awake, parallel=1, long_s=1.0)

    assert KILLERS[mutant] == dead


def test_every_case_kills() -> None:
    """A case that notices no broken SDK shows nothing."""
    assert [] == [case.id for case in CASES if not case.kills]


def test_the_guide_counts_right() -> None:
    """Cases and broken drivers, as docs/guides/sdk-drivers.md tells."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "sdk-drivers.md"
    told = re.findall(r"(\d+) (cases|of them)", guide.read_text(encoding="utf-8"))

    assert [(str(len(CASES)), "cases"), (str(len(KILLERS)), "of them")] == told


def test_a_failure_explains_itself() -> None:
    """Requirement, expected, actual, what was said and sent, and the command to repeat it."""
    done = run("sdk", "--driver", f"{BROKEN} writes-queries-as-they-are", "--only", ONE)

    assert 1 == done.returncode, done.stdout + done.stderr
    for words in (
        "SDK-1 (MUST) Each operation of the contract",
        "expected  [('tag', 'a b&c=d+e%20?#/é')]",
        '> {"id": 3, "command": "call", "operation": "messages.list"',
        '< {"id": 3, "result"',
        "-> /api request 1: GET",
        f"writes-queries-as-they-are' --only {ONE}",
        "does not conform to sdk-core 1.0 (0/1 MUST)",
    ):
        assert words in done.stdout, done.stdout


def test_whatever_an_sdk_says_can_be_reported(tmp_path: Path) -> None:
    """What no file in UTF-8 holds, and what a console obeys, comes as an escape: one such error
    must not cost the report of all cases."""
    driver = shlex.join([sys.executable, "-c", ODD_WORDS])
    done = run("sdk", "--driver", driver, "--report", str(tmp_path))
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["cases"]

    assert 1 == done.returncode
    assert "\\ud800 \\x1b[2J" in done.stdout
    assert {"failed"} == {case["verdict"] for case in told}
    assert all("odd \\ud800 \\x1b[2J" in case["failure"]["actual"] for case in told)


def test_a_known_failure_is_excused(tmp_path: Path) -> None:
    """With its reason, while it fails; once it passes, the entry is a failure itself."""
    known = tmp_path / "known.yaml"
    known.write_text(f"- {{case: {ONE}, reason: queries are next}}\n")
    options = ("--only", ONE, "--known-failures", str(known))
    excused = run("sdk", "--driver", f"{BROKEN} writes-queries-as-they-are", *options)
    stale = run("sdk", "--driver", f"{BROKEN} {SOUND}", *options)

    assert (0, 1) == (excused.returncode, stale.returncode), excused.stdout + stale.stdout
    assert f"{ONE}: known failure: queries are next" in excused.stdout
    assert "it passes: remove the entry" in stale.stdout
    assert f"none' --known-failures {known} --only {ONE}" in stale.stdout


def test_known_failures_are_judged_as_those_of_servers(tmp_path: Path) -> None:
    """Of no claimed profile: the run fails. Twice: nothing is run."""
    known, other = tmp_path / "known.yaml", "sdk-errors.huge-answers"
    entry = f"- {{case: {other}, reason: x}}\n"
    driver = tmp_path / "driver.py"
    driver.write_text(PAGES_ONLY)
    options = ("--driver", f"{sys.executable} -S {driver}", "--known-failures", str(known))
    known.write_text(entry)
    idle = run("sdk", *options)
    known.write_text(entry + entry)
    twice = run("sdk", *options)

    assert (1, 2) == (idle.returncode, twice.returncode), idle.stdout + twice.stdout
    assert f"fault: known_failures: {other} is in no claimed profile" in idle.stdout
    assert f"{known}: known_failures names a case twice: {other}" in twice.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--driver", "no-such-program-anywhere"), "expected a program that starts"),
        (("--driver", f"{sys.executable} -c pass"), "the driver ended: without a word"),
        (("--driver", f"{BROKEN} none", "--only", "sdk-nothing"), "no case matches sdk-nothing"),
    ],
)
def test_nothing_was_tested(arguments: tuple[str, ...], reason: str) -> None:
    """Exit status 2 and one line that says why."""
    done = run("sdk", *arguments)

    assert 2 == done.returncode, done.stdout
    assert reason in done.stderr


def test_the_schema_can_be_had_from_the_command() -> None:
    """For drivers in other languages."""
    assert schema_text() == run("sdk", "--protocol").stdout


def test_an_unknown_broken_driver_is_refused() -> None:
    """A typing error proves nothing."""
    with pytest.raises(TargetError, match="no case names the mutant"):
        list(sdk_selftest(BROKEN, ["no-such-mutant"]))


def test_a_launcher_needs_a_target() -> None:
    """Servers are described by target.yaml, drivers describe themselves."""
    done = run("selftest", "--launcher", "x")

    assert 2 == done.returncode
    assert "--target" in done.stderr
