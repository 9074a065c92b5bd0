"""What a statement costs a Python that has loaded nothing but itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HOW = "fresh processes that had loaded nothing else, from compiled files in the disk's cache"
_TIMED = """
import time
began = time.process_time()
{statement}
print((time.process_time() - began) * 1000)
"""


def cpu_ms(
    statement: str,
    processes: int,
    python: str | Path = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> float:
    """The least CPU in ms of so many processes; the first compiles the files and caches them."""
    variables = dict(os.environ if environment is None else environment)
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # or every one of them would compile
    command = [python, "-c", _TIMED.format(statement=statement)]
    return min(
        float(
            subprocess.run(
                command, env=variables, check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(processes)
    )
