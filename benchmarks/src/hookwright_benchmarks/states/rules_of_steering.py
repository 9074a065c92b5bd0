"""What is done to messages and deliveries that are there, at rest or while they are sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from hookwright_benchmarks.states import shown
from hookwright_benchmarks.states.account import only
from hookwright_benchmarks.states.divergence import same
from hookwright_benchmarks.states.drawn import EVENT, INDEX, NAME, STATUS
from hookwright_benchmarks.states.model import Unsure, codes
from hookwright_benchmarks.states.rules_of_publishing import Publishing
from hookwright_benchmarks.states.steps import path_of, pick
from hookwright_benchmarks.states.things import DAY_MS, App, Delivery, Message, ReplayTask
from hookwright_benchmarks.states.words import ANSWERS, FAILS, Event, instant

_RANGE_MS = 31 * DAY_MS
_STATUSES = ("delivered", "failed", "dead_letter", "cancelled")


class Steering(Publishing):
    """Rules of deliveries, messages and replay tasks."""

    @precondition(lambda self: self.model.deliveries)
    @rule(which=INDEX, how=st.sampled_from(("cancel", "retry", "replay")))
    def steer(self, which: int, how: str) -> None:
        """A delivery is cancelled, retried or replayed, or it is said why not."""
        self.step()
        self.steer_one(self.newest(which), how)
        self.settle()

    def steer_one(self, one: Delivery, how: str) -> None:
        now, status = self.now, one.reads(self.now)[0]
        reply = self.send("POST", f"/v1/apps/-/deliveries/{one.id}/{how}")
        why = set[str]()
        if how == "retry":
            late = one.expires_at is not None and one.expires_at <= now
            wrong = status not in ("failed", "dead_letter") or late
            why = self.model.unsendable(one) | codes(delivery_not_retryable=wrong)
        elif how == "replay":
            wrong = not one.has_ended(now)
            why = self.model.unsendable(one) | codes(delivery_not_replayable=wrong)
        if self.both.refused(reply, why):
            return
        if how == "cancel":
            one.cancel(now)
        elif how == "retry":
            self.model.retry(one, now)
        else:
            one = self.model.replay(one, now)
            one.id = reply.json["id"]
        expected = shown.delivery(one, now)
        same(expected, shown.part(reply.json, expected), how)

    @precondition(lambda self: self.model.messages)
    @rule(which=INDEX, how=st.sampled_from(("cancel", "expunge")))
    def steer_message(self, which: int, how: str) -> None:
        """All deliveries of a message are cancelled, its payload perhaps erased."""
        self.step()
        self.steer_all(pick(self.model.messages[::-1], which), how)

    def steer_all(self, message: Message, how: str) -> None:
        now = self.now
        of_it = list(self.model.of(message))
        waiting = sum(each.reads(now)[0] in ("pending", "held") for each in of_it)
        sending = sum(each.status == "sending" for each in of_it)
        reply = self.send("POST", f"/v1/apps/-/messages/{message.id}/{how}")
        same(200, reply.status, str(reply))
        if how == "cancel":
            counts = reply.json["cancelled_count"], reply.json["sending_count"]
            same((waiting, sending), counts, "messages.cancel")
        if how == "cancel" or message.expunged_at is None:
            for each in of_it:
                each.cancel(now)
        if how == "expunge":
            message.expunged_at = message.expunged_at or now
            expected = shown.message(message)
            same(expected, shown.part(reply.json, expected), how)

    @precondition(lambda self: self.model.deliveries)
    @rule(
        which=INDEX,
        by_ids=st.none() | st.lists(INDEX, min_size=1, max_size=4, unique=True),
        statuses=st.none()
        | st.lists(STATUS.filter(_STATUSES.__contains__), min_size=1, unique=True),
        name=st.none() | NAME,
        most=st.sampled_from((10_000, 2)),
        dry_run=st.sampled_from((False, False, True)),
    )
    def replay_task(
        self,
        which: int,
        by_ids: list[int] | None,
        statuses: list[str] | None,
        name: str | None,
        most: int,
        dry_run: bool,
    ) -> None:
        """A task replays what has ended and fits, and says of how many that was true."""
        now = self.step()
        app = pick(self.model.apps, which)
        mine = only(self.model.deliveries, lambda d: d.message.app is app)
        if by_ids is not None:
            chosen = list({one.id: one for one in (self.newest(each) for each in by_ids)}.values())
            body: dict[str, Any] = {"delivery_ids": [each.id for each in chosen]}
        else:
            wanted = statuses or ["failed", "dead_letter"]
            chosen = only(
                sorted(mine, key=lambda d: d.id),
                lambda d: d.reads(now)[0] in wanted and name in (None, d.message.event.name),
                lambda d: d.created_at < now,
            )[:most]
            body = {"after": instant(self.model.started_at), "max_count": most}
            body |= {"statuses": statuses} if statuses else {}
            body |= {"event_name": name} if name else {}
        reply = self.send("POST", f"/v1/apps/{app.slug}/replays", {**body, "dry_run": dry_run})
        too_long = by_ids is None and now - self.model.started_at > _RANGE_MS
        if self.both.refused(reply, codes(validation_error=too_long)):
            return
        same((202, len(chosen)), (reply.status, reply.json["total_count"]), "replays.create")
        if not dry_run:
            self.model.tasks.append(ReplayTask(reply.json["id"], app, now))
            self.replayed(app, reply.json["id"], chosen)
            self.settle()

    def replayed(self, app: App, task_id: str, chosen: list[Delivery]) -> None:
        """The task ends; the deliveries that it made are those that it was to make."""
        path = f"/v1/apps/{app.slug}/replays/{task_id}"
        while (task := self.send("GET", path).json)["status"] in ("queued", "running"):
            pass
        now = self.now
        made = {
            each.id: self.model.replay(each, now)
            for each in chosen
            if each.message.app is app and each.has_ended(now) and not self.model.unsendable(each)
        }
        found = task["processed_count"], task["replayed_count"], task["skipped_count"]
        expected = "completed", len(chosen), len(made), len(chosen) - len(made)
        same(expected, (task["status"], *found), "a replay task")
        known = {each.id for each in self.model.deliveries}
        rows = self.both.pages("/v1/apps/-/deliveries", {"after": instant(now)}, 100)
        for row in rows:
            if row["id"] not in known and row["replay_of"] is not None:
                made.pop(row["replay_of"]).id = row["id"]
        same([], [*made], "deliveries that a task made")
        names = ("total_count", "processed_count", "replayed_count", "skipped_count")
        told = {each: task[each] for each in names}
        told |= dict.fromkeys(("created_at", "started_at", "completed_at"), instant(now))
        self.model.tell("replay.completed", app, now, replay_id=task_id, **told)

    @rule(
        which=INDEX,
        event=EVENT,
        answer=st.sampled_from(ANSWERS),
        how=st.sampled_from(
            (
                "cancel",
                "retry",
                "replay",
                "cancel all",
                "expunge",
                "disable",
                "delete",
                "delete app",
            )
        ),
    )
    def while_sending(self, which: int, event: Event, answer: Any, how: str) -> None:
        """Something happens to a delivery while its attempt is under way."""
        now = self.step()
        endpoint = pick(self.model.endpoints, which)
        self.settle()
        if not endpoint.open or endpoint.wanted.rate is not None:
            return
        if endpoint.wanted.change.of(event) is None:
            return  # it would be over before anything could be done to it
        receiver = self.world.receiver
        receiver.hold(endpoint.path)
        made = self.trigger(endpoint.app, replace(event, endpoint_ids=(endpoint.id,)), None)
        self.world.resume()
        begun = self.model.begin(now, self.both.started)
        receiver.wait_for(endpoint.path, len(begun))
        self.both.received(begun)
        for delivery in made:
            self.meanwhile(delivery, how)
        endpoint.answer = receiver.answers[endpoint.path] = answer
        receiver.let_go(endpoint.path)
        for delivery in begun:
            self.model.finish(delivery, now)
        self.settle()

    def meanwhile(self, delivery: Delivery, how: str) -> None:
        if how in ("cancel", "retry", "replay"):
            self.steer_one(delivery, how)
        elif how in ("cancel all", "expunge"):
            self.steer_all(delivery.message, how.split(" ", maxsplit=1)[0])
        elif how == "delete app":
            self.delete_one(delivery.endpoint.app)
        else:
            path = path_of(delivery.endpoint)
            is_deletion = how == "delete"
            reply = self.send(*(("DELETE", path) if is_deletion else ("POST", f"{path}/disable")))
            same(204 if is_deletion else 200, reply.status, str(reply))
            if is_deletion:
                delivery.endpoint.deleted_at = self.now
            else:
                self.disabled(delivery.endpoint)

    @rule(
        milliseconds=st.sampled_from(
            (1_000, 5_000, 8_000, 60_000, 600_000, 3_600_000, 7_200_000, DAY_MS, DAY_MS)
        )
    )
    def time_passes(self, milliseconds: int) -> None:
        """Whatever falls due on the way happens in its time."""
        self.step()
        self.pass_time(milliseconds)

    def pass_time(self, milliseconds: int) -> None:
        try:
            self.both.advance(milliseconds)
        except Unsure:
            assume(False)

    @rule(which=INDEX, event=EVENT, is_off=st.booleans(), expires_in=st.sampled_from((1, 5_000)))
    def publish_behind_what_expires(
        self, which: int, event: Event, is_off: bool, expires_in: int
    ) -> None:
        """What is first with its key expires, held or before its next attempt: others may go."""
        now = self.step()
        endpoint = pick(self.model.endpoints, which)
        if not endpoint.open:
            return
        if is_off:
            same(200, self.send("POST", f"{path_of(endpoint)}/disable").status, "disable")
            self.disabled(endpoint)
        else:
            endpoint.answer = self.world.receiver.answers[endpoint.path] = FAILS
        event = replace(event, endpoint_ids=(endpoint.id,), ordering_key="lane 1")
        for end in (now + expires_in, None, now + expires_in):
            self.trigger(endpoint.app, replace(event, expires_at=end), None)
        self.settle()
        if expires_in > 1:  # else the next step comes later than that
            self.pass_time(expires_in)
