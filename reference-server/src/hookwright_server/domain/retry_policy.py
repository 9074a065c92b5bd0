"""Which attempt follows which outcome, and when. Waits are milliseconds, attempts count from 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.outcome import (
    Blocked,
    DeadlineExceeded,
    Delivered,
    NotTransformed,
    Outcome,
    Overflow,
    Refused,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_RETRY_AFTER_MS = Limits.retry_after_cap_seconds * 1000
"""RETRY-5: a receiver's Retry-After delays the next attempt by at most a day."""
GONE = 410
RETRYABLE_CLIENT_ERRORS = frozenset({408, 409, 425, 429})


class PolicyError(Exception):
    """A retry policy document contradicts itself; `str()` is fit for the API's `detail`."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A schedule: `delays_ms[n - 1]` is the wait between attempt n and attempt n + 1.

    Each wait is stretched by a random share of at most `jitter` (0 to 1), never shortened.
    """

    delays_ms: tuple[int, ...]
    jitter: float
    retry_client_errors: bool

    @property
    def max_attempts(self) -> int:
        """How many attempts a delivery gets, the first included."""
        return len(self.delays_ms) + 1


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The delivery is `delivered`."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The next attempt is due at `at_ms` (milliseconds since the epoch)."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """All attempts are used: the delivery is `dead_letter`."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An answer that no retry can mend: the delivery is `failed`."""


@dataclass(frozen=True, slots=True)
class DisableEndpoint:
    """The receiver says 410: the delivery is `failed`, the endpoint disabled (`gone`)."""


Decision = Succeeded | RetryAt | Exhausted | Rejected | DisableEndpoint


def decide(
    outcome: Outcome,
    attempt: int,
    policy: RetryPolicy,
    now_ms: int,
    random: Callable[[], float],
) -> Decision:
    """What follows attempt number `attempt` of the present schedule.

    Attempts before a retry by hand and interrupted ones do not count. `random` gives numbers
    in [0, 1). A blocked address counts as unreachable: DNS may point elsewhere tomorrow.
    """
    if isinstance(outcome, Delivered):
        return Succeeded()
    if isinstance(outcome, Refused) and outcome.status == GONE:
        return DisableEndpoint()
    if not _retryable(outcome, policy):
        return Rejected()
    if attempt >= policy.max_attempts:
        return Exhausted()
    wait = policy.delays_ms[attempt - 1]
    jittered = wait + int(wait * policy.jitter * random())
    return RetryAt(now_ms + max(jittered, _retry_after_ms(outcome)))


def _retryable(outcome: Outcome, policy: RetryPolicy) -> bool:
    match outcome:
        case Refused(status) if 400 <= status < 500:
            return status in RETRYABLE_CLIENT_ERRORS or policy.retry_client_errors
        case Refused() | Unreachable() | DeadlineExceeded() | Blocked() | Overflow():
            return True
        case Delivered() | NotTransformed():
            return False


def _retry_after_ms(outcome: Outcome) -> int:
    asked = outcome.retry_after_ms if isinstance(outcome, Refused) else None
    return min(asked or 0, MAX_RETRY_AFTER_MS)


class Preset(Protocol):
    """A named schedule of the contract; the last delay repeats up to `max_attempts`."""

    @property
    def delays_seconds(self) -> Sequence[float]: ...
    @property
    def jitter(self) -> float: ...
    @property
    def max_attempts(self) -> int: ...


class RetryPolicies:
    """Reads policy documents against the presets that the contract defines."""

    def __init__(self, presets: Mapping[str, Preset]) -> None:
        self._presets = presets
        self.default = self.from_document({})

    def from_document(self, document: Mapping[str, object]) -> RetryPolicy:
        """The policy that a validated RetryPolicy document of the API describes.

        Absent and null members take the preset's value; with `delays_seconds` the preset
        `default` lends its jitter. Raises PolicyError for a document that passes the schema
        but contradicts itself.
        """
        delays = cast("Sequence[float] | None", document.get("delays_seconds"))
        preset = self._preset(cast("str | None", document.get("preset")), delays)
        waits = preset.delays_seconds if delays is None else delays
        attempts = preset.max_attempts if delays is None else len(delays) + 1
        jitter = cast("float | None", document.get("jitter"))
        return RetryPolicy(
            _fit(waits, cast("int | None", document.get("max_attempts")) or attempts),
            preset.jitter if jitter is None else jitter,
            bool(document.get("retry_client_errors")),
        )

    def resolve(self, endpoint: RetryPolicy | None, app: RetryPolicy | None) -> RetryPolicy:
        """The policy that holds: the endpoint's, else the app's, else the default."""
        return endpoint or app or self.default

    def _preset(self, name: str | None, delays: Sequence[float] | None) -> Preset:
        if name is not None and delays is not None:
            raise PolicyError("A retry policy has a preset or delays_seconds, not both.")
        try:
            return self._presets[name or "default"]
        except KeyError:
            known = ", ".join(sorted(self._presets))
            raise PolicyError(f"There is no preset {name!r}; there are {known}.") from None


def _fit(waits_seconds: Sequence[float], attempts: int) -> tuple[int, ...]:
    waits = [round(seconds * 1000) for seconds in waits_seconds[: attempts - 1]]
    missing = attempts - 1 - len(waits)
    if missing and not waits:
        raise PolicyError("max_attempts above 1 needs a delay between the attempts.")
    return (*waits, *waits[-1:] * missing)
