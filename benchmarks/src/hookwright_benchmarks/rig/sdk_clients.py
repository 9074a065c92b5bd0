"""Clients that are opened, used once and closed, by the thousand: what stays behind.

Reads one JSON line {port, clients}; answers for each flavour with the memory (RSS) and the open
files after all of them, divided by those after the first tenth.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from hookwright import AsyncHookwright, Hookwright
from hookwright_benchmarks.rig.lines import say

_KEY = "hw_test_" + "0" * 75


def _held() -> tuple[int, int]:
    """Bytes of memory, and open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize(), len(list(Path("/proc/self/fd").iterdir()))


def _blocking(url: str, clients: int) -> None:
    for _ in range(clients):
        with Hookwright(_KEY, base_url=url) as client:
            client.apps.get("app-1")


async def _not_blocking(url: str, clients: int) -> None:
    for _ in range(clients):
        async with AsyncHookwright(_KEY, base_url=url) as client:
            await client.apps.get("app-1")


async def _on_aiohttp(url: str, clients: int) -> None:
    for _ in range(clients):
        async with AsyncHookwright(_KEY, base_url=url, http_client="aiohttp") as client:
            await client.apps.get("app-1")


def _measure(port: int, clients: int) -> dict[str, dict[str, float]]:
    url = f"http://127.0.0.1:{port}"
    flavours: dict[str, Callable[[str, int], None]] = {
        "sync": _blocking,
        "async": lambda url, count: asyncio.run(_not_blocking(url, count)),
        "aiohttp": lambda url, count: asyncio.run(_on_aiohttp(url, count)),
    }
    grown: dict[str, dict[str, float]] = {}
    for name, work in flavours.items():
        work(url, clients // 10)
        memory, files = _held()
        work(url, clients - clients // 10)
        memory_after, files_after = _held()
        grown[name] = {"memory": memory_after / memory, "files": files_after / files}
    return grown


if __name__ == "__main__":
    for line in sys.stdin:
        say(_measure(**json.loads(line)))
