"""The target.yaml of `launch.py` with the timing that a test needs."""

from __future__ import annotations

import json
from pathlib import Path

_LAUNCHED = Path(__file__).parents[1] / "mutants" / "target.yaml"


def patient(folder: Path) -> Path:
    """For a server that must pass, however loaded the machine is."""
    return _write(folder, slack_seconds=30, delivery_seconds=120, request_seconds=120)


def impatient(folder: Path) -> Path:
    """For a broken one: a killer often waits in vain for what it does not send."""
    return _write(folder, slack_seconds=2, delivery_seconds=2, request_seconds=30)


def _write(
    folder: Path, *, slack_seconds: int, delivery_seconds: int, request_seconds: int
) -> Path:
    text = _LAUNCHED.read_text(encoding="utf-8")
    assert "timing" not in text
    timing = {
        "slack_seconds": slack_seconds,
        "delivery_seconds": delivery_seconds,
        "request_timeout_seconds": request_seconds,
    }
    path = folder / "target.yaml"
    path.write_text(f"{text}timing: {json.dumps(timing)}\n", encoding="utf-8")
    return path
