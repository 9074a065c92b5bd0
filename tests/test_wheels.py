"""Every distribution, built as a wheel and installed where nothing else of ours is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = ("sdk-python", "codegen", "reference-server", "conformance-tests", "benchmarks")
CALL = "from hookwright import Hookwright; print(Hookwright().apps.create(name='Wheel shop').slug)"
# What PYTHONPATH and MYPYPATH name would come before the wheels.
_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")
}


def _run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env={**_ENVIRONMENT, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that has our wheels and their dependencies."""
    wheels = tmp_path_factory.mktemp("wheels")
    folder = tmp_path_factory.mktemp("environment")
    pip = (sys.executable, "-m", "pip")
    members = [ROOT / member for member in MEMBERS]
    _run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, *members)
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    built = sorted(wheels.glob("*.whl"))
    assert len(built) == len(MEMBERS)
    _run(*pip, "--python", python, "install", "-q", "--no-index", "--no-deps", *built)
    # Dependencies come from this environment. A path that a .pth file adds is searched, but
    # .pth files inside it are not read, so the editable members here stay invisible there.
    packages = _run(python, "-c", "import site; print(site.getsitepackages()[0])").strip()
    Path(packages, "dependencies.pth").write_text(site.getsitepackages()[0] + "\n")
    return folder / "bin"


def test_imports_come_from_the_wheels(installed: Path) -> None:
    """Nothing of ours is imported from the checkout."""
    names = "hookwright, hookwright_server, hookwright_codegen, hookwright_conformance"
    found = _run(
        installed / "python",
        "-c",
        f"import {names}; print(*[m.__file__ for m in ({names})])",
        env={"PYTHONSAFEPATH": "1"},
    )

    assert [] == [path for path in found.split() if str(ROOT) in path]


def test_type_checkers_may_read_the_wheels(installed: Path) -> None:
    """What calls itself typed brings the file without which checkers take it for untyped."""
    code = (
        "from importlib.resources import files; "
        "print(*[files(name).joinpath('py.typed').is_file() for name in "
        "('hookwright', 'hookwright_server', 'hookwright_conformance')])"
    )

    shown = _run(installed / "python", "-c", code, env={"PYTHONSAFEPATH": "1"})

    assert "True True True" == shown.strip()


@pytest.mark.needs_service("mypy")
def test_programs_are_typed_by_the_wheels(installed: Path, tmp_path: Path) -> None:
    """mypy, as strict as it can be, finds in the wheel what the sources say of a user's program."""
    program = tmp_path / "program.py"
    shutil.copy(ROOT / "sdk-python" / "tests" / "typed_use_core.py", program)
    mypy = (sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", tmp_path / "cache")

    shown = _run(*mypy, "--strict", "--python-executable", installed / "python", program)

    assert "Success: no issues found in 1 source file\n" == shown


@pytest.mark.parametrize(
    "command", ["hookwright", "hookwright-server", "hookwright-codegen", "hookwright-conformance"]
)
def test_commands_explain_themselves(installed: Path, command: str) -> None:
    """Every command is there and has a --help."""
    shown = _run(installed / command, "--help")

    assert "usage" in shown.lower()


def test_pytest_finds_the_plugin_of_the_wheels(installed: Path, tmp_path: Path) -> None:
    """The fixtures are there without a word of configuration."""
    shown = _run(
        installed / "python", "-m", "pytest", "--fixtures", "--rootdir", tmp_path, tmp_path
    )

    assert "webhook_receiver -- " in shown


def test_server_and_client_of_the_wheels_talk(installed: Path, tmp_path: Path) -> None:
    """The installed server migrates, starts and answers a call of the installed SDK."""
    assert "0.1.0" in _run(installed / "hookwright-server", "--version")
    process = subprocess.Popen(
        [
            str(installed / "hookwright-server"),
            *("serve", "--json", "--port", "0", "--database", str(tmp_path / "wheel.db")),
        ],
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as lines:
        account, ready = (json.loads(lines.readline()) for _ in range(2))
        client = {"HOOKWRIGHT_API_KEY": account["live_key"], "HOOKWRIGHT_BASE_URL": ready["url"]}
        slug = _run(installed / "python", "-c", CALL, env=client)
        process.send_signal(signal.SIGTERM)
        status = process.wait(240)

    assert ("wheel-shop\n", 0) == (slug, status)
