"""Records the SDK's cassettes: every documented request, as the reference server answers it.

Run by `make cassettes`; `make check` records again with --check and compares, so they cannot rot.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cassette_player import recorder
from cassette_story import Teller

from hookwright import Hookwright
from hookwright.testing import Answer, HookwrightClock, HookwrightServer
from hookwright.testing.listener import Listener

FOLDER = Path(__file__).resolve().parent.parent / "sdk-python" / "tests" / "cassettes"
_SHOWN_LINES = 30


def record(folder: Path) -> None:
    """Tell the story to a new server and write a cassette for each of its requests."""
    tapes = recorder()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hw-tape-")))
        server = stack.enter_context(HookwrightServer(scratch, clock_can_move=True))
        good, bad = Listener(_ok), Listener(_fail)
        stack.callback(good.close)
        stack.callback(bad.close)
        client = stack.enter_context(Hookwright(server.api_key, base_url=server.url, max_retries=0))

        def tape(name: str) -> Any:
            return tapes.use_cassette(str(folder / f"{name}.yaml"))

        Teller(client, HookwrightClock(server), good.url, bad.url, tape).tell_all()


def _ok(*_: object) -> Answer:
    return Answer(200)


def _fail(*_: object) -> Answer:
    return Answer(500)


def differences(recorded: Path, kept: Path) -> list[str]:
    """What is not as it was, in lines."""
    names = sorted({path.name for folder in (recorded, kept) for path in folder.glob("*.yaml")})
    found: list[str] = []
    for name in names:
        old, new = (
            (folder / name).read_text().splitlines() if (folder / name).exists() else []
            for folder in (kept, recorded)
        )
        found += difflib.unified_diff(old, new, f"kept/{name}", f"recorded/{name}", lineterm="")
    return found


def main() -> int:
    """Record, or with --check compare with what is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    checks = parser.parse_args().check
    if not checks:
        FOLDER.mkdir(exist_ok=True)
        for path in FOLDER.glob("*.yaml"):
            path.unlink()
        record(FOLDER)
        print(f"{len(list(FOLDER.glob('*.yaml')))} cassettes recorded")
        return 0
    with tempfile.TemporaryDirectory(prefix="hw-tapes-") as folder:
        record(Path(folder))
        lines = differences(Path(folder), FOLDER)
    if lines:
        print("\n".join(lines[:_SHOWN_LINES]))
        print("The cassettes are not what the server answers: record them again, `make cassettes`.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
