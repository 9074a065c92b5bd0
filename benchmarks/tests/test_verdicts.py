"""Both back ends judge alike: hookwright_benchmarks.verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import pytest

from hookwright_benchmarks.rig.wsgi import Answer
from hookwright_benchmarks.verdicts.__main__ import run
from hookwright_benchmarks.verdicts.campaign import compare
from hookwright_benchmarks.verdicts.requests import Generator, Request

BODIES = 5_000
REFUSED = Answer(400, (("x-request-id", "req_1"),), b'{"code": "validation_error"}')


@dataclass
class Stub:
    """Refuses everything; request `number` gets `odd` instead."""

    odd: Answer = REFUSED
    number: int = 0

    def answer(self, request: Request) -> Answer:
        return self.odd if request.number == self.number else REFUSED


@pytest.mark.long
@pytest.mark.needs_service("postgres")
def test_both_back_ends_answer_alike() -> None:
    """Generated requests, hostile or not, get equal answers: status, headers, body; none is 500."""
    outcome = run(BODIES, seed=2026)

    assert [] == [str(difference) for difference in outcome.first]
    assert (BODIES, 0) == (outcome.bodies, outcome.statuses[500])
    assert {200, 201, 202, 204, 400, 404, 409, 415, 422} <= set(outcome.statuses)


def test_stream_repeats_with_its_seed() -> None:
    """The same seed gives the same requests, another one others."""
    first, again, other = (list(islice(Generator(seed).requests(), 200)) for seed in (7, 7, 8))

    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "odd",
    [
        replace(REFUSED, status=404),
        replace(REFUSED, body=b'{"code": "not_found"}'),
        replace(REFUSED, headers=(("x-request-id", "req_2"),)),
    ],
    ids=["status", "body", "headers"],
)
def test_every_kind_of_difference_is_found(odd: Answer) -> None:
    """A status, a body or a header that differs is reported with its request."""
    outcome = compare(Stub(), Stub(odd, number=17), bodies=50, seed=1)

    assert (1, 50) == (outcome.differences, outcome.bodies)
    assert str(outcome.first[0]).startswith("request 17: ")
