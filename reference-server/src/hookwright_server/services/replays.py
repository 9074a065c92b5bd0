"""Replay tasks: many deliveries replayed by the engine, in small transactions."""

from __future__ import annotations

from dataclasses import dataclass

from hookwright_server.domain.contract import Limits
from hookwright_server.errors import Refusal, invalid, not_found
from hookwright_server.services.parts import Parts
from hookwright_server.services.places import Places
from hookwright_server.services.principal import Principal, app_filter, require_app
from hookwright_server.store import replay_steps, replay_tasks
from hookwright_server.store.apps import AppRow
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.pages import PageQuery, RowPage
from hookwright_server.store.replay_tasks import ReplayTaskRow

_DAY_MS = 86_400_000
# A range may hold very many deliveries: while they are counted a request thread is held.
_COUNTED_AT_A_TIME = 8
_COUNTED_AT_A_TIME_OF_ONE_ACCOUNT = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries: those of `delivery_ids`, or those of the range from `after` on."""

    delivery_ids: tuple[str, ...] | None
    after: int | None
    before: int | None
    statuses: tuple[str, ...]
    event_name: str | None
    endpoint_id: str | None
    max_count: int
    names_a_range: bool
    """Whether the request held any member of a range."""


class Replays:
    """Steers replay tasks; `plan` makes its own transactions, the others run in the caller's."""

    def __init__(self, parts: Parts, database: Database) -> None:
        self._parts = parts
        self._database = database
        self._places = Places(
            _COUNTED_AT_A_TIME,
            _COUNTED_AT_A_TIME_OF_ONE_ACCOUNT,
            "Too many ranges of deliveries are being counted.",
        )

    def plan(self, principal: Principal, app_slug: str, wanted: Wanted) -> ReplayTaskRow:
        """The task, counted and not written; `unavailable` when too many are being counted."""
        _check(wanted)
        app = self._database.read(lambda tx: require_app(tx, principal, app_slug))
        now_ms = self._parts.clock.now_ms()
        if wanted.delivery_ids is not None:
            return self._row(app, wanted, now_ms, total=len(wanted.delivery_ids))
        row = self._row(app, wanted, now_ms, total=0)
        _check_range(row)
        with self._places.taken(principal.account_id):
            total = replay_steps.count(
                self._database.read, replay_steps.range_of(row), wanted.max_count, now_ms
            )
        if total is None:
            raise _too_long()
        return self._row(app, wanted, now_ms, total=total)

    def create(
        self, tx: Connection, principal: Principal, app_slug: str, planned: ReplayTaskRow
    ) -> ReplayTaskRow:
        """Write the planned task, unless the app has too many that have not ended."""
        app = require_app(tx, principal, app_slug)  # locks it: others wait to count
        most = Limits.replays_running
        if replay_tasks.count_open(tx, app.id) >= most:
            raise Refusal(
                "too_many_replays",
                f"{most} replay tasks of this app are queued or running. "
                "Wait for one to end, or cancel it.",
            )
        replay_tasks.insert(tx, planned)
        return planned

    def page(
        self, tx: Connection, principal: Principal, app_slug: str, query: PageQuery
    ) -> RowPage[ReplayTaskRow]:
        """The tasks of an app (`-`: of every app of the principal)."""
        return replay_tasks.page(tx, principal.realm, app_filter(tx, principal, app_slug), query)

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, task_id: str
    ) -> ReplayTaskRow:
        """One task, or not_found."""
        app_id = app_filter(tx, principal, app_slug)
        row = replay_tasks.find(tx, principal.realm, app_id, task_id)
        if row is None:
            raise not_found("replay task", task_id)
        return row

    def cancel(
        self, tx: Connection, principal: Principal, app_slug: str, task_id: str
    ) -> ReplayTaskRow:
        """Replay nothing more; a task that has ended stays as it is."""
        row = self.get(tx, principal, app_slug, task_id)
        replay_tasks.cancel(tx, row.id, self._parts.clock.now_ms())
        return self.get(tx, principal, app_slug, task_id)

    def _row(self, app: AppRow, wanted: Wanted, now_ms: int, total: int) -> ReplayTaskRow:
        by_ids = wanted.delivery_ids is not None
        # What is made from now on, by replays too, lies outside the range.
        before = now_ms if wanted.before is None else min(wanted.before, now_ms)
        return ReplayTaskRow(
            id=self._parts.ids.new("rpl", now_ms),
            account_id=app.account_id,
            environment=app.environment,
            app_id=app.id,
            status="queued",
            delivery_ids=wanted.delivery_ids,
            after=wanted.after,
            before=None if by_ids else before,
            statuses=None if by_ids else _spelled_out(wanted.statuses),
            event_name=wanted.event_name,
            endpoint_id=wanted.endpoint_id,
            max_count=wanted.max_count,
            total_count=total,
            processed_count=0,
            replayed_count=0,
            skipped_count=0,
            created_at=now_ms,
            started_at=None,
            completed_at=None,
            app_slug=app.slug,
        )


def _check(wanted: Wanted) -> None:
    if wanted.delivery_ids is None and wanted.after is None:
        raise invalid(
            "/after", "required", "Send 'delivery_ids', or 'after' where the range begins."
        )
    if wanted.delivery_ids is not None and wanted.names_a_range:
        raise invalid(
            "/delivery_ids",
            "exclusive",
            "'delivery_ids' stands alone: leave out after, before, statuses, event_name, "
            "endpoint_id and max_count.",
        )


def _check_range(row: ReplayTaskRow) -> None:
    days = Limits.replay_range_days
    if (row.before or 0) - (row.after or 0) > days * _DAY_MS:
        raise invalid("/after", "maximum", f"A range lasts at most {days} days. Shorten it.")


def _too_long() -> Refusal:
    return invalid(
        "/after",
        "maximum",
        f"Too few of the first {Limits.replay_rows_looked_at} deliveries of this range fit. "
        "Shorten it, name an 'endpoint_id', or ask for 'unsuccessful' ones only.",
    )


def _spelled_out(statuses: tuple[str, ...]) -> tuple[str, ...]:
    found = set(statuses)
    if "unsuccessful" in found:
        found = found - {"unsuccessful"} | {"failed", "dead_letter"}
    return tuple(sorted(found))
