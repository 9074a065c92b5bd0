"""What every step begins and ends with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from hypothesis import assume
from hypothesis.stateful import RuleBasedStateMachine, invariant

from hookwright_benchmarks.states.account import Both
from hookwright_benchmarks.states.divergence import same
from hookwright_benchmarks.states.model import Unsure
from hookwright_benchmarks.states.things import App, Delivery, Endpoint
from hookwright_benchmarks.states.words import NAMES, OK
from hookwright_benchmarks.states.world import Reply, World

T = TypeVar("T")
_ENDS_EVERY = 3
_MOSTLY = 45
_LONG_MS = 86_400_000  # longer than any schedule


def _unheard(_: int) -> None:
    return None


class Steps(RuleBasedStateMachine):
    """What all rules share. `world` is set by whoever runs the machine."""

    world: ClassVar[World]
    steps: ClassVar[int] = 0
    on_step: ClassVar[Callable[[int], None]] = _unheard

    def __init__(self) -> None:
        super().__init__()
        self.both = Both(self.world)
        self.model = self.both.model
        self.send = self.both.send
        self.has_agreed = False
        self.records: dict[tuple[str, str], tuple[bytes, int, Reply]] = {}

    @property
    def now(self) -> int:
        return self.both.now

    def teardown(self) -> None:
        """Nothing was forgotten, and nothing of this account is sent while others are looked at."""
        if self.has_agreed and len(self.model.messages) % _ENDS_EVERY == 0:
            with suppress(Unsure):
                self.end_all()
        for app in self.model.apps:
            self.send("DELETE", f"/v1/apps/{app.slug}")
        self.world.receiver.forget()
        self.world.settle()
        self.world.receiver.take()

    def end_all(self) -> None:
        """Once all endpoints are on and all receivers well, everything ends."""
        now = self.world.tick()
        for each in self.model.endpoints:
            each.answer = self.world.receiver.answers[each.path] = OK
            if each.deleted_at is None:
                reply = self.send("POST", f"{path_of(each)}/enable", {"release": True})
                same(200, reply.status, str(reply))
                each.enable()
        self.both.advance(_LONG_MS)
        waiting = [each for each in self.model.deliveries if not each.has_ended(self.now)]
        same([], [each.id for each in waiting], f"what waits since {now}")
        self.both.compare_all()

    @invariant()
    def agree(self) -> None:
        """Every delivery and every number is what the model says."""
        if not self.model.apps:
            return
        try:
            self.both.tidy()
        except Unsure:
            assume(False)
        self.both.compare()
        self.has_agreed = True

    def step(self) -> int:
        """A step begins; the time of it."""
        self.has_agreed = False
        Steps.steps += 1
        Steps.on_step(Steps.steps)
        return self.world.tick()

    def settle(self) -> None:
        try:
            self.both.settle()
        except Unsure:
            assume(False)

    def found(self, reply: Reply, endpoint: Endpoint, status: int = 200) -> bool:
        """Whether the endpoint is there; a deleted one is 404."""
        if endpoint.deleted_at is not None:
            same((404, "not_found"), (reply.status, reply.code), str(reply))
            return False
        same(status, reply.status, str(reply))
        return True

    def delete_one(self, app: App) -> None:
        """Delete an app, but never the last one to which anybody can publish."""
        if sum(not each.is_system for each in self.model.apps if each is not app) == 0:
            return
        path = f"/v1/apps/{app.slug}"
        same(204, self.send("DELETE", path).status, "apps.delete")
        self.model.delete_app(app, self.now)
        event: dict[str, Any] = {"event_name": NAMES[0], "payload": {}}
        for reply in (self.send("GET", path), self.send("POST", f"{path}/trigger", event)):
            same((404, "not_found"), (reply.status, reply.code), str(reply))

    def disabled(self, endpoint: Endpoint) -> None:
        """It was disabled by request."""
        if endpoint.open:
            endpoint.disable("manual", self.now)
            self.model.tell_disabled(endpoint, self.now)

    def some_app(self, which: int) -> App:
        """One to publish to: seldom the one to which nobody can."""
        apps = [app for app in self.model.apps if not app.is_system or which > _MOSTLY]
        return pick(apps, which)

    def newest(self, which: int) -> Delivery:
        return pick(self.model.deliveries[::-1], which)

    def some_ids(self, which: list[int]) -> tuple[str, ...]:
        """Ids of endpoints, of deleted ones and of other apps among them."""
        ids = (pick(self.model.endpoints, each).id for each in which)
        return tuple(dict.fromkeys(ids))


def pick(things: list[T], which: int) -> T:
    """One of them."""
    return things[which % len(things)]


def path_of(endpoint: Endpoint) -> str:
    return f"/v1/apps/{endpoint.app.slug}/endpoints/{endpoint.id}"
