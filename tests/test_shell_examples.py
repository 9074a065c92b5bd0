"""Every command that documents show runs as it stands, or could at least be typed so."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from example_world import OTHERWISE, World
from examples import collect
from shell_examples import (
    FOLLOWED,
    INDENTED,
    LANGUAGES,
    NOT_RUN,
    SHELLS,
    Block,
    Done,
    Sandbox,
    blocks,
    documents,
    mentions,
    not_run,
)
from shell_programs import PROGRAMS, ROOT, Call, complaints, examples, interface

from hookwright import Hookwright
from hookwright.testing import HookwrightServer, sign_request
from hookwright_conformance.receiver import Receiver

TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in documents()}
BLOCKS = [block for path, text in TEXTS.items() for block in blocks(path, text)]
REFERENCE = "docs/reference/"
# Calls that the server of this test refuses: why.
REFUSED = {"test_clock.advance": "its clock cannot be moved; others use it at the same time"}
# Decisions tell of commands as they were.
PROSE = [path for path in TEXTS if not path.startswith("docs/decisions/")]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Takes the deliveries of all examples."""
    with Receiver.start() as receiver:
        yield receiver


@pytest.fixture
def variables(hookwright_server: HookwrightServer) -> dict[str, str]:
    """What a reader has exported."""
    return {
        "HOOKWRIGHT_BASE_URL": hookwright_server.url,
        "HOOKWRIGHT_API_KEY": hookwright_server.api_key,
    }


@pytest.mark.needs_service("curl", "openssl")
def test_every_block_of_commands_runs(
    variables: dict[str, str],
    hookwright_client: Hookwright,
    receiver: Receiver,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    """What a test cannot run has a reason, and its programs and options exist."""
    captured = sign_request()
    head = "".join(f"{name}: {value}\r\n" for name, value in captured.headers.items())
    files = {
        "captured.txt": f"POST /hooks HTTP/1.1\r\n{head}\r\n".encode() + captured.body,
        "headers.json": json.dumps(captured.headers).encode(),
        "body.json": captured.body,
    }
    calls: list[Call] = []
    for number, path in enumerate(path for path in TEXTS if not path.startswith(REFERENCE)):
        languages = (INDENTED,) if path in FOLLOWED else SHELLS
        shown = [each for each in BLOCKS if each.path == path and each.language in languages]
        if not shown:
            continue
        sandbox = Sandbox(tmp_path / str(number), ROOT / path, variables)
        sandbox.write(files)
        with closing(World(hookwright_client, receiver)):
            for block in shown:
                done = sandbox.run(block.text.replace("whsec_…", captured.secret))
                calls += done.calls
                with subtests.test(block.name):
                    assert (0, []) == _judged(done, ROOT / path), done.printed

    assert set(NOT_RUN) == {not_run(call) for call in calls} - {None}


@pytest.mark.needs_service("curl")
def test_every_call_by_curl_is_answered(
    variables: dict[str, str],
    hookwright_client: Hookwright,
    receiver: Receiver,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    """Each of the API reference, on a new app; those that only read share one."""
    sandbox = Sandbox(tmp_path, ROOT / REFERENCE / "README.md", variables)
    shown = [block for block in BLOCKS if block.path.startswith(REFERENCE) and block.is_shell]
    reading = [block for block in shown if " -X GET " in block.text]
    rounds = [reading, *([block] for block in shown if block not in reading)]
    for together in rounds:
        with closing(World(hookwright_client, receiver)) as world:
            for block in together:
                done = sandbox.run(block.text, _exported(block, world))
                expected = 22 if block.section in REFUSED else 0
                with subtests.test(block.section):
                    assert (expected, []) == _judged(done, ROOT / block.path), done.printed

    assert len(shown) > len(reading) > 0


def test_every_fence_is_classified() -> None:
    """It is of a shell, or somebody else looks at it."""
    languages = {block.language for block in BLOCKS if not block.is_shell}

    assert set(LANGUAGES) == languages


def test_programs_are_examples() -> None:
    """Whatever document shows a program of Python, it is among those that are typed and run."""
    shown = {block.path for block in BLOCKS if block.language == "python"}

    assert set() == shown - {example.path for example in collect()}
    assert "conformance-tests/README.md" in shown


def test_json_and_yaml_can_be_read() -> None:
    """A parser takes them."""
    read = [
        (json.loads if block.language == "json" else yaml.safe_load)(block.text)
        for block in BLOCKS
        if block.language in ("json", "yaml")
    ]

    assert read
    assert None not in read


def test_commands_in_prose_could_be_typed() -> None:
    """Their programs, commands and options exist, and so do the Makefile's targets."""
    found = [(path, call) for path in PROSE for call in mentions(TEXTS[path])]

    assert [] == [text for path, call in found for text in complaints(call, ROOT / path)]
    assert {"docker", "hookwright-server", "make", "pip"} <= {call.words[0] for _, call in found}


def test_commands_in_help_could_be_typed() -> None:
    """The examples that `--help` shows are commands of this very program."""
    shown = [line for name in PROGRAMS for line in _examples(name)]
    lines = [re.sub(r" *>>? \S+$", "", line) for line in shown]
    calls = [Call(tuple(shlex.split(line))) for line in lines]

    assert [] == [text for call in calls for text in complaints(call, ROOT / "README.md")]
    assert {"hookwright"} <= {call.words[0] for call in calls}


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("no-such-program", 127, []),
        ("cp no-such-file here", 1, []),
        ("hookwright deliveries tail shop --folow", 0, ["No such option"]),
        ("hookwright-server serve --post 1", 0, ["No such option"]),
        ("hookwright-server api now", 0, ["too many words"]),
        ("hookwright-server account create", 0, ["Missing argument"]),
        ("HOOKWRIGHT_ALLOW_HTPP=1 hookwright-server serve", 0, ["HOOKWRIGHT_ALLOW_HTPP is no"]),
        ("hookwright-conformance server --target a --onli b", 0, ["--onli b"]),
        ('hookwright-conformance sdk --driver "python mutants/a.py"', 0, ["no file mutants/a.py"]),
        ("make dmeo ARGS=a ARKS=b", 0, ["no dmeo", "no ARKS=b"]),
        ("pip install 'hookwright[cly]' hookwrong", 0, ["no extra cly", "hookwrong is no"]),
        ("docker compose up --scall api", 0, ["--scall is not known"]),
        ("docker compose run --rm api serv", 0, ["no command serv"]),
        ("docker compose up apy", 0, ["no service apy"]),
    ],
)
def test_a_command_that_lies_is_found(
    text: str, status: int, told: list[str], tmp_path: Path
) -> None:
    """One that fails, and one that is not run and could not be typed."""
    sandbox = Sandbox(tmp_path, ROOT / "README.md", {"HOOKWRIGHT_BASE_URL": "http://127.0.0.1:1"})

    ended, found = _judged(sandbox.run(text), ROOT / "README.md")

    assert (status, len(told)) == (ended, len(found)), found
    assert [] == [each for each, whole in zip(told, found, strict=True) if each not in whole]


def test_documents_are_read() -> None:
    """An indented block is of commands, a fence what it says, under the heading above it."""
    text = (
        "# One\n\n    make demo\n\n## Two\n\n* in a list\n\n  ```yaml\n  a: 1\n  ```\n\n`make x`\n"
    )

    assert [
        Block("a.md", 3, "One", INDENTED, "make demo\n"),
        Block("a.md", 9, "Two", "yaml", "a: 1\n"),
    ] == list(blocks("a.md", text))
    assert [Call(("make", "x"), whole=False)] == list(mentions(text))


def _judged(done: Done, document: Path) -> tuple[int, list[str]]:
    return done.status, [each for call in done.calls for each in complaints(call, document)]


def _exported(block: Block, world: World) -> dict[str, str]:
    """The ids that the call names as variables of the shell."""
    names: set[str] = set(re.findall(r"\$([A-Z_]+)", block.text))
    names -= {"HOOKWRIGHT_BASE_URL", "HOOKWRIGHT_API_KEY"}
    otherwise = OTHERWISE.get(block.section, {})
    asked = {name: otherwise.get(name.lower(), name.lower()) for name in sorted(names)}
    return {name: getattr(world, attribute) for name, attribute in asked.items()}


def _examples(program: str) -> list[str]:
    asked = interface(program)
    return list(examples(asked)) if hasattr(asked, "get_command") else []
