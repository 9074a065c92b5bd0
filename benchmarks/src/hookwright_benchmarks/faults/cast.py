"""Who receives: endpoints, what they subscribe to, and how they answer.

`prompt` and `slow` get the bulk. `ordered` fails now and then, and gets events with ordering keys
only. `gone` and `failing` are closed again and again: they refuse everything until the server
disables them, with 410 or by dead letters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hookwright import AsyncHookwright
from hookwright_benchmarks.faults.calls import APP
from hookwright_benchmarks.faults.keyring import Keyring
from hookwright_benchmarks.kill_campaign.sink import Behaviour, Sink

PLAIN = "fault.tested"
SAMPLED = "fault.sampled"
"""As plain as the others; replay tasks pick these out."""
ORDERED = "fault.ordered"
HELD = "fault.held"

_RETRIES = {"delays_seconds": [0.2, 0.5, 1, 2, 3], "max_attempts": 50, "jitter": 0.3}
_FEW_RETRIES = {"delays_seconds": [0.1], "max_attempts": 2, "jitter": 0}


@dataclass(frozen=True, slots=True)
class Part:
    """An endpoint: what it gets, how it answers, and behind which of the disturbable links."""

    events: tuple[str, ...]
    link: str
    behaviour: Behaviour = field(default_factory=Behaviour)
    retry_policy: Mapping[str, Any] = field(default_factory=lambda: _RETRIES)


PARTS: Mapping[str, Part] = {
    "prompt": Part((PLAIN, SAMPLED), "prompt"),
    "slow": Part((PLAIN, SAMPLED), "slow", Behaviour(delay_s=(0.05, 0.4), failing=0.01)),
    "ordered": Part((ORDERED,), "slow", Behaviour(delay_s=(0.0, 0.05), failing=0.1)),
    "gone": Part((HELD, ORDERED), "prompt"),
    "failing": Part((HELD,), "slow", retry_policy=_FEW_RETRIES),
}
BEHAVIOURS: Mapping[str, Behaviour] = {name: part.behaviour for name, part in PARTS.items()}
LINKS = tuple(dict.fromkeys(part.link for part in PARTS.values()))
STEADY = tuple(name for name, part in PARTS.items() if PLAIN in part.events)
"""Endpoints that are never closed and keep no order: recovery is measured at these."""
CLOSING: Mapping[str, Behaviour] = {
    "gone": Behaviour(failing=1.0, status=410),
    "failing": Behaviour(failing=1.0),
}
ROUTES: Mapping[str, tuple[str, ...]] = {
    event: tuple(name for name, part in PARTS.items() if event in part.events)
    for event in (PLAIN, SAMPLED, ORDERED, HELD)
}


@dataclass(slots=True)
class Roster:
    """The endpoints as they were made: the name of each id, and what each has been signed with."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    keyrings: dict[str, Keyring] = field(default_factory=dict[str, Keyring])

    @property
    def ids(self) -> dict[str, str]:
        """The id of each name."""
        return {name: endpoint_id for endpoint_id, name in self.names.items()}


async def furnish(api_key: str, base_url: str, sink: Sink, port_of: Callable[[str], int]) -> Roster:
    """Make the app and its endpoints; `port_of` says where the link of that name begins."""
    roster = Roster()
    async with AsyncHookwright(api_key, base_url=base_url, max_retries=8) as client:
        await client.apps.create(slug=APP, name="Fault campaign")
        for name, part in PARTS.items():
            endpoint = await client.endpoints.create(
                APP,
                url=f"http://127.0.0.1:{port_of(part.link)}/{name}",
                events=list(part.events),
                retry_policy=part.retry_policy,
                timeout_seconds=4,
                max_concurrency=128,
            )
            roster.names[endpoint.id] = name
            keyring = Keyring(name)
            keyring.learn(endpoint.signing_secret or "", made_after=0.0, known_at=time.time())
            roster.keyrings[name] = keyring
            sink.verifiers[name] = keyring
    return roster
