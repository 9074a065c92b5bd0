"""What a scripted receiver does with a request: a few steps on the raw socket.

An `Answer` is data. `receiver.py` performs it, so everything that a hostile or broken endpoint does
can be written down here as bytes, pauses and the way the connection ends.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal


@dataclass(frozen=True, slots=True)
class Send:
    """Write `data`, `times` times over (a body of 50 MB needs no 50 MB of memory)."""

    data: bytes
    times: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait; ends early when the client hangs up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Write one byte, wait `interval` seconds, write the next."""

    data: bytes
    interval: float = 0.2


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until `gate` is set, from any thread; ends early when the client hangs up."""

    gate: threading.Event


@dataclass(frozen=True, slots=True)
class Finish:
    """How the connection ends: kept for the next request, closed (FIN), reset (RST), or held until
    the client leaves."""

    how: Literal["keep", "close", "reset", "hang"]


Step = Send | Pause | Drip | Hold


@dataclass(frozen=True, slots=True)
class Answer:
    """Steps in order, then the end. `reads_body` false answers as soon as the head has arrived."""

    name: str
    steps: tuple[Step, ...] = ()
    finish: Finish = Finish("keep")
    reads_body: bool = True


Headers = Sequence[tuple[str, str]]


def head(code: int, headers: Headers = ()) -> bytes:
    """A status line and header block, byte for byte as given."""
    try:
        phrase = HTTPStatus(code).phrase
    except ValueError:
        phrase = "Unassigned"
    lines = [f"HTTP/1.1 {code} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _framed(code: int, headers: Headers, body: bytes) -> bytes:
    if code in {204, 304}:
        return head(code, headers)
    return head(code, [*headers, ("Content-Length", str(len(body)))]) + body


def status(code: int = 200, headers: Headers = (), body: bytes = b"") -> Answer:
    """A plain, well-formed answer."""
    return Answer(f"{code}", (Send(_framed(code, headers, body)),))


def delayed(
    seconds: float, code: int = 200, *, body: bytes = b"late", after_head: bool = False
) -> Answer:
    """An answer whose head (or, with `after_head`, whose body) comes `seconds` late."""
    if not after_head:
        return Answer(f"{code} after {seconds} s", (Pause(seconds), Send(_framed(code, (), body))))
    opening = head(code, [("Content-Length", str(len(body)))])
    return Answer(f"{code}, body after {seconds} s", (Send(opening), Pause(seconds), Send(body)))


def held(gate: threading.Event, code: int = 200) -> Answer:
    """An answer that comes once `gate` is set: what a case looks at meanwhile is no race."""
    return Answer(f"{code} when let go", (Hold(gate), *status(code).steps))


def redirect(location: str, code: int = 302) -> Answer:
    """A 3xx that points at `location`."""
    return Answer(f"{code} to {location}", status(code, [("Location", location)]).steps)


def retry_after(code: int, value: int | str) -> Answer:
    """429 or 503 (or any status) with `Retry-After`: whole seconds or an HTTP date."""
    return Answer(f"{code}, Retry-After {value}", status(code, [("Retry-After", str(value))]).steps)


def gone() -> Answer:
    """410: the endpoint wants no more events, ever."""
    return status(410)


def reset(*, reads_body: bool = True) -> Answer:
    """RST instead of an answer, after the whole request or (not `reads_body`) after its head."""
    return Answer("reset", (), Finish("reset"), reads_body)


def close(*, reads_body: bool = True) -> Answer:
    """The connection ends without an answer."""
    return Answer("close", (), Finish("close"), reads_body)


def garbage(data: bytes = b"\x16\x03\x01 this is not HTTP\r\n\r\n") -> Answer:
    """Bytes that are no HTTP."""
    return Answer("garbage", (Send(data),), Finish("close"))


def truncated(code: int = 200) -> Answer:
    """A body that ends before its declared length."""
    return Answer(
        "truncated body",
        (Send(head(code, [("Content-Length", "1000")]) + b"only this"),),
        Finish("close"),
    )


def hang() -> Answer:
    """Silence until the client gives up."""
    return Answer("hang", (), Finish("hang"))


def drip_body(code: int = 200, *, interval: float = 0.2, length: int = 600) -> Answer:
    """A body of `length` bytes, one byte per `interval` seconds: no read ever times out."""
    opening = head(code, [("Content-Length", str(length))])
    return Answer(f"{code}, dripping body", (Send(opening), Drip(b"x" * length, interval)))


def drip_head(code: int = 200, *, interval: float = 0.2) -> Answer:
    """A header block that arrives one byte per `interval` seconds."""
    filler = [(f"X-Filler-{n}", "x" * 40) for n in range(20)]
    return Answer(f"{code}, dripping head", (Drip(_framed(code, filler, b""), interval),))


def large_body(code: int = 200, *, size: int = 50_000_000) -> Answer:
    """A correct answer with a body far beyond any cap."""
    chunk = b"z" * 50_000
    times = size // len(chunk)
    opening = head(code, [("Content-Length", str(times * len(chunk)))])
    return Answer(f"{code}, {size} bytes", (Send(opening), Send(chunk, times)))


def many_headers(code: int = 200, *, count: int = 2_000) -> Answer:
    """A head with `count` fields."""
    fields = [(f"X-Many-{n}", "y" * 20) for n in range(count)]
    return Answer(f"{code}, {count} headers", (Send(_framed(code, fields, b"")),))


OK = status(200)
