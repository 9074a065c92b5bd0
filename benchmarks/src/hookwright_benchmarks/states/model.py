"""What the documents promise of events and deliveries, without any I/O; instants are epoch ms.

The machine does everything twice, here and over the API, and compares. Where the documents leave
something open the model is told how the server decided: ids, and the order of deliveries that fall
due in the same millisecond (`started`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hookwright_benchmarks.states.things import (
    DAY_MS,
    FAILING_AFTER,
    App,
    Attempt,
    Delivery,
    Endpoint,
    Message,
    ReplayTask,
)
from hookwright_benchmarks.states.words import (
    NOT_TRANSFORMED,
    Answer,
    Event,
    Happening,
    Wanted,
    instant,
)

_LATER = (408, 409, 425, 429)


class Unsure(Exception):
    """The documents allow more than one outcome here."""


class Model:
    """Everything of one account. What was erased is in `erased_…` and still counts."""

    def __init__(self, started_at: int) -> None:
        self.started_at = started_at
        self.apps: list[App] = []  # those that are not deleted
        self.endpoints: list[Endpoint] = []
        self.messages: list[Message] = []
        self.deliveries: list[Delivery] = []
        self.tasks: list[ReplayTask] = []
        self.erased_messages: list[Message] = []
        self.erased_deliveries: list[Delivery] = []
        self._lanes: dict[tuple[Endpoint, str | None], list[Delivery]] = {}

    # What requests do

    def targets(self, app: App, event: Event) -> list[Endpoint]:
        """Whom the event could go to: filters and subscriptions come after this."""
        return [
            each
            for each in self.endpoints
            if each.app is app
            and each.deleted_at is None
            and (event.endpoint_ids is None or each.id in event.endpoint_ids)
        ]

    def refusals(self, app: App, event: Event, now: int) -> set[str]:
        """Why the event is refused; a server names one of these codes."""
        archived, most = app.catalogue.get(event.name, (True, None))
        known = {each.id for each in self.targets(app, event)}
        end, begin = event.expires_at, max(now, event.deliver_at or now)
        return codes(
            forbidden=app.is_system,
            app_inactive=not app.active,
            unknown_event_type=app.registered and archived,
            payload_schema_mismatch=not archived and most is not None and event.number > most,
            unknown_endpoint=not known.issuperset(event.endpoint_ids or ()),
            validation_error=end is not None and end <= begin,
            not_schedulable=event.ordering_key is not None and event.deliver_at is not None,
        )

    def chosen(self, app: App, event: Event) -> list[Endpoint]:
        """Those whom the event goes to."""
        return [each for each in self.targets(app, event) if each.wanted.takes(event)]

    def accept(self, app: App, event: Event, message_id: str, now: int) -> list[Delivery]:
        """The event is published; its new deliveries, which have no ids yet."""
        chosen = self.chosen(app, event)
        filtered = len(self.targets(app, event)) - len(chosen)
        message = Message(message_id, app, event, now, event.expires_at, len(chosen), filtered)
        self.messages.append(message)
        due_at = max(now, event.deliver_at or now)
        made = [self._new(message, each, now, due_at, event.expires_at) for each in chosen]
        for each in made if event.ordering_key else ():
            self._line_up(each)
        return made

    def replay(self, delivery: Delivery, now: int) -> Delivery:
        """A new delivery of the same message."""
        new = self._new(delivery.message, delivery.endpoint, now, now, None)
        new.replay_of = delivery.id
        return new

    def retry(self, delivery: Delivery, now: int) -> None:
        delivery.status, delivery.completed_at, delivery.due_at = "pending", None, now
        delivery.before = len(delivery.attempts)
        delivery.is_ordered = False
        delivery.max_attempts = delivery.before + delivery.endpoint.wanted.attempts

    def unsendable(self, delivery: Delivery) -> set[str]:
        """Why it can be neither retried nor replayed."""
        gone = delivery.endpoint.deleted_at is not None
        erased = delivery.message.expunged_at is not None
        return codes(endpoint_deleted=gone, payload_expunged=erased)

    def delete_app(self, app: App, now: int) -> None:
        """Its endpoints are deleted with it."""
        app.deleted = True
        self.apps.remove(app)
        for each in self.endpoints:
            if each.app is app and each.deleted_at is None:
                each.deleted_at = now

    def of(self, thing: Message | Endpoint) -> Iterator[Delivery]:
        return (each for each in self.deliveries if thing in (each.message, each.endpoint))

    # What the engine does

    def settle(self, now: int, started: Callable[[Delivery], float]) -> list[Delivery]:
        """Everything that is due is attempted; a delivery for each attempt."""
        sent: list[Delivery] = []
        rounds: list[list[Delivery]] = []
        while begun := self.begin(now, started):
            rounds.append(begun)
            # What cannot be sent is over before anything else can be.
            for delivery in sorted(begun, key=lambda each: each.data is not None):
                self.finish(delivery, now)
            for endpoint in {each.endpoint for each in begun}:
                count = sum(each.endpoint is endpoint for each in begun)
                if endpoint.disabled_at == now and count > endpoint.at_once:
                    raise Unsure
            sent += begun
        if any(map(_is_unordered, _by_endpoint(rounds))):
            raise Unsure
        return sent

    def begin(self, now: int, started: Callable[[Delivery], float]) -> list[Delivery]:
        """What is due is being sent from now on."""
        self._expire(now)
        begun = [
            delivery
            for endpoint in self.endpoints
            if endpoint.open
            for delivery in self._claimable(endpoint, now, started)
        ]
        for delivery in begun:
            endpoint = delivery.endpoint
            delivery.status = "sending"
            endpoint.note_begun(now)
            signing = tuple(endpoint.signing(now))
            attempt = Attempt(now, endpoint.answer, signing, endpoint.wanted.change)
            delivery.attempts.append(attempt)
        return begun

    def move_up(self, now: int) -> None:
        """Whoever is first with its key now is due."""
        for lane in self._lanes.values():
            open_ones = [each for each in lane if each.is_ordered and not each.is_over]
            if open_ones and open_ones[0].waits:
                open_ones[0].waits, open_ones[0].due_at = False, now

    def _expire(self, now: int) -> None:
        """Who is first with its key is claimed when it expires, and lets the next one go."""
        self.move_up(now)
        for lane in self._lanes.values():
            for first in lane:
                if first.is_over or not first.is_ordered:
                    continue
                if not first.endpoint.open or not first.is_loose(now):
                    break
                if not self._has_turn(first, now):
                    break
                self._write_down_one(first, now)
                self.move_up(now)

    def _has_turn(self, late: Delivery, now: int) -> bool:
        """Whether it is claimed: what fell due before it may use up its endpoint's rate."""
        room = late.endpoint.room(now)
        if room is None:
            return True
        since = late.due_at if late.due_at is not None else now
        due = [at for at, _ in self._due(late.endpoint, now)]
        before, not_behind = sum(at < since for at in due), sum(at <= since for at in due)
        if before < room <= not_behind:
            raise Unsure
        return not_behind < room

    def finish(self, delivery: Delivery, now: int) -> None:
        """The attempt that is under way ends with the endpoint's answer."""
        endpoint, attempt = delivery.endpoint, delivery.attempts[-1]
        wanted = endpoint.wanted
        answer = NOT_TRANSFORMED if delivery.data is None else endpoint.answer
        delivery.attempts[-1] = replace(attempt, answer=answer)
        number = len(delivery.attempts) - delivery.before
        delivery.max_attempts = delivery.before + wanted.attempts
        status = _status_after(answer, number, wanted)
        if status is not None:
            delivery.end(status, now)
        elif delivery.reason is not None:
            delivery.end("cancelled", now, delivery.reason)
        else:
            wait = max(wanted.delays_ms[number - 1], answer.retry_after_ms)
            delivery.status, delivery.due_at = "pending", now + wait
            if delivery.is_ordered and delivery.expires_at is not None:
                delivery.due_at = min(delivery.due_at, delivery.expires_at)
        failures, since, was_on = endpoint.failures, endpoint.failing_since, endpoint.open
        endpoint.note_end(answer, status, now)
        self._tell_health(endpoint, answer, failures, since, now)
        if status == "dead_letter":
            tried = {
                "delivery_id": delivery.id,
                "message_id": delivery.message.id,
                "event_name": delivery.message.event.name,
                "attempt_count": len(delivery.attempts),
            }
            self._tell_of(endpoint, "delivery.dead_letter", now, **tried, **_last(answer))
        if was_on and not endpoint.open:
            self.tell_disabled(endpoint, now)

    def tell(self, name: str, about: App, now: int, **data: Any) -> None:
        """What happens is published to `_system`, if that can hear it (SYSTEM-1, 5 and 7)."""
        system = next((app for app in self.apps if app.is_system and app.active), None)
        if about.is_system or system is None:
            return
        event = Happening(name, data={"app_slug": about.slug, **data})
        if self.targets(system, event):
            self.accept(system, event, "", now)

    def tell_disabled(self, endpoint: Endpoint, now: int) -> None:
        reason, at = endpoint.disabled_reason, instant(endpoint.disabled_at)
        self._tell_of(endpoint, "endpoint.disabled", now, reason=reason, disabled_at=at)

    def _tell_of(self, endpoint: Endpoint, name: str, now: int, **data: Any) -> None:
        self.tell(name, endpoint.app, now, endpoint_id=endpoint.id, url=endpoint.url, **data)

    def _tell_health(
        self, endpoint: Endpoint, answer: Answer, before: int, since: int | None, now: int
    ) -> None:
        if before < FAILING_AFTER <= endpoint.failures:
            told = {
                "consecutive_failures": endpoint.failures,
                "first_failure_at": instant(endpoint.failing_since),
            }
            self._tell_of(endpoint, "endpoint.failing", now, **told, **_last(answer))
        elif endpoint.failures < FAILING_AFTER <= before:
            self._tell_of(endpoint, "endpoint.recovered", now, failing_since=instant(since))

    def next_due(self, now: int) -> int | None:
        """When something happens next."""
        found = (self._next_try(each, now) for each in self.deliveries)
        return min((at for at in found if at is not None and at > now), default=None)

    def write_down(self, now: int) -> None:
        """What reads as cancelled is stored as such."""
        for delivery in self.deliveries:
            if delivery.is_loose(now):
                self._write_down_one(delivery, now)
        self.move_up(now)

    def retain(self, now: int) -> None:
        """What has been over, or held, for longer than its app keeps it is erased, or ends."""
        for delivery in self.deliveries:
            before = self._kept_from(delivery.message.app, now)
            since = delivery.held_since(now)
            if delivery.message.created_at < before and since is not None and since < before:
                delivery.end("cancelled", now, "retention")
        self.move_up(now)
        old = [d for d in self.deliveries if self._is_old(d.message.app, d.completed_at, now)]
        self.erased_deliveries += old
        self.deliveries = [each for each in self.deliveries if each not in old]
        self._lanes = {key: lane for key, lane in self._lanes.items() if not _is_left(lane, old)}
        left = {each.message for each in self.deliveries}
        over = [
            m for m in self.messages if m not in left and self._is_old(m.app, m.created_at, now)
        ]
        self.erased_messages += over
        self.messages = [each for each in self.messages if each not in over]
        self.tasks = [t for t in self.tasks if not self._is_old(t.app, t.ended_at, now)]

    def _kept_from(self, app: App, now: int) -> int:
        return now - app.retention_days * DAY_MS

    def _is_old(self, app: App, over_at: int | None, now: int) -> bool:
        return over_at is not None and over_at < self._kept_from(app, now)

    def awaits_upkeep(self, now: int) -> bool:
        """Whether deliveries wait for one that is over but not written down."""
        return any(
            each.waits and not each.is_over and not each.is_loose(now)
            for lane in self._lanes.values()
            if (first := next((d for d in lane if d.is_ordered and not d.is_over), None))
            and first.is_loose(now)
            for each in lane
        )

    def lanes(self) -> Iterator[list[Delivery]]:
        """The deliveries to an endpoint with the same key, in the order of acceptance."""
        yield from self._lanes.values()

    def _write_down_one(self, delivery: Delivery, now: int) -> None:
        status, reason, at, _ = delivery.reads(now)
        delivery.end(status, at or now, reason)

    def _next_try(self, delivery: Delivery, now: int) -> int | None:
        endpoint, due_at = delivery.endpoint, delivery.due_at
        if delivery.status != "pending" or not endpoint.open or due_at is None:
            return None
        rate, window_at = endpoint.wanted.rate, endpoint.window_at
        if due_at > now or rate is None or window_at is None:
            return due_at
        return window_at + rate[1]

    def _claimable(
        self, endpoint: Endpoint, now: int, started: Callable[[Delivery], float]
    ) -> list[Delivery]:
        left = self._due(endpoint, now)
        room = endpoint.room(now)
        if room is None or len(left) <= room:
            return [each for _, each in left]
        in_order = sorted(left, key=lambda one: (one[0], started(one[1])))
        return [each for _, each in in_order[:room]]

    def _due(self, endpoint: Endpoint, now: int) -> list[tuple[int, Delivery]]:
        """What could be sent, and since when."""
        return [
            (each.due_at, each)
            for each in self.of(endpoint)
            if each.status == "pending" and each.due_at is not None and each.due_at <= now
            if not each.is_loose(now)
        ]

    def _new(
        self, message: Message, to: Endpoint, now: int, due_at: int, expires_at: int | None
    ) -> Delivery:
        delivery = Delivery(message, to, now, due_at, to.wanted.attempts, expires_at)
        self.deliveries.append(delivery)
        return delivery

    def _line_up(self, new: Delivery) -> None:
        lane = self._lanes.setdefault((new.endpoint, new.message.event.ordering_key), [])
        new.sequence, new.is_ordered = len(lane) + 1, True
        if any(each.is_ordered and not each.is_over for each in lane):
            new.waits, new.due_at = True, None
        lane.append(new)

    # What is counted

    def counts(
        self,
        now: int,
        span: tuple[int, int],
        app: App | None = None,
        endpoint: Endpoint | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """The counts that analytics shows of a time."""

        def within(at: int) -> bool:
            return span[0] <= at < span[1]

        def fits(message: Message) -> bool:
            return app in (None, message.app) and name in (None, message.event.name)

        ever = self.deliveries + self.erased_deliveries
        some = [d for d in ever if fits(d.message) and endpoint in (None, d.endpoint)]
        published = self.messages + self.erased_messages
        messages = [m for m in published if fits(m) and within(m.created_at)]
        made = [d for d in some if within(d.created_at)]
        firsts = sum(each.replay_of is None for each in made)
        tried = [a.answer for d in some for a in d.attempts if within(a.at)]
        return {
            "message_count": firsts if endpoint else len(messages),
            "filtered_count": 0 if endpoint else sum(each.filtered_count for each in messages),
            "deliveries": tally(made, now),
            "attempts": {
                "total": len(tried),
                "succeeded": sum(each.is_success for each in tried),
                "failed": sum(not each.is_success for each in tried),
            },
        }


def _by_endpoint(rounds: list[list[Delivery]]) -> list[list[list[bool]]]:
    """For each endpoint whether something could be sent, for each delivery of each round."""
    endpoints = {each.endpoint for begun in rounds for each in begun}
    return [
        [[d.data is not None for d in begun if d.endpoint is one] for begun in rounds]
        for one in endpoints
    ]


def _is_unordered(rounds: list[list[bool]]) -> bool:
    """Nobody knows what comes first: what cannot be sent, or an answer to what was sent before."""
    flat = [sent for begun in rounds for sent in begun]
    late = any(not all(begun) for begun in rounds[1:])
    return any(flat) and late and any(len(begun) > 1 for begun in rounds)


def codes(**holds: bool) -> set[str]:
    """The error codes that apply."""
    return {code for code, applies in holds.items() if applies}


def tally(deliveries: Iterable[Delivery], now: int) -> dict[str, int]:
    """How many of these have ended in which way."""
    counts = dict.fromkeys(("delivered", "failed", "dead_letter", "cancelled", "pending"), 0)
    for delivery in deliveries:
        status = delivery.reads(now)[0]
        counts[status if status in counts else "pending"] += 1
    return {"total": sum(counts.values()), **counts}


def success_rate(counts: Mapping[str, int]) -> float | None:
    """ANALYTICS-3."""
    ended = counts["delivered"] + counts["failed"] + counts["dead_letter"]
    return counts["delivered"] / ended if ended else None


def _last(answer: Answer) -> dict[str, Any]:
    return {"last_failure_reason": answer.reason, "last_status_code": answer.status}


def _status_after(answer: Answer, number: int, wanted: Wanted) -> str | None:
    status = answer.status or 0
    if answer.is_success:
        return "delivered"
    is_final = 400 <= status < 500 and status not in _LATER and not wanted.retry_client_errors
    if is_final or status == 410 or answer == NOT_TRANSFORMED:
        return "failed"
    return "dead_letter" if number >= wanted.attempts else None


def _is_left(lane: Sequence[Delivery], erased: Collection[Delivery]) -> bool:
    """Whether the lane goes with its last delivery (ORDER-7)."""
    return lane[-1] in erased and all(each.is_over or not each.is_ordered for each in lane)
