"""The SDK by itself: importing it, one call, a page; and the generator that makes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from hookwright_benchmarks.fresh import HOW, cpu_ms
from hookwright_benchmarks.processes import Child
from hookwright_benchmarks.results import Row, at_least, at_most
from hookwright_benchmarks.suites.plan import Plan

_FIRST_CALL = """
from hookwright import Hookwright
with Hookwright("hw_test_key", base_url="http://127.0.0.1:{port}") as client:
    client.apps.get("app-1")
"""
_PROCESSES = 7
_CALLS = {
    "get": ("sync GET of one object ÷ raw httpx", 1.15),
    "post": ("sync POST of an event ÷ raw httpx", 1.15),
    "async get": ("async GET of one object ÷ raw httpx", 1.15),
    "async post": ("async POST of an event ÷ raw httpx", 1.15),
    "page": ("page of 50 ÷ raw httpx", 1.5),
}


def sdk(plan: Plan) -> Iterator[Row]:
    """Import and calls; CPU time, the least of many."""
    imports: defaultdict[str, list[float]] = defaultdict(list)
    least: defaultdict[str, list[float]] = defaultdict(list)
    folder = plan.fresh_folder()
    with (
        Child("hookwright_benchmarks.rig.stub", folder / "stub.log") as stub,
        Child("hookwright_benchmarks.rig.sdk_calls", folder / "calls.log") as caller,
    ):
        port = stub.answer()["port"]
        for run in range(plan.runs):
            plan.say(f"sdk: run {run + 1} of {plan.runs}")
            for statement in ("import hookwright", "from hookwright import Hookwright"):
                imports[statement].append(cpu_ms(statement, plan.of(_PROCESSES, 2)))
            imports["first call"].append(
                cpu_ms(_FIRST_CALL.format(port=port), plan.of(_PROCESSES, 2))
            )
            took = caller.ask({"port": port, "rounds": plan.of(15, 2), "calls": plan.of(100, 5)})
            for name, micros in took.items():
                least[name].append(micros)
    note = f"Least CPU of {_PROCESSES} {HOW}; docs/comparison.md measures imports so, too."
    yield Row(
        "sdk", "import hookwright", "ms CPU", tuple(imports["import hookwright"]), at_most(20), note
    )
    yield Row(
        "sdk",
        "from hookwright import Hookwright (imports httpx)",
        "ms CPU",
        tuple(imports["from hookwright import Hookwright"]),
    )
    yield Row(
        "sdk",
        "first call: import, client, GET",
        "ms CPU",
        tuple(imports["first call"]),
        at_most(250),
        note,
    )
    for name, (promise, most) in _CALLS.items():
        pairs = zip(least[f"{name} sdk"], least[f"{name} raw"], strict=True)
        yield Row(
            "sdk",
            promise,
            "ratio",
            tuple(ours / raw for ours, raw in pairs),
            at_most(most),
            "Least CPU of blocks that take turns, on a stub of the API on this machine.",
        )
    yield Row("sdk", "sync POST of an event", "µs CPU", tuple(least["post sdk"]))


def crowd(plan: Plan) -> Iterator[Row]:
    """Many calls at a time, and many clients one after the other."""
    folder = plan.fresh_folder()
    rates: defaultdict[str, list[float]] = defaultdict(list)
    with (
        Child("hookwright_benchmarks.rig.stub", folder / "stub.log") as stub,
        Child("hookwright_benchmarks.rig.sdk_crowd", folder / "crowd.log") as caller,
    ):
        port = stub.answer()["port"]
        for run in range(plan.runs):
            plan.say(f"sdk-crowd: run {run + 1} of {plan.runs}")
            order = {"port": port, "rounds": plan.of(3, 1), "calls": plan.of(600, 128)}
            for name, rate in caller.ask(order).items():
                rates[name].append(rate)
        plan.say("sdk-crowd: clients that come and go")
        with Child("hookwright_benchmarks.rig.sdk_clients", folder / "clients.log") as opener:
            grown = opener.ask({"port": port, "clients": plan.of(10_000, 20)}, timeout_s=3600)
    pairs = zip(rates["sdk on aiohttp"], rates["httpx"], strict=True)
    yield Row(
        "sdk-crowd",
        '64 concurrent async calls: http_client="aiohttp" ÷ plain httpx',
        "ratio",
        tuple(ours / raw for ours, raw in pairs),
        at_least(5),
        "Calls per second, in blocks that take turns, on a stub of the API on this machine.",
    )
    for name, measured in rates.items():
        yield Row("sdk-crowd", f"64 concurrent async calls: {name}", "calls/s", tuple(measured))
    for name, growth in grown.items():
        promise = f"10,000 {name} clients opened and closed"
        note = "After all of them ÷ after the first 1,000; each made one call."
        yield Row(
            "sdk-crowd", f"{promise}: memory", "ratio", (growth["memory"],), at_most(1.05), note
        )
        yield Row(
            "sdk-crowd", f"{promise}: open files", "ratio", (growth["files"],), at_most(1), note
        )


def codegen(plan: Plan) -> Iterator[Row]:
    """The generator on the contract, and on a multiple of it with 100 operations or more."""
    spec = Path("openapi.yaml").resolve()
    found: defaultdict[str, list[float]] = defaultdict(list)
    operations = 0
    for run in range(plan.runs):
        plan.say(f"codegen: run {run + 1} of {plan.runs}")
        with Child("hookwright_benchmarks.rig.codegen_run", plan.folder / "codegen.log") as child:
            took = child.ask({"spec": str(spec), "operations": plan.of(100, 1)})
        operations = took["operations"]
        found["real"].append(took["real_s"])
        found["multiple"].append(took["multiple_s"])
    yield Row(
        "codegen",
        "codegen of 100 operations",
        "s CPU",
        tuple(found["multiple"]),
        at_most(6),
        f"The contract repeated with its schemas: {operations} operations, all targets, formatted.",
    )
    yield Row("codegen", "codegen of openapi.yaml", "s CPU", tuple(found["real"]))
