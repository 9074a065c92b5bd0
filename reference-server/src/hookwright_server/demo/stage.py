"""The stage: server, receivers and SDK client, set up in a temporary folder and cleared away."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from hookwright import APIError, AsyncHookwright
from hookwright.models import Delivery, Endpoint
from hookwright.webhooks import Webhook
from hookwright_server.demo.cast import APP, Role, roles
from hookwright_server.demo.ledger import Ledger
from hookwright_server.demo.publisher import Publisher
from hookwright_server.demo.receivers import DeadPort, Receiver
from hookwright_server.demo.screen import Line, News, Picture, Screen
from hookwright_server.demo.server_process import ServerFailed, ServerProcess

_SDK_RETRIES: Final = 20
_SDK_TIMEOUT_S: Final = 10
_LOOK_S: Final = 0.5
_DRAW_S: Final = 0.15
_STEP_S: Final = 0.005
_GIVEN_UP: Final = ("failed", "dead_letter")
_TROUBLED: Final = ("pending", "sending", "failed", "dead_letter")


class Stage:
    """What the acts of the story share. Made by `open_stage`."""

    def __init__(self, folder: Path, events: int, seed: int, screen: Screen) -> None:
        self.began_at = time.time()
        self._start = time.perf_counter()
        self._seed = seed
        self._screen = screen
        self._troubled: dict[str, list[Delivery]] = {}
        self._noticed: set[str] = set()
        self.events = events
        self.roles: tuple[Role, ...] = roles(_random(f"receivers {seed}"))
        self.ledger = Ledger(self.roles)
        self.server = ServerProcess(folder)
        self.server_up = False
        self.endpoints: dict[str, Endpoint] = {}
        self.news: list[News] = []
        self.receivers = {
            role.name: Receiver(role.name, role.behaviour, self.ledger.received, self.clock)
            for role in self.roles
            if role.behaviour is not None
        }

    def clock(self) -> float:
        """Seconds since the start of the demo."""
        return time.perf_counter() - self._start

    def tell(self, event: str, text: str, **facts: Any) -> None:
        """Say on the screen what has just happened."""
        self.news.append(News(self.clock(), event, text, facts))
        self._screen.tell(self.news[-1])

    async def connect(self, client: AsyncHookwright, urls: dict[str, str]) -> None:
        """Make the app and its endpoints, and hand each receiver its secret."""
        self.client = client
        random = _random(f"events {self._seed}")
        self.publisher = Publisher(client, self.ledger, self.events, random, self.clock)
        await client.apps.create(name="Demo shop", slug=APP)
        for role in self.roles:
            made = await client.endpoints.create(
                APP,
                url=urls[role.name],
                description=role.does,
                events=role.events,
                timeout_seconds=5,
                retry_policy={"delays_seconds": list(role.delays_s), "jitter": 0.1},
            )
            if role.name in self.receivers:
                self.receivers[role.name].verifier = Webhook(made.signing_secret)
            self.endpoints[role.name] = await client.endpoints.get(APP, made.id)

    async def watch(self) -> None:
        """Keep the screen up to date until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._look_for_ever())
            both.create_task(self._draw_for_ever())

    async def look(self) -> None:
        """Ask the server how the endpoints are. Raises APIError."""
        api = self.client.with_options(max_retries=0, timeout=2)
        names = {endpoint.id: name for name, endpoint in self.endpoints.items()}
        async for endpoint in api.endpoints.list(APP, limit=100):
            self.endpoints[names[endpoint.id]] = endpoint
        for role in self.roles:
            if not role.sound:
                endpoint_id = self.endpoints[role.name].id
                # Few: the server disables an endpoint that never answers.
                pages = api.deliveries.list(
                    APP, endpoint_id=endpoint_id, status=_TROUBLED, limit=100
                )
                self._troubled[role.name] = [each async for each in pages]
        self._notice()

    async def until(self, condition: Callable[[], bool], patience_s: float) -> bool:
        """Wait for something that this process sees happen. False: it took too long."""
        give_up_at = self.clock() + patience_s
        while not condition():
            if self.clock() > give_up_at:
                return False
            await asyncio.sleep(_STEP_S)
        return True

    def picture(self) -> Picture:
        """How things stand."""
        return Picture(
            at=self.clock(),
            planned=self.events,
            accepted=len(self.ledger.publications),
            server_up=self.server_up,
            lines=tuple(self._line(role) for role in self.roles),
        )

    def _line(self, role: Role) -> Line:
        tally = self.ledger.tally(role.name)
        endpoint = self.endpoints[role.name]
        troubled = self._troubled.get(role.name, [])
        given_up = sum(each.status in _GIVEN_UP for each in troubled)
        unseen = 0 if role.name in self.receivers else _retries(troubled)
        waiting = max(0, tally.owed - tally.taken - given_up)
        return Line(
            name=role.name,
            does=role.does,
            state=str(endpoint.health.state),
            owed=tally.owed,
            taken=tally.taken,
            retries=tally.retries + unseen,
            waiting=waiting if endpoint.active else 0,
            held=0 if endpoint.active else waiting,
            given_up=given_up,
        )

    def _notice(self) -> None:
        for name, endpoint in self.endpoints.items():
            reason = endpoint.disabled_reason
            if reason in {"gone", "failing"} and name not in self._noticed:
                self._noticed.add(name)
                self.tell("endpoint_disabled", _WORDS[str(reason)].format(name), endpoint=name)

    async def _look_for_ever(self) -> None:
        while True:
            # The server is dead for a while, on purpose.
            with contextlib.suppress(APIError):
                await self.look()
            await asyncio.sleep(_LOOK_S)

    async def _draw_for_ever(self) -> None:
        while True:
            self._screen.show(self.picture())
            await asyncio.sleep(_DRAW_S)


def _random(seed: str) -> Random:
    return Random(seed)  # noqa: S311 - it repeats a demo and guards nothing


def _retries(deliveries: list[Delivery]) -> int:
    return sum(max(0, each.attempt_count - 1) for each in deliveries)


_WORDS = {
    "gone": "“{}” answered 410 Gone: the server disabled it. Later events for it are held.",
    "failing": "“{}” failed 20 deliveries in a row: the server disabled it. The rest is held.",
}


@contextlib.asynccontextmanager
async def open_stage(events: int, seed: int, screen: Screen) -> AsyncGenerator[Stage]:
    """Set everything up; clear everything away at the end, however it comes.

    Raises ServerFailed when the server does not start.
    """
    # A short name: the path of a socket in it has at most some 100 characters.
    with tempfile.TemporaryDirectory(prefix="hw-demo-") as folder:
        stage = Stage(Path(folder), events, seed, screen)
        async with contextlib.AsyncExitStack() as stack:
            urls = await _open_receivers(stage, stack)
            await stack.enter_async_context(_stopped_at_the_end(stage.server))
            stage.tell("starting", "Starting hookwright-server with an empty SQLite database …")
            started = await stage.server.start()
            if started.live_key is None:
                raise ServerFailed("the server did not print an API key at its first start")
            stage.server_up = True
            stage.tell("started", f"Server ready on {started.url} (pid {stage.server.pid}).")
            client = AsyncHookwright(
                started.live_key,
                base_url=started.url,
                max_retries=_SDK_RETRIES,
                timeout=_SDK_TIMEOUT_S,
            )
            async with client:
                await stage.connect(client, urls)
                yield stage


async def _open_receivers(stage: Stage, stack: contextlib.AsyncExitStack) -> dict[str, str]:
    dead = DeadPort()
    stack.callback(dead.close)
    urls = {role.name: dead.url for role in stage.roles}
    for name, receiver in stage.receivers.items():
        stack.push_async_callback(receiver.stop)
        urls[name] = await receiver.start()
    return urls


@contextlib.asynccontextmanager
async def _stopped_at_the_end(server: ServerProcess) -> AsyncGenerator[None]:
    try:
        yield
        await server.stop()
    finally:
        await server.kill()  # at once after Ctrl-C and errors; it has ended already otherwise
