"""The server in this process on a clock that stands still, and a receiver that it delivers to.

Everything is the server's own: application, engine, database, sockets. Between two steps the
engine claims nothing, so that a request finds what the one before left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from hookwright_benchmarks.rig.wsgi import WsgiApp, call
from hookwright_benchmarks.states.receiver import Receiver
from hookwright_server import wiring
from hookwright_server.delivery import housekeeping, maintenance
from hookwright_server.delivery.engine import Sending
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.domain.outcome import DeadlineExceeded
from hookwright_server.settings import PostgresUrl, Settings
from hookwright_server.store import retention

_BEGIN_MS = 1_800_000_000_000
_KEY = "k1:" + "A" * 43 + "="
_NEVER = 1_000_000_000
_PATIENCE_S = 240.0
_REPLAY_LOOK_S = 0.01


class HandClock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self._now_ms = _BEGIN_MS

    def now_ms(self) -> int:
        return self._now_ms

    def tick(self) -> None:
        self._now_ms += 1


@dataclass(frozen=True)
class Reply:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code; None: it is no problem."""
        return self.json["code"] if self.status >= 400 else None


@dataclass(frozen=True)
class Account:
    """Sends requests with the key of an account."""

    app: WsgiApp
    key: str

    def send(
        self, method: str, target: str, body: bytes | dict[str, Any] | None = None, **headers: str
    ) -> Reply:
        """Header names are written with underscores."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body or b""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named["Content-Type"] = "application/json"
        answer = call(self.app, self.key, method, target, named, data)
        return Reply(answer.status, dict(answer.headers), answer.body)


class World:
    """A running server; every example has an account of its own in it."""

    def __init__(self, server: wiring.Server, clock: HandClock, receiver: Receiver) -> None:
        self.receiver = receiver
        self._server = server
        self._clock = clock
        self._moved_ms = 0
        self._accounts = wiring.operators(clock)
        self._numbers = count(1)
        self.pause()

    def now_ms(self) -> int:
        """The server's time."""
        return self._clock.now_ms() + self._moved_ms

    def tick(self) -> int:
        """A millisecond passes; the time then."""
        self._clock.tick()
        return self.now_ms()

    def new_account(self) -> Account:
        name = f"account {next(self._numbers)}"
        made = self._server.database.write(lambda tx: self._accounts.create(tx, name))
        return Account(self._server.app, made.live_key)

    def new_path(self) -> str:
        return f"/hook/{next(self._numbers)}"

    def settle(self) -> None:
        """Everything that is due now is attempted and recorded."""
        self.resume()
        assert self._server.engine.run_until_quiescent(_PATIENCE_S)
        self.pause()

    def do_chores(self) -> None:
        """Upkeep, which otherwise comes with `advance` only: the same steps do the same again."""
        assert self._server.engine.do_chores(_PATIENCE_S)

    def resume(self) -> None:
        self._server.engine.resume()

    def pause(self) -> None:
        """Nothing is claimed from now on; a claim under way would see how the clock moves."""
        self._server.engine.pause()
        assert self._server.engine.claim_over(_PATIENCE_S)

    def advance(self, account: Account, milliseconds: int) -> None:
        """Time passes, and everything happens that falls due on the way."""
        self.resume()
        duration = f"PT{milliseconds / 1000:.3f}S"
        reply = account.send("POST", "/_test/clock", {"advance": duration})
        assert reply.status == 200, reply
        self._moved_ms += milliseconds
        self.pause()


class _Hurried:
    """Does not wait for a receiver that is silent by its script.

    As soon as that has the request, the attempt ends as if its time were over.
    """

    def __init__(self, sender: Sending, receiver: Receiver) -> None:
        self._sender = sender
        self._receiver = receiver

    async def send(self, request: OutgoingRequest) -> Attempted:
        if not self._receiver.is_silent(request.url):
            return await self._sender.send(request)
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        message_id = dict(request.headers)["webhook-id"]
        self._receiver.when_silent(
            request.url, message_id, lambda: loop.call_soon_threadsafe(arrived.set)
        )
        sending = loop.create_task(self._sender.send(request))
        waiting = loop.create_task(arrived.wait())
        await asyncio.wait((sending, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if sending.done():
            return sending.result()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return Attempted(DeadlineExceeded("response"), request.timeout_ms)

    async def aclose(self) -> None:
        await self._sender.aclose()


@contextmanager
def open_world(database: Path | PostgresUrl) -> Generator[World]:
    """A server on an empty database, running until the end."""
    settings = Settings(
        database=database,
        encryption_keys=_KEY,
        allow_http=True,
        allow_private_networks=True,
        test_clock=True,
        requests_per_minute=_NEVER,
        messages_per_second=_NEVER,
        validate_responses=0.05,
        drain_seconds=0.2,
        log_level="error",
    )
    with wiring.open_database(settings):
        pass
    clock, receiver = HandClock(), Receiver()
    usual = wiring.sender_factory

    def hurried(*parts: Any) -> Callable[[], _Hurried]:
        make = usual(*parts)
        return lambda: _Hurried(make(), receiver)

    with (
        mock.patch.object(wiring, "SystemClock", return_value=clock),
        mock.patch.object(wiring, "sender_factory", hurried),
        mock.patch.object(housekeeping, "_REPLAY_LOOK_S", _REPLAY_LOOK_S),
        mock.patch.object(maintenance, "EVERY_MS", _NEVER),
        mock.patch.object(retention, "_REST_MS", 1),  # else what is erased would hang on others
    ):
        server = wiring.build(settings)
        server.start()
        try:
            yield World(server, clock, receiver)
        finally:
            server.stop()
            receiver.stop()
