"""Fixtures of the egress tests; what they are made of stands in egress_lab.py."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: helpers lie beside them

from egress_lab import LOOPS, Receiver, Run, Script, Send, Start, make_sender, request_to

from hookwright_server.delivery.sender import Attempted, Sender

T = TypeVar("T")


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine to its end, once on uvloop (production) and once on asyncio's own loop."""

    def run_on_loop(coroutine: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(coroutine)

    return run_on_loop


@pytest.fixture
def send(run: Run) -> Send:
    """Sends one request with a sender of its own: `send(url, …)` as `request_to`."""

    def send_once(url: str, *, sender: Sender | None = None, **options: Any) -> Attempted:
        async def attempt() -> Attempted:
            one = sender or make_sender()
            try:
                return await one.send(request_to(url, **options))
            finally:
                await one.aclose()

        result: Attempted = run(attempt())
        return result

    return send_once


@pytest.fixture
def receiver() -> Iterator[Start]:
    """Starts receivers: `receiver(script, address=…, port=…, tls=…)`; stops them at the end."""
    started: list[Receiver] = []

    def start(script: Script, **options: Any) -> Receiver:
        one = Receiver(script, **options)
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()
