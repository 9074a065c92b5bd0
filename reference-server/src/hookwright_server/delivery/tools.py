"""What the engine is made of, and within which limits it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hookwright_server.clock import Clock
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.replaying import Replayer
from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.delivery.waker import Waker
from hookwright_server.store.worker_sessions import DEAD_AFTER_MS, RENEW_EVERY_MS
from hookwright_server.telemetry.meters import SILENT, DeliveryMeter
from hookwright_server.telemetry.traces import NO_TRACES, Tracer


class Sending(Protocol):
    """What the engine needs of a sender; `sender.Sender` is the real one."""

    async def send(self, request: OutgoingRequest) -> Attempted:
        """Make one attempt. Every failure is an outcome; only cancellation is raised."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """`in_flight` deliveries at a time, `claim` per transaction, a look every `poll_ms`.

    The session is renewed every `renew_ms` and given up when that failed for `dead_ms`; others are
    looked at every `take_back_ms`, whether one has died.
    An engine that `begins_paused` claims nothing until it is resumed.
    """

    in_flight: int = 1_000
    claim: int = 500
    poll_ms: int = 1_000
    renew_ms: int = RENEW_EVERY_MS
    dead_ms: int = DEAD_AFTER_MS
    take_back_ms: int = RENEW_EVERY_MS
    begins_paused: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What an engine works with. `make_sender` is called on the engine's event loop."""

    outbox: Outbox
    preparer: Preparer
    judge: Judge
    make_sender: Callable[[], Sending]
    waker: Waker
    clock: Clock
    log: AttemptLog
    meter: DeliveryMeter = SILENT
    tracer: Tracer = NO_TRACES
    replayer: Replayer | None = None
