"""One account on the server and in the model; after every step both are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from hookwright_benchmarks.states import shown
from hookwright_benchmarks.states.divergence import Divergence, same
from hookwright_benchmarks.states.lanes import in_order, one_at_a_time
from hookwright_benchmarks.states.model import Model, success_rate, tally
from hookwright_benchmarks.states.receiver import Receipt
from hookwright_benchmarks.states.system import learn_happenings
from hookwright_benchmarks.states.things import DAY_MS, App, Delivery, Endpoint, Message, ReplayTask
from hookwright_benchmarks.states.words import instant
from hookwright_benchmarks.states.world import Account, Reply, World
from hookwright_server.domain import instants

STEP_MS = 300_000
_NEWEST, _ALL_EVERY, _COUNTS_EVERY = 15, 5, 4
Query = dict[str, Any]
Body = bytes | dict[str, Any] | None


class Both:
    """An account and its model. Every method asserts that they agree."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = Model(world.tick())
        self.account: Account = world.new_account()
        self.requests: list[str] = []
        self._turn = 0
        world.receiver.take()

    def send(self, method: str, target: str, body: Body = None, **headers: str) -> Reply:
        """See `Account.send`."""
        reply = self.account.send(method, target, body, **headers)
        if method != "GET":
            self.requests.append(f"{self.now} {method} {target} {body!r} -> {reply.status}")
        return reply

    @property
    def now(self) -> int:
        return self.world.now_ms()

    # Time

    def settle(self) -> None:
        """Everything that is due is sent, once, signed and as it was published."""
        self.world.settle()
        self.received(self._settled(self.now))

    def _settled(self, now: int) -> list[Delivery]:
        sent = self.model.settle(now, self.started)
        learn_happenings(self)
        return sent

    def advance(self, milliseconds: int) -> None:
        """Time passes on both sides; the model stops wherever something falls due."""
        now = self.now
        self.world.advance(self.account, milliseconds)
        self.world.settle()  # what was written down lets others go, what was held is over
        expected: list[Receipt] = []
        for at in self._stops(now, now + milliseconds):
            expected += self._expected(self._settled(at))
        self.model.write_down(self.now)
        self.model.retain(self.now)
        expected += self._expected(self._settled(self.now))
        self._compare_receipts(expected)

    def tidy(self) -> None:
        """What is over lets those go that wait for it: at the latest upkeep sees to that."""
        self.model.move_up(self.now)
        if self.model.awaits_upkeep(self.now):
            self.world.do_chores()
            self.model.write_down(self.now)
            self.model.retain(self.now)
            self.settle()

    def _stops(self, now: int, until: int) -> Iterable[int]:
        yield now
        while (at := self.model.next_due(now)) is not None and at <= until:
            now = at
            yield now
        yield until

    def started(self, delivery: Delivery) -> float:
        """When the server began the next attempt that the model is to make."""
        reply = self.send("GET", f"/v1/apps/-/deliveries/{delivery.id}/attempts?limit=100")
        made: list[Any] = reply.json["data"]
        done = len(delivery.attempts)
        return instants.parse(made[-1 - done]["created_at"]) if len(made) > done else float("inf")

    def received(self, sent: Iterable[Delivery]) -> None:
        """What receivers got since the last look are these attempts."""
        self._compare_receipts(self._expected(sent))

    def _expected(self, sent: Iterable[Delivery]) -> list[Receipt]:
        return [
            Receipt.expected(
                each.endpoint.path,
                each.message.id,
                each.attempts[-1].at,
                each.message.event.body(each.message.created_at, data),
                each.attempts[-1].secrets,
                each.message.event.ordering_key if each.is_ordered else None,
            )
            for each in sent
            if (data := each.data) is not None
        ]

    def _compare_receipts(self, expected: list[Receipt]) -> None:
        def key(receipt: Receipt) -> tuple[str, ...]:
            return receipt.path, receipt.message_id, receipt.timestamp

        got = self.world.receiver.take()
        same(sorted(expected, key=key), sorted(got, key=key), "what receivers got")
        in_order(expected, got)

    # New rows

    def adopt(self, message: Message, made: Sequence[Delivery]) -> Any:
        """Every delivery that the model made of a message is there; it gets its id."""
        reply = self.send("GET", f"/v1/apps/-/messages/{message.id}")
        same(200, reply.status, f"message {message.id}")
        rows = reply.json["deliveries"]
        mine, theirs = (each.endpoint.id for each in made), (row["endpoint_id"] for row in rows)
        same(sorted(mine), sorted(theirs), f"the endpoints of message {message.id}")
        of = {each.endpoint.id: each for each in made}
        for row in rows:
            of[row["endpoint_id"]].id = row["id"]
        return reply.json

    # What must always hold

    def compare(self) -> None:
        """The newest deliveries are what the model says; now and then all, and the numbers."""
        self._turn += 1
        self._compare_list(None if self._turn % _ALL_EVERY == 0 else _NEWEST)
        if self._turn % _COUNTS_EVERY == 0:
            which = self._turn // _COUNTS_EVERY
            self.compare_stats(self.model.apps[which % len(self.model.apps)])

    def compare_all(self) -> None:
        """Lists hold exactly what the model holds, and so do the numbers."""
        self._compare_list(None)
        for app in self.model.apps:
            self.compare_stats(app)

    def _compare_list(self, newest: int | None) -> None:
        now = self.now
        one_at_a_time(self.model.lanes(), now)
        expected = [
            shown.delivery(each, now)
            for each in sorted(self.model.deliveries, key=lambda e: e.id, reverse=True)[:newest]
        ]
        if newest is None:
            rows = self.pages("/v1/apps/-/deliveries", {}, 100, counted=False)
        else:
            rows = self.send("GET", f"/v1/apps/-/deliveries?limit={newest}").json["data"]
        same([each["id"] for each in expected], [row["id"] for row in rows], "deliveries.list")
        parts = [shown.part(row, whole) for row, whole in zip(rows, expected, strict=True)]
        same(expected, parts, "deliveries.list")

    def compare_stats(self, app: App) -> None:
        """What was counted of an app in the last 30 days is what there is of them."""
        now = self.now
        found = self.send("GET", f"/v1/apps/{app.slug}/analytics/stats").json
        self.same_counts(self.model.counts(now, span_around(now - 30 * DAY_MS, now), app), found)

    def compare_summary(self, app: App) -> None:
        """What was counted of an app is what there is."""
        now = self.now
        query = {"after": instant(self.model.started_at), "before": instant(now + 1)}
        path = f"/v1/apps/{app.slug}/analytics/summary?{urlencode(query)}"
        found = self.send("GET", path).json
        span = span_around(self.model.started_at, now + 1)
        self.same_counts(self.model.counts(now, span, app), found)
        ever = self.model.deliveries + self.model.erased_deliveries
        mine = [each for each in ever if each.message.app is app]
        answers = [attempt.answer for each in mine for attempt in each.attempts]
        tried = Counter(each.reason for each in answers if each.reason)
        reasons = {row["failure_reason"]: row["attempt_count"] for row in found["failure_reasons"]}
        same(dict(tried), reasons, "failure_reasons")
        parts: tuple[tuple[str, Callable[[Delivery], str], list[Any]], ...] = (
            ("event_name", lambda d: d.message.event.name, found["top_events"]),
            ("endpoint_id", lambda d: d.endpoint.id, found["endpoint_performance"]),
        )
        for name, key, rows in parts:
            by_key: dict[str, list[Delivery]] = {}
            for each in mine:
                by_key.setdefault(key(each), []).append(each)
            same(sorted(by_key), sorted(row[name] for row in rows), name)
            for row in rows:
                counts = {"deliveries": tally(by_key[row[name]], now)}
                self.same_counts(counts, row)

    def same_counts(self, expected: dict[str, Any], found: dict[str, Any]) -> None:
        """While something reads as cancelled that is not written down, it may count as pending."""
        rate = success_rate(expected["deliveries"])
        mine, theirs = dict(expected), shown.part(found, expected)
        if any(each.is_loose(self.now) for each in self.model.deliveries):
            mine["deliveries"] = _unsettled(mine["deliveries"])
            theirs["deliveries"] = _unsettled(theirs["deliveries"])
        mine["success_rate"], theirs["success_rate"] = rate, found["success_rate"]
        same(mine, theirs, "analytics")

    # Asking

    def pages(self, path: str, query: Query, limit: int, *, counted: bool = True) -> list[Any]:
        """All rows, page by page; `counted`: and their number."""
        rows: list[Any] = []
        asked = {name: each for name, each in query.items() if each is not None}
        total: Query = {"include_total": "true"} if counted else {}
        cursor: Query = {}
        while True:
            text = urlencode({**asked, "limit": limit, **total, **cursor}, doseq=True)
            reply = self.send("GET", f"{path}?{text}")
            same(200, reply.status, f"GET {path}?{text}")
            page = reply.json
            rows += page["data"]
            same(page["next_cursor"] is not None, page["has_more"], f"has_more of {path}")
            if not page["has_more"]:
                break
            same(limit, len(page["data"]), f"a page of {path}")
            cursor = {"cursor": page["next_cursor"]}
        if counted:
            same(len(rows), page["total_count"], f"total_count of {path}")
        return rows

    def same_list(
        self,
        path: str,
        query: Query,
        limit: int,
        expected: Iterable[Delivery | Message | Endpoint | ReplayTask],
    ) -> None:
        """A list shows exactly these, newest first."""
        ids = sorted((each.id for each in expected), reverse=True)
        rows = self.pages(path, query, limit)
        same(ids, [row["id"] for row in rows], f"{path} with {query}")

    def refused(self, reply: Reply, codes: set[str]) -> bool:
        """Whether it is refused; with one of these codes exactly when there are any."""
        if reply.code not in codes and (codes or reply.code is not None):
            raise Divergence(f"expected {codes or 'no refusal'}, found {reply}")
        return bool(codes)


def span_around(after: int, before: int, step: int = STEP_MS) -> tuple[int, int]:
    """In whole steps."""
    return after // step * step, -(-before // step) * step


def only(things: Iterable[Any], *conditions: Callable[[Any], bool]) -> list[Any]:
    """Those for which all conditions hold."""
    return [each for each in things if all(condition(each) for condition in conditions)]


def _unsettled(counts: dict[str, int]) -> dict[str, int]:
    merged = counts["pending"] + counts["cancelled"]
    return {**counts, "pending": merged, "cancelled": merged}
