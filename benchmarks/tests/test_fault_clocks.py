"""A shifted clock fools everything that asks for the date, and nothing that measures time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hookwright_benchmarks.faults.clocks import Clocks

_ASK = """
import json, sys, time
from datetime import datetime, timezone
for _ in sys.stdin:
    told = [time.time(), time.time_ns() / 1e9, datetime.now(timezone.utc).timestamp()]
    print(json.dumps([told, time.monotonic()]), flush=True)
"""


@pytest.mark.needs_service("compiler")
def test_the_date_jumps_and_monotonic_time_does_not(tmp_path: Path) -> None:
    """While a process runs its wall clock goes a day ahead, an hour back, and home again."""
    clocks = Clocks.build(tmp_path, ["here"])
    assert clocks is not None
    seen: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", _ASK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **clocks.environment("here")},
        bufsize=0,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for shift in (0.0, 86400.0, -3600.5, 0.0):
            clocks.set("here", shift)
            process.stdin.write(b"now\n")
            dates, monotonic = json.loads(process.stdout.readline())
            assert abs(monotonic - time.monotonic()) < 60
            seen += [round(date - time.time()) for date in dates]
        process.stdin.close()

    assert [0] * 3 + [86400] * 3 + [-3600, -3600, -3600] + [0] * 3 == [
        s if s != -3601 else -3600 for s in seen
    ]
