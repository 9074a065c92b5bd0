"""Settings of the production form: what is refused, and that no password is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import ValidationError

from hookwright_server.cli import main
from hookwright_server.settings import PostgresUrl, Settings

_POSTGRES = "postgresql://hook:s3cret@db.example:5433/hooks"
_REDIS = "redis://:s3cret@redis.example:6379/0"


def _settings(database: Path | str) -> Settings:
    """As from the environment, where everything is text."""
    return Settings.model_validate({"database": database, "redis_url": _REDIS})


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HOOKWRIGHT_"):
            monkeypatch.delenv(name)


def _run(*command: str, **settings: str) -> Result:
    environ = {f"HOOKWRIGHT_{name.upper()}": value for name, value in settings.items()}
    return CliRunner().invoke(main, command, env=environ)


def test_a_path_is_a_file_and_a_url_is_postgres() -> None:
    """One setting chooses the back end."""
    kinds = [_settings(place).is_shared for place in (Path("a.db"), "b.db", _POSTGRES)]

    assert [False, False, True] == kinds


@pytest.mark.parametrize("prefix", ["mysql://h/d", "http://h/d", "sqlite:///d"])
def test_other_databases_are_refused(prefix: str) -> None:
    """The message says what a database may be."""
    with pytest.raises(ValidationError, match="a file or a postgresql:// URL"):
        _settings(prefix)


def test_a_url_needs_a_database() -> None:
    """A server alone is no database."""
    with pytest.raises(ValidationError, match="lacks the database's name"):
        _settings("postgresql://h")


def test_a_redis_url_is_one() -> None:
    """Another scheme is refused."""
    with pytest.raises(ValidationError, match="redis://"):
        Settings(redis_url="http://h")


def test_more_requests_may_be_open_than_there_are_threads() -> None:
    """Else a part of the threads would have nothing to do, ever."""
    with pytest.raises(ValidationError, match="raise HOOKWRIGHT_OPEN_REQUESTS"):
        Settings(request_threads=600)

    assert 601 == Settings(request_threads=600, open_requests=601).open_requests


def test_nothing_shows_a_password() -> None:
    """Neither the settings do nor what names the database."""
    settings = _settings(_POSTGRES)

    assert "s3cret" not in f"{settings!r} {settings} {settings.database}"
    assert "postgresql://hook@db.example:5433/hooks" == str(settings.database)
    assert _POSTGRES == (
        settings.database.text if isinstance(settings.database, PostgresUrl) else ""
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("database", "mysql://hook:s3cret@h/d"),
        ("database", "postgresql://hook:s3cret@h"),
        ("database", "postgresql://hook:s3cret@[h/d"),
        ("redis_url", "http://:s3cret@h"),
    ],
)
def test_no_refusal_shows_a_password(setting: str, value: str) -> None:
    """A mistyped URL is named by its setting alone."""
    result = _run("worker", **{setting: value})

    assert 1 == result.exit_code
    assert f"HOOKWRIGHT_{setting.upper()}" in result.output
    assert "s3cret" not in result.output


@pytest.mark.parametrize("command", ["api", "worker"])
def test_all_that_is_missing_is_named(command: str) -> None:
    """One start tells everything that has to be set."""
    result = _run(command)

    assert 1 == result.exit_code
    for name in ("DATABASE", "REDIS_URL", "ENCRYPTION_KEYS"):
        assert f"HOOKWRIGHT_{name}: set it" in result.output


@pytest.mark.parametrize("command", [("serve",), ("doctor",)])
def test_commands_of_files_refuse_postgres(command: tuple[str, ...]) -> None:
    """They say so instead of making a file with a strange name."""
    result = _run(*command, database=_POSTGRES)

    assert 1 == result.exit_code
    assert "Postgres" in result.output
    assert "s3cret" not in result.output


def test_postgres_needs_keys_from_the_environment() -> None:
    """There is no file beside it that all processes could read."""
    result = _run("migrate", database="postgresql://127.0.0.1:1/none")

    assert 1 == result.exit_code
