"""What the engine has under way, counted by who holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

from hookwright_server.delivery.claim import ClaimedDelivery, Key
from hookwright_server.delivery.room import Room
from hookwright_server.store.claims import Tenant

Holder = TypeVar("Holder", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Sending:
    task: asyncio.Task[None]
    tenant: Tenant
    endpoint_id: str


class InFlight:
    """Attempts from their claim to their record. Belongs to one event loop."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        # Keyed by fence too: a delivery may be claimed again while a lost attempt still runs.
        self._sending: dict[Key, _Sending] = {}
        self._by_tenant: dict[Tenant, int] = {}
        self._by_endpoint: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sending)

    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks of all attempts."""
        return [sending.task for sending in self._sending.values()]

    def keys(self) -> frozenset[Key]:
        """The keys of all attempts."""
        return frozenset(self._sending)

    def room(self, at_once: int) -> Room:
        """What a claim may take now, at most `at_once`; a copy, safe to hand to another thread."""
        free = self._slots - len(self._sending)
        by_tenant, by_endpoint = dict(self._by_tenant), dict(self._by_endpoint)
        return Room(min(at_once, free), self._slots, free, by_tenant, by_endpoint)

    def add(self, claimed: ClaimedDelivery, task: asyncio.Task[None]) -> None:
        """Count an attempt that begins."""
        sending = _Sending(task, claimed.target.tenant, claimed.target.endpoint_id)
        self._sending[claimed.key] = sending
        by_tenant, by_endpoint = self._by_tenant, self._by_endpoint
        by_tenant[sending.tenant] = by_tenant.get(sending.tenant, 0) + 1
        by_endpoint[sending.endpoint_id] = by_endpoint.get(sending.endpoint_id, 0) + 1

    def remove(self, key: Key) -> None:
        """Free the slot of an attempt; one that is not there any more is no matter."""
        sending = self._sending.pop(key, None)
        if sending is not None:
            _count_down(self._by_tenant, sending.tenant)
            _count_down(self._by_endpoint, sending.endpoint_id)

    def clear(self) -> None:
        """Free every slot."""
        self._sending.clear()
        self._by_tenant.clear()
        self._by_endpoint.clear()


def _count_down(counts: dict[Holder, int], holder: Holder) -> None:
    if counts[holder] == 1:
        del counts[holder]
    else:
        counts[holder] -= 1
