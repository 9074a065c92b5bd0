"""The open-loop load: an event falls due at a constant rate, whatever became of those before.

Each event has an idempotency key of its own. What got no answer, or a 5xx, is sent again under the
same key, as the SDK does it, to the next API; a share of the events is never sent again, so that
unknown outcomes stay in the history. Events with an ordering key are published one after another
instead, each when the last has been answered: so their order is known.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence

from hookwright_benchmarks.faults.calls import Caller, Log
from hookwright_benchmarks.faults.cast import HELD, ORDERED, PLAIN, SAMPLED
from hookwright_benchmarks.kill_campaign.history import Outcome, Publish
from hookwright_benchmarks.kill_campaign.sink import raw_digest

_PATIENCE_S = 240.0
_NEVER_AGAIN = 0.03
_TICK_S = 0.005
_KEYS = 6
_BURST = 6
_SHARE_ORDERED = 0.08


class Publisher:
    """Publishes `per_second` events through the APIs at `ports` in turn."""

    def __init__(self, ports: Sequence[int], api_key: str, per_second: float, seed: int) -> None:
        self.caller = Caller(ports, api_key, seed)
        self.per_second = per_second
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self._turn = 0
        self._stopping = asyncio.Event()

    @property
    def log(self) -> Log:
        return self.caller.log

    async def run(self) -> None:
        """Publish until `stop`, then wait for what is still open."""
        ordered = [self._start(self._publish_in_order(f"key-{n}")) for n in range(_KEYS)]
        due = time.monotonic()
        while not self._stopping.is_set():
            while due <= time.monotonic():
                self._number += 1
                self._start(self._publish(self._number))
                due += 1 / (self.per_second * (1 - _SHARE_ORDERED))
            await asyncio.sleep(_TICK_S)
        await asyncio.gather(*self._tasks, *ordered)

    def stop(self) -> None:
        self._stopping.set()

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _publish(self, number: int) -> None:
        give_up = self.caller.random.random() < _NEVER_AGAIN
        await self._settle(f"e-{number:07d}", _event_of(number), give_up=give_up)

    async def _publish_in_order(self, ordering_key: str) -> None:
        """Bursts, so that events wait behind others that fail."""
        pause_s = _KEYS * _BURST / (self.per_second * _SHARE_ORDERED)
        number = 0
        due = time.monotonic() + pause_s * self.caller.random.random()
        while not self._stopping.is_set():
            if time.monotonic() < due:
                await asyncio.sleep(0.05)
                continue
            due += pause_s
            for _ in range(_BURST):
                number += 1
                key = f"o-{ordering_key}-{number:06d}"
                if not await self._settle(key, ORDERED, ordering_key=ordering_key):
                    return  # nobody knows what comes before the next one

    async def _settle(
        self, key: str, event_name: str, *, give_up: bool = False, ordering_key: str | None = None
    ) -> bool:
        """Publish one event and write down what became of it; whether it was accepted."""
        # Bytes that would not survive parsing and writing.
        payload = b'{ "key":"%b", "a":1.10, "A":1e2,"\\u006f":"\xc3\xa9\\/", "n":%b }' % (
            key.encode(),
            b"9" * 30,
        )
        sent_at = time.monotonic()
        self.log.open += 1
        request = self.caller.request(
            "POST", "trigger", key, _body(event_name, payload, ordering_key)
        )
        outcome, answer = await self._insist(request, give_up=give_up)
        self.log.open -= 1
        self.log.accepted += outcome == "ok"
        self.log.publishes.append(
            Publish(
                key,
                outcome,
                raw_digest(payload),
                answer,
                sent_at,
                time.monotonic(),
                ordering_key,
                event_name,
            )
        )
        return outcome == "ok"

    async def _insist(self, request: bytes, *, give_up: bool) -> tuple[Outcome, str | None]:
        give_up_at = time.monotonic() + _PATIENCE_S
        self._turn += 1
        turn, tries = self._turn, 0
        while True:
            answer = await self.caller.once(turn + tries, request)
            if answer is not None and answer.status == 202:
                return "ok", str(json.loads(answer.body)["message_id"])
            if answer is not None and answer.is_final:
                # An earlier try, without an answer, may have been accepted all the same.
                return ("fail" if tries == 0 else "unknown"), None
            if give_up or time.monotonic() > give_up_at:
                return "unknown", None
            await self.caller.pause(tries)
            tries += 1
            self.log.sent_again += 1


def _event_of(number: int) -> str:
    if number % 12 == 0:
        return HELD
    return SAMPLED if number % 10 == 1 else PLAIN


def _body(event_name: str, payload: bytes, ordering_key: str | None) -> bytes:
    ordering = b"" if ordering_key is None else b',"ordering_key":"%b"' % ordering_key.encode()
    return b'{"event_name":"%b"%b,"payload":%b}' % (event_name.encode(), ordering, payload)
