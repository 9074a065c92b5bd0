"""Stage 1: due deliveries become leased ones, fairly.

Every endpoint gets at most its free slots. When there is more than there is room for, slots are
dealt one at a time, in turn over the tenants and within each over its endpoints, beginning behind
whoever was served last: a slow endpoint delays nobody else, nor does a large account.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hookwright_server.clock import Clock
from hookwright_server.delivery.room import Room
from hookwright_server.store import rates
from hookwright_server.store.claims import Leased, Round, Share, Target, Tenant, Waiting
from hookwright_server.store.database import Connection
from hookwright_server.store.hot_sql import hot_sql
from hookwright_server.store.results import Lease
from hookwright_server.store.targets import Targets
from hookwright_server.store.upkeep import cancel_expired_leases

Turn = TypeVar("Turn", str, Tenant)

Key = tuple[str, int]
"""Delivery id and fence."""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that belongs to a session, and its endpoint as it was at `claimed_at` or later."""

    row: Leased
    target: Target
    lease: Lease
    claimed_at: int

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
    """What a claim took. `left_behind`: more was due than there was room for.

    `expired` deliveries were due, and are cancelled instead of sent.
    """

    deliveries: tuple[ClaimedDelivery, ...]
    next_due_at: int | None
    left_behind: bool
    expired: int = 0


class Rotation:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._last_tenant: Tenant = ("", "")
        self._last_endpoints: dict[Tenant, str] = {}
        self.round = Round()

    def deal(self, waiting: Sequence[Waiting], room: Room) -> list[Share]:
        """Share out what there is room for among the waiting endpoints."""
        by_tenant: dict[Tenant, dict[str, int]] = {}
        for w in waiting:
            if w.claimable > 0:
                by_tenant.setdefault(w.tenant, {})[w.endpoint_id] = w.claimable
        if _has_room_for_all(by_tenant, room):
            dealt = {key: n for endpoints in by_tenant.values() for key, n in endpoints.items()}
        else:
            dealt = self._in_turn(by_tenant, room)
        return [Share(endpoint_id, count) for endpoint_id, count in dealt.items()]

    def _in_turn(self, claimable: Mapping[Tenant, Mapping[str, int]], room: Room) -> dict[str, int]:
        line = self._line_up(claimable)
        held = {tenant: room.by_tenant.get(tenant, 0) for tenant in claimable}
        dealt: dict[str, int] = {}
        count = 0
        while line and count < room.most:
            tenant, endpoints = line.popleft()
            of_tenant = room.of_tenant(held[tenant], count)
            # Room only shrinks during a deal: whoever has none leaves the line.
            if of_tenant <= 0 or not endpoints:
                continue
            line.append((tenant, endpoints))
            while endpoints:
                endpoint_id, left = endpoints.popleft()
                taken = dealt.get(endpoint_id, 0)
                if room.of_endpoint(room.by_endpoint.get(endpoint_id, 0) + taken, of_tenant) > 0:
                    dealt[endpoint_id] = taken + 1
                    held[tenant] += 1
                    count += 1
                    if left > 1:
                        endpoints.append((endpoint_id, left - 1))
                    self._last_tenant = tenant
                    self._last_endpoints[tenant] = endpoint_id
                    break
        return dealt

    def _line_up(
        self, claimable: Mapping[Tenant, Mapping[str, int]]
    ) -> deque[tuple[Tenant, deque[tuple[str, int]]]]:
        last = self._last_endpoints
        self._last_endpoints = {key: last[key] for key in claimable if key in last}
        return deque(
            (
                tenant,
                deque(
                    (endpoint_id, claimable[tenant][endpoint_id])
                    for endpoint_id in _behind(claimable[tenant], last.get(tenant, ""))
                ),
            )
            for tenant in _behind(claimable, self._last_tenant)
        )


def _has_room_for_all(claimable: Mapping[Tenant, Mapping[str, int]], room: Room) -> bool:
    """Whether nobody would be beyond a threshold, or the claim too large, with all of it taken."""
    wanted = {tenant: sum(endpoints.values()) for tenant, endpoints in claimable.items()}
    total = sum(wanted.values())
    if total > room.most:
        return False
    for tenant, endpoints in claimable.items():
        of_tenant = room.of_tenant(room.by_tenant.get(tenant, 0) + wanted[tenant], total)
        if of_tenant < 0 or any(
            room.of_endpoint(room.by_endpoint.get(endpoint_id, 0) + count, of_tenant) < 0
            for endpoint_id, count in endpoints.items()
        ):
            return False
    return True


def claim(
    connection: Connection,
    clock: Clock,
    session_id: str,
    rotation: Rotation,
    room: Room,
    limits: Mapping[str, int],
    targets: Targets,
) -> Claim:
    """Lease due deliveries to the session, as many as there is room for.

    `limits` holds the endpoints whose concurrency is at present below `max_concurrency`.
    Raises SessionLost when the session has been declared dead.
    """
    hot = hot_sql(connection)
    # The time is taken inside the transaction: rows committed just before are due already.
    now_ms = clock.now_ms()
    queue = hot.reserve(connection, session_id, now_ms, limits, rotation.round)
    shares = rotation.deal(queue.waiting, room)
    leased = hot.lease(connection, session_id, now_ms, shares) if shares else []
    rows, moved_up = _in_time(connection, leased, now_ms)
    rates.take(connection, queue.waiting, (row.endpoint_id for row in rows))
    found = targets.of(connection, {row.endpoint_id for row in rows}, now_ms) if rows else {}
    return Claim(
        deliveries=tuple(
            ClaimedDelivery(row, found[row.endpoint_id], Lease(session_id, row.fence), now_ms)
            for row in rows
        ),
        next_due_at=queue.next_due_at,
        left_behind=moved_up > 0 or _left_behind(queue.waiting, leased, rows),
        expired=len(leased) - len(rows),
    )


def _in_time(connection: Connection, leased: list[Leased], now_ms: int) -> tuple[list[Leased], int]:
    """Those that may still be sent; the others are cancelled in the same transaction.

    Also tells how many that had waited for those are due now.
    """
    late = {row.id for row in leased if row.expires_at is not None and row.expires_at <= now_ms}
    if not late:
        return leased, 0
    moved_up = cancel_expired_leases(connection, late, now_ms)
    return [row for row in leased if row.id not in late], moved_up


def _left_behind(
    waiting: Sequence[Waiting], leased: Sequence[Leased], kept: Sequence[Leased]
) -> bool:
    # What waits for its rate is no backlog: a slot that is freed does not help it.
    if any(w.has_more and w.reopens_at is None for w in waiting):
        return True
    if len(leased) < sum(w.claimable for w in waiting):
        return True
    if len(kept) == len(leased):
        return False
    # What had expired has used nothing of its endpoint's rate, so another one may go at once.
    sent = {row.id for row in kept}
    unused = {row.endpoint_id for row in leased if row.id not in sent}
    return any(w.has_more and w.endpoint_id in unused for w in waiting)


def _behind(keys: Iterable[Turn], last: Turn) -> list[Turn]:
    """`keys` in order, beginning behind `last` and ending with it."""
    return sorted(keys, key=lambda key: (key <= last, key))
