"""What the meter learns of a batch of attempts, counted once for the whole batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from hookwright_server.delivery.claim import Key
from hookwright_server.delivery.recorder import Completed, describe
from hookwright_server.telemetry.meters import DeliveryMeter


def measure(meter: DeliveryMeter, batch: Sequence[Completed], stale: Collection[Key]) -> None:
    """Tell of a recorded batch; `stale` are those whose lease had been lost."""
    if stale:
        meter.lost("stale_completion", len(stale))
    kept = [done for done in batch if done.claimed.key not in stale] if stale else batch
    meter.recorded(
        Counter([describe(done.attempted.outcome) for done in kept]),
        [done.attempted.latency_ms / 1000 for done in kept],
        [
            (done.started_at - done.claimed.row.accepted_at) / 1000
            for done in kept
            if done.claimed.number == 1
        ],
    )
