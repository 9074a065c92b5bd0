"""One canonical line per attempt, with everything in it: operations by grep."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable

from hookwright_server.delivery.claim import Key
from hookwright_server.delivery.recorder import Completed, describe, ending
from hookwright_server.domain.retry_policy import RetryAt
from hookwright_server.logs import Fields, together
from hookwright_server.store.worker_sessions import Interrupted
from hookwright_server.telemetry.traces import trace_id

_log = logging.getLogger("hookwright.attempt")


class AttemptLog:
    """Writes to the logger `hookwright.attempt`."""

    def completed(self, batch: Iterable[Completed], stale: Container[Key]) -> None:
        """Attempts that were recorded, or refused because their lease was lost (`stale`)."""
        if not _log.isEnabledFor(logging.INFO):
            return
        with together():
            for done in batch:
                self._completed(done, stale=done.claimed.key in stale)

    def _completed(self, done: Completed, *, stale: bool) -> None:
        decision = done.decision
        _log.info(
            Fields(
                delivery=done.claimed.row.id,
                message=done.claimed.row.message_id,
                endpoint=done.claimed.target.endpoint_id,
                app=done.claimed.target.app_id,
                account=done.claimed.target.account_id,
                attempt=done.claimed.number,
                outcome=describe(done.attempted.outcome),
                status=done.attempted.status_code,
                latency_ms=done.attempted.latency_ms,
                decision="stale" if stale else ending(decision) or "retry",
                next_attempt_at=decision.at_ms if isinstance(decision, RetryAt) else None,
                trace=trace_id(done.claimed.row.traceparent),
            )
        )

    def interrupted(self, taken_back: Interrupted) -> None:
        """An attempt whose worker died: nobody knows whether it arrived."""
        _log.info(
            Fields(
                delivery=taken_back.delivery_id,
                message=taken_back.message_id,
                endpoint=taken_back.endpoint_id,
                app=taken_back.app_id,
                account=taken_back.account_id,
                attempt=taken_back.attempt,
                outcome="interrupted",
                status=None,
                latency_ms=None,
                decision="retry",
                next_attempt_at=taken_back.next_attempt_at,
                trace=None,
            )
        )
