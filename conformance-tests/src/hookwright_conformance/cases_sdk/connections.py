"""Connections that break, and answers that do not come."""

from __future__ import annotations

import json
import socket

from hookwright_conformance.answers import (
    Answer,
    Drip,
    Finish,
    Pause,
    Send,
    close,
    garbage,
    head,
    reset,
    truncated,
)
from hookwright_conformance.errors import require
from hookwright_conformance.sdk.api import reply
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.world import SdkWorld

_TIMEOUT_S = 0.5
# What a timer may be early by.
_EARLY_S = 0.02


def cut_chunk() -> Answer:
    """A chunked body that ends in the middle of a chunk."""
    opening = head(200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
    return Answer("chunked, cut off", (Send(opening + b'20\r\n{"id": "app_1"'),), Finish("close"))


@case(
    id="sdk-connections.broken",
    requirement="SDK-25",
    profile="sdk-errors",
    kills=["calls-everything-a-timeout"],
)
def broken(world: SdkWorld) -> None:
    """Reset, closed, garbage, cut off with and without a length: errors of the connection."""
    one = world.example("apps.get")
    world.client(max_retries=0)
    for answer in (reset(), close(), garbage(), truncated(), cut_chunk()):
        world.script(answer)
        world.fails("connection", **one.members)
        world.require_requests(1)


@case(
    id="sdk-connections.refused",
    requirement="SDK-25",
    profile="sdk-errors",
    kills=["calls-everything-a-timeout"],
)
def refused(world: SdkWorld) -> None:
    """Nobody listens: an error of the connection."""
    # Bound and not listening: nobody else can have the port meanwhile.
    with socket.socket() as held:
        held.bind((world.api.host, 0))
        port = held.getsockname()[1]
        world.client(base_url=f"http://{world.api.host}:{port}", max_retries=0)
        world.fails("connection", "apps.list")


@case(
    id="sdk-timeouts.silence",
    requirement="SDK-26",
    profile="sdk-errors",
    kills=["waits-without-end"],
)
def silence(world: SdkWorld) -> None:
    """Nothing comes."""
    _timed_out(world, Answer("silence", (Pause(world.long_s), *_whole(world).steps)))


@case(
    id="sdk-timeouts.late-body",
    requirement="SDK-26",
    profile="sdk-errors",
    kills=["waits-without-end"],
)
def late_body(world: SdkWorld) -> None:
    """The head comes at once, the body does not."""
    opening, body = _parts(world)
    _timed_out(world, Answer("late body", (Send(opening), Pause(world.long_s), Send(body))))


@case(
    id="sdk-timeouts.dripping-head",
    requirement="SDK-26",
    profile="sdk-errors",
    kills=["waits-without-end", "waits-for-each-byte-anew"],
)
def dripping_head(world: SdkWorld) -> None:
    """The head comes byte by byte, each of them soon."""
    opening, body = _parts(world)
    _timed_out(world, Answer("dripping head", (_drip(world, opening), Send(body))))


@case(
    id="sdk-timeouts.dripping-body",
    requirement="SDK-26",
    profile="sdk-errors",
    kills=["waits-without-end", "waits-for-each-byte-anew"],
)
def dripping_body(world: SdkWorld) -> None:
    """The body comes byte by byte, each of them soon."""
    opening, body = _parts(world)
    _timed_out(world, Answer("dripping body", (Send(opening), _drip(world, body))))


@case(
    id="sdk-timeouts.of-one-call",
    requirement="SDK-26",
    profile="sdk-errors",
    kills=["waits-without-end", "knows-one-timeout"],
)
def of_one_call(world: SdkWorld) -> None:
    """The timeout of a call goes before that of its client."""
    world.client(max_retries=0, timeout_seconds=60)
    world.script(Answer("silence", (Pause(world.long_s), *_whole(world).steps)))
    _require_timeout(world, timeout_seconds=_TIMEOUT_S)


def _timed_out(world: SdkWorld, answer: Answer) -> None:
    world.client(max_retries=0, timeout_seconds=_TIMEOUT_S)
    world.script(answer)
    _require_timeout(world)


def _require_timeout(world: SdkWorld, **options: float) -> None:
    """Whoever waits on has a result in the end, so there is no race with a clock."""
    answer = world.ask("call", **world.example("apps.get").members, **options)
    world.error_of("timeout", f"a call with a timeout of {_TIMEOUT_S} s", answer)
    early = answer.seconds < _TIMEOUT_S - _EARLY_S
    require(not early, "seconds until the timeout", f"{_TIMEOUT_S} or more", answer.seconds)
    late = answer.seconds >= world.long_s
    require(not late, "seconds until the timeout", f"{_TIMEOUT_S} and little more", answer.seconds)


def _whole(world: SdkWorld) -> Answer:
    return reply(200, world.example("apps.get").value)


def _parts(world: SdkWorld) -> tuple[bytes, bytes]:
    body = json.dumps(world.example("apps.get").value).encode()
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    fields += [(f"X-Filler-{number}", "x" * 20) for number in range(4)]
    return head(200, fields), body


def _drip(world: SdkWorld, data: bytes) -> Drip:
    return Drip(data, world.long_s / len(data))
