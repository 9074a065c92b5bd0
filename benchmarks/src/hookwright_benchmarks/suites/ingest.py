"""Accepting through HTTP with and without group commit, at equal durability."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack

from hookwright_benchmarks.processes import Child
from hookwright_benchmarks.results import Row, at_least
from hookwright_benchmarks.rig.server import Server, make_app
from hookwright_benchmarks.suites.plan import Plan

_MODULES = {"grouped": "hookwright_server", "single": "hookwright_benchmarks.rig.one_by_one"}
_CONNECTIONS = 64
_APP = "ingest"


def ingest(plan: Plan) -> Iterator[Row]:
    """Messages a second that two otherwise equal servers accept; nothing is delivered."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    cpu: defaultdict[str, list[float]] = defaultdict(list)
    folder = plan.fresh_folder()
    with ExitStack() as stack:
        load = stack.enter_context(Child("hookwright_benchmarks.rig.load", folder / "load.log"))
        sink = stack.enter_context(Child("hookwright_benchmarks.rig.sink", folder / "sink.log"))
        hold = f"http://127.0.0.1:{sink.answer()['port']}/hold"
        servers: dict[str, Server] = {}
        for name, module in _MODULES.items():
            # No worker; the embedded form's engine gets one delivery that is never answered.
            servers[name] = plan.server(
                module=module, workers=0, max_in_flight=plan.by_form("1", "1000")
            )
            stack.callback(servers[name].stop)
            make_app(servers[name], _APP, [f"{hold}/1", f"{hold}/2"], timeout_seconds=30)
            _publish(plan, load, servers[name], plan.of(1.0, 0.3))
        for run in range(plan.runs):
            plan.say(f"ingest: run {run + 1} of {plan.runs}")
            for name, server in servers.items():
                before = server.cost()
                accepted, per_s = _publish(plan, load, server, plan.of(5.0, 0.5))
                rates[name].append(per_s)
                used = (server.cost() - before).total
                cpu[name].append(used / max(1, accepted) * 1e6)
    yield Row(
        "ingest",
        "ingest, messages/s: group commit ÷ one statement and commit a request",
        "ratio",
        tuple(a / b for a, b in zip(rates["grouped"], rates["single"], strict=True)),
        at_least(3),
        f"Through HTTP, closed loop, {_CONNECTIONS} connections, 2 deliveries a message that "
        "nobody sends. The other server is the same but for one transaction a request"
        + plan.by_form(".", f", on {_CONNECTIONS} connections to Postgres."),
    )
    yield Row("ingest", "ingest, messages/s with group commit", "1/s", tuple(rates["grouped"]))
    yield Row("ingest", "ingest, messages/s one by one", "1/s", tuple(rates["single"]))
    yield Row("ingest", "CPU of all processes a message", "µs", tuple(cpu["grouped"]))
    yield Row("ingest", "CPU of all processes a message, one by one", "µs", tuple(cpu["single"]))


def _publish(plan: Plan, load: Child, server: Server, seconds: float) -> tuple[int, float]:
    published = load.ask(
        {
            "port": server.port,
            "key": server.key,
            "apps": [_APP],
            "rate": 0,
            "seconds": seconds,
            "payload_bytes": 500,
            "connections": plan.of(_CONNECTIONS, 8),
        }
    )
    accepted = len(published["accepted"])
    last = max((at for _, _, at in published["accepted"]), default=published["began"] + 1)
    return accepted, accepted / (last - published["began"]) * 1e9
