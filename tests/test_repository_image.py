"""The Dockerfile and compose.yaml say only what this version of the server understands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from hookwright_server.cli import main
from hookwright_server.settings import PostgresUrl, Settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
GIVEN = {
    "POSTGRES_PASSWORD": "a1b2",
    "REDIS_PASSWORD": "c3d4",
    "HOOKWRIGHT_ENCRYPTION_KEYS": f"k1:{'A' * 43}=",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines]


def _stages() -> list[list[tuple[str, str]]]:
    stages: list[list[tuple[str, str]]] = []
    for instruction in _instructions():
        if instruction[0] == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


def _all_of(name: str, instructions: list[tuple[str, str]]) -> list[str]:
    return [rest for each, rest in instructions if each == name]


def _filled_in(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        name, sign, default = match.groups()
        return GIVEN.get(name, default if sign == "-" else "")

    return _VARIABLE.sub(value, text)


def _parse(arguments: list[str]) -> click.Context:
    """The command that `hookwright-server` would run. Raises when click refuses it."""
    context = click.Context(main, info_name="hookwright-server")
    name, command, rest = main.resolve_command(context, list(arguments))
    assert command is not None
    return command.make_context(name, rest, parent=context)


def _image_environment() -> dict[str, str]:
    pairs = " ".join(_all_of("ENV", _stages()[-1]))
    return dict(pair.split("=", 1) for pair in shlex.split(pairs))


@pytest.mark.parametrize("name", OURS)
def test_commands_are_understood(name: str) -> None:
    """Every service of ours runs a command that exists, with options that it has."""
    context = _parse(SERVICES[name]["command"])

    assert name == context.info_name


@pytest.mark.parametrize("name", OURS)
def test_services_have_all_that_production_needs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every HOOKWRIGHT_ variable is a setting, its value is taken, and what is needed is there."""
    environment = _image_environment() | SERVICES[name]["environment"]
    ours = {key: _filled_in(each) for key, each in environment.items() if "HOOKWRIGHT" in key}
    known = {f"HOOKWRIGHT_{each.upper()}" for each in Settings.model_fields}
    for key, each in ours.items():
        monkeypatch.setenv(key, each)
    settings = Settings()

    assert set() == set(ours) - known
    assert [] == settings.lacking_for_production()
    assert PostgresUrl("postgresql://hookwright:a1b2@postgres/hookwright") == settings.database
    assert ("production", "0.0.0.0") == (settings.mode, settings.host)


def test_secrets_come_from_the_environment() -> None:
    """No secret has a default, and every one that is asked for is demanded."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    asked = {match[1]: match[2] for match in _VARIABLE.finditer(text)}

    assert {"HOOKWRIGHT_PUBLISH": "-"} | dict.fromkeys(GIVEN, "?") == asked


def test_services_depend_on_services() -> None:
    """What a service waits for exists, and says when it is healthy if that is awaited."""
    awaited = {
        (other, each["condition"])
        for service in SERVICES.values()
        for other, each in service.get("depends_on", {}).items()
    }

    assert set() == {other for other, _ in awaited} - set(SERVICES)
    assert all("healthcheck" in SERVICES[n] for n, c in awaited if c == "service_healthy")
    assert {"migrate"} == {n for n, c in awaited if c == "service_completed_successfully"}


def test_stopping_takes_no_longer_than_it_may() -> None:
    """Docker waits long enough for the notice, the requests and the attempts under way."""
    grace = {name: int(SERVICES[name]["stop_grace_period"][:-1]) for name in ("api", "worker")}
    notice = float(SERVICES["api"]["environment"]["HOOKWRIGHT_STOP_NOTICE_SECONDS"])

    assert grace["api"] >= notice + 30 + 45
    assert grace["worker"] >= Settings.model_fields["drain_seconds"].default + 8


def test_the_image_is_built_from_what_is_locked() -> None:
    """Packages are installed by hash or are our own, and everything copied exists."""
    build = _stages()[0]
    installs = [rest for rest in _all_of("RUN", build) if "pip install" in rest]
    copied = [rest.split()[0] for rest in _all_of("COPY", build)]

    assert ["--require-hashes", "--no-deps"] == [
        next(option for option in ("--require-hashes", "--no-deps") if option in each)
        for each in installs
    ]
    assert [] == [source for source in copied if not (ROOT / source).exists()]
    assert {"python:3.13-slim"} == {
        rest.split()[0] for stage in _stages() for rest in _all_of("FROM", stage)
    }


def test_the_image_runs_as_nobody() -> None:
    """The server is no root, is process 1 itself, and gets its signals."""
    final = _stages()[-1]
    entry, command = _all_of("ENTRYPOINT", final)[0], _all_of("CMD", final)[0]

    assert ["10001:10001"] == _all_of("USER", final)
    assert (["hookwright-server"], "api") == (
        json.loads(entry),
        _parse(json.loads(command)).info_name,
    )


def test_the_context_of_the_build_holds_what_is_copied() -> None:
    """The .dockerignore lets through what the Dockerfile copies, and no secrets or databases."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line[1:] for line in lines if line.startswith("!")]

    assert "*" in lines
    assert [] == [each for each in let_through if not (ROOT / each).exists()]
    assert {"requirements", "reference-server"} == {each.split("/")[0] for each in let_through}
