"""An engine to try things on: a sender that answers as told, a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from store_lab import StoreLab

from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.engine import Engine, EngineLimits, Sending, Tools
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.room import Room
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.outcome import Delivered, Outcome
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.domain.signing_keys import generate_secret
from hookwright_server.domain.vault import Vault
from hookwright_server.store import tables

DEADLINE_S = 240.0

Answer = Callable[[OutgoingRequest], Outcome]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; fails after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.002)


def room(most: int) -> Room:
    """Room for `most`, in an engine so large that nobody is near a threshold."""
    return Room(most, 10_000, 10_000, {}, {})


class ScriptedSender:
    """Answers each request as `answer` says; while `hold` is set requests hang."""

    def __init__(self) -> None:
        self.requests: list[OutgoingRequest] = []
        self.answer: Answer = lambda _request: Delivered(200)
        self.cancelled = 0
        self._held: Callable[[OutgoingRequest], bool] = lambda _request: False

    def hold(self, which: Callable[[OutgoingRequest], bool] = lambda _request: True) -> None:
        """Let requests that `which` picks hang from now on."""
        self._held = which

    def let_go(self) -> None:
        """Answer what hangs."""
        self._held = lambda _request: False

    def urls(self) -> list[str]:
        """Where requests went, in order."""
        return [request.url for request in self.requests]

    async def send(self, request: OutgoingRequest) -> Attempted:
        self.requests.append(request)
        try:
            while self._held(request):  # noqa: ASYNC110 - let go from another thread
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Attempted(self.answer(request), latency_ms=7, response_body=b"answer")

    async def aclose(self) -> None:
        return None


@dataclass
class DeliveryLab:
    """A store with hands, and engines on top of it."""

    store: StoreLab
    waker: MemoryWaker
    sender: ScriptedSender
    vault: Vault

    @property
    def system(self) -> SystemEvents:
        """What publishes to `_system`."""
        return SystemEvents(RetryPolicies(RETRY_PRESETS), self.store.clock, self.store.ids)

    def tools(self, make_sender: Callable[[], Sending] | None = None) -> Tools:
        """What an engine of this lab works with."""
        clock, ids = self.store.clock, self.store.ids
        policies = RetryPolicies(RETRY_PRESETS)
        return Tools(
            outbox=Outbox(self.store.database, clock, ids, self.system, alone=True),
            preparer=Preparer(self.vault, clock, "0.0.0"),
            judge=Judge(policies, clock, ids, random=lambda: 0.0),
            make_sender=make_sender or (lambda: self.sender),
            waker=self.waker,
            clock=clock,
            log=AttemptLog(),
        )

    @contextmanager
    def engine(
        self,
        *,
        limits: EngineLimits | None = None,
        make_sender: Callable[[], Sending] | None = None,
    ) -> Generator[Engine]:
        """A running engine, stopped without patience at the end."""
        engine = Engine(self.tools(make_sender), limits)
        engine.start()
        try:
            yield engine
        finally:
            engine.stop(drain_ms=0)

    def endpoint(self, app_id: str, **columns: Any) -> str:
        """An endpoint with a signing secret of its own."""
        endpoint_id = self.store.endpoint(app_id, **columns)
        self.signing_secret(app_id, endpoint_id)
        return endpoint_id

    def signing_secret(
        self, app_id: str, endpoint_id: str | None, expires_at: int | None = None
    ) -> str:
        """A fresh secret of an endpoint (or of the app); returns it in clear."""
        secret_id = self.store.secret(app_id, endpoint_id, expires_at=expires_at)
        secret = generate_secret(lambda size: secret_id.encode()[:size].ljust(size, b"."))
        sealed = self.vault.seal(secret.encode(), f"signing_secrets:{secret_id}")
        self.store.update(tables.signing_secrets, secret_id, sealed=sealed)
        return secret

    def settle(self, engine: Engine) -> None:
        """Wait until everything that is due now has been attempted and recorded."""
        assert engine.run_until_quiescent(DEADLINE_S)

    def pass_time(self, engine: Engine, milliseconds: int) -> None:
        """Move the clock, and wait until everything due then has run."""
        self.store.clock.now += milliseconds
        self.settle(engine)
