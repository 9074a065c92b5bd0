"""`hookwright-server doctor`: what is put wrong on purpose is found, named and given advice."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from store_lab import StoreLab

from hookwright_server.cli import main
from hookwright_server.clock import SystemClock
from hookwright_server.doctor import ADVICE
from hookwright_server.domain.vault import generate_key, vault_from_text
from hookwright_server.keys import load_vault
from hookwright_server.settings import Settings
from hookwright_server.store import tables
from hookwright_server.store.audit import CHECKS
from hookwright_server.wiring import open_database, prepare

_HOUR_MS = 3_600_000


def _sql(*statements: str) -> Callable[[Path], None]:
    def corrupt(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return corrupt


def _scribble(database: Path) -> None:
    """Overwrite pages in the middle of the file, past the schema."""
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))


def _other_key(database: Path) -> None:
    database.with_name(database.name + ".keys").write_text(generate_key("k1"))


def _no_key(database: Path) -> None:
    database.with_name(database.name + ".keys").unlink()


PENDING = "UPDATE deliveries SET {} WHERE status = 'pending'"
DONE = "UPDATE deliveries SET {} WHERE status = 'delivered'"
FAULTS: dict[str, Callable[[Path], None]] = {
    "integrity": _scribble,
    "journal_mode": _sql("PRAGMA journal_mode = DELETE"),
    "schema": _sql("UPDATE alembic_version SET version_num = '0000'"),
    "keys": _no_key,
    "sealed": _other_key,
    "delivery_status": _sql(PENDING.format("status = 'lost'")),
    "pending_without_time": _sql(PENDING.format("next_attempt_at = NULL")),
    "delivery_order": _sql(
        PENDING.format(
            "is_ordered = TRUE, ordering_key = 'k', sequence = 1, next_attempt_at = NULL"
        )
    ),
    "lease_without_session": _sql(PENDING.format("status = 'sending', lease_session = 'wrk_x'")),
    "lease_without_sending": _sql(PENDING.format("lease_session = 'wrk_x'")),
    "finished_without_end": _sql(DONE.format("completed_at = NULL")),
    "unfinished_with_end": _sql(PENDING.format("completed_at = 1")),
    "cancelled_without_reason": _sql(PENDING.format("cancel_reason = 'user'")),
    "attempts_of_delivery": _sql("DELETE FROM attempts"),
    "attempt_numbers": _sql("UPDATE attempts SET number = 2"),
    "attempts_without_delivery": _sql("DELETE FROM deliveries WHERE status = 'delivered'"),
    "fan_out": _sql("UPDATE messages SET endpoint_count = 7"),
    "delivery_owners": _sql("DELETE FROM messages"),
}
NOTICES: dict[str, Callable[[Path], None]] = {
    "silent_sessions": _sql("INSERT INTO worker_sessions VALUES ('wrk_x', 1, 1)"),
    "overdue": _sql(PENDING.format("next_attempt_at = 1")),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a server leaves it: secrets, one delivered and one scheduled delivery."""
    path = tmp_path_factory.mktemp("sound") / "hookwright.db"
    settings = Settings(database=path)
    prepare(settings, "default")
    with open_database(settings) as database:
        lab = StoreLab(database)
        lab.clock.now = SystemClock().now_ms()
        vault = load_vault(settings)
        app_id = lab.app()
        endpoint_id = lab.endpoint(app_id)
        headers = vault.seal(b"{}", f"endpoints.headers:{endpoint_id}")
        lab.update(tables.endpoints, endpoint_id, headers_sealed=headers)
        secret_id = lab.secret(app_id, endpoint_id)
        sealed = vault.seal(b"secret", f"signing_secrets:{secret_id}")
        lab.update(tables.signing_secrets, secret_id, sealed=sealed)
        later, now = lab.clock.now + _HOUR_MS, lab.clock.now
        lab.update(tables.deliveries, lab.deliver(app_id, endpoint_id), next_attempt_at=later)
        done = lab.deliver(app_id, endpoint_id)
        lab.attempt(done, "att_one", number=1)
        end = {"status": "delivered", "completed_at": now, "next_attempt_at": None}
        lab.update(tables.deliveries, done, attempt_count=1, **end)
    return path


@pytest.fixture
def database(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound database to spoil."""
    shutil.copytree(sound.parent, tmp_path / "copy")
    return tmp_path / "copy" / sound.name


def _doctor(database: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--database", str(database), *more])


def _report(database: Path) -> tuple[int, dict[str, Any]]:
    result = _doctor(database, "--json")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, json.loads(result.stdout)


def test_a_record_that_another_key_sealed_is_named(database: Path) -> None:
    """Answers kept for idempotency keys are sealed too, and opened when one is repeated."""
    stranger = vault_from_text(generate_key("stranger"))
    sealed = stranger.seal(b"{}", "idempotency_records:00ff").hex()
    _sql(
        "INSERT INTO idempotency_records (scope, account_id, environment, fingerprint, status,"
        f" response_sealed, started_at, expires_at) VALUES (x'00ff', 'acc_one', 'live', x'00',"
        f" 202, x'{sealed}', 1, 2)"
    )(database)
    code, report = _report(database)

    assert 1 == code
    assert [("sealed", ["idempotency_records:00ff"])] == [
        (finding["check"], finding["examples"]) for finding in report["findings"]
    ]


def test_a_sound_database_is_well(database: Path) -> None:
    """Nothing is found, and the report says what was looked at."""
    code, report = _report(database)

    assert (0, True, []) == (code, report["ok"], report["findings"])
    assert ("wal", "FULL", None) == (
        report["journal_mode"],
        report["synchronous"],
        report["server_pid"],
    )
    assert {"delivered": 1, "pending": 1} == report["deliveries"]


@pytest.mark.parametrize("check", FAULTS)
def test_a_fault_is_found(database: Path, check: str) -> None:
    """It ends with 1, and the finding says what to do."""
    FAULTS[check](database)

    code, report = _report(database)
    found = {finding["check"]: finding for finding in report["findings"]}

    assert (1, False) == (code, report["ok"])
    assert check in found
    assert found[check]["is_fault"]
    assert ADVICE[check] == found[check]["advice"]


@pytest.mark.parametrize("check", NOTICES)
def test_a_notice_is_told_and_no_fault(database: Path, check: str) -> None:
    """What the next start puts right by itself does not fail a script."""
    NOTICES[check](database)

    code, report = _report(database)

    assert (0, [check]) == (code, [finding["check"] for finding in report["findings"]])


def test_a_running_server_must_renew_its_sessions(database: Path) -> None:
    """A silent session beside a living server is a fault."""
    NOTICES["silent_sessions"](database)
    lock = database.with_name(database.name + ".lock")
    lock.write_text(f"{os.getpid()}\n")

    with lock.open():
        code, report = _report(database)

    assert (1, os.getpid()) == (code, report["server_pid"])
    assert report["findings"][0]["is_fault"]


def test_the_report_can_be_read(database: Path) -> None:
    """Without --json each finding is a paragraph: what, which rows, what to do."""
    FAULTS["fan_out"](database)

    result = _doctor(database)

    assert 1 == result.exit_code
    assert "FAULT  fan_out: a message does not have the deliveries" in result.stdout
    assert "msg_" in result.stdout
    assert ADVICE["fan_out"] in result.stdout
    assert result.stdout.endswith("Something is wrong; see above.\n")


def test_nothing_is_changed(database: Path) -> None:
    """The doctor only reads, even where something is wrong."""
    FAULTS["journal_mode"](database)
    before = database.read_bytes()

    _report(database)

    assert before == database.read_bytes()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A wrong path is an error and creates nothing."""
    result = _doctor(tmp_path / "nowhere.db")

    assert 1 == result.exit_code
    assert "does not exist" in result.stderr
    assert [] == list(tmp_path.iterdir())


def test_every_check_has_advice_and_a_test() -> None:
    """A finding without advice, or a check that nobody has seen fail, does not count."""
    known = {check.name for check in CHECKS} | {"integrity", "journal_mode", "schema"}
    elsewhere = {"synchronous", "durability"}

    assert known | {"keys", "sealed"} | elsewhere == ADVICE.keys()
    assert ADVICE.keys() - elsewhere == FAULTS.keys() | NOTICES.keys()
