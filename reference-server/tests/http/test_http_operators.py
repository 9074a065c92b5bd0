"""The operator's side: settings, keys of the vault, accounts, one process on one database."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from http_lab import Lab, open_lab, settings_of, snapshot
from pydantic import ValidationError

from hookwright_server.cli import main
from hookwright_server.domain.egress_policy import Allowed
from hookwright_server.keys import KeyProblem
from hookwright_server.settings import Settings
from hookwright_server.wiring import build, prepare

Run = Callable[..., Result]


def _key(letter: bytes, name: str = "k1") -> str:
    return f"{name}:{base64.b64encode(letter * 32).decode()}"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on a database of the test's own; settings in lower case."""

    def invoke(*arguments: str, **settings: str) -> Result:
        values = {"database": str(tmp_path / "hw.db"), **settings}
        environment = {f"HOOKWRIGHT_{name.upper()}": value for name, value in values.items()}
        return CliRunner().invoke(main, arguments, env=environment)

    return invoke


def serve(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """`serve` as a process that is expected to give up by itself."""
    values = {"database": str(folder / "hw.db"), **settings}
    environment = {f"HOOKWRIGHT_{name.upper()}": value for name, value in values.items()}
    return subprocess.run(
        [sys.executable, "-m", "hookwright_server", "serve", "--port", "0"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


# Settings


def test_production_mode_refuses_the_test_clock(run: Run, tmp_path: Path) -> None:
    """The operator is told which two settings contradict each other; nothing is started."""
    told = run("serve", mode="production", test_clock="true")

    assert 1 == told.exit_code
    assert (
        "Error: the test clock is refused in production mode: unset HOOKWRIGHT_TEST_CLOCK, "
        "or set HOOKWRIGHT_MODE=development\n"
    ) == told.output
    assert [] == list(tmp_path.iterdir())
    with pytest.raises(ValidationError, match="production mode"):
        settings_of(tmp_path, mode="production")


def test_without_the_switch_there_is_no_test_clock(new_lab: Callable[..., Lab]) -> None:
    """`POST /_test/clock` is 404, in both modes, and time does not move."""
    for mode in ("production", "development"):
        client = new_lab(test_clock=False, mode=mode).client
        answer = client.post("/_test/clock", {"advance": "PT1H"})

        assert (404, "not_found") == (answer.status, answer.code)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("port", "x", "HOOKWRIGHT_PORT: Input should be a valid integer"),
        ("port", "65536", "HOOKWRIGHT_PORT: Input should be less than or equal to 65535"),
        ("mode", "prod", "HOOKWRIGHT_MODE: Input should be 'development' or 'production'"),
        ("egress_allow", "garbage", "HOOKWRIGHT_EGRESS_ALLOW: 'garbage' is no allow-list entry"),
        ("nat64_prefixes", "10.0.0.0/8", "HOOKWRIGHT_NAT64_PREFIXES: '10.0.0.0/8' is no NAT64 pre"),
        ("nat64_prefixes", "64:ff9b:1::/48", "HOOKWRIGHT_NAT64_PREFIXES: '64:ff9b:1::/48': a NAT"),
        ("requests_per_minute", "0", "HOOKWRIGHT_REQUESTS_PER_MINUTE: Input should be greater"),
        ("allow_http", "perhaps", "HOOKWRIGHT_ALLOW_HTTP: Input should be a valid boolean"),
    ],
)
def test_a_malformed_setting_is_named(run: Run, name: str, value: str, told: str) -> None:
    """The variable, what it holds and what it should hold, in one line and no traceback."""
    result = run("migrate", **{name: value})

    assert 1 == result.exit_code
    assert result.output.startswith(f"Error: {told}")
    assert 1 == result.output.count("\n")


def test_nat64_prefixes_reach_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the operator's prefix an address is judged by the IPv4 address it carries."""
    monkeypatch.setenv("HOOKWRIGHT_NAT64_PREFIXES", "2a00:1098:2b::/96, 2a01:4f8::/96")
    policy = settings_of(tmp_path, allow_private_networks=False).egress()
    verdicts = [
        isinstance(policy.judge(address, 443), Allowed)
        for address in ("2a00:1098:2b::808:808", "2a00:1098:2b::7f00:1", "2a01:4f8::a00:1")
    ]

    assert [True, False, False] == verdicts


def test_settings_are_listed(run: Run) -> None:
    """Every setting with its default and a sentence, and no value of this machine."""
    result = run("settings", encryption_keys=_key(b"s"))
    lines = result.output.splitlines()

    assert 0 == result.exit_code
    assert len(Settings.model_fields) == len(lines)
    for name, field in Settings.model_fields.items():
        line = next(line for line in lines if line.split()[0] == f"HOOKWRIGHT_{name.upper()}")
        assert line.endswith(field.description or "?")
    assert _key(b"s") not in result.output


# Keys that seal secrets


def _key_file(settings: Settings) -> Path:
    assert settings.key_file is not None
    return settings.key_file


def test_a_missing_key_file_is_told_at_start(template: tuple[Path, Any], tmp_path: Path) -> None:
    """A database that was used with a key does not get a fresh one."""
    with open_lab(*template, tmp_path) as lab:
        key_file = _key_file(lab.settings)
    before = key_file.read_bytes()
    key_file.unlink()

    with pytest.raises(KeyProblem, match=r"hookwright\.db\.keys is missing.*Restore it"):
        prepare(lab.settings, "again")
    assert not key_file.exists()
    key_file.write_bytes(before)
    assert prepare(lab.settings, "again") is None


def test_another_key_under_the_same_name_is_told_at_start(run: Run, tmp_path: Path) -> None:
    """Not at the first delivery: `serve` ends with a sentence that names the key."""
    prepare(settings_of(tmp_path, database=tmp_path / "hw.db", encryption_keys=_key(b"a")), "x")
    told = serve(tmp_path, encryption_keys=_key(b"b"))

    assert 1 == told.returncode
    assert "The encryption key 'k1' is not the one this database was made with." in told.stderr
    assert "Traceback" not in told.stderr
    assert _key(b"b")[3:] not in told.stderr + told.stdout


@pytest.mark.parametrize(
    "keys", ["garbage", "k1:!!!!", "k1:c2hvcnQ=", f"{_key(b'a')},{_key(b'b')}", ":", "k1:"]
)
def test_malformed_keys_are_told(tmp_path: Path, keys: str) -> None:
    """What is no list of `id:base64` of 32 bytes is refused, and not repeated."""
    settings = settings_of(tmp_path, encryption_keys=keys)

    with pytest.raises(KeyProblem, match="HOOKWRIGHT_ENCRYPTION_KEYS: ") as told:
        prepare(settings, "x")
    parts = [part for part in keys.replace(",", ":").split(":") if len(part) > 3]
    assert [] == [part for part in parts if part in str(told.value)]


def test_a_new_key_in_front_reads_what_the_old_one_sealed(
    template: tuple[Path, Any], tmp_path: Path
) -> None:
    """Rotation of the sealing key: the old one stays behind it, deliveries are still signed."""
    with open_lab(*template, tmp_path) as lab:
        slug = lab.client.new_app()["slug"]
        lab.client.new_endpoint(slug, "http://127.0.0.1:1/", headers={"X-A": "b"}, active=False)
        endpoint = lab.client.get(f"/v1/apps/{slug}/endpoints").json["data"][0]["id"]
    old = _key_file(lab.settings).read_text().strip()
    rotated = settings_of(tmp_path, encryption_keys=f"{_key(b'n', 'k2')},{old}")
    prepare(rotated, "x")
    server = build(rotated)
    server.start()
    try:
        client = Lab(rotated, server, lab.owner, lab.stranger).client
        result = client.post(f"/v1/apps/{slug}/endpoints/{endpoint}/test").require(200)
        assert ("connect_error", "***") == (
            result["failure_reason"],
            result["request"]["headers"]["X-A"],
        )
    finally:
        server.stop()


# Accounts


def test_the_commands_may_come_before_the_first_start(run: Run, tmp_path: Path) -> None:
    """Tables and an account made by hand: the server that starts later takes them as they are."""
    migrated = run("migrate")
    made = json.loads(run("account", "create", "Mine", "--json").output)
    settings = settings_of(tmp_path, database=tmp_path / "hw.db")

    assert (0, f"{tmp_path / 'hw.db'} is up to date\n") == (migrated.exit_code, migrated.output)
    assert prepare(settings, "default") is None
    assert 0o600 == _key_file(settings).stat().st_mode & 0o777
    rows = snapshot(settings.database_file)["accounts"]
    assert [made["account_id"]] == [row[0] for row in rows]
    again = run("migrate")
    assert 0 == again.exit_code


def test_a_new_account_is_sealed_off(template: tuple[Path, Any], tmp_path: Path, run: Run) -> None:
    """`account create` prints two keys, which open an empty account of their own."""
    with open_lab(*template, tmp_path) as lab:
        lab.client.new_app(slug="theirs")
    made = json.loads(
        run("account", "create", "More", "--json", database=str(lab.settings.database)).output
    )
    server = build(lab.settings)
    server.start()
    try:
        client = Lab(lab.settings, server, lab.owner, lab.stranger).client
        for key in (made["live_key"], made["test_key"]):
            caller = client.with_key(key)
            assert [] == caller.get("/v1/apps").require(200)["data"]
            assert 404 == caller.get("/v1/apps/theirs").status
            caller.new_app(slug="theirs")
    finally:
        server.stop()


def test_a_lost_key_is_replaced(template: tuple[Path, Any], tmp_path: Path, run: Run) -> None:
    """`account new-key` prints a key of the named account and environment."""
    with open_lab(*template, tmp_path) as lab:
        lab.client.new_app(slug="mine")
    options = ("account", "new-key", "--account-id", lab.owner.account_id)
    database = str(lab.settings.database)
    live, test = (
        run(*options, "--environment", environment, database=database).output.strip()
        for environment in ("live", "test")
    )
    ambiguous = run("account", "new-key", database=database)
    nobody = run("account", "new-key", "--account-id", "acc_nobody", database=database)

    assert (1, "Error: there is not exactly one account: name it with --account-id\n") == (
        ambiguous.exit_code,
        ambiguous.output,
    )
    assert (1, "Error: there is no account 'acc_nobody'; `account create` printed its id\n") == (
        nobody.exit_code,
        nobody.output,
    )
    server = build(lab.settings)
    server.start()
    try:
        client = Lab(lab.settings, server, lab.owner, lab.stranger).client
        assert "mine" == client.with_key(live).get("/v1/apps").require(200)["data"][0]["slug"]
        assert [] == client.with_key(test).get("/v1/apps").require(200)["data"]
        client.with_key(live).new_key("admin")
    finally:
        server.stop()


def test_a_key_needs_a_database(run: Run, tmp_path: Path) -> None:
    """`new-key` on a path where nothing is makes nothing."""
    result = run("account", "new-key")

    assert 1 == result.exit_code
    assert result.output.endswith("does not exist; `hookwright-server serve` creates it\n")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [("migrate",), ("account", "create", "x")])
def test_what_is_no_database_is_told(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A file of something else is left as it is."""
    (tmp_path / "hw.db").write_text("This is a letter to my aunt.\n" * 100)
    result = run(*command)

    assert 1 == result.exit_code
    assert "is not usable: file is not a database" in result.output
    assert "Traceback" not in result.output
    assert (tmp_path / "hw.db").read_text().startswith("This is a letter")


# One process on one database


@pytest.mark.parametrize(
    "command", [("migrate",), ("account", "create", "x"), ("account", "new-key")]
)
def test_a_command_does_not_touch_a_running_servers_database(
    lab: Lab, run: Run, command: tuple[str, ...]
) -> None:
    """It ends with a sentence that names the process; the server goes on."""
    result = run(*command, database=str(lab.settings.database))

    assert 1 == result.exit_code
    assert f"is in use by process {os.getpid()}: one server at a time" in result.output
    lab.client.new_app()


def test_a_second_server_on_one_database_gives_up(lab: Lab, tmp_path: Path) -> None:
    """`serve` ends by itself, the first server does not notice."""
    told = serve(tmp_path, database=str(lab.settings.database))

    assert 1 == told.returncode
    assert f"is in use by process {os.getpid()}" in told.stderr
    assert ("", False) == (told.stdout, "Traceback" in told.stderr)
    lab.client.new_app()
