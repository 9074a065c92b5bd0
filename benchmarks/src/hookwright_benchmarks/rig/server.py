"""The embedded server as its user runs it: `hookwright-server serve`, two processes, one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from hookwright_benchmarks.processes import Child, children, cpu_seconds

_READY_S = 60.0
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
    """CPU seconds of the parent (the front door) and of the worker (everything else)."""

    door: float
    worker: float

    def __sub__(self, earlier: Cost) -> Cost:
        return Cost(self.door - earlier.door, self.worker - earlier.worker)

    @property
    def total(self) -> float:
        return self.door + self.worker


class Server:
    """A fresh server on a database in `folder`. Settings are the defaults but for rate limits
    and for deliveries to loopback being allowed."""

    def __init__(
        self, folder: Path, *, module: str = "hookwright_server", **settings: str | Path
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        own = {f"HOOKWRIGHT_{key.upper()}": str(value) for key, value in settings.items()}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HOOKWRIGHT_")}
        arguments = ["serve", "--port", "0", "--database", str(folder / "bench.db"), "--json"]
        self._child = Child(module, folder / "server.log", *arguments, env=kept | _SETTINGS | own)
        self.key = ""
        self.port = 0
        try:
            self._wait_until_ready()
        except BaseException:
            self._child.stop()
            raise

    @property
    def worker(self) -> int:
        """The process with the API, the writer and the engine."""
        return children(self._child.pid)[0]

    def cost(self) -> Cost:
        """What both processes have used so far."""
        return Cost(cpu_seconds(self._child.pid), cpu_seconds(self.worker))

    def app(self, slug: str, endpoint_urls: Sequence[str], **columns: object) -> dict[str, str]:
        """Make an app with these endpoints; returns each endpoint's secret by its URL."""
        self._call("POST", "/v1/apps", {"name": slug, "slug": slug})
        made: dict[str, str] = {}
        for url in endpoint_urls:
            created = self._call("POST", f"/v1/apps/{slug}/endpoints", {"url": url, **columns})
            made[url] = created["signing_secret"]
        return made

    def _call(self, method: str, path: str, body: Mapping[str, object]) -> Any:
        answer = httpx.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30.0,
        )
        answer.raise_for_status()
        return answer.json()

    def _wait_until_ready(self) -> None:
        while not self.port:
            fact = self._child.answer(_READY_S)
            if fact["event"] == "account_created":
                self.key = fact["live_key"]
            if fact["event"] == "ready":
                self.port = httpx.URL(fact["url"]).port or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.stop()
