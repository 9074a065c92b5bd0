"""What a slow, a dead, and an overdue endpoint and a large account do to everybody else."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hookwright_benchmarks.processes import Child
from hookwright_benchmarks.results import Row, at_most
from hookwright_benchmarks.rig import bulk
from hookwright_benchmarks.rig.server import Cost, Place, Server, call, make_app
from hookwright_benchmarks.rig.stand import Trial, compared, percentile
from hookwright_benchmarks.suites.plan import Plan

_HEALTHY = [f"healthy-{number}" for number in range(20)]
_PER_S = 100.0
_BESIDE_PER_S = 20.0
_ARRIVAL_S = 30.0
_SETTLE_S = 1.5
_NOBODY = "http://127.0.0.1:9/dead"  # the port of `discard`: refused at once
_SCENARIOS: Mapping[str, str] = {
    "slow": "a slow endpoint (30 s)",
    "dead": "a dead endpoint",
    "deep": "an endpoint with {deep:,} pending",
    "large": "an account with {large} slow endpoints and {waiting:,} pending",
}


@dataclass(slots=True)
class Street:
    """A server with 20 healthy endpoints, and troublemakers that are enabled one at a time."""

    plan: Plan
    server: Server
    sink: Child
    loads: Sequence[Child]
    sizes: Mapping[str, int]
    troublemakers: dict[str, list[tuple[str, str, str]]] = field(
        default_factory=dict[str, list[tuple[str, str, str]]]
    )

    def furnish(self) -> None:
        """Make everybody, disable the troublemakers, and write what is overdue."""
        root = f"http://127.0.0.1:{self.sink.answer()['port']}"
        expected: dict[str, str] = {}
        for app in _HEALTHY:
            made = make_app(self.server, app, [f"{root}/{app}"])
            expected |= {urlsplit(url).path: one["signing_secret"] for url, one in made.items()}
        self.sink.tell({"expect": expected})
        make_app(self.server, "ordinary", [f"{root}/ordinary"])
        large_key = self.server.new_key()
        waits = [f"{root}/after/2000/{number}" for number in range(self.sizes["large"])]
        for name, urls, key, timeout_s in (
            ("slow", [f"{root}/after/30000/slow"], "", 30),
            ("dead", [_NOBODY], "", 15),
            ("deep", [f"{root}/after/50/deep"], "", 15),
            ("large", waits, large_key, 15),
        ):
            made = make_app(self.server, name, urls, key, timeout_seconds=timeout_s)
            self.troublemakers[name] = [(name, one["id"], key) for one in made.values()]
            self.switch(name, "disable")
        self.server.fill(self._write_overdue)

    def switch(self, name: str, way: str) -> None:
        """Enable or disable a troublemaker."""
        for app, endpoint_id, key in self.troublemakers[name]:
            call(self.server, "POST", f"/v1/apps/{app}/endpoints/{endpoint_id}/{way}", {}, key)

    def trial(self, beside: str, seconds: float) -> Trial:
        """Publish to the healthy ones, and a little to `beside`; what reached the healthy ones."""
        common = {"port": self.server.port, "key": self.server.key, "payload_bytes": 500}
        self.sink.ask({"report": True})
        self.loads[1].tell({**common, "apps": [beside], "rate": _BESIDE_PER_S, "seconds": seconds})
        published = self.loads[0].ask(
            {**common, "apps": _HEALTHY, "rate": _PER_S, "seconds": seconds}
        )
        self.loads[1].answer()
        wanted = len(published["accepted"])
        until = time.monotonic() + _ARRIVAL_S
        while self.sink.ask({"count": True})[0] < wanted and time.monotonic() < until:
            time.sleep(0.02)
        return compared(published, self.sink.ask({"report": True}), 1, Cost({}))

    def _write_overdue(self, place: Place) -> None:
        created = time.time_ns() // 1_000_000 - 60_000
        batches: list[bulk.Batch] = []
        first = 0
        for name, count in (("deep", self.sizes["deep"]), ("large", self.sizes["waiting"])):
            ids = [endpoint_id for _, endpoint_id, _ in self.troublemakers[name]]
            owner = bulk.owner(place, ids[0])
            batches.append(bulk.Batch(*owner, ids, count, created, first))
            first += count
        bulk.fill(place, batches)


def neighbours(plan: Plan) -> Iterator[Row]:
    """Healthy endpoints alone, then beside each troublemaker, in turn."""
    sizes = {
        "deep": plan.of(1_000_000, 2_000),
        "large": plan.of(100, 5),
        "waiting": plan.of(100_000, 500),
    }
    seconds = plan.of(8.0, 1.0)
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    p99: defaultdict[str, list[float]] = defaultdict(list)
    lost = 0
    folder = plan.fresh_folder()
    with ExitStack() as stack:
        rig = "hookwright_benchmarks.rig"
        sink = stack.enter_context(Child(f"{rig}.sink", folder / "sink.log"))
        loads = [
            stack.enter_context(Child(f"{rig}.load", folder / f"load-{number}.log"))
            for number in range(2)
        ]
        server = plan.server()
        stack.callback(server.stop)
        street = Street(plan, server, sink, loads, sizes)
        plan.say(f"neighbours: writing {sizes['deep']:,} pending deliveries")
        street.furnish()
        street.trial("ordinary", plan.of(2.0, 0.3))
        for run in range(plan.runs):
            for name in ("alone", *_SCENARIOS):
                plan.say(f"neighbours: run {run + 1} of {plan.runs}, {name}")
                if name != "alone":
                    street.switch(name, "enable")
                    time.sleep(plan.of(_SETTLE_S, 0.1))
                beside = name if name in ("slow", "dead") else "ordinary"
                trial = street.trial(beside, seconds)
                if name != "alone":
                    street.switch(name, "disable")
                lost += trial.wanted - trial.received
                p99[name].append(percentile(trial.arrival_ms, 0.99))
                ratios[name].append(p99[name][-1] / max(p99["alone"][-1], 0.1))
    note = (
        f"202 → received at {_PER_S:.0f} messages/s to {len(_HEALTHY)} endpoints, and "
        f"{_BESIDE_PER_S:.0f}/s to the troublemaker, else to an ordinary endpoint; alone and "
        "beside it in turn. "
    )
    more = {
        "deep": "Its receiver takes 50 ms, with 16 at a time.",
        "large": "Another account: its receivers take 2 s, with 16 at a time each.",
    }
    for name, scenario in _SCENARIOS.items():
        what = scenario.format(**sizes)
        yield Row(
            "neighbours",
            f"healthy endpoints' p99 beside {what} ÷ alone",
            "ratio",
            tuple(ratios[name]),
            at_most(2),
            note + more.get(name, ""),
        )
    for name in ("alone", *_SCENARIOS):
        told = "alone" if name == "alone" else f"beside {_SCENARIOS[name].format(**sizes)}"
        yield Row("neighbours", f"healthy endpoints' p99 {told}", "ms", tuple(p99[name]))
    yield Row("neighbours", "healthy endpoints' deliveries missing", "", (lost,), at_most(0))
