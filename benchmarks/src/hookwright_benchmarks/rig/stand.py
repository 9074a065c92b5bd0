"""Server, sink and load together: publish, then ask the sink what arrived."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hookwright_benchmarks.processes import Child
from hookwright_benchmarks.rig.server import Cost, Server, make_app

ENDPOINTS_PER_MESSAGE = 2
_APPS = 10
_ARRIVAL_S = 60.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one load. Rates are per second, times in milliseconds."""

    sent: int
    accepted: int
    wanted: int
    received: int
    duplicates: int
    not_genuine: int
    statuses: Mapping[str, int]
    accepted_per_s: float
    delivered_per_s: float
    late_ms: float  # how long after the end of sending the last delivery came
    answer_ms: tuple[float, ...]  # due to answered, sorted
    arrival_ms: tuple[float, ...]  # 202 to received, sorted
    cost: Cost

    @property
    def received_share(self) -> float:
        return self.received / self.wanted if self.wanted else 1.0

    @property
    def micros_per_message(self) -> Mapping[str, float]:
        """CPU microseconds of an accepted message by kind of process."""
        messages = max(1, self.accepted)
        return {kind: used / messages * 1e6 for kind, used in self.cost.by_kind.items()}


class Stand:
    """One server with ten apps of two endpoints each, its sink and its load generator."""

    def __init__(self, server: Server, sink: Child, load: Child, sink_port: int) -> None:
        self.server = server
        self.sink = sink
        self.sink_port = sink_port
        self._load = load
        self.apps = [f"bench-{number}" for number in range(_APPS)]
        self._set_up()

    def _set_up(self) -> None:
        secrets: dict[str, str] = {}
        for app in self.apps:
            urls = [f"{self._url}/{app}/{n}" for n in range(ENDPOINTS_PER_MESSAGE)]
            made = make_app(self.server, app, urls)
            secrets |= {url: each["signing_secret"] for url, each in made.items()}
        make_app(self.server, "nobody", [])
        self.sink.tell({"expect": {urlsplit(url).path: key for url, key in secrets.items()}})

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.sink_port}"

    def publish(self, *, to_nobody: bool = False, **order: object) -> Trial:
        """Publish as ordered (see `load.Order`), wait for the deliveries, compare."""
        self.sink.ask({"report": True})
        apps = ["nobody"] if to_nobody else self.apps
        before = self.server.cost()
        published = self._load.ask(
            {"port": self.server.port, "key": self.server.key, "apps": apps, **order}
        )
        fan_out = 0 if to_nobody else ENDPOINTS_PER_MESSAGE
        wanted = len(published["accepted"]) * fan_out
        self._wait_for(wanted)
        return compared(
            published, self.sink.ask({"report": True}), fan_out, self.server.cost() - before
        )

    def _wait_for(self, wanted: int) -> None:
        deadline = time.monotonic() + _ARRIVAL_S
        while self.sink.ask({"count": True})[0] < wanted and time.monotonic() < deadline:
            time.sleep(_POLL_S)


@contextmanager
def stand(server: Server, folder: Path) -> Generator[Stand]:
    """A stand on a server that is fresh; both are taken down at the end."""
    try:
        with (
            Child("hookwright_benchmarks.rig.sink", folder / "sink.log") as sink,
            Child("hookwright_benchmarks.rig.load", folder / "load.log") as load,
        ):
            yield Stand(server, sink, load, sink.answer()["port"])
    finally:
        server.stop()


def percentile(ordered: tuple[float, ...], share: float) -> float:
    """The value below which `share` of the ordered values lie; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def compared(
    published: Mapping[str, Any], found: Mapping[str, Any], fan_out: int, cost: Cost
) -> Trial:
    """What the load and the sink say, put together."""
    accepted = {key: (due, answered) for key, due, answered in published["accepted"]}
    times = [(key, path, at) for key, path, at in found["arrivals"] if key in accepted]
    copies = Counter((key, path) for key, path, _ in times)
    first: dict[tuple[str, str], int] = {}
    for key, path, at in times:
        first.setdefault((key, path), at)
    began = published["began"]
    last_answer = max((at for _, at in accepted.values()), default=began + 1)
    last_arrival = max(first.values(), default=began + 1)
    return Trial(
        sent=published["sent"],
        accepted=len(accepted),
        wanted=len(accepted) * fan_out,
        received=len(first),
        duplicates=sum(copies.values()) - len(copies),
        not_genuine=found["not_genuine"],
        statuses=published["statuses"],
        accepted_per_s=len(accepted) / (last_answer - began) * 1e9,
        delivered_per_s=len(first) / (last_arrival - began) * 1e9,
        late_ms=max(0.0, (last_arrival - last_answer) / 1e6),
        answer_ms=tuple(sorted((at - due) / 1e6 for due, at in accepted.values())),
        arrival_ms=tuple(
            sorted(max(0.0, (at - accepted[key][1]) / 1e6) for (key, _), at in first.items())
        ),
        cost=cost,
    )
