"""The server does what a small model of it says: hookwright_benchmarks.states."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis.errors import FlakyReplay
from service_fixtures import NewDatabase

from hookwright_benchmarks.states.divergence import Divergence, same
from hookwright_benchmarks.states.run import Diverged, run
from hookwright_server.settings import PostgresUrl

STEPS = 2_000


@pytest.mark.long
@pytest.mark.campaign
def test_server_on_sqlite_agrees_with_the_model(tmp_path: Path) -> None:
    """Whatever users, receivers and the clock do: every delivery and every number is explained."""
    made = run(tmp_path / "hookwright.db", steps=STEPS, first_seed=2026)

    assert made >= STEPS


@pytest.mark.long
@pytest.mark.campaign
@pytest.mark.needs_service("postgres")
def test_server_on_postgres_agrees_with_the_model(new_database: NewDatabase) -> None:
    """The same on Postgres."""
    made = run(PostgresUrl(new_database()), steps=STEPS, first_seed=2027)

    assert made >= STEPS


def test_divergence_names_what_differs() -> None:
    """Of two documents it tells the members that differ."""
    with pytest.raises(Divergence) as caught:
        same({"a": [1, 2], "b": 3}, {"a": [1, 4], "b": 3}, "a thing")

    assert "a thing: the server differs from the model.\n  .a[1]: expected 2, found 4" == str(
        caught.value
    )


def test_divergence_that_does_not_come_again_is_told() -> None:
    """Hypothesis only says that the steps gave something else; what it was is said all the same."""
    Divergence.first = None
    with pytest.raises(Divergence):
        same(1, 2, "a number")
    told = str(Diverged(7, FlakyReplay("Inconsistent results")))

    assert "seed 7: Inconsistent results" in told
    assert "It was: a number: the server differs from the model." in told
