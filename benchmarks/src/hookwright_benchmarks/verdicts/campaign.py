"""Sends the stream to both servers and compares what they say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hookwright_benchmarks.rig.wsgi import Answer
from hookwright_benchmarks.verdicts.requests import Generator, Request

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A request that the two judged differently."""

    request: Request
    sqlite: Answer
    postgres: Answer

    def __str__(self) -> str:
        sent = self.request
        lines = [f"request {sent.number}: {sent.method} {sent.target} {sent.headers}"]
        lines.append(f"  body     {(sent.body or b'')[:300]!r}")
        for name, answer in (("SQLite", self.sqlite), ("Postgres", self.postgres)):
            lines.append(f"  {name:8} {answer.status} {answer.body[:500]!r}")
        if (self.sqlite.status, self.sqlite.body) == (self.postgres.status, self.postgres.body):
            lines.append(f"  headers  {set(self.sqlite.headers) ^ set(self.postgres.headers)}")
        return "\n".join(lines)


@dataclass(slots=True)
class Outcome:
    """What was seen."""

    requests: int = 0
    bodies: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    codes: Counter[str] = field(default_factory=Counter[str])
    differences: int = 0
    first: list[Difference] = field(default_factory=list[Difference])


class Judge(Protocol):
    """Whoever answers requests."""

    def answer(self, request: Request) -> Answer: ...


def compare(
    sqlite: Judge,
    postgres: Judge,
    *,
    bodies: int,
    seed: int,
    progress: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Send requests until `bodies` of them had one. An answer is status, headers and body."""
    generator = Generator(seed)
    outcome = Outcome()
    for request in generator.requests():
        ours, theirs = sqlite.answer(request), postgres.answer(request)
        outcome.requests += 1
        outcome.bodies += request.body is not None
        outcome.statuses[ours.status] += 1
        if ours != theirs:
            outcome.differences += 1
            if len(outcome.first) < _MOST_SHOWN:
                outcome.first.append(Difference(request, ours, theirs))
        elif ours.status >= 400:
            outcome.codes[json.loads(ours.body)["code"]] += 1
        elif ours.body:
            generator.learn(request.operation_id, json.loads(ours.body))
        progress(outcome)
        if outcome.bodies >= bodies:
            break
    return outcome
