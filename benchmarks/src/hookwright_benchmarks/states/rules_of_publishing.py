"""Publishing, by event and by batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from hookwright_benchmarks.states import shown
from hookwright_benchmarks.states.divergence import Divergence, same
from hookwright_benchmarks.states.drawn import EVENT, INDEX, KEY, SOON
from hookwright_benchmarks.states.model import codes
from hookwright_benchmarks.states.steps import Steps
from hookwright_benchmarks.states.things import DAY_MS, App, Delivery
from hookwright_benchmarks.states.words import Event
from hookwright_benchmarks.states.world import Reply

_KEPT_MS = DAY_MS  # records of idempotency keys


class Publishing(Steps):
    """Rules of the tag `trigger`."""

    @rule(
        which=INDEX,
        event=EVENT,
        narrowed=st.none() | st.lists(INDEX, min_size=1, max_size=3),
        deliver_in=st.none() | st.none() | SOON,
        expires_in=st.none() | st.none() | SOON,
        key=st.none() | st.none() | KEY,
        dry_run=st.sampled_from((False, False, False, True)),
    )
    def publish(
        self,
        which: int,
        event: Event,
        narrowed: list[int] | None,
        deliver_in: int | None,
        expires_in: int | None,
        key: str | None,
        dry_run: bool,
    ) -> None:
        """One event: narrowed, planned, kept by a key, or only tried."""
        now = self.step()
        event = replace(
            event,
            endpoint_ids=self.some_ids(narrowed) if narrowed else None,
            deliver_at=None if deliver_in is None else now + deliver_in,
            expires_at=None if expires_in is None else now + expires_in,
            dry_run=dry_run,
        )
        self.trigger(self.some_app(which), event, None if dry_run else key)
        self.settle()

    @rule(which=INDEX, event=EVENT)
    def publish_plainly(self, which: int, event: Event) -> None:
        """One event as most are."""
        self.step()
        self.trigger(self.some_app(which), event, None)
        self.settle()

    @rule(
        which=INDEX,
        events=st.lists(EVENT, min_size=1, max_size=4),
        key=st.none() | KEY,
        tries=st.sampled_from((False, False, False, True)),
    )
    def publish_batch(self, which: int, events: list[Event], key: str | None, tries: bool) -> None:
        """Events of a batch are accepted or refused each by itself."""
        now = self.step()
        app = self.some_app(which)
        events = [replace(events[0], dry_run=tries), *events[1:]]
        inner = b",".join(each.document for each in events)
        path, body = f"/v1/apps/{app.slug}/trigger/batch", b'{"events":[%b]}' % inner
        if (reply := self.keyed(path, body, key)) is None:
            return
        if self.both.refused(reply, codes(app_inactive=not app.active, forbidden=app.is_system)):
            return
        for event, item in zip(events, reply.json["results"], strict=True):
            why = self.model.refusals(app, event, now)
            if why:
                if item["error"] is None or item["error"]["code"] not in why:
                    raise Divergence(f"expected {why}, found {item}")
                continue
            same(True, item["success"], str(item))
            self.accepted(app, event, item)
        self.settle()

    def trigger(self, app: App, event: Event, key: str | None) -> list[Delivery]:
        """Publish on both sides; the deliveries that were made."""
        path = f"/v1/apps/{app.slug}/trigger"
        why = self.model.refusals(app, event, self.now)
        reply = self.keyed(path, event.document, key)
        if reply is None or self.both.refused(reply, why):
            return []
        same((202, event.dry_run), (reply.status, reply.json["dry_run"]), "trigger.send")
        return self.accepted(app, event, reply.json)

    def accepted(self, app: App, event: Event, said: Any) -> list[Delivery]:
        """For each endpoint there is a delivery or it is counted as filtered; nothing else."""
        chosen = self.model.chosen(app, event)
        counts = len(chosen), len(self.model.targets(app, event)) - len(chosen)
        same(
            counts, (said["endpoint_count"], said["filtered_count"]), "counts of a published event"
        )
        if event.dry_run:
            same([], said["delivery_ids"], "dry run")
            return []
        made = self.model.accept(app, event, said["message_id"], self.now)
        detail = self.both.adopt(self.model.messages[-1], made)
        expected = shown.message(self.model.messages[-1])
        same(expected, shown.part(detail, expected), "messages.get")
        same(sorted(each.id for each in made), sorted(said["delivery_ids"]), "delivery_ids")
        return made

    def keyed(self, path: str, body: bytes, key: str | None) -> Reply | None:
        """Publish; None: the key was used before, and the answer was the first one again."""
        if key is None:
            return self.send("POST", path, body)
        reply = self.send("POST", path, body, Idempotency_Key=key)
        first, at, stored = self.records.get((path, key), (b"", 0, reply))
        if at + _KEPT_MS > self.now:
            if first == body:
                same("true", reply.headers.get("idempotency-replayed"), str(reply))
                same((stored.status, told(stored)), (reply.status, told(reply)), "a repeat")
            else:
                same("idempotency_key_reused", reply.code, str(reply))
            return None
        same(None, reply.headers.get("idempotency-replayed"), str(reply))
        if reply.status not in (400, 403):
            self.records[path, key] = body, self.now, reply
        return reply


def told(reply: Reply) -> Any:
    """The body, but for the request that it answers."""
    document = reply.json
    document.pop("request_id", None)
    return document
