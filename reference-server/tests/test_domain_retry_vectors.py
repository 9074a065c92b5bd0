"""The conformance suite's vectors of what follows an attempt, judged by the server's policy."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.outcome import Delivered, Outcome, Refused, Unreachable
from hookwright_server.domain.retry_after import parse_retry_after
from hookwright_server.domain.retry_policy import (
    Decision,
    DisableEndpoint,
    Exhausted,
    Rejected,
    RetryAt,
    RetryPolicies,
    Succeeded,
    decide,
)

Vector = dict[str, Any]
_DELIVERIES: list[Vector] = [
    each
    for each in json.loads(
        (files("hookwright_conformance") / "vectors" / "retry.json").read_text("utf-8")
    )["vectors"]
    if each["of"] == "delivery"
]
_REASONS: dict[type[Decision], str] = {
    Succeeded: "done",
    Rejected: "permanent_status",
    DisableEndpoint: "gone",
    Exhausted: "attempts_used",
}


def outcome_of(vector: Vector) -> Outcome:
    """What came of the attempt."""
    told = vector["outcome"]
    if "no_answer" in told:
        return Unreachable("connection_reset")
    if 200 <= told["status"] < 300:
        return Delivered(told["status"])
    wait = told["headers"].get("retry-after")
    now_ms = vector["now"] * 1000
    wait_ms = None if wait is None else parse_retry_after(wait.encode(), now_ms)
    return Refused(told["status"], wait_ms)


def decided(vector: Vector, chance: float) -> Decision:
    """What the server makes of it."""
    policies = RetryPolicies(RETRY_PRESETS)
    own = None if vector["policy"] is None else policies.from_document(vector["policy"])
    policy = policies.resolve(own, None)
    now_ms = vector["now"] * 1000
    return decide(outcome_of(vector), vector["attempt"], policy, now_ms, lambda: chance)


@pytest.mark.parametrize("vector", _DELIVERIES, ids=lambda vector: str(vector["name"]))
def test_what_follows_is_as_stated(vector: Vector) -> None:
    """The same verdict, for the same reason; a wait within its bounds, whatever chance says."""
    for chance in (0.0, 0.999999):
        decision = decided(vector, chance)
        if isinstance(decision, RetryAt):
            wait = decision.at_ms / 1000 - vector["now"]

            assert "retry" == vector["verdict"]
            assert vector["not_before_seconds"] <= wait <= vector["not_after_seconds"]
        else:
            assert ("final", _REASONS[type(decision)]) == (vector["verdict"], vector["reason"])
