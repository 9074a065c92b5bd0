"""Runs the machine on a back end for a number of steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from hookwright_benchmarks.states.divergence import Divergence
from hookwright_benchmarks.states.machine import Deliveries
from hookwright_benchmarks.states.steps import Steps
from hookwright_benchmarks.states.world import open_world
from hookwright_server.settings import PostgresUrl

STEPS_AN_EXAMPLE = 50
EXAMPLES_A_ROUND = 20
# Whole servers are slow, and that is all right.
_UNCHECKED = (
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
    HealthCheck.too_slow,
)


class Diverged(Exception):
    """A round found a divergence; `str()` tells which, and the shortest way to it."""

    def __init__(self, seed: int, error: BaseException) -> None:
        notes = getattr(error, "__notes__", [])
        first = () if isinstance(error, Divergence) else (f"It was: {Divergence.first}",)
        super().__init__("\n".join((f"seed {seed}: {error}", *first, *notes)))
        self.seed = seed


def run(
    database: Path | PostgresUrl,
    *,
    steps: int,
    first_seed: int,
    on_step: Callable[[int], None] = lambda _: None,
) -> int:
    """Do at least so many steps on an empty database; how many were made. Raises Diverged.

    Examples come in rounds, each with a seed of its own: the one after the last one's. What the
    server left in earlier rounds belongs to other accounts.
    """
    with open_world(database) as world:
        Steps.world, Steps.steps, Steps.on_step = world, 0, on_step
        for number in count(first_seed):
            missing = -(-(steps - Steps.steps) // STEPS_AN_EXAMPLE)
            if missing <= 0:
                break
            Divergence.first = None
            try:
                run_state_machine_as_test(
                    seed(number)(Deliveries), settings=_settings(min(missing, EXAMPLES_A_ROUND))
                )
            except (Divergence, HypothesisException) as error:
                raise Diverged(number, error) from error
    return Steps.steps


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS_AN_EXAMPLE,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=_UNCHECKED,
        print_blob=False,
    )
