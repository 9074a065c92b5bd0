"""The parts of the SDK mode: the protocol, the driver as a process, examples, comparison."""

from __future__ import annotations

import json
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from hookwright_conformance.errors import Unmet
from hookwright_conformance.sdk import case, examples
from hookwright_conformance.sdk.driver import Claim, Driver, schema_text, violations
from hookwright_conformance.sdk.same import difference
from hookwright_conformance.spec import Spec

PAGE = (files("hookwright_conformance") / "sdk" / "PROTOCOL.md").read_text(encoding="utf-8")
SCHEMA = json.loads(schema_text())
SPEC = Spec.load()
STARTED = {"protocol": 1, "sdk": "toy", "version": "1", "profiles": ["sdk-core"]}

# A driver that starts well, then says `line` to whatever it is asked.
TOY = """
import json, sys
for number, command in enumerate(map(json.loads, sys.stdin)):
    started = {"id": command["id"], "result": %r}
    print(json.dumps(started) if number == 0 else %s, flush=True)
"""


@pytest.fixture
def toys() -> Iterator[list[Driver]]:
    """Drivers that are killed when the test is over."""
    made: list[Driver] = []
    yield made
    for driver in made:
        driver.kill()


def toy(toys: list[Driver], line: str, patience: float = 60.0) -> Driver:
    """A driver that answers with `line`, a Python expression."""
    toys.append(Driver([sys.executable, "-c", TOY % (STARTED, line)], patience))
    return toys[-1]


def test_the_page_shows_lines_that_fit_the_schema() -> None:
    """Each line of its example, of both sides, with the result that belongs to its command."""
    commands: dict[int, str] = {}
    lines = re.findall(r"^    ([<>]) (.+)$", PAGE, re.MULTILINE)
    for direction, text in lines:
        line = json.loads(text)
        kind = "command" if direction == ">" else "answer"
        faults = violations(f"/$defs/{kind}", line)
        if direction == ">":
            commands[line["id"]] = line["command"]
        elif "result" in line:
            faults += violations(f"/$defs/results/{commands[line['id']]}", line["result"])

        assert [] == faults
    assert {"start", "client", "call", "stop"} == set(commands.values())


def test_page_schema_and_cases_name_the_same() -> None:
    """Commands, kinds of errors and profiles."""
    commands = re.findall(
        r"^\| `(\w+)` \| .*\|.*\|$", PAGE.partition("**Errors**")[0], re.MULTILINE
    )
    kinds = re.findall(r"^\| `(\w+)` \|", PAGE.partition("**Errors**")[2], re.MULTILINE)
    definitions = SCHEMA["$defs"]
    listed = definitions["results"]["start"]["properties"]["profiles"]["items"]["enum"]

    assert list(definitions["results"]) == commands
    assert sorted(definitions["error"]["properties"]["kind"]["enum"]) == sorted(kinds)
    assert list(case.PROFILES) == listed


def test_a_driver_says_what_it_is(toys: list[Driver]) -> None:
    """It is started by the first command, and ends with status 0 when it is asked to."""
    driver = toy(toys, 'print(\'{"id": 2, "result": {}}\', flush=True) or sys.exit(0)')
    claim = driver.claim()
    driver.stop()

    assert Claim("toy", "1", ("sdk-core",)) == claim


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"Traceback"', "a line of JSON, got 'Traceback"),
        ('\'{"id": 9, "result": {}}\'', "the id 2, got 9"),
        ('\'{"id": 2, "result": {"more": 1}}\'', "a line that fits the protocol"),
        ('\'{"id": 2, "error": {"kind": "odd", "message": ""}}\'', "fits the protocol, got /error"),
        ('\'{"id": 2, "error": {"kind": "api", "message": ""}}\'', '"status" is a required'),
        ("sys.exit('out of paper')", "the driver ended: out of paper"),
    ],
)
def test_what_breaks_the_protocol_is_told(toys: list[Driver], line: str, message: str) -> None:
    """And the driver is started anew for the next command."""
    driver = toy(toys, line)
    with pytest.raises(Unmet) as caught:
        driver.ask("client", {"base_url": "http://127.0.0.1:1", "api_key": "k"})

    assert message in str(caught.value)
    assert "toy" == driver.claim().sdk


def test_silence_ends(toys: list[Driver]) -> None:
    """A driver that says nothing is given up."""
    driver = toy(toys, "sys.stdin.read()")
    with pytest.raises(Unmet, match=r"one within 0\.2 s, got silence"):
        driver.ask("client", {"base_url": "http://127.0.0.1:1", "api_key": "k"}, patience=0.2)


def test_what_a_driver_has_started_ends_with_it(toys: list[Driver]) -> None:
    """The command may be a shell, or a tool that compiles and starts the driver: what is silent
    then is not the process that can be killed, and holds the pipes."""
    silent = TOY % (STARTED, "sys.stdout.flush() or __import__('time').sleep(90)")
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(silent)}; exit"
    driver = Driver(["sh", "-c", command])
    toys.append(driver)
    given_up = threading.Thread(target=_given_up, args=(driver,), daemon=True)
    given_up.start()
    given_up.join(60)

    assert not given_up.is_alive()


def _given_up(driver: Driver) -> None:
    with pytest.raises(Unmet, match="silence"):
        driver.ask("client", {"base_url": "http://127.0.0.1:1", "api_key": "k"}, patience=0.2)


def test_a_bad_end_is_told(toys: list[Driver]) -> None:
    """`stop` ends a driver with status 0."""
    driver = toy(toys, 'print(\'{"id": 2, "result": {}}\', flush=True) or sys.exit(3)')
    driver.claim()
    with pytest.raises(Unmet, match="expected 0, got 3"):
        driver.stop()


def test_the_suite_keeps_to_its_protocol(toys: list[Driver]) -> None:
    """A case with a typing error is an error of the suite, not of the SDK."""
    driver = toy(toys, "1")
    with pytest.raises(ValueError, match="breaks its own protocol"):
        driver.ask("call", {"operation": "apps.list", "pth": {}})


def test_there_is_a_case_for_every_namespace() -> None:
    """What the contract gains is called, and its answers are read."""
    ids = {one.id for one in case.sdk_cases()}
    wanted = {name.replace("_", "-") for name in examples.namespaces(SPEC)}

    assert set() == {f"sdk-calls.{name}" for name in wanted} - ids
    assert set() == {f"sdk-answers.{name}" for name in wanted} - ids


def test_examples_are_what_the_contract_takes() -> None:
    """Every argument fits the schema of its parameter, every operation of an SDK is there."""
    called: set[str] = set()
    for one in examples.examples(SPEC):
        called.add(one.operation.id)
        for index, given in enumerate(SPEC.at(one.operation.pointer).get("parameters", [])):
            parameter = SPEC.resolved(given)
            values = {"path": one.path, "query": one.query}.get(parameter["in"], {})
            if parameter["name"] in values:
                where = given.get("$ref", f"#{one.operation.pointer}/parameters/{index}")[1:]

                assert [] == SPEC.violations(f"{where}/schema", values[parameter["name"]])
    absent = {name for name in SPEC.operations if name.startswith(("health.", "test_clock."))}

    assert SPEC.operations.keys() - absent == called


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ({"a": [1, None]}, {"a": [1, None]}, None),
        (1, 1.0, None),
        ("2026-11-21T09:00:00.000Z", "2026-11-21T10:00:00+01:00", None),
        ("2026-11-21T09:00:00.000Z", "2026-11-21T09:00:00.001Z", "is '2026-11-21T09:00:00.001Z'"),
        ("2026-11-21T09:00:00Z", "no instant", "/ is 'no instant'"),
        (True, 1, "is 1, not True"),
        (0, False, "is False, not 0"),
        (None, {}, "is {}, not None"),
        ({"a": None}, {}, "/a is missing"),
        ({}, {"a": None}, "/a is there"),
        ([1], [1, 2], "has 2 items, not 1"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "/a/0/b is 2, not 1"),
    ],
)
def test_the_same_json(expected: Any, actual: Any, found: str | None) -> None:
    """Kinds count, spellings of instants do not, and the first difference has its place."""
    told = difference(expected, actual)

    assert (found is None and told is None) or (found is not None and found in str(told))
