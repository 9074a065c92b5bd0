"""The states of deliveries against a model: whatever happens in whatever order, nothing is lost.

Two workers claim, finish, die, stop and come back late; the clock moves; endpoints are switched
off, on and deleted. After every step the rows are what the model says and the audit is silent.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from delivery_lab import DeliveryLab, ScriptedSender, room
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_lab import StoreLab

from hookwright_server.delivery.claim import ClaimedDelivery, Rotation, claim
from hookwright_server.delivery.recorder import Completed, record
from hookwright_server.delivery.sender import Attempted
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.outcome import Delivered, Outcome, Refused
from hookwright_server.domain.retry_policy import (
    Decision,
    Exhausted,
    Rejected,
    RetryAt,
    Succeeded,
)
from hookwright_server.domain.vault import Vault
from hookwright_server.store import tables, worker_sessions
from hookwright_server.store.audit import audit
from hookwright_server.store.cancelling import cancel_of_message
from hookwright_server.store.errors import SessionLost
from hookwright_server.store.migrations import migrate
from hookwright_server.store.results import Lease
from hookwright_server.store.sqlite import SqliteDatabase
from hookwright_server.store.targets import Targets
from hookwright_server.store.upkeep import cancel_expired, cancel_for_deleted_endpoints

WORKERS = ("wrk_one", "wrk_two")
SLOTS = 2


@dataclass
class Expected:
    """What the model knows of one delivery."""

    endpoint_id: str
    due_at: int
    status: str = "pending"
    attempts: int = 0
    interrupted: int = 0
    lease: Lease | None = None
    stopped: bool = False
    expires_at: int | None = None
    key: str | None = None

    def after(self) -> str:
        """What it becomes when an attempt of it is to be followed by another."""
        return "cancelled" if self.stopped else "pending"

    def is_expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def cancel(self, now: int, deleted: set[str]) -> None:
        """What waits is cancelled, unless it reads as such already; no attempt follows another."""
        reads_cancelled = self.endpoint_id in deleted or self.is_expired(now)
        if self.status == "pending" and not reads_cancelled:
            self.status = "cancelled"
        elif self.status == "sending":
            self.stopped = True


class Deliveries(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        database = SqliteDatabase(Path(self.folder.name) / "hookwright.db")
        migrate(database.engine)
        self.database = database
        self.lab = DeliveryLab(
            StoreLab(database), MemoryWaker(), ScriptedSender(), Vault({"k": b"k" * 32}, "k")
        )
        self.store = self.lab.store
        self.expected: dict[str, Expected] = {}
        self.off: set[str] = set()
        self.deleted: set[str] = set()
        self.alive: set[str] = set()
        self.running: dict[str, list[ClaimedDelivery]] = {worker: [] for worker in WORKERS}
        self.rotation = Rotation()
        self.targets = Targets()

    @initialize()
    def set_up(self) -> None:
        """One app with three endpoints and some messages; both workers are up."""
        self.app_id = self.store.app()
        self.endpoints = [self.store.endpoint(self.app_id, max_concurrency=SLOTS) for _ in range(3)]
        for worker in WORKERS:
            self._begin(worker)
        self.trigger({0, 1, 2}, 3)

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(
        which=st.sets(st.integers(0, 2), min_size=1),
        times=st.integers(1, 3),
        key=st.sampled_from([None, "a", "b"]),
    )
    def trigger(self, which: set[int], times: int, key: str | None = None) -> None:
        """Messages to some endpoints that are not deleted, perhaps with an ordering key."""
        chosen = [self.endpoints[i] for i in which if self.endpoints[i] not in self.deleted]
        for _ in range(times):
            acceptance = self.store.acceptance(self.app_id, chosen, ordering_key=key)
            self.database.accept(acceptance)
            for delivery in acceptance.deliveries:
                self.expected[delivery.id] = Expected(
                    delivery.endpoint_id, self.store.clock.now, key=key
                )

    @rule(milliseconds=st.sampled_from([1, 999, 5_000, 11_000]))
    def time_passes(self, milliseconds: int) -> None:
        """The clock moves on."""
        self.store.clock.now += milliseconds

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        """A renewal succeeds exactly while the session lives."""
        renewed = self.database.write(
            lambda c: worker_sessions.renew(c, worker, self.store.clock.now)
        )

        assert renewed == (worker in self.alive)
        if not renewed:
            self._begin(worker)

    @rule(worker=st.sampled_from(WORKERS), budget=st.integers(1, 5))
    def claim(self, worker: str, budget: int) -> None:
        """A claim takes due deliveries of open endpoints, at most the free slots of each."""
        try:
            result = self.database.write(
                lambda c: claim(
                    c, self.store.clock, worker, self.rotation, room(budget), {}, self.targets
                )
            )
        except SessionLost:
            assert worker not in self.alive
            self._begin(worker)
            return

        assert worker in self.alive
        claimable, blocked = self._claimable(), self._blocked()
        taken = len(result.deliveries) + result.expired
        assert min(budget, sum(claimable.values())) == taken
        self._drop_expired(result.expired)
        for claimed in result.deliveries:
            known = self.expected[claimed.row.id]
            assert ("pending", True) == (known.status, known.due_at <= self.store.clock.now)
            assert claimed.row.id not in blocked
            assert known.attempts + 1 == claimed.number
            assert known.attempts - known.interrupted + 1 == claimed.scheduled_attempt
            claimable[known.endpoint_id] -= 1
            known.status, known.lease = "sending", claimed.lease
            self.running[worker].append(claimed)
        assert all(left >= 0 for left in claimable.values())

    @rule(
        worker=st.sampled_from(WORKERS),
        decision=st.sampled_from([Succeeded(), Rejected(), Exhausted(), RetryAt(0)]),
        count=st.integers(1, 3),
    )
    def finish(self, worker: str, decision: Decision, count: int) -> None:
        """A worker records results; those whose lease it has lost count for nothing."""
        batch = [self._completed(claimed, decision) for claimed in self.running[worker][:count]]
        del self.running[worker][:count]
        stale = self.database.write(lambda c: record(c, batch)).stale

        for done in batch:
            known = self.expected[done.claimed.row.id]
            held = known.status == "sending" and known.lease == done.claimed.lease
            assert held == (done.claimed.key not in stale)
            if held:
                self._finished(known, done.decision)

    @rule(worker=st.sampled_from(WORKERS))
    def put_back(self, worker: str) -> None:
        """A worker gives back what it did not send."""
        leases = {claimed.row.id: claimed.lease for claimed in self.running[worker]}
        self.running[worker] = []
        now = self.store.clock.now
        due_at = now + 60_000
        self.database.write(lambda c: worker_sessions.release(c, leases, now, 60_000))
        for delivery_id, lease in leases.items():
            known = self.expected[delivery_id]
            if known.status == "sending" and known.lease == lease:
                known.status, known.lease, known.due_at = known.after(), None, due_at

    @rule(worker=st.sampled_from(WORKERS))
    def declare_dead(self, worker: str) -> None:
        """A session is declared dead; its worker does not know it yet and goes on."""
        self.database.write(lambda c: worker_sessions.end(c, worker))
        self.alive.discard(worker)
        self._sweep()

    @rule(late=st.sampled_from(WORKERS), count=st.integers(1, 3))
    def come_back_late(self, late: str, count: int) -> None:
        """A worker finishes what another has been given meanwhile."""
        other = WORKERS[1 - WORKERS.index(late)]
        self.claim(late, 9)
        self.declare_dead(late)
        self.claim(other, 9)
        self.finish(late, Succeeded(), count)

    @rule()
    def upkeep(self) -> None:
        """Pending deliveries that expired or whose endpoint is gone are written down as such."""
        now = self.store.clock.now
        self.database.write(lambda c: cancel_for_deleted_endpoints(c, now, 500))
        self.database.write(lambda c: cancel_expired(c, now, 500))
        for known in self.expected.values():
            gone = known.endpoint_id in self.deleted
            if known.status == "pending" and (gone or known.is_expired(now)):
                known.status = "cancelled"

    @rule(which=st.integers(0, 2))
    def cancel(self, which: int) -> None:
        """All messages that an endpoint has to get are cancelled: none is sent once more."""
        mine = {key for key, e in self.expected.items() if e.endpoint_id == self.endpoints[which]}
        rows = {row["id"]: row["message_id"] for row in self.store.rows(tables.deliveries)}
        now = self.store.clock.now
        for message_id in {rows[key] for key in mine}:
            self.database.write(partial(cancel_of_message, message_id=message_id, now_ms=now))
            for key, of_message in rows.items():
                if of_message == message_id:
                    self.expected[key].cancel(now, self.deleted)

    @rule(which=st.integers(0, 2), milliseconds=st.sampled_from([0, 500, 2_000]))
    def let_expire(self, which: int, milliseconds: int) -> None:
        """What waits for an endpoint is to be sent before an instant, or not at all."""
        at = self.store.clock.now + milliseconds
        for key, known in self.expected.items():
            if known.status == "pending" and known.endpoint_id == self.endpoints[which]:
                known.expires_at = at
                self.store.update(tables.deliveries, key, expires_at=at)

    @rule(which=st.integers(0, 2), active=st.booleans())
    def switch(self, which: int, active: bool) -> None:
        """An endpoint is disabled or enabled: its row changes, its deliveries do not."""
        endpoint_id = self.endpoints[which]
        self.store.update(tables.endpoints, endpoint_id, active=active)
        (self.off.discard if active else self.off.add)(endpoint_id)

    @rule(which=st.integers(0, 2))
    def delete(self, which: int) -> None:
        """An endpoint is deleted."""
        self.deleted.add(self.endpoints[which])
        self.store.update(tables.endpoints, self.endpoints[which], deleted_at=1)

    @invariant()
    def rows_are_as_expected(self) -> None:
        """Every delivery is in exactly the state that the model says."""
        rows = {row["id"]: row for row in self.store.rows(tables.deliveries)}

        assert {
            key: (known.status, known.attempts, known.interrupted)
            for key, known in self.expected.items()
        } == {
            key: (row["status"], row["attempt_count"], row["uncounted_attempts"])
            for key, row in rows.items()
        }

    @invariant()
    def the_audit_finds_no_fault(self) -> None:
        """What `doctor` checks holds after every step."""
        found = self.database.read(lambda c: audit(c, self.store.clock.now))

        assert [] == [finding for finding in found if finding.is_fault]

    def _drop_expired(self, count: int) -> None:
        """A claim cancelled `count` of those that were due, and too late."""
        rows = {row["id"]: row["status"] for row in self.store.rows(tables.deliveries)}
        now = self.store.clock.now
        late = [
            known
            for key, known in self.expected.items()
            if rows[key] == "cancelled" and known.status == "pending" and known.is_expired(now)
        ]
        assert count == len(late)
        for known in late:
            known.status = "cancelled"

    def _begin(self, worker: str) -> None:
        self.store.session(worker)
        self.alive.add(worker)

    def _claimable(self) -> dict[str, int]:
        claimable: dict[str, int] = {}
        blocked = self._blocked()
        for endpoint_id in self.endpoints:
            if endpoint_id in self.off | self.deleted:
                continue
            free = [e for key, e in self.expected.items() if key not in blocked]
            mine = [e for e in free if e.endpoint_id == endpoint_id]
            leased = sum(e.status == "sending" for e in mine)
            due = sum(e.status == "pending" and e.due_at <= self.store.clock.now for e in mine)
            claimable[endpoint_id] = max(0, min(SLOTS - leased, due))
        return claimable

    def _blocked(self) -> set[str]:
        """What waits for another one with its key to end."""
        open_lanes: set[tuple[str, str]] = set()
        blocked: set[str] = set()
        for delivery_id, known in self.expected.items():
            if known.key is None or known.status not in ("pending", "sending"):
                continue
            lane = (known.endpoint_id, known.key)
            if lane in open_lanes:
                blocked.add(delivery_id)
            open_lanes.add(lane)
        return blocked

    def _completed(self, claimed: ClaimedDelivery, decision: Decision) -> Completed:
        now = self.store.clock.now
        if isinstance(decision, RetryAt):
            decision = replace(decision, at_ms=now + 1_000)
        outcome: Outcome = Delivered(200) if isinstance(decision, Succeeded) else Refused(500)
        return Completed(
            claimed=claimed,
            attempted=Attempted(outcome, 1),
            decision=decision,
            max_attempts=10,
            shown_headers="{}",
            attempt_id=self.store.ids.new("att", now),
            started_at=now,
            finished_at=now,
        )

    def _finished(self, known: Expected, decision: Decision) -> None:
        known.attempts += 1
        known.lease = None
        match decision:
            case Succeeded():
                known.status = "delivered"
            case Exhausted():
                known.status = "dead_letter"
            case RetryAt(at_ms):
                known.status, known.due_at = known.after(), at_ms
                if known.key is not None and known.expires_at is not None:
                    known.due_at = min(at_ms, known.expires_at)
            case _:
                known.status = "failed"

    def _sweep(self) -> None:
        now = self.store.clock.now
        self.database.write(
            lambda c: worker_sessions.recover(c, lambda: self.store.ids.new("att", now), now, 500)
        )
        for known in self.expected.values():
            if known.lease is not None and known.lease.session_id not in self.alive:
                known.status, known.lease, known.due_at = known.after(), None, now
                known.attempts += 1
                known.interrupted += 1


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
