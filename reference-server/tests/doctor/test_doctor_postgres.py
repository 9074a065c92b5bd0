"""`hookwright-server doctor` on Postgres: the same checks by the same rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from service_fixtures import NewDatabase
from store_lab import StoreLab
from store_places import migrated

from hookwright_server.cli import main
from hookwright_server.clock import SystemClock
from hookwright_server.doctor import ADVICE
from hookwright_server.keys import load_vault
from hookwright_server.settings import Settings
from hookwright_server.store import tables
from hookwright_server.wiring import migrate_database, open_database

pytestmark = pytest.mark.needs_service("postgres")

_KEY = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
_OTHER_KEY = "k1:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
_PENDING = "UPDATE deliveries SET {} WHERE status = 'pending'"
# The test's Postgres does not wait for its disk: that is found too.
_UNSAFE = "durability"


@pytest.fixture
def place(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a sealed secret and a scheduled delivery; its URL."""
    url = new_database(migrated)
    monkeypatch.setenv("HOOKWRIGHT_ENCRYPTION_KEYS", _KEY)
    monkeypatch.setenv("HOOKWRIGHT_DATABASE", url)
    settings = Settings()
    migrate_database(settings)
    with open_database(settings) as database:
        lab = StoreLab(database)
        lab.clock.now = SystemClock().now_ms()
        app_id = lab.app()
        endpoint_id = lab.endpoint(app_id)
        secret_id = lab.secret(app_id, endpoint_id)
        sealed = load_vault(settings).seal(b"secret", f"signing_secrets:{secret_id}")
        lab.update(tables.signing_secrets, secret_id, sealed=sealed)
        later = lab.clock.now + 3_600_000
        lab.update(tables.deliveries, lab.deliver(app_id, endpoint_id), next_attempt_at=later)
    return url


def _spoil(statement: str) -> None:
    with open_database(Settings()) as database:
        database.write(lambda tx: tx.execute(sa.text(statement)))


def _report() -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, json.loads(result.stdout)


def test_durability_is_looked_at(place: str) -> None:
    """Settings of Postgres that lose commits are a fault; nothing else is found here."""
    code, report = _report()
    (finding,) = report["findings"]

    assert (1, _UNSAFE, True) == (code, finding["check"], finding["is_fault"])
    assert ["fsync=off", "full_page_writes=off"] == finding["examples"]
    assert ("off", "on") == (report["fsync"], report["synchronous_commit"])
    assert {"pending": 1} == report["deliveries"]
    assert "@127.0.0.1" in report["database"]
    assert place.partition("@")[0] not in report["database"]


@pytest.mark.parametrize(
    ("check", "statement"),
    [
        ("schema", "UPDATE alembic_version SET version_num = '0000'"),
        ("pending_without_time", _PENDING.format("next_attempt_at = NULL")),
        (
            "lease_without_session",
            _PENDING.format("status = 'sending', lease_session = 'wrk_x'"),
        ),
        ("cancelled_without_reason", _PENDING.format("cancel_reason = 'user'")),
        ("fan_out", "UPDATE messages SET endpoint_count = 7"),
        ("attempts_of_delivery", "UPDATE deliveries SET attempt_count = 3"),
        ("overdue", _PENDING.format("next_attempt_at = 1")),
        ("silent_sessions", "INSERT INTO worker_sessions VALUES ('wrk_x', 1, 1)"),
    ],
)
def test_what_is_wrong_is_found(place: str, check: str, statement: str) -> None:
    """Broken rows are found as in a SQLite file, with the same advice."""
    _spoil(statement)

    _, report = _report()
    found = {finding["check"]: finding["advice"] for finding in report["findings"]}

    assert {_UNSAFE, check} == set(found)
    assert ADVICE[check] == found[check]


def test_a_wrong_key_is_found(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed values that do not open with the keys given are told."""
    monkeypatch.setenv("HOOKWRIGHT_ENCRYPTION_KEYS", _OTHER_KEY)

    _, report = _report()

    assert {_UNSAFE, "sealed"} == {finding["check"] for finding in report["findings"]}


def test_a_server_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so, and keeps the password to itself."""
    monkeypatch.setenv("HOOKWRIGHT_DATABASE", "postgresql://u:hunter2@127.0.0.1:1/name")

    result = CliRunner().invoke(main, ["doctor"])

    assert 1 == result.exit_code
    assert "Connection refused" in result.stderr
    assert "hunter2" not in result.stderr
