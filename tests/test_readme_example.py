"""The README's example, run as a reader would run it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


def _example() -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a client of a fresh server needs in its environment."""
    switches = {"HOOKWRIGHT_ALLOW_HTTP": "true", "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "true"}
    command = [sys.executable, "-m", "hookwright_server", "serve", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--database", str(tmp_path / "hookwright.db")],
        env={**os.environ, **switches},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as lines:
        account, ready = (json.loads(lines.readline()) for _ in range(2))
        yield {"HOOKWRIGHT_API_KEY": account["live_key"], "HOOKWRIGHT_BASE_URL": ready["url"]}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_readme_example_receives_its_event(server: dict[str, str]) -> None:
    """The example publishes an event, verifies it as a receiver, and lists its delivery."""
    run = subprocess.run(
        [sys.executable, "-c", _example()],
        env={**os.environ, **server},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    received, listed = run.stdout.splitlines()
    assert received == "received order.created {'id': 'ord_1', 'total': 4900}"
    assert re.fullmatch(r"order\.created http://127\.0\.0\.1:\d+/ (sending|delivered)", listed)
