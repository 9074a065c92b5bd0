"""Everything here that claims to conform: a column each of the matrix of `make conformance`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from hookwright_conformance.case import Case, all_cases
from hookwright_conformance.results import Kind, select
from hookwright_conformance.sdk.case import PROFILES as SDK_PROFILES
from hookwright_conformance.sdk.case import sdk_cases

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "conformance-tests" / "mutants" / "target.yaml"
LAUNCHER = (sys.executable, str(ROOT / "conformance-tests" / "mutants" / "launch.py"), "none")
MINIATURE = ROOT / "conformance-tests" / "miniature"
TYPESCRIPT = str(ROOT / "sdk-typescript" / "run")
DATABASE = "HOOKWRIGHT_MUTANT_DATABASE"


@dataclass(frozen=True, slots=True)
class Run:
    """One column: what the suite is asked, and what has to run beside it.

    `target` describes a server; `driver` is an SDK's, and then there is none. `launcher` prints one
    line of JSON (base_url, environment) when it is ready and ends with its standard input; () when
    nothing has to run. `build` comes before, and what it cannot build is not there. `service` is
    one of tools/services.py, whose URL the launcher gets in `service_variable`.
    """

    folder: str
    name: str
    target: Path = TARGET
    driver: str = ""
    launcher: Sequence[str] = LAUNCHER
    build: Sequence[str] = ()
    service: str = ""
    service_variable: str = DATABASE

    @property
    def kind(self) -> Kind:
        """What is judged."""
        return "sdk" if self.driver else "server"

    @property
    def suite(self) -> tuple[str, ...]:
        """The command's arguments."""
        if self.driver:
            return ("sdk", "--driver", self.driver)
        return ("server", "--target", str(self.target))

    @property
    def claimed(self) -> tuple[str, ...]:
        """The profiles that it is judged by. An SDK of ours claims all that there are."""
        if self.driver:
            return SDK_PROFILES
        return tuple(yaml.safe_load(self.target.read_text(encoding="utf-8"))["profiles"])

    def cases(self) -> Mapping[str, Case]:
        """The cases of a whole run, by id."""
        of_kind = sdk_cases() if self.driver else all_cases()
        return {case.id: case for case in select(of_kind, self.claimed)}


def _python(flavour: str) -> str:
    return shlex.join([sys.executable, "-m", "hookwright.conformance_driver", "--flavour", flavour])


RUNS = (
    Run("sqlite", "Reference server, SQLite"),
    Run("postgres", "Reference server, Postgres", service="postgres"),
    Run(
        "miniature",
        "Miniature server",
        target=MINIATURE / "target.yaml",
        launcher=(sys.executable, str(MINIATURE / "serve.py"), "--json", "--port", "0"),
    ),
    Run("python-sync", "Python SDK, sync", driver=_python("sync"), launcher=()),
    Run("python-async", "Python SDK, async", driver=_python("async"), launcher=()),
    Run(
        "typescript",
        "TypeScript SDK",
        driver=shlex.join([TYPESCRIPT, "driver"]),
        launcher=(),
        build=(TYPESCRIPT, "build"),
    ),
)
