"""One canonical line per attempt, with everything in it: operations by grep."""

from __future__ import annotations

import json
import logging
from collections.abc import Container, Iterable, Mapping
from typing import Literal

from hookwright_server.delivery.claim import Key
from hookwright_server.delivery.recorder import Completed, describe, ending
from hookwright_server.domain.retry_policy import RetryAt
from hookwright_server.logs import together
from hookwright_server.store.worker_sessions import Interrupted

Style = Literal["text", "json"]

_log = logging.getLogger("hookwright.attempt")


class AttemptLog:
    """Writes to the logger `hookwright.attempt`, as key=value pairs or as JSON."""

    def __init__(self, style: Style = "text") -> None:
        self._style = style

    def completed(self, batch: Iterable[Completed], stale: Container[Key]) -> None:
        """Attempts that were recorded, or refused because their lease was lost (`stale`)."""
        if not _log.isEnabledFor(logging.INFO):
            return
        with together():
            for done in batch:
                self._completed(done, stale=done.claimed.key in stale)

    def _completed(self, done: Completed, *, stale: bool) -> None:
        decision = done.decision
        self._write(
            {
                "delivery": done.claimed.row.id,
                "message": done.claimed.row.message_id,
                "endpoint": done.claimed.target.endpoint_id,
                "app": done.claimed.target.app_id,
                "account": done.claimed.target.account_id,
                "attempt": done.claimed.number,
                "outcome": describe(done.attempted.outcome),
                "status": done.attempted.status_code,
                "latency_ms": done.attempted.latency_ms,
                "decision": "stale" if stale else ending(decision) or "retry",
                "next_attempt_at": decision.at_ms if isinstance(decision, RetryAt) else None,
            }
        )

    def interrupted(self, taken_back: Interrupted) -> None:
        """An attempt whose worker died: nobody knows whether it arrived."""
        self._write(
            {
                "delivery": taken_back.delivery_id,
                "message": taken_back.message_id,
                "endpoint": taken_back.endpoint_id,
                "app": taken_back.app_id,
                "account": taken_back.account_id,
                "attempt": taken_back.attempt,
                "outcome": "interrupted",
                "status": None,
                "latency_ms": None,
                "decision": "retry",
                "next_attempt_at": taken_back.next_attempt_at,
            }
        )

    def _write(self, fields: Mapping[str, str | int | None]) -> None:
        if self._style == "json":
            line = json.dumps(fields, separators=(",", ":"))
        else:
            line = " ".join(f"{key}={_word(value)}" for key, value in fields.items())
        _log.info("%s", line)


def _word(value: str | int | None) -> str:
    return "-" if value is None else str(value)
