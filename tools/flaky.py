"""Runs again, alone, what just failed: a test that now passes each time is named as flaky.

Called by `.ci/run` after a failed `make test`; as a plugin of that it keeps how the run ended. See
docs/decisions/0034-flaky-tests-in-ci.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(".pytest_cache/v")
STATUS = "hookwright/exitstatus"
MOST = 3
"""More failures than this are no flakiness."""
ROUNDS = 3
"""How often each must pass."""
_SOME_FAILED, _NO_TESTS = 1, 5  # pytest's exit status


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep how the run ended: one that was broken off has not run every test."""
    cache = getattr(session.config, "cache", None)
    if cache is not None and not hasattr(session.config, "workerinput"):
        cache.set(STATUS, int(exitstatus))


def main() -> int:
    """The exit status is 0 when the failures of the last run are put down to flakiness."""
    failed = last_failed(ROOT)
    excuse = refusal(ROOT, failed)
    if excuse is not None:
        print(f"flaky: not looked into: {excuse}", flush=True)
        return 1
    for number in range(1, ROUNDS + 1):
        print(f"flaky: round {number} of {ROUNDS}, alone: {' '.join(failed)}", flush=True)
        if _pytest(ROOT, *failed) != 0:
            print("flaky: it fails again; see above", flush=True)
            return 1
    for test in failed:
        print(f"FLAKY {test}: failed once, then passed {ROUNDS} times alone. To be mended.")
    return 0


def last_failed(root: Path) -> list[str]:
    """The tests that failed in the last run that ran them."""
    return sorted(_cached(root, "cache/lastfailed") or ())


def refusal(root: Path, failed: list[str]) -> str | None:
    """Why these failures stand as they are, if they do."""
    if (status := _cached(root, STATUS)) not in (0, _SOME_FAILED):
        return f"the run did not come to its end (exit status {status}); see above"
    if not failed:
        return "no test is known to have failed; what ended the run is above"
    if len(failed) > MOST:
        return f"{len(failed)} tests failed, more than {MOST}"
    found = _pytest(root, "--collect-only", "-q", "-m", "campaign", *failed)
    if found != _NO_TESTS:
        return "a campaign looks for what happens once: its failure is a finding"
    return None


def _cached(root: Path, name: str) -> Any:
    try:
        return json.loads((root / CACHE / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _pytest(root: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *arguments]
    return subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
