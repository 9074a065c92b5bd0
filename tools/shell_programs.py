"""Whether a command line that a document shows can be typed: its program and options exist."""

from __future__ import annotations

import argparse
import io
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

import click
import yaml

from hookwright_server.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
# What explains the options of each program of ours.
_INTERFACES: Final = {
    "hookwright": "hookwright.cli.program:program",
    "hookwright-server": "hookwright_server.cli:main",
    "hookwright-conformance": "hookwright_conformance.cli:command_line",
    "hookwright-bench": "hookwright_benchmarks.cli:main",
    "hookwright-codegen": "hookwright_codegen.cli:command_line",
    "hookwright.conformance_driver": "hookwright.conformance_driver:command_line",
    "hookwright_codegen": "hookwright_codegen.cli:command_line",
}
PROGRAMS: Final = tuple(name for name in _INTERFACES if "." not in name and "_" not in name)
# Docker may be absent and cannot be asked: the options that its reference documents, as used here.
_COMPOSE: Final = {
    "up": {"-d": 0, "--build": 0, "--no-deps": 0, "--scale": 1},
    "run": {"--rm": 0},
}
_REQUIREMENT: Final = re.compile(r"([a-z-]+)(?:\[([a-z0-9,]+)\])?")
_OPTIONS_WITH_COMMANDS: Final = ("--driver", "--launcher")


@dataclass(frozen=True)
class Call:
    """The words of a command, its program first; the settings that it is given, by name.

    `whole`: nothing that it needs is left out, as it may be where a text only mentions it.
    """

    words: tuple[str, ...]
    settings: tuple[str, ...] = ()
    whole: bool = True

    def __str__(self) -> str:
        return shlex.join(self.words)


def complaints(call: Call, document: Path) -> list[str]:
    """What is wrong with the command, as it is shown in this document."""
    program, arguments = call.words[0].removeprefix(".venv/bin/"), call.words[1:]
    unknown = [name for name in call.settings if name not in settings()]
    found = [f"{name} is no setting of the server and no variable of the SDK" for name in unknown]
    if program in _INTERFACES:
        found += _of_ours(program, arguments, call.whole)
    elif program in _CHECKS:
        found += _CHECKS[program](arguments, document)
    else:
        found.append(f"nothing here knows the options of {program}")
    for option, value in zip(call.words, call.words[1:], strict=False):
        if option in _OPTIONS_WITH_COMMANDS and value != "…" and not value.isupper():
            found += complaints(Call(tuple(shlex.split(value)), whole=call.whole), document)
    return [f"{call}: {each}" for each in found]


def examples(command: click.Command) -> Iterator[str]:
    """The command lines that the help of a command and of those below it shows."""
    shown = (command.help or "").partition("Example")[2].replace("\\\n", " ")
    for line in shown.splitlines()[1:]:
        yield from (part for part in line.strip().split(" | ") if part.startswith(PROGRAMS))
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from examples(each)


@cache
def interface(program: str) -> Any:
    """The click command or the argparse parser of a program, or of a module behind `python -m`."""
    named = _INTERFACES.get(program, f"{program}.__main__:main")
    module, _, attribute = named.partition(":")
    found = getattr(import_module(module), attribute)
    return found if isinstance(found, click.Command) else found()


@cache
def settings() -> frozenset[str]:
    """The environment variables of the server and of the SDK."""
    sources = (path.read_text(encoding="utf-8") for path in ROOT.glob("sdk-python/src/**/*.py"))
    named = {name for text in sources for name in re.findall(r"\bHOOKWRIGHT_[A-Z_]+\b", text)}
    return frozenset(named | {f"HOOKWRIGHT_{name.upper()}" for name in Settings.model_fields})


def _of_ours(program: str, arguments: Sequence[str], whole: bool) -> list[str]:
    asked = interface(program)
    if isinstance(asked, click.Command):
        return _by_click(asked, arguments, whole, click.Context(asked))
    return _by_argparse(asked, arguments, whole)


def _by_click(
    command: click.Command, words: Sequence[str], whole: bool, context: click.Context
) -> list[str]:
    try:
        given, rest, _ = command.make_parser(context).parse_args(list(words))
        for each in command.get_params(context):
            values = _words(given.get(each.name))
            if isinstance(each.type, click.Choice):
                for value in values:
                    each.type.convert(value, each, context)
            if each.required and whole and not values and "--help" not in words:
                raise click.MissingParameter(ctx=context, param=each)
    except click.UsageError as error:
        return [error.format_message()]
    if not isinstance(command, click.Group):
        return [f"too many words: {shlex.join(rest)}"] if rest else []
    if not rest:
        return [f"which command of {command.name}?"] if whole and "--help" not in words else []
    found = command.get_command(context, rest[0])
    if found is None:
        is_placeholder = rest[0].isupper() or rest[0] == "…"
        return [] if is_placeholder and not whole else [f"there is no command {rest[0]}"]
    return _by_click(found, rest[1:], whole, click.Context(found, parent=context))


def _words(given: object) -> list[str]:
    """What was typed for an option or an argument; nothing for a flag."""
    if isinstance(given, list | tuple):
        return [str(each) for each in cast("Sequence[object]", given)]
    return [given] if isinstance(given, str) else []


def _by_argparse(parser: argparse.ArgumentParser, words: Sequence[str], whole: bool) -> list[str]:
    told = io.StringIO()
    try:
        with redirect_stderr(told), redirect_stdout(io.StringIO()):
            parser.parse_args(words)
    except SystemExit as ended:
        text = (told.getvalue().strip().splitlines() or [""])[-1]
        is_forgiven = not whole and re.search(r"are required|is required", text)
        return [text] if ended.code and not is_forgiven else []
    return []


def _make(arguments: Sequence[str], _: Path) -> list[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))
    variables = set(re.findall(r"^(\w+) \??:?=", text, re.MULTILINE))
    words = [(each, each.partition("=")) for each in arguments]
    return [
        f"the Makefile has no {each}"
        for each, (name, assigned, _) in words
        if name not in (variables if assigned else targets)
    ]


def _pip(arguments: Sequence[str], _: Path) -> list[str]:
    if not arguments or arguments[0] != "install":
        return ["is not `pip install`"]
    return [each for name in arguments[1:] for each in _of_requirement(name)]


def _of_requirement(text: str) -> list[str]:
    if text.startswith("./"):
        return [] if (ROOT / text / "pyproject.toml").is_file() else [f"{text} is no package"]
    parts = _REQUIREMENT.fullmatch(text)
    if parts is None or parts[1] not in _distributions():
        return [f"{text} is no distribution of ours"]
    extras = parts[2].split(",") if parts[2] else []
    return [
        f"{parts[1]} has no extra {each}"
        for each in extras
        if each not in _distributions()[parts[1]]
    ]


@cache
def _distributions() -> dict[str, set[str]]:
    projects = [
        tomllib.loads(path.read_text())["project"] for path in ROOT.glob("*/pyproject.toml")
    ]
    return {each["name"]: set(each.get("optional-dependencies", ())) for each in projects}


def _docker(arguments: Sequence[str], document: Path) -> list[str]:
    match arguments:
        case ["compose", ("up" | "run") as command, *words]:
            options, rest = _COMPOSE[command], list(words)
        case _:
            return ["only `docker compose up` and `run` are known here"]
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option not in options:
            return [f"docker compose {command} {option} is not known here"]
        del rest[: options[option]]
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    named, inside = (rest[:1], rest[1:]) if command == "run" else (rest, [])
    found = [f"compose.yaml has no service {each}" for each in named if each not in services]
    # The image's entry point is the server's command.
    return found + (complaints(Call(("hookwright-server", *inside)), document) if inside else [])


def _python(arguments: Sequence[str], document: Path) -> list[str]:
    match arguments:
        case ["-m", module, *rest] if find_spec(module) is None:
            return [f"there is no module {module} (for {shlex.join(rest)})"]
        case ["-m", module, *rest]:
            return _of_ours(module, rest, whole=True)
        case [file, *_] if "/" in file:
            places = (ROOT, document.parent)
            return [] if any((each / file).is_file() for each in places) else [f"no file {file}"]
        case [_]:
            is_shown = "```python" in document.read_text(encoding="utf-8")
            return [] if is_shown else ["the document does not show this program"]
        case _:
            return ["is neither a module nor a file"]


def _of_a_reader(_: Sequence[str], __: Path) -> list[str]:
    return []  # a program of the reader's own


_CHECKS: Final[dict[str, Callable[[Sequence[str], Path], list[str]]]] = {
    "make": _make,
    "pip": _pip,
    "docker": _docker,
    "python": _python,
    "python3": _python,
    "node": _of_a_reader,
    ".ci/run": lambda _, __: [] if (ROOT / ".ci" / "run").is_file() else ["is no file"],
}
