"""The engine alone: what a delivery costs, beside the limit and beside a general HTTP client."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from hookwright_benchmarks.processes import Child
from hookwright_benchmarks.results import Row, at_least, at_most
from hookwright_benchmarks.rig import limit
from hookwright_benchmarks.suites.plan import Plan

_SENDERS = ("own", "aiohttp")
_ENDPOINTS = 200


def engine(plan: Plan) -> Iterator[Row]:
    """Deliveries from a backlog: claim, sign, send, record; no API beside it."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    folder = plan.fresh_folder()
    with Child("hookwright_benchmarks.rig.sink", folder / "sink.log") as sink:
        port = sink.answer()["port"]
        for run in range(plan.runs):
            wrk = limit.requests_per_second(port, plan.of(3, 1), plan.folder)
            found["wrk"].append(wrk)
            for sender in _SENDERS:
                plan.say(f"engine: run {run + 1} of {plan.runs}, {sender}")
                took = _deliver(plan, port, sender)
                rate = took["delivered"] / took["seconds"]
                found[f"{sender} rate"].append(rate)
                for part in ("cpu_s", "engine_cpu_s", "writer_cpu_s", "postgres_cpu_s"):
                    found[f"{sender} {part}"].append(took[part] / took["delivered"] * 1e6)
                found[f"{sender} send"].append(took["send_cpu_s"] * 1e6)
            found["share"].append(found["own rate"][-1] / wrk)
            found["ratio"].append(found["own cpu_s"][-1] / found["aiohttp cpu_s"][-1])
    how = f"A backlog to {_ENDPOINTS} endpoints, 500 B; claim, sign, send, record, log."

    def values(key: str) -> tuple[float, ...]:
        return tuple(found[key])

    yield Row(
        "engine", "engine deliveries/s ÷ limit on the same sink", "ratio", values("share"),
        at_least(0.12), f"{how} The limit: {limit.name()}.",
    )  # fmt: skip
    yield Row(
        "engine", "engine CPU a delivery ÷ the same engine on aiohttp", "ratio", values("ratio"),
        at_most(0.25), "The whole process: also claim, signature, result and log, which both do.",
    )  # fmt: skip
    yield Row(
        "engine",
        "CPU of sending one request ÷ the same on aiohttp",
        "ratio",
        tuple(a / b for a, b in zip(values("own send"), values("aiohttp send"), strict=True)),
        None,
        "The senders alone, 200 at a time on kept connections; least of 10 rounds.",
    )
    yield Row("engine", "CPU of sending one request", "µs", values("own send"))
    yield Row("engine", "engine deliveries/s", "1/s", values("own rate"))
    yield Row("engine", "CPU a delivery", "µs", values("own cpu_s"))
    yield Row("engine", "of which the engine's thread", "µs", values("own engine_cpu_s"))
    yield Row("engine", "of which the writer's thread", "µs", values("own writer_cpu_s"))
    if plan.is_production:
        yield Row("engine", "beside it: Postgres", "µs", values("own postgres_cpu_s"))
    yield Row("engine", "CPU a delivery on aiohttp", "µs", values("aiohttp cpu_s"))


def _deliver(plan: Plan, port: int, sender: str) -> Any:
    place = plan.fresh_place()
    log = plan.fresh_folder() / "engine.log"
    with Child("hookwright_benchmarks.rig.engine_run", log) as child:
        took = child.ask(
            {
                "database": str(place),
                "postgres_pid": plan.postgres.pid if plan.is_production else 0,
                "sink_port": port,
                "deliveries": plan.of(20_000, 200),
                "endpoints": _ENDPOINTS,
                "payload_bytes": 480,
                "sender": sender,
            }
        )
    if plan.is_production:
        plan.postgres.drop(str(place))
    return took
