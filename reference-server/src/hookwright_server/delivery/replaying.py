"""Works on replay tasks, step by step: each is one transaction of some rows."""

from __future__ import annotations

import json
from functools import lru_cache

from hookwright_server.clock import Clock
from hookwright_server.delivery.happenings import replay_completed
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.domain.retry_policy import RetryPolicies, RetryPolicy
from hookwright_server.ids import Ids
from hookwright_server.store import replay_steps
from hookwright_server.store.database import Connection


class Replayer:
    """Makes the deliveries that replay tasks ask for."""

    def __init__(
        self, policies: RetryPolicies, clock: Clock, ids: Ids, system: SystemEvents
    ) -> None:
        self._system = system
        self._clock = clock
        self._ids = ids

        @lru_cache(maxsize=256)
        def read(document: str | None) -> RetryPolicy | None:
            return None if document is None else policies.from_document(json.loads(document))

        self._read = read
        self._resolve = policies.resolve

    def step(self, connection: Connection) -> int | None:
        """Go on with one task; how many deliveries that made. None: there is nothing to do."""
        now_ms = self._clock.now_ms()
        done = replay_steps.step(
            connection, lambda: self._ids.new("del", now_ms), self._max_attempts, now_ms
        )
        if done is None:
            return None
        if done.completed is None:
            return done.replayed
        told = self._system.publish(connection, [replay_completed(done.completed)])
        return done.replayed + told

    def _max_attempts(self, of_endpoint: str | None, of_app: str | None) -> int:
        return self._resolve(self._read(of_endpoint), self._read(of_app)).max_attempts
