"""Who may have how many of the engine's slots: whoever holds none is to find one free.

Nobody has a fixed share. What a holder may have follows from what the others leave (as with the
dynamic thresholds of Choudhury and Hahne, 1998, for buffers that queues share). Whoever is above
its threshold waits until its own attempts end: nothing is taken away.

* A tenant may hold three quarters of what the others leave, and that share shrinks with what they
  leave: alone it gets 3/4 of all slots, two get 1/3 each. Twenty that hang, one after the other,
  still leave more than fifty of a thousand slots.
* An endpoint may hold three quarters of what the others of its tenant leave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hookwright_server.store.claims import Tenant


@dataclass(frozen=True, slots=True)
class Room:
    """What a claim may take: `most` deliveries, and `free` of `slots`; who holds the others."""

    most: int
    slots: int
    free: int
    by_tenant: Mapping[Tenant, int]
    by_endpoint: Mapping[str, int]

    def of_tenant(self, held: int, dealt: int) -> int:
        """How many more a tenant may take that holds `held`, with `dealt` slots given out."""
        left = self.free - dealt + held
        return min(left, max(1, 3 * left * left // (4 * self.slots))) - held

    def of_endpoint(self, held: int, of_tenant: int) -> int:
        """How many more an endpoint may take that holds `held`, when its tenant may `of_tenant`."""
        left = of_tenant + held
        return min(left, max(1, 3 * left // 4)) - held
