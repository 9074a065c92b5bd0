"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from importlib.metadata import version
from pathlib import Path

from hookwright_benchmarks.results import Machine

_PACKAGES = ("aiohttp", "flask", "granian", "httptools", "httpx", "sqlalchemy", "uvloop")


def describe(folder: Path) -> Machine:
    """This machine now; `folder` lies on the disk that will be written to."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        load_average=round(os.getloadavg()[0], 2),
        fdatasync_ms=round(_fdatasync_ms(folder), 3),
    )


def versions() -> dict[str, str]:
    """The packages whose speed is measured along."""
    return {name: version(name) for name in _PACKAGES}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fdatasync_ms(folder: Path) -> float:
    """What one durable write costs on this disk: the median of 50."""
    taken: list[float] = []
    path = folder / "fdatasync"
    with path.open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return sorted(taken)[len(taken) // 2]
