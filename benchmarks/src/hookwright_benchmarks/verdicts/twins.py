"""Two servers that draw the same random numbers and read the same clock, each on its database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

from hookwright_benchmarks.rig.wsgi import Answer, WsgiApp, call
from hookwright_benchmarks.verdicts.requests import Request
from hookwright_server import wiring
from hookwright_server.ids import Ids
from hookwright_server.services.accounts import Accounts
from hookwright_server.services.api_keys import ApiKeys
from hookwright_server.settings import PostgresUrl, Settings

if TYPE_CHECKING:
    from hookwright_server.clock import Clock
    from hookwright_server.services.parts import Parts

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
class Twin:
    """One of the servers."""

    app: WsgiApp
    dice: Dice
    key: str

    def answer(self, request: Request) -> Answer:
        self.dice.at(request.number)
        body = request.body or b""
        return call(self.app, self.key, request.method, request.target, request.headers, body)


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
        mock.patch.object(wiring, "make_parts", _with_dice(dice)),
        mock.patch.object(wiring, "SteadyClock", return_value=dice),  # it names requests
    ):
        server = wiring.build(settings)
    try:
        yield Twin(server.app, dice, account.live_key)
    finally:
        server.database.close()


def _with_dice(dice: Dice) -> Any:
    usual = wiring.make_parts

    def parts(settings: Settings, clock: Clock) -> Parts:
        return replace(
            usual(settings, clock), clock=dice, ids=Ids(dice.draw), random_bytes=dice.draw
        )

    return parts
