"""Two servers that draw the same random numbers and read the same clock, each on its database."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import unquote_to_bytes

from hookwright_benchmarks.verdicts.requests import Request
from hookwright_server import wiring
from hookwright_server.ids import Ids
from hookwright_server.services.accounts import Accounts
from hookwright_server.services.api_keys import ApiKeys
from hookwright_server.settings import PostgresUrl, Settings

if TYPE_CHECKING:
    from hookwright_server.clock import Clock
    from hookwright_server.services.parts import Parts

WsgiApp = Callable[..., Any]

_BEGIN_MS = 1_800_000_000_000
_KEY = "k1:" + "A" * 43 + "="
_NEVER = 1_000_000_000


class Dice:
    """Random bytes and a clock that are the same for both at each request."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random()
        self._now_ms = _BEGIN_MS
        self.at(0)

    def at(self, number: int) -> None:
        """Begin request `number`."""
        self._random.seed(f"{self._seed} {number}")
        self._now_ms += self._random.choice((1, 1, 7, 40, 400))

    def now_ms(self) -> int:
        return self._now_ms

    def draw(self, size: int) -> bytes:
        return self._random.randbytes(size)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Twin:
    """One of the servers."""

    app: WsgiApp
    dice: Dice
    key: str

    def answer(self, request: Request) -> Answer:
        self.dice.at(request.number)
        return _call(self.app, request, self.key)


@contextmanager
def twins(folder: Path, postgres_url: str, seed: int) -> Generator[tuple[Twin, Twin]]:
    """A server on SQLite and one on Postgres, on empty databases; nothing is delivered."""
    with (
        _twin(folder / "hookwright.db", seed) as sqlite,
        _twin(PostgresUrl(postgres_url), seed) as postgres,
    ):
        yield sqlite, postgres


@contextmanager
def _twin(database: Path | PostgresUrl, seed: int) -> Generator[Twin]:
    dice = Dice(seed)
    settings = Settings(
        database=database,
        encryption_keys=_KEY,
        allow_http=True,
        allow_private_networks=True,
        requests_per_minute=_NEVER,
        messages_per_second=_NEVER,
        validate_responses=1.0,
        log_level="error",
    )
    with wiring.open_database(settings) as opened:
        ids = Ids(dice.draw)
        service = Accounts(dice, ids, ApiKeys(dice, ids, dice.draw))
        account = opened.write(lambda tx: service.create(tx, "owner"))
    with (
        mock.patch.object(wiring, "_parts", _with_dice(dice)),
        mock.patch.object(wiring, "SteadyClock", return_value=dice),  # it names requests
    ):
        server = wiring.build(settings)
    try:
        yield Twin(server.app, dice, account.live_key)
    finally:
        server.database.close()


def _with_dice(dice: Dice) -> Any:
    usual: Any = getattr(wiring, "_parts")  # noqa: B009 - private, and only this needs it

    def parts(settings: Settings, clock: Clock) -> Parts:
        made: Parts = usual(settings, clock)
        return replace(made, clock=dice, ids=Ids(dice.draw), random_bytes=dice.draw)

    return parts


def _call(app: WsgiApp, request: Request, key: str) -> Answer:
    path, _, query = request.target.partition("?")
    body = request.body or b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, text in request.headers.items():
        variable = name.upper().replace("-", "_")
        environ[variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}"] = text
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, head: list[tuple[str, str]], _error: object = None) -> None:
        started.append((status, head))

    chunks = app(environ, start)
    try:
        content = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, head = started[0]
    headers = tuple(sorted((name.lower(), text) for name, text in head))
    return Answer(int(status[:3]), headers, content)
