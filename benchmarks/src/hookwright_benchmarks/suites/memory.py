"""What a delivery under way costs in memory: the whole server, with receivers that hold them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hookwright_benchmarks.processes import Child, pss_bytes
from hookwright_benchmarks.results import Row, at_most
from hookwright_benchmarks.rig.certificates import self_signed
from hookwright_benchmarks.rig.server import Server, make_app
from hookwright_benchmarks.suites.plan import Plan

_PATIENCE_S = 60.0
_TARGETS_KB = {"http": 30.0, "https": 90.0}


def memory(plan: Plan) -> Iterator[Row]:
    """The worker's growth from 1,000 deliveries that were answered to 1,000 under way."""
    found: dict[str, list[float]] = {scheme: [] for scheme in _TARGETS_KB}
    for run in range(plan.runs):
        for scheme, values in found.items():
            plan.say(f"memory: run {run + 1} of {plan.runs}, {scheme}")
            values.append(_kb_in_flight(plan, scheme, plan.of(1_000, 50)))
    for scheme, values in found.items():
        yield Row(
            "memory",
            f"memory a delivery under way, {scheme.upper()}, whole server",
            "KB",
            tuple(values),
            at_most(_TARGETS_KB[scheme]),
            "Growth of the worker's proportional set size; one endpoint, 500 B, 1,000 at a time.",
        )


def _kb_in_flight(plan: Plan, scheme: str, deliveries: int) -> float:
    folder = plan.fresh_folder()
    certificate = self_signed(folder)
    sink_arguments = (str(certificate),) if scheme == "https" else ()
    # An endpoint may have 9 of 16 parts of the slots when nobody else has any.
    server = plan.server(extra_ca_file=certificate, max_in_flight="4000")
    try:
        with (
            Child("hookwright_benchmarks.rig.sink", folder / "sink.log", *sink_arguments) as sink,
            Child("hookwright_benchmarks.rig.load", folder / "load.log") as load,
        ):
            url = f"{scheme}://127.0.0.1:{sink.answer()['port']}"
            make_app(server, "quick", [f"{url}/quick"], max_concurrency=8)
            make_app(server, "hold", [f"{url}/hold/1"], max_concurrency=1_000, timeout_seconds=30)
            sink.tell({"expect": {"/quick": ""}})
            _publish(server, load, "quick", deliveries)
            _wait(sink, place=0, count=deliveries)
            (engine,) = server.engines
            before = pss_bytes(engine)
            _publish(server, load, "hold", deliveries)
            _wait(sink, place=1, count=deliveries)
            grown = pss_bytes(engine) - before
            sink.tell({"release": True})
            return max(0.0, grown / deliveries / 1024)
    finally:
        server.stop()


def _publish(server: Server, load: Child, app: str, messages: int) -> None:
    seconds = messages / 200
    load.ask(
        {
            "port": server.port,
            "key": server.key,
            "apps": [app],
            "rate": 200,
            "seconds": seconds,
            "payload_bytes": 500,
            "connections": 16,
        }
    )


def _wait(sink: Child, *, place: int, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while sink.ask({"count": True})[place] < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{count} deliveries did not come: {sink.ask({'count': True})}")
        time.sleep(0.02)
