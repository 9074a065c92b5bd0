"""The embedded server as its user runs it: `hookwright-server serve`, one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from hookwright_benchmarks.processes import Child, children, cpu_seconds

Place = str | Path
"""A database: the path of a SQLite file, or the URL of a Postgres database."""

READY_S = 60.0
_UNLIMITED = "100000000"
_SETTINGS = {
    "HOOKWRIGHT_ALLOW_HTTP": "1",
    "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "1",
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": _UNLIMITED,
    "HOOKWRIGHT_MESSAGES_PER_SECOND": _UNLIMITED,
    "HOOKWRIGHT_DRAIN_SECONDS": "3",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds by kind of process: door (the parent), api, worker, postgres, redis.

    The embedded form's worker is the process of its engine."""

    by_kind: Mapping[str, float]

    def __sub__(self, earlier: Cost) -> Cost:
        return Cost({kind: used - earlier.by_kind[kind] for kind, used in self.by_kind.items()})

    @property
    def total(self) -> float:
        return sum(self.by_kind.values())


class Server(Protocol):
    """A running server of either form on a fresh database.

    Settings are the defaults but for rate limits and for deliveries to loopback being allowed.
    """

    key: str

    @property
    def port(self) -> int: ...

    @property
    def place(self) -> Place: ...

    @property
    def engines(self) -> Sequence[int]:
        """The processes that deliver."""
        ...

    def cost(self) -> Cost:
        """What its processes have used so far."""
        ...

    def new_key(self) -> str:
        """The key of a further account."""
        ...

    def fill(self, work: Callable[[Place], None]) -> None:
        """Let `work` write to the database directly."""
        ...

    def stop(self) -> None:
        """End all of it."""
        ...


def environment(**settings: str) -> dict[str, str]:
    """The variables of a server's process."""
    own = {f"HOOKWRIGHT_{key.upper()}": value for key, value in settings.items()}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HOOKWRIGHT_")}
    return kept | _SETTINGS | own


def call(server: Server, method: str, path: str, body: Mapping[str, object], key: str = "") -> Any:
    """Ask the server's API. Raises httpx.HTTPStatusError."""
    answer = httpx.request(
        method,
        f"http://127.0.0.1:{server.port}{path}",
        json=body,
        headers={"Authorization": f"Bearer {key or server.key}"},
        timeout=30.0,
    )
    answer.raise_for_status()
    return answer.json()


def make_app(
    server: Server, slug: str, urls: Sequence[str], key: str = "", **columns: object
) -> dict[str, dict[str, str]]:
    """Make an app with an endpoint for each URL; returns the endpoints as made, by URL."""
    call(server, "POST", "/v1/apps", {"name": slug, "slug": slug}, key)
    path = f"/v1/apps/{slug}/endpoints"
    return {url: call(server, "POST", path, {"url": url, **columns}, key) for url in urls}


def port_when_ready(child: Child, told: Callable[[Mapping[str, Any]], None]) -> int:
    """Read what the server announces until it listens; `told` is shown every line."""
    while True:
        fact = child.answer(READY_S)
        told(fact)
        if fact["event"] == "ready":
            return httpx.URL(fact["url"]).port or 0


class Embedded:
    """See `Server`."""

    def __init__(self, folder: Path, *, module: str = "hookwright_server", **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._module = module
        self._environment = environment(**settings)
        self.key = ""
        self._start()

    @property
    def place(self) -> Path:
        return self._folder / "bench.db"

    @property
    def port(self) -> int:
        return self._port

    @property
    def engines(self) -> Sequence[int]:
        return children(self._api)

    def cost(self) -> Cost:
        (engine,) = self.engines
        processes = {"door": self._child.pid, "api": self._api, "worker": engine}
        return Cost({kind: cpu_seconds(pid) for kind, pid in processes.items()})

    def new_key(self) -> str:
        found: list[str] = []
        self.fill(lambda _: found.append(account_key(self._environment, self._folder, self.place)))
        return found[0]

    def fill(self, work: Callable[[Place], None]) -> None:
        """The server is stopped meanwhile: the file is its own."""
        self.stop()
        work(self.place)
        self._start()

    def stop(self) -> None:
        self._child.stop()

    def _start(self) -> None:
        arguments = ["serve", "--port", "0", "--database", str(self.place), "--json"]
        log = self._folder / "server.log"
        self._child = Child(self._module, log, *arguments, env=self._environment)
        try:
            self._port = port_when_ready(self._child, self._note)
        except BaseException:
            self._child.stop()
            raise

    def _note(self, fact: Mapping[str, Any]) -> None:
        if fact["event"] == "account_created":
            self.key = fact["live_key"]

    @property
    def _api(self) -> int:
        return children(self._child.pid)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def account_key(variables: Mapping[str, str], folder: Path, place: Place) -> str:
    """Make an account by `hookwright-server account create`; returns its live key."""
    arguments = ["account", "create", "bench", "--json"]
    own = {**variables, "HOOKWRIGHT_DATABASE": str(place)}
    with Child("hookwright_server", folder / "account.log", *arguments, env=own) as child:
        key: str = child.answer(READY_S)["live_key"]
        return key
