"""CPU of one call of the SDK and of the same call in raw httpx, in blocks that take turns.

Reads one JSON line {port, rounds, calls}; answers with the least CPU microseconds of each.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import httpx

from hookwright import AsyncHookwright, Hookwright
from hookwright_benchmarks.rig.lines import say

_KEY = "hw_test_" + "0" * 75
_EVENT = "order.created"
_PAYLOAD = {"order": 1, "items": ["a", "b"]}
_BODY = {"event_name": _EVENT, "payload": _PAYLOAD}
_TRIGGER = "/v1/apps/app-1/trigger"
Call = Callable[[], object]
AsyncCall = Callable[[], Awaitable[object]]


def _sync_calls(sdk: Hookwright, raw: httpx.Client) -> dict[str, Call]:
    return {
        "get sdk": lambda: sdk.apps.get("app-1"),
        "get raw": lambda: raw.get("/v1/apps/app-1").raise_for_status().json(),
        "post sdk": lambda: sdk.trigger.send("app-1", event_name=_EVENT, payload=_PAYLOAD),
        "post raw": lambda: raw.post(_TRIGGER, json=_BODY).raise_for_status().json(),
        "page sdk": lambda: sdk.apps.list(limit=50).data,
        "page raw": lambda: raw.get("/v1/apps", params={"limit": 50}).raise_for_status().json(),
    }


async def _raw(response: Awaitable[httpx.Response]) -> object:
    return (await response).raise_for_status().json()


def _async_calls(sdk: AsyncHookwright, raw: httpx.AsyncClient) -> dict[str, AsyncCall]:
    return {
        "async get sdk": lambda: sdk.apps.get("app-1"),
        "async get raw": lambda: _raw(raw.get("/v1/apps/app-1")),
        "async post sdk": lambda: sdk.trigger.send("app-1", event_name=_EVENT, payload=_PAYLOAD),
        "async post raw": lambda: _raw(raw.post(_TRIGGER, json=_BODY)),
    }


def _measure(port: int, rounds: int, calls: int) -> dict[str, float]:
    least: dict[str, float] = {}
    url = f"http://127.0.0.1:{port}"
    with (
        Hookwright(api_key=_KEY, base_url=url) as sdk,
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {_KEY}"}) as raw,
    ):
        jobs = _sync_calls(sdk, raw)
        for _ in range(rounds):
            for name, call in jobs.items():
                began = time.process_time()
                for _ in range(calls):
                    call()
                _keep_least(least, name, (time.process_time() - began) / calls)
    return least


async def _measure_async(port: int, rounds: int, calls: int) -> dict[str, float]:
    least: dict[str, float] = {}
    url = f"http://127.0.0.1:{port}"
    async with (
        AsyncHookwright(api_key=_KEY, base_url=url) as sdk,
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {_KEY}"}) as raw,
    ):
        jobs = _async_calls(sdk, raw)
        for _ in range(rounds):
            for name, call in jobs.items():
                began = time.process_time()
                for _ in range(calls):
                    await call()
                _keep_least(least, name, (time.process_time() - began) / calls)
    return least


def _keep_least(least: dict[str, float], name: str, seconds: float) -> None:
    least[name] = min(least.get(name, float("inf")), seconds * 1e6)


if __name__ == "__main__":
    for line in sys.stdin:
        order = json.loads(line)
        say(_measure(**order) | asyncio.run(_measure_async(**order)))
