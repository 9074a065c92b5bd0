"""One empty environment for each library, so that each pays for what it brings along."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hookwright_benchmarks
from hookwright_benchmarks.fresh import cpu_ms

_SOURCES = Path(hookwright_benchmarks.__file__).resolve().parent.parent
_PATIENCE_S = 300


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a library is installed, and which version."""

    library: str
    python: Path
    version: str

    def import_ms(self, module: str, processes: int) -> float:
        """The least CPU in ms of importing it; docs/performance.md tells of ours, measured so."""
        return cpu_ms(f"import {module}", processes, self.python, _environment())

    def probe(self, what: str) -> Any:
        """What the probe found, in a fresh process."""
        command = ["-m", "hookwright_benchmarks.comparison.probe", self.library, what]
        return json.loads(_run(self.python, *command, path=str(_SOURCES)))


def install(library: str, requirement: str, folder: Path) -> Environment:
    """An environment in `folder` with this library, the newest that pip finds, and no other."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement)
    asked = f"import importlib.metadata as m; print(m.version({library!r}))"
    return Environment(library, python, _run(python, "-c", asked).strip())


def _environment(path: str = "") -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": path}


def _run(python: Path, *arguments: str, path: str = "") -> str:
    done = subprocess.run(
        [python, *arguments],
        env=_environment(path),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout
