"""64 async calls at a time: the SDK on aiohttp, and plain httpx, in blocks that take turns.

Reads one JSON line {port, rounds, calls}; answers with the most calls per second of each.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import httpx

from hookwright import AsyncHookwright
from hookwright_benchmarks.rig.lines import say

CONCURRENT = 64
_KEY = "hw_test_" + "0" * 75


async def _rate(call: Callable[[], Awaitable[object]], calls: int) -> float:
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENT)))
    return calls / (time.perf_counter() - began)


async def _measure(port: int, rounds: int, calls: int) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}"
    async with (
        AsyncHookwright(_KEY, base_url=url, http_client="aiohttp") as sdk,
        AsyncHookwright(_KEY, base_url=url) as sdk_httpx,
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {_KEY}"}) as raw,
    ):

        async def plain() -> object:
            return (await raw.get("/v1/apps/app-1")).raise_for_status().json()

        jobs: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "sdk on aiohttp": (lambda: sdk.apps.get("app-1"), 5 * calls),
            "sdk on httpx": (lambda: sdk_httpx.apps.get("app-1"), calls),
            "httpx": (plain, calls),
        }
        most: dict[str, float] = dict.fromkeys(jobs, 0.0)
        for _ in range(rounds):
            for name, (call, times) in jobs.items():
                most[name] = max(most[name], await _rate(call, times))
    return most


if __name__ == "__main__":
    for line in sys.stdin:
        say(asyncio.run(_measure(**json.loads(line))))
