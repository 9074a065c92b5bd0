"""The suite against the production form: Postgres, Redis, `api` and `worker` conform as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from conformance_timing import patient
from service_fixtures import NewDatabase

from hookwright_conformance.case import all_cases
from hookwright_conformance.certificates import new_authority

SERVER = (sys.executable, "-m", "hookwright_server")
SETTINGS = {
    "HOOKWRIGHT_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "HOOKWRIGHT_ALLOW_HTTP": "true",
    "HOOKWRIGHT_EGRESS_ALLOW": "127.0.0.0/8,::1/128",
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": "1000000",
    "HOOKWRIGHT_LOG_LEVEL": "error",
    "HOOKWRIGHT_TRACES": "pass",
}


@contextmanager
def running(environment: Mapping[str, str], *command: str) -> Generator[subprocess.Popen[str]]:
    """A command of the server, until the block ends."""
    with subprocess.Popen(
        [*SERVER, *command], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def account_key(environment: Mapping[str, str], name: str) -> str:
    """The live key of a new account."""
    command = [*SERVER, "account", "create", name, "--json"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return str(json.loads(done.stdout)["live_key"])


@pytest.mark.long
@pytest.mark.needs_service("postgres")
@pytest.mark.needs_service("redis")
def test_the_production_form_conforms(
    new_database: NewDatabase, redis_url: str, tmp_path: Path
) -> None:
    """Every case passes, MUST and SHOULD; only the test clock is refused in production."""
    authority, trusted = tmp_path / "authority.pem", tmp_path / "authority.crt"
    made = new_authority()
    authority.write_bytes(made.pem())
    trusted.write_bytes(made.certificate_pem())
    services = {"HOOKWRIGHT_DATABASE": new_database(), "HOOKWRIGHT_REDIS_URL": redis_url}
    trust = {"HOOKWRIGHT_EXTRA_CA_FILE": str(trusted)}
    environment = {**os.environ, **SETTINGS, **services, **trust}
    subprocess.run([*SERVER, "migrate"], env=environment, check=True)
    keys = {
        "HOOKWRIGHT_API_KEY": account_key(environment, "first"),
        "HOOKWRIGHT_OTHER_API_KEY": account_key(environment, "second"),
        "HOOKWRIGHT_AUTHORITY": str(authority),
    }
    with ExitStack() as stack:
        command = ("api", "--port", "0", "--processes", "1", "--json")
        api = stack.enter_context(running(environment, *command))
        stack.enter_context(running(environment, "worker"))
        assert api.stdout is not None
        url: str = json.loads(api.stdout.readline())["url"]
        target = str(patient(tmp_path))
        suite = [sys.executable, "-m", "hookwright_conformance", "server", "--target", target]
        done = subprocess.run(
            [*suite, "--base-url", url, "--report", str(tmp_path)],
            env=os.environ | keys,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["cases"]
    with_clock = {case.id for case in all_cases() if case.profile == "test-clock"}
    failed = {case["id"]: case for case in cases if case["verdict"] != "passed"}

    assert with_clock == failed.keys(), failed
    assert {case.id for case in all_cases()} == {case["id"] for case in cases}
