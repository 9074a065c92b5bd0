"""Stage 1: due deliveries become leased ones, fairly.

Every endpoint gets at most its free slots. When there is more than the engine can take, slots
are dealt one at a time, in turn over the accounts and within each over its endpoints, beginning
behind whoever was served last: a slow endpoint delays nobody else, nor does a large account.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.store.claims import Leased, Share, Target, Waiting, targets
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import SessionLost
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.results import Lease

Key = tuple[str, int]
"""Delivery id and fence."""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that belongs to a session, and its endpoint as it is now."""

    row: Leased
    target: Target
    lease: Lease

    @property
    def key(self) -> Key:
        """What tells this attempt from every other, also from one of the same delivery."""
        return self.row.id, self.row.fence

    @property
    def number(self) -> int:
        """This attempt's number among all attempts of the delivery, from 1."""
        return self.row.attempt_count + 1

    @property
    def scheduled_attempt(self) -> int:
        """This attempt's number within the present schedule, from 1."""
        return self.row.attempt_count - self.row.uncounted_attempts + 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim took. `left_behind`: more was due than slots or budget allowed."""

    deliveries: tuple[ClaimedDelivery, ...]
    next_due_at: int | None
    left_behind: bool


class Rotation:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._last_account = ""
        self._last_endpoints: dict[str, str] = {}

    def deal(self, waiting: Sequence[Waiting], budget: int) -> list[Share]:
        """Share out at most `budget` claims among the waiting endpoints."""
        claimable = [w for w in waiting if w.claimable > 0]
        if sum(w.claimable for w in claimable) <= budget:
            return [Share(w.endpoint_id, w.claimable) for w in claimable]
        return [Share(key, count) for key, count in self._in_turn(claimable, budget).items()]

    def _in_turn(self, waiting: Sequence[Waiting], budget: int) -> dict[str, int]:
        accounts = self._line_up(waiting)
        dealt: dict[str, int] = {}
        for _ in range(budget):
            account_id, endpoints = accounts.popleft()
            endpoint_id, left = endpoints.popleft()
            dealt[endpoint_id] = dealt.get(endpoint_id, 0) + 1
            if left > 1:
                endpoints.append((endpoint_id, left - 1))
            if endpoints:
                accounts.append((account_id, endpoints))
            self._last_account = account_id
            self._last_endpoints[account_id] = endpoint_id
        return dealt

    def _line_up(self, waiting: Sequence[Waiting]) -> deque[tuple[str, deque[tuple[str, int]]]]:
        by_account: dict[str, dict[str, int]] = {}
        for w in waiting:
            by_account.setdefault(w.account_id, {})[w.endpoint_id] = w.claimable
        last = self._last_endpoints
        self._last_endpoints = {key: last[key] for key in by_account if key in last}
        return deque(
            (
                account_id,
                deque(
                    (endpoint_id, by_account[account_id][endpoint_id])
                    for endpoint_id in _behind(by_account[account_id], last.get(account_id, ""))
                ),
            )
            for account_id in _behind(by_account, self._last_account)
        )


def claim(
    connection: Connection,
    clock: Clock,
    session_id: str,
    rotation: Rotation,
    budget: int,
    limits: Mapping[str, int],
) -> Claim:
    """Lease at most `budget` due deliveries to the session.

    `limits` holds the endpoints whose concurrency is at present below `max_concurrency`.
    Raises SessionLost when the session has been declared dead.
    """
    hot = hot_sql(connection)
    if not hot.session_lives(connection, session_id):
        raise SessionLost(session_id)
    # The time is taken inside the transaction: rows committed just before are due already.
    now_ms = clock.now_ms()
    queue = hot.queue(connection, now_ms, limits)
    shares = rotation.deal(queue.waiting, budget)
    rows = hot.lease(connection, session_id, now_ms, shares) if shares else []
    found = targets(connection, {row.endpoint_id for row in rows}, now_ms) if rows else {}
    return Claim(
        deliveries=tuple(
            ClaimedDelivery(row, found[row.endpoint_id], Lease(session_id, row.fence))
            for row in rows
        ),
        next_due_at=queue.next_due_at,
        left_behind=_left_behind(queue.waiting, len(rows)),
    )


def _left_behind(waiting: Iterable[Waiting], taken: int) -> bool:
    entries = list(waiting)
    return any(w.has_more for w in entries) or taken < sum(w.claimable for w in entries)


def _behind(keys: Iterable[str], last: str) -> list[str]:
    """`keys` in order, beginning behind `last` and ending with it."""
    return sorted(keys, key=lambda key: (key <= last, key))
