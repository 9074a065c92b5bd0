"""What is asked of each library: a scene with a scripted server, and what was seen in it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hookwright_benchmarks.comparison.libraries import Library
from hookwright_benchmarks.comparison.scripted import HANG_UP, Answer, scripted

_PAGE = b"<html><body><h1>Bad Gateway</h1><p>upstream-7 is away</p></body></html>"
_RETRY_AFTER_S = 2
_CALLS = 5
_CLIENTS = 10


@dataclass(frozen=True)
class Seen:
    """Whether the library can, and what was seen."""

    can: bool
    what: str


Scene = Callable[[Library], Seen]


def retries_429(library: Library) -> Seen:
    """A read that is answered 429, then 200, succeeds."""
    return _tried(library, Answer(429, {"error": {"message": "slow down"}}))


def retries_lost_connection(library: Library) -> Seen:
    """A read whose connection is closed without an answer is tried again and succeeds."""
    return _tried(library, HANG_UP)


def honours_retry_after(library: Library) -> Seen:
    """After a 503 with `Retry-After: 2` the next try waits two seconds."""
    headers = {"retry-after": str(_RETRY_AFTER_S)}
    with scripted(Answer(503, {}, headers), Answer(200, library.one)) as server:
        failure = _read(library, server.url)
        if len(server.asked) < 2:
            return Seen(False, f"not tried again ({failure})")
        waited = server.asked[1].at - server.asked[0].at
    return Seen(failure is None and waited >= _RETRY_AFTER_S, f"waited {waited:.1f} s")


def repeats_its_key(library: Library) -> Seen:
    """A write that is tried again after a 500 carries the same `Idempotency-Key`."""
    with scripted(Answer(500, {}), Answer(400, {})) as server:
        with _client(library, server.url) as client:
            failure = _failure(lambda: library.write(client))
        keys = [each.headers.get("idempotency-key") for each in server.asked]
    if len(keys) < 2:
        return Seen(False, f"not tried again ({failure})")
    if None in keys:
        return Seen(False, "tried again without a key")
    return Seen(len(set(keys)) == 1, f"{len(keys)} tries, {len(set(keys))} key")


def walks_pages(library: Library) -> Seen:
    """One `for` goes through both pages of a list."""
    with scripted(*(Answer(200, page) for page in library.pages)) as server:
        found: list[list[str]] = []
        with _client(library, server.url) as client:
            failure = _failure(lambda: found.append(library.ids(client)))
        pages = len(server.asked)
    if failure is not None:
        return Seen(False, f"the list cannot be walked ({failure})")
    return Seen(found == [["a", "b"]], f"{pages} pages fetched")


def keeps_unknown_values(library: Library) -> Seen:
    """A value of an enum that is newer than the library is read and kept."""
    with scripted(Answer(200, library.unheard_of)) as server:
        found: list[Any] = []
        with _client(library, server.url) as client:
            failure = _failure(lambda: found.append(library.value(library.read_unheard_of(client))))
    if failure is not None:
        return Seen(False, f"the whole answer is lost ({failure})")
    return Seen(str(found[0]) == "brand_new", "kept" if str(found[0]) == "brand_new" else "lost")


def tells_of_html(library: Library) -> Seen:
    """The error of a 502 with an HTML page is the library's own, and its text names the status."""
    with scripted(Answer(502, _PAGE)) as server:
        try:
            with _client(library, server.url) as client:
                library.read(client)
        except Exception as error:  # noqa: BLE001 - which one is what is asked
            is_own = type(error).__module__.split(".")[0] == library.name
            text = str(error)
            kind = type(error).__name__
            told = f"{kind}: {text if len(text) < 60 else text[:57] + '...'}".replace("\n", " ")
            return Seen(is_own and "502" in text, told)
    return Seen(False, "no error")


def keeps_its_connection(library: Library) -> Seen:
    """Five reads with one client use one connection."""
    with scripted(Answer(200, library.one)) as server:
        with _client(library, server.url) as client:
            for _ in range(_CALLS):
                library.read(client)
        opened = server.opened
    return Seen(opened == 1, f"{opened} connection{'s' * (opened > 1)}")


def leaves_nothing_open(library: Library) -> Seen:
    """Ten clients, each used in a `with` or closed: no connection stays open while they exist."""
    clients: list[Any] = []
    with scripted(Answer(200, library.one)) as server:
        for _ in range(_CLIENTS):
            clients.append(library.client(server.url))
            library.read(clients[-1])
        closing = [getattr(client, "close", None) for client in clients]
        if not all(callable(close) for close in closing):
            clients.clear()
            closing.clear()
            gc.collect()
            return Seen(False, f"cannot be closed; {server.open_soon(0)} open when forgotten")
        for client in clients:
            client.close()
        still = server.open_soon(0)
    return Seen(still == 0, f"{still} open")


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        retries_429,
        retries_lost_connection,
        honours_retry_after,
        repeats_its_key,
        walks_pages,
        keeps_unknown_values,
        tells_of_html,
        keeps_its_connection,
        leaves_nothing_open,
    )
}


def _tried(library: Library, first: Answer | None) -> Seen:
    with scripted(first, Answer(200, library.one)) as server:
        failure = _read(library, server.url)
        tries = len(server.asked)
    seen = f"{tries} tries" if tries > 1 else "not tried again"
    return Seen(failure is None and tries == 2, seen if failure is None else f"{seen} ({failure})")


def _read(library: Library, url: str) -> str | None:
    with _client(library, url) as client:
        return _failure(lambda: library.read(client))


@contextmanager
def _client(library: Library, url: str) -> Generator[Any]:
    """A client that is closed in the end, where that can be."""
    client = library.client(url)
    try:
        yield client
    finally:
        close: Callable[[], None] | None = getattr(client, "close", None)
        if close is not None:
            close()


def _failure(act: Callable[[], object]) -> str | None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - which one is what is asked
        return type(error).__name__
    return None
