"""What lists, single things and numbers show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from hookwright_benchmarks.states import shown
from hookwright_benchmarks.states.account import only, span_around
from hookwright_benchmarks.states.divergence import same
from hookwright_benchmarks.states.drawn import INDEX, NAME, STATUS
from hookwright_benchmarks.states.model import tally
from hookwright_benchmarks.states.steps import Steps, path_of, pick
from hookwright_benchmarks.states.things import DAY_MS, Delivery
from hookwright_benchmarks.states.words import instant
from hookwright_server.domain import instants


class Looking(Steps):
    """Rules that change nothing."""

    @rule(which=INDEX, state=st.sampled_from(("healthy", "degraded", "failing", "disabled")))
    def look_at_endpoints(self, which: int, state: str) -> None:
        """Each is as it was made and as its attempts left it; lists hold those that fit."""
        self.step()
        app = pick(self.model.apps, which)
        mine = only(self.model.endpoints, lambda e: e.app is app and e.deleted_at is None)
        path = f"/v1/apps/{app.slug}/endpoints"
        for row in self.both.pages(path, {}, 3):
            expected = next(shown.endpoint(each) for each in mine if each.id == row["id"])
            row["retry_policy"].pop("preset", None)
            same(expected, shown.part(row, expected), "endpoint")
        self.both.same_list(path, {}, 2, mine)
        self.both.same_list(path, {"state": state}, 2, only(mine, lambda e: e.state == state))

    @precondition(lambda self: self.model.deliveries)
    @rule(
        which=INDEX,
        statuses=st.lists(STATUS, max_size=2, unique=True),
        by=st.sampled_from(("", "endpoint_id", "message_id", "event_name", "after", "before")),
        limit=st.integers(1, 9),
    )
    def look_at_deliveries(self, which: int, statuses: list[str], by: str, limit: int) -> None:
        """A list holds what fits, page by page; the endpoint's list is the same."""
        self.step()
        now, one = self.now, self.newest(which)
        wanted = {*statuses, *(("failed", "dead_letter") if "unsuccessful" in statuses else ())}
        fits: dict[str, tuple[str | None, Callable[[Delivery], bool]]] = {
            "": (None, lambda d: True),
            "endpoint_id": (one.endpoint.id, lambda d: d.endpoint is one.endpoint),
            "message_id": (one.message.id, lambda d: d.message is one.message),
            "event_name": (
                one.message.event.name,
                lambda d: d.message.event.name == one.message.event.name,
            ),
            "after": (instant(one.created_at), lambda d: d.created_at >= one.created_at),
            "before": (instant(one.created_at), lambda d: d.created_at < one.created_at),
        }
        value, condition = fits[by]
        expected = only(
            self.model.deliveries, condition, lambda d: not wanted or d.reads(now)[0] in wanted
        )
        query: dict[str, Any] = {"status": statuses or None}
        if by:
            query[by] = value
        self.both.same_list("/v1/apps/-/deliveries", query, limit, expected)
        if by == "endpoint_id" and one.endpoint.deleted_at is None:
            query.pop(by)
            self.both.same_list(f"{path_of(one.endpoint)}/deliveries", query, limit, expected)

    @precondition(lambda self: self.model.deliveries)
    @rule(which=INDEX)
    def look_at_delivery(self, which: int) -> None:
        """A delivery with its attempts, and its message with the payload as it came."""
        self.step()
        one = self.newest(which)
        path = f"/v1/apps/{one.message.app.place}/deliveries/{one.id}/attempts"
        rows, expected = self.both.pages(path, {}, 2), shown.attempts(one)
        same(len(expected), len(rows), "attempts")
        parts = [shown.part(row, each) for row, each in zip(rows, expected, strict=True)]
        same(expected, parts, "attempts")
        reply = self.send("GET", f"/v1/apps/-/messages/{one.message.id}")
        told = shown.message(one.message)
        same(told, shown.part(reply.json, told), "messages.get")
        shows = one.message.event.payload in reply.body, reply.json["payload"] is not None
        same((one.message.expunged_at is None,) * 2, shows, "the payload")
        ids = sorted((each.id for each in self.model.of(one.message)), reverse=True)
        same(ids, [row["id"] for row in reply.json["deliveries"]], "deliveries of a message")

    @rule(
        tag=st.sampled_from((None, "vip", "bulk", "none")),
        event_id=st.sampled_from((None, "order 1")),
        name=st.none() | NAME,
        limit=st.integers(1, 9),
    )
    def look_at_messages(
        self, tag: str | None, event_id: str | None, name: str | None, limit: int
    ) -> None:
        """A list holds what was published, and by tag exactly what was published with it."""
        self.step()
        expected = only(
            self.model.messages,
            lambda m: tag is None or tag in m.event.tags,
            lambda m: event_id in (None, m.event.event_id),
            lambda m: name in (None, m.event.name),
        )
        query = {"tag": tag, "event_id": event_id, "event_name": name}
        self.both.same_list("/v1/apps/-/messages", query, limit, expected)

    @rule(which=INDEX, limit=st.integers(1, 3))
    def look_at_replay_tasks(self, which: int, limit: int) -> None:
        """A list holds the tasks of an app that have not been erased."""
        self.step()
        app = pick(self.model.apps, which)
        tasks = only(self.model.tasks, lambda t: t.app is app)
        self.both.same_list(f"/v1/apps/{app.slug}/replays", {}, limit, tasks)

    @precondition(lambda self: self.model.erased_messages or self.model.erased_deliveries)
    @rule(which=INDEX)
    def look_for_what_is_erased(self, which: int) -> None:
        """It is not there, and nothing can be done to it."""
        self.step()
        kinds = (
            ("messages", [each.id for each in self.model.erased_messages]),
            ("deliveries", [each.id for each in self.model.erased_deliveries]),
        )
        for kind, erased in kinds:
            if erased:
                path = f"/v1/apps/-/{kind}/{pick(erased[::-1], which)}"
                for reply in (self.send("GET", path), self.send("POST", f"{path}/cancel")):
                    same((404, "not_found"), (reply.status, reply.code), str(reply))

    @rule(which=INDEX, name=st.none() | NAME, by_endpoint=st.booleans())
    def look_at_numbers(self, which: int, name: str | None, by_endpoint: bool) -> None:
        """Series, summaries, an endpoint's numbers and the overview are a recount of the rows."""
        self.step()
        now, both, model = self.now, self.both, self.model
        if not model.endpoints:
            return
        endpoint = pick(model.endpoints, which)
        app = endpoint.app
        if app.deleted:
            return
        begin = max(model.started_at, now - 7_200_000)
        query = {"after": instant(begin), "before": instant(now + 1), "event_name": name}
        query["endpoint_id"] = endpoint.id if by_endpoint else None
        asked = {key: value for key, value in query.items() if value is not None}
        text = urlencode({**asked, "interval": "5m"})
        series = self.send("GET", f"/v1/apps/{app.slug}/analytics/timeseries?{text}").json
        begins, ends = span_around(begin, now + 1)
        same([*range(begins, ends, 300_000)], [at(each) for each in series["data"]], "a series")
        of = endpoint if by_endpoint else None
        for point in series["data"]:
            span = at(point), at(point) + 300_000
            expected = model.counts(now, span, app, of, name)
            expected.pop("filtered_count")
            both.same_counts(expected, point)
        both.compare_summary(app)
        day = span_around(now - DAY_MS, now)
        overview = self.send("GET", "/v1/analytics/overview").json
        both.same_counts(model.counts(now, day), overview)
        states = [each.state for each in model.endpoints if each.deleted_at is None]
        counted = {state: states.count(state) for state in overview["endpoints"]}
        same(counted, overview["endpoints"], "endpoints of the overview")
        loose = sum(each.is_loose(now) for each in model.deliveries)
        waiting = tally(model.deliveries, now)["pending"]
        depth = overview["queue_depth"]
        same(True, waiting <= depth <= waiting + loose, f"{waiting} wait, queue_depth is {depth}")
        reply = self.send("GET", f"{path_of(endpoint)}/stats?period=24h")
        if self.found(reply, endpoint):
            both.same_counts(model.counts(now, day, app, endpoint), reply.json)


def at(point: Any) -> int:
    """When an interval begins."""
    return instants.parse(point["at"])
