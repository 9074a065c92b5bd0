"""Following deliveries by looking at the list again and again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from hookwright.errors import (
    APIConnectionError,
    APIResponseError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from hookwright._core.paging import SyncPage
    from hookwright.client import Hookwright
    from hookwright.models import Attempt, Delivery

_PASSING: Final = (APIConnectionError, APIResponseError, InternalServerError, RateLimitError)
_LONGEST_WAIT_S: Final = 10.0
_MOST_FOLLOWED: Final = 1_000
_OVERLAP: Final = timedelta(seconds=2)  # what is accepted at a time need not appear in its order
_OPEN: Final = ("pending", "sending", "held")
_UNSUCCESSFUL: Final = ("failed", "dead_letter")


@dataclass(frozen=True, slots=True)
class Seen:
    """A delivery that is new or has changed, or an attempt of it. `at` is when it happened."""

    delivery: Delivery
    attempt: Attempt | None

    @property
    def at(self) -> datetime:
        if self.attempt is not None:
            return self.attempt.created_at
        return self.delivery.completed_at or self.delivery.created_at


class Follower:
    """
    Tells what becomes of the deliveries of an app: of every new one, and of those under way.

    Of more than 1,000 under way the newest 1,000 are followed, so that a look has a bound in
    requests; `follow` says so when it begins and when it is over.
    """

    def __init__(
        self,
        client: Hookwright,
        app_slug: str,
        filters: Mapping[str, Any],
        *,
        with_attempts: bool = False,
        most_followed: int = _MOST_FOLLOWED,
    ) -> None:
        self._client = client
        self._app_slug = app_slug
        self._filters = dict(filters)
        # The state decides what is shown, so that a delivery is also seen when it leaves a status.
        self._asked = {name: value for name, value in filters.items() if name != "status"}
        self._with_attempts = with_attempts
        self._most_followed = most_followed
        self._known: dict[str, Delivery] = {}
        self._after: datetime | None = None
        self._left_out: datetime | None = None
        self._begun = False

    def follow(
        self, interval_s: float, sleep: Callable[[float], object], notice: Callable[[str], object]
    ) -> Iterator[Seen]:
        """For ever. Raises APIError for what waiting does not mend, as a key that is refused."""
        wait_s, blind, told, all_followed = interval_s, False, False, True
        while True:
            try:
                yield from self.look()
                if not told:
                    notice(f"following {self._app_slug}; Ctrl-C ends it")
                    told = True
                if all_followed != (self._left_out is None):
                    all_followed = not all_followed
                    notice(self._whom_it_follows())
            except _PASSING as error:
                if not blind:
                    notice(f"cannot see the deliveries, trying again: {str(error)[:200]}")
                wait_s, blind = max(interval_s, min(2 * wait_s, _LONGEST_WAIT_S)), True
            else:
                if blind:
                    notice("can see the deliveries again")
                wait_s, blind = interval_s, False
            sleep(wait_s)

    def look(self) -> Iterator[Seen]:
        """What has happened since the last look, oldest first; nothing at the first one."""
        first_look, out_of_sight = not self._begun, self._left_out
        if first_look:
            self._begin()
        for row in self._rows():
            known = self._known.get(row.id)
            # What others made room for is no change.
            was_hidden = out_of_sight is not None and row.created_at <= out_of_sight
            is_silent = first_look or (known is None and was_hidden)
            if not is_silent and (known is None or _state(known) != _state(row)):
                yield from self._changes(row, known.attempt_count if known else 0)
            self._known[row.id] = row
        self._begun = True
        self._forget()

    def _whom_it_follows(self) -> str:
        if self._left_out is None:
            return "all deliveries under way are followed again"
        return (
            f"more than {self._most_followed:,} deliveries are under way; what becomes of the "
            "older ones is not shown (--endpoint or --event narrow it down)"
        )

    def _begin(self) -> None:
        newest = self._client.deliveries.list(self._app_slug, limit=1, **self._asked).data
        self._after = newest[0].created_at - _OVERLAP if newest else None

    def _rows(self) -> list[Delivery]:
        """What is new, what is under way, and what was under way at the last look."""
        since: dict[str, Any] = {} if self._after is None else {"after": self._after}
        met = {row.id: row for row in self._listed(**since)}
        under_way = list(islice(self._listed(status=_OPEN), self._most_followed + 1))
        more = len(under_way) > self._most_followed
        met |= {row.id: row for row in under_way[: self._most_followed]}
        self._left_out = under_way[-1].created_at if more else None
        rows = [*met.values(), *self._ended(met)]
        rows.reverse()  # lists begin with the newest
        return sorted(rows, key=lambda row: row.created_at)

    def _ended(self, met: Mapping[str, Delivery]) -> Iterator[Delivery]:
        missing = {
            name: row
            for name, row in self._known.items()
            if row.status in _OPEN and name not in met and not _is_behind(row, self._left_out)
        }
        while missing:
            newest = max(missing.values(), key=lambda row: row.created_at)
            page = self._listed(before=newest.created_at + timedelta(milliseconds=1)).data
            yield from (row for row in page if missing.pop(row.id, None))
            if missing.pop(newest.id, None):  # a page of others was accepted in the same instant
                with suppress(NotFoundError):
                    yield self._client.deliveries.get(newest.app_slug, newest.id)

    def _listed(self, **more: Any) -> SyncPage[Delivery]:
        return self._client.deliveries.list(self._app_slug, limit=100, **self._asked, **more)

    def _changes(self, row: Delivery, attempts_before: int) -> Iterator[Seen]:
        if not self._wanted(row):
            return
        if not self._with_attempts:
            if row.status != "sending":  # its outcome follows
                yield Seen(row, None)
            return
        attempts = self._client.deliveries.list_attempts(self._app_slug, row.id, limit=100)
        new = [each for each in attempts if each.number > attempts_before]
        yield from (Seen(row, each) for each in reversed(new))

    def _wanted(self, row: Delivery) -> bool:
        wanted: tuple[str, ...] = self._filters.get("status", ())
        unsuccessful = "unsuccessful" in wanted and row.status in _UNSUCCESSFUL
        return not wanted or unsuccessful or row.status in wanted

    def _forget(self) -> None:
        """Keep what is under way, and what the next look will list again."""
        if not self._known:
            return
        since = max(row.created_at for row in self._known.values()) - _OVERLAP
        self._after = since if self._after is None else max(self._after, since)
        kept = self._after
        self._known = {
            name: row
            for name, row in self._known.items()
            if row.created_at >= kept
            or (row.status in _OPEN and not _is_behind(row, self._left_out))
        }


def _state(row: Delivery) -> tuple[str, int]:
    return str(row.status), row.attempt_count


def _is_behind(row: Delivery, instant: datetime | None) -> bool:
    return instant is not None and row.created_at < instant
