"""What is written down while a campaign runs. Instants are seconds of one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["api", "worker", "postgres", "redis", "sink"]

_SKEW_S = 0.5


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault, from `began` until everything was put right again (`ended`).

    `recovers_from`: from when recovery counts, the kill itself or the end of what lasted.
    `touches`: the parts that it disturbs; a link's are both its ends. `lingers_s`: how long after
    `ended` it may still be felt, because somebody holds a connection that is dead.
    `delays`: deliveries can come to a stop by it, so that the recovery from others begins anew.
    `requests_open` and `unsettled` are what was in flight when it began.
    """

    kind: str
    target: str
    touches: frozenset[Part]
    began: float
    recovers_from: float
    ended: float
    requests_open: int
    unsettled: int
    lingers_s: float = 2.0
    delays: bool = True

    @property
    def counts(self) -> bool:
        """A fault that hit nothing in flight proves nothing."""
        return self.requests_open > 0 or self.unsettled > 0

    def is_felt_at(self, at: float) -> bool:
        return self.began - _SKEW_S <= at <= self.ended + self.lingers_s


@dataclass(frozen=True, slots=True)
class ServerError:
    """An answer 5xx. `retry_after`: whether it named a time; `asked`: method and path."""

    at: float
    status: int
    code: str
    retry_after: bool
    asked: str = "POST trigger"


@dataclass(frozen=True, slots=True)
class Transition:
    """A delivery's change of status, in the order of the commits; `writer` names the process.

    `taken_back`: it was taken from a dead session, which anybody may do.
    """

    delivery_id: str
    before: str
    after: str
    fence: int
    writer: str
    taken_back: bool = False
