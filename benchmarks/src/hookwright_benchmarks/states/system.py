"""What the platform publishes itself, found again on the server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hookwright_benchmarks.states.divergence import Divergence, same
from hookwright_benchmarks.states.words import SYSTEM, Happening, instant

if TYPE_CHECKING:
    from hookwright_benchmarks.states.account import Both
    from hookwright_benchmarks.states.things import Message


def learn_happenings(both: Both) -> None:
    """What is to have been published to `_system` was; the model learns its ids and bytes."""
    missing = [each for each in both.model.messages if not each.id]
    if not missing:
        return
    known = {each.id for each in both.model.messages}
    after = instant(min(each.created_at for each in missing))
    rows = both.pages("/v1/apps/-/messages", {"after": after}, 100, counted=False)
    for row in rows:
        if row["app_slug"] == SYSTEM and row["id"] not in known:
            _learn(both, row, missing)
    told = [each.event for each in missing]
    same([], told, f"what was to be published to {SYSTEM}")


def _learn(both: Both, row: Any, missing: list[Message]) -> None:
    """It is one of these, or of a time that the model has not come to."""
    key = row["event_name"], row["created_at"]
    alike = [each for each in missing if key == (each.event.name, instant(each.created_at))]
    if not alike:
        return
    reply = both.send("GET", f"/v1/apps/-/messages/{row['id']}")
    payload: Any = reply.json["payload"]
    for message in alike:
        event = message.event
        if isinstance(event, Happening) and event.data == payload:
            break
    else:
        raise Divergence(f"published to {SYSTEM}: {payload}; expected were: {alike}")
    missing.remove(message)
    written = json.dumps(payload).encode()
    same(True, written in reply.body, f"{written!r} in {reply.body!r}")
    message.id, message.event = row["id"], replace(event, written=written)
    both.adopt(message, list(both.model.of(message)))
