"""What an operator does while everything is disturbed: secrets are rotated, deliveries replayed,
endpoints that the server has disabled are mended and enabled again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hookwright_benchmarks.faults.accounts import Task
from hookwright_benchmarks.faults.calls import Caller
from hookwright_benchmarks.faults.cast import CLOSING, PLAIN, SAMPLED, Roster
from hookwright_benchmarks.kill_campaign.sink import Behaviour, Sink

_ROTATION_S = (8.0, 16.0)
_OVERLAP_S = 25
_TASK_S = 0.25
_RANGE_S = (4.0, 30.0)
_REST_S = (1.0, 3.0)
_OPEN_S = (2.0, 5.0)
_DISABLED_S = (2.0, 5.0)
_LOOK_S = 0.3
_LATEST_MS = 3_000
_CANCELLED = 0.15
_BY_IDS = 60


@dataclass(slots=True)
class Steered:
    """What was done. `disabled`: how often the server disabled an endpoint, by its reason."""

    tasks: list[Task] = field(default_factory=list[Task])
    rotations: int = 0
    disabled: Counter[str] = field(default_factory=Counter[str])


class Steering:
    """Goes on until `stop`; then `guard` keeps open what was closed, until everything has ended."""

    def __init__(self, caller: Caller, roster: Roster, sink: Sink) -> None:
        self.done = Steered()
        self._caller = caller
        self._roster = roster
        self._sink = sink
        self._stopping = asyncio.Event()
        self._replayed: set[str] = set()
        self._replayed_until = _now_ms()

    async def run(self) -> None:
        """All of it, at once."""
        async with asyncio.TaskGroup() as work:
            for name in self._roster.keyrings:
                work.create_task(self._repeat(_ROTATION_S, partial(self._rotate, name)))
            work.create_task(self._repeat(_RANGE_S, self._replay_range))
            work.create_task(self._repeat(_REST_S, self._replay_by_ids))
            for name in CLOSING:
                work.create_task(self._repeat(_OPEN_S, partial(self._close, name)))

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    async def guard(self) -> None:
        """Enable what a late answer disabled again, for ever."""
        while True:
            for name in CLOSING:
                with contextlib.suppress(_Refused):
                    await self._open(name)
            await asyncio.sleep(1.0)

    async def _repeat(
        self, rest_s: tuple[float, float], work: Callable[[], Awaitable[None]]
    ) -> None:
        """Again and again; what was refused is in the log, and the next may not be."""
        while not await self._rested(self._between(rest_s)):
            with contextlib.suppress(_Refused):
                await work()

    async def _rotate(self, name: str) -> None:
        made_after = time.time()
        path = f"endpoints/{self._roster.ids[name]}/rotate-secret"
        told = await self._ask("POST", path, {"overlap_seconds": _OVERLAP_S})
        self._roster.keyrings[name].learn(
            told["signing_secret"],
            made_after=made_after,
            known_at=time.time(),
            until=_seconds(told["previous_valid_until"]),
        )
        self.done.rotations += 1

    async def _replay_range(self) -> None:
        """Of one span after another: none of them holds a replay that another one made."""
        after, before = self._replayed_until, _now_ms() - _LATEST_MS
        wanted = {
            "after": _text(after),
            "before": _text(before),
            "statuses": ["delivered"],
            "event_name": SAMPLED,
        }
        task = await self._ask("POST", "replays", wanted)
        made_at = _ms(task["created_at"])
        self.done.tasks.append(Task(task["id"], made_at, frozenset(), SAMPLED, after, before))
        try:
            await self._watch(task["id"])
        finally:
            self._replayed_until = _now_ms() + _LATEST_MS

    async def _replay_by_ids(self) -> None:
        path = f"deliveries?status=delivered&event_name={PLAIN}&limit={_BY_IDS}"
        page = await self._ask("GET", path)
        ids = [
            one["id"]
            for one in page["data"]
            if one["replay_of"] is None and one["id"] not in self._replayed
        ]
        if ids:
            self._replayed.update(ids)
            task = await self._ask("POST", "replays", {"delivery_ids": ids})
            self.done.tasks.append(Task(task["id"], _ms(task["created_at"]), frozenset(ids)))
            await self._watch(task["id"])

    async def _watch(self, task_id: str) -> None:
        """Until the task has ended, unless it is time to stop; now and then it is cancelled."""
        if self._caller.random.random() < _CANCELLED:
            await self._ask("POST", f"replays/{task_id}/cancel")
        while not await self._rested(_TASK_S):
            task = await self._ask("GET", f"replays/{task_id}")
            if task["status"] in ("completed", "cancelled"):
                return

    async def _close(self, name: str) -> None:
        """Let the receiver refuse everything until the server gives it up; then mend it."""
        self._sink.behaviours[name] = CLOSING[name]
        try:
            while (endpoint := await self._endpoint(name))["active"]:
                if await self._rested(_LOOK_S):
                    return
            self.done.disabled[endpoint["disabled_reason"]] += 1
            await self._rested(self._between(_DISABLED_S))
        finally:
            self._sink.behaviours[name] = Behaviour()
        await self._open(name)

    async def _open(self, name: str) -> None:
        if not (await self._endpoint(name))["active"]:
            await self._ask("POST", f"endpoints/{self._roster.ids[name]}/enable")

    async def _endpoint(self, name: str) -> Any:
        return await self._ask("GET", f"endpoints/{self._roster.ids[name]}")

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        status, told = await self._caller.insist(method, path, body)
        if status >= 300:
            raise _Refused(f"{method} {path}: {status} {told}")
        return told

    async def _rested(self, seconds: float) -> bool:
        """Wait; whether it is time to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    def _between(self, span: tuple[float, float]) -> float:
        return self._caller.random.uniform(*span)


class _Refused(Exception):
    """An answer that nobody asked for; `str()` says which."""


def _now_ms() -> int:
    return int(time.time() * 1000)


def _text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _ms(text: str) -> int:
    return round(_seconds(text) * 1000)
