"""The suites by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hookwright_benchmarks.results import Row
from hookwright_benchmarks.suites.end_to_end import api_cost, latency, throughput
from hookwright_benchmarks.suites.engine import engine
from hookwright_benchmarks.suites.memory import memory
from hookwright_benchmarks.suites.plan import Plan
from hookwright_benchmarks.suites.sdk import codegen, sdk
from hookwright_benchmarks.suites.writer import depth, group_commit

Suite = Callable[[Plan], Iterator[Row]]

SUITES: Mapping[str, Suite] = {
    "throughput": throughput,
    "latency": latency,
    "api-cost": api_cost,
    "engine": engine,
    "group-commit": group_commit,
    "depth": depth,
    "memory": memory,
    "sdk": sdk,
    "codegen": codegen,
}
