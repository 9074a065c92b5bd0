"""What an account has, as the model sees it; instants are epoch ms."""

from __future__ import annotations

from dataclasses import dataclass, field

from hookwright_benchmarks.states.words import SYSTEM, Answer, Change, Event, Wanted

DAY_MS = 86_400_000
FAILING_MS = 5 * DAY_MS
UNTOLD_MS = 2 * DAY_MS
MOST_AT_ONCE = 1000
FAILING_AFTER = 5
_OVERLOADED = (429, 503)
_MOST = 10  # secrets that sign


@dataclass
class Secrets:
    """Signing secrets of an app or endpoint, the current one first, each with its end."""

    all: list[tuple[str, float]]

    @classmethod
    def of(cls, secret: str) -> Secrets:
        return cls([(secret, float("inf"))])

    def signing(self, now: int) -> list[str]:
        """Those that sign now."""
        return [secret for secret, until in self.all if until > now]

    def rotate(self, secret: str, until: int, now: int) -> None:
        """The present secrets sign until then, or as long as was said before."""
        kept = [(each, min(end, until)) for each, end in self.all if end > now]
        self.all = [(secret, float("inf")), *(each for each in kept if each[1] > now)][:_MOST]


@dataclass(eq=False)
class App:
    """An app and its catalogue: of each event name whether it is archived, and its largest n."""

    slug: str
    secrets: Secrets
    retention_days: int
    active: bool = True
    deleted: bool = False
    registered: bool = False
    catalogue: dict[str, tuple[bool, int | None]] = field(
        default_factory=dict[str, tuple[bool, int | None]]
    )

    @property
    def is_system(self) -> bool:
        return self.slug == SYSTEM

    @property
    def place(self) -> str:
        """The slug under which its messages and deliveries can be read."""
        return "-" if self.deleted else self.slug


@dataclass(eq=False)
class Endpoint:
    """An endpoint, and what its attempts have told of it."""

    id: str
    app: App
    path: str
    secrets: Secrets
    wanted: Wanted
    created_at: int
    answer: Answer
    url: str = ""
    both_until: int = 0
    disabled_reason: str | None = None
    disabled_at: int | None = None
    deleted_at: int | None = None
    failures: int = 0
    dead_letters: int = 0
    failing_since: int | None = None
    unbroken_since: int = 0
    last_success_at: int | None = None
    last_failure_at: int | None = None
    window_at: int | None = None
    window_used: int = 0
    at_once: int = MOST_AT_ONCE

    @property
    def open(self) -> bool:
        return self.disabled_at is None and self.deleted_at is None

    @property
    def state(self) -> str:
        if self.disabled_at is not None:
            return "disabled"
        if self.failures >= FAILING_AFTER:
            return "failing"
        return "degraded" if self.failures else "healthy"

    def signing(self, now: int) -> list[str]:
        """The secrets that sign now: those of its source, for a day after a switch the others."""
        own, shared = self.secrets.signing(now), self.app.secrets.signing(now)
        first, second = (shared, own) if self.wanted.source == "app" else (own, shared)
        return first + second if self.both_until > now else first

    def want(self, wanted: Wanted, now: int) -> None:
        """It is changed."""
        if wanted.source != self.wanted.source:
            self.both_until = now + DAY_MS
        self.wanted = wanted

    def disable(self, reason: str, now: int) -> None:
        if self.open:
            self.disabled_reason, self.disabled_at = reason, now

    def enable(self) -> None:
        self.disabled_reason = self.disabled_at = self.failing_since = None
        self.failures = self.dead_letters = 0

    def room(self, now: int) -> int | None:
        """How many attempts may begin in the present window; None: any number."""
        if self.wanted.rate is None:
            return None
        most, duration = self.wanted.rate
        if self.window_at is None or self.window_at + duration <= now:
            return most
        return max(0, most - self.window_used)

    def note_begun(self, now: int) -> None:
        if self.wanted.rate is not None:
            if self.window_at is None or self.window_at + self.wanted.rate[1] <= now:
                self.window_at, self.window_used = now, 0
            self.window_used += 1

    def note_end(self, answer: Answer, status: str | None, now: int) -> None:
        """Health after an attempt that left its delivery in `status` (None: it is tried again)."""
        if answer.status in _OVERLOADED:
            self.at_once = max(1, self.at_once // 2)
        if status == "delivered":
            self.failures, self.dead_letters, self.failing_since = 0, 0, None
            self.last_success_at = now
            self.at_once = min(MOST_AT_ONCE, self.at_once + 1)
            return
        self.failures += 1
        self.dead_letters = {None: self.dead_letters, "failed": 0}.get(
            status, self.dead_letters + 1
        )
        if self.failing_since is None:
            self.failing_since = self.unbroken_since = now
        elif now - (self.last_failure_at or now) > UNTOLD_MS:
            self.unbroken_since = now
        self.last_failure_at = now
        if answer.status == 410:
            self.disable("gone", now)
        elif self.dead_letters >= 20 or now - self.unbroken_since >= FAILING_MS:
            self.disable("failing", now)


@dataclass(eq=False)
class Message:
    """An accepted event."""

    id: str
    app: App
    event: Event
    created_at: int
    expires_at: int | None
    endpoint_count: int
    filtered_count: int
    expunged_at: int | None = None


@dataclass(frozen=True)
class Attempt:
    """One try: when it began, what came back, with which secrets and by which transformation."""

    at: int
    answer: Answer
    secrets: tuple[str, ...]
    change: Change


@dataclass(eq=False)
class Delivery:
    """One message to one endpoint."""

    message: Message
    endpoint: Endpoint
    created_at: int
    due_at: int | None
    max_attempts: int
    expires_at: int | None
    replay_of: str | None = None
    id: str = ""
    status: str = "pending"
    reason: str | None = None
    completed_at: int | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    before: int = 0  # attempts of earlier schedules
    sequence: int | None = None
    is_ordered: bool = False
    waits: bool = False  # for those before it with its key

    @property
    def data(self) -> bytes | None:
        """What the last attempt sent as `data`; None: its transformation could not be done."""
        return self.attempts[-1].change.of(self.message.event)

    @property
    def is_over(self) -> bool:
        return self.status not in ("pending", "sending")

    def end(self, status: str, at: int, reason: str | None = None) -> None:
        self.status, self.completed_at, self.reason, self.due_at = status, at, reason, None

    def cancel(self, now: int) -> None:
        """By request: what is being sent finishes that attempt."""
        if self.status == "sending":
            self.reason = "user"
        elif self.reads(now)[0] in ("pending", "held"):
            self.end("cancelled", now, "user")

    def reads(self, now: int) -> tuple[str, str | None, int | None, int | None]:
        """Status, reason of a cancellation, when it ended, when it is due."""
        if self.status != "pending":
            return self.status, self.reason, self.completed_at, self.due_at
        expired = self.expires_at if (self.expires_at or now + 1) <= now else None
        deleted = self.endpoint.deleted_at
        if deleted is not None and (expired is None or deleted < expired):
            return "cancelled", "endpoint_deleted", deleted, None
        if expired is not None:
            return "cancelled", "expired", expired, None
        end, due_at = self.expires_at, self.due_at
        if end is not None and due_at is not None and end <= due_at:
            due_at = None  # it will have expired by then
        return "pending" if self.endpoint.open else "held", None, None, due_at

    def has_ended(self, now: int) -> bool:
        return self.reads(now)[0] in ("delivered", "failed", "dead_letter", "cancelled")

    def held_since(self, now: int) -> int | None:
        """Since when it could have been attempted, were its endpoint not disabled."""
        if self.reads(now)[0] != "held" or self.endpoint.disabled_at is None:
            return None
        due_at = None if self.is_ordered else self.due_at
        return max(self.endpoint.disabled_at, due_at or 0)

    def is_loose(self, now: int) -> bool:
        """It reads as cancelled, which is written down within a minute."""
        return self.status == "pending" and self.has_ended(now)


@dataclass(eq=False)
class ReplayTask:
    """A replay task that has ended."""

    id: str
    app: App
    ended_at: int
