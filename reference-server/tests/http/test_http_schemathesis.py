"""Schemathesis against the contract: on the application in this process, and on a live server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from http_lab import Lab, Template, open_lab
from http_live import serve_live
from http_schemathesis_hooks import SERVER_VARIABLE, seed
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig

from hookwright_server.http.edge import gate
from hookwright_server.http.edge.operations import OPERATIONS

_HERE = Path(__file__).parent
# JSON Schema cannot say that no text may hold U+0000, so it is not offered as valid.
_CONFIG = """
[generation]
allow-x00 = false
"""
_SLOW_IS_FINE = (
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
)
_LIVE_CONFIG = """
base-url = "{url}"
headers = {{ Authorization = "Bearer {key}" }}
hooks = "http_schemathesis_hooks"
continue-on-failure = true
seed = 20261121

[warnings]
fail-on = true

[generation]
allow-x00 = false
max-examples = 8
database = "none"

[phases.stateful]
max-steps = 12

# A dry run answers with a task that is not kept.
[[operations]]
include-name = "GET /v1/apps/{{app_slug}}/replays/{{replay_id}}"
checks.ensure_resource_availability.enabled = false
"""


@pytest.fixture(scope="module")
def schemathesis_lab(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server that schemathesis may do with what it likes."""
    with open_lab(*template, tmp_path_factory.mktemp("schemathesis")) as lab:
        yield lab


_library: Any = import_module("schemathesis")  # its types are incomplete
_contract = _library.openapi.from_dict(gate.document(), config=SchemathesisConfig.from_str(_CONFIG))


_labs: list[Lab] = []


def _application(environ: Any, start_response: Any) -> Any:
    """The application of the server under test, which is not there yet at collection."""
    return _labs[-1].server.app(environ, start_response)


_contract.app = _application


@pytest.fixture
def operation_succeeds(schemathesis_lab: Lab) -> Iterator[None]:
    """What never succeeds was not tested: at least one request of the test must have."""
    _labs.append(schemathesis_lab)
    succeeded = seed(schemathesis_lab.client)
    yield

    assert 1 == len(succeeded)


def _keeps_the_contract(case: Any, schemathesis_lab: Lab, operation_succeeds: None) -> None:
    """Whatever is asked, status, headers and body are those that the contract allows."""
    key = schemathesis_lab.owner.live_key
    case.call_and_validate(headers={"Authorization": f"Bearer {key}"})


_bounded = settings(
    max_examples=3,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=_SLOW_IS_FINE,
)
test_the_application_keeps_the_contract = _contract.parametrize()(_bounded(_keeps_the_contract))


def test_the_live_server_keeps_the_contract(tmp_path: Path) -> None:
    """Fuzzing and stateful sequences over sockets, with every check; warnings are failures."""
    with serve_live(tmp_path) as live:
        host, port = live.address
        server = {"host": host, "port": port, "key": live.live_key}
        (tmp_path / "schemathesis.toml").write_text(
            _LIVE_CONFIG.format(url=live.url, key=live.live_key)
        )
        (tmp_path / "openapi.json").write_text(json.dumps(gate.document()))
        paths = [str(_HERE), str(_HERE.parent / "egress")]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", "openapi.json", "--no-color"),
                *("--phases", "fuzzing,stateful"),  # the others run in this process, above
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                SERVER_VARIABLE: json.dumps(server),
                "PYTHONPATH": os.pathsep.join(paths),
                "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert 0 == done.returncode, done.stdout + done.stderr
        assert f"Tested: {len(OPERATIONS)}" in done.stdout
        assert "unexpected_error" not in live.log
