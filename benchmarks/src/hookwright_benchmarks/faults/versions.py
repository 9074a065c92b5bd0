"""What exactly was disturbed."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("granian", "psycopg", "redis", "rq", "sqlalchemy", "uvloop")


def versions() -> dict[str, str]:
    """Of Python, of both services and of the packages that have a part in this."""
    return {
        "Python": platform.python_version(),
        "Postgres": _told_by(_postgres()),
        "Redis": _told_by(shutil.which("redis-server") or shutil.which("valkey-server")),
        **{name: version(name) for name in _PACKAGES},
    }


def commit() -> str:
    """The commit of this checkout, with `-dirty` when files differ from it."""
    git = ("git", "describe", "--always", "--dirty", "--exclude=*")
    told = subprocess.run(
        git, check=False, capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return told.stdout.strip() or "unknown"


def _postgres() -> str | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return str(debian[-1]) if debian else shutil.which("postgres")


def _told_by(program: str | None) -> str:
    if program is None:
        return "none"
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"\d+(\.\d+)+", told.stdout)
    return found[0] if found else told.stdout.strip()
