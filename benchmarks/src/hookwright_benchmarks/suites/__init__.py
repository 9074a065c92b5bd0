"""The suites by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hookwright_benchmarks.results import Row
from hookwright_benchmarks.suites.end_to_end import api_cost, latency, throughput
from hookwright_benchmarks.suites.engine import engine
from hookwright_benchmarks.suites.ingest import ingest
from hookwright_benchmarks.suites.memory import memory
from hookwright_benchmarks.suites.neighbours import neighbours
from hookwright_benchmarks.suites.order import order
from hookwright_benchmarks.suites.plan import Plan
from hookwright_benchmarks.suites.reads import reads
from hookwright_benchmarks.suites.scale import scale
from hookwright_benchmarks.suites.sdk import codegen, crowd, sdk
from hookwright_benchmarks.suites.writer import depth, group_commit

Suite = Callable[[Plan], Iterator[Row]]

SUITES: Mapping[str, Suite] = {
    "throughput": throughput,
    "latency": latency,
    "api-cost": api_cost,
    "engine": engine,
    "ingest": ingest,
    "group-commit": group_commit,
    "depth": depth,
    "order": order,
    "neighbours": neighbours,
    "memory": memory,
    "sdk": sdk,
    "sdk-crowd": crowd,
    "codegen": codegen,
    "reads": reads,
    "scale": scale,
}
WITHOUT_SERVER = ("sdk", "sdk-crowd", "codegen")
"""Suites that no back end changes; they run with the embedded form only."""
