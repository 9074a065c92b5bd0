"""Endpoints: fields, headers, subscriptions, holding and releasing, deadlines, concurrency."""

from __future__ import annotations

from typing import Any

import pytest
from http_lab import Client, Document, Lab, eventually
from http_sink import ONCE, Open, path_to, reply, waits

NOWHERE = "http://127.0.0.1:1/hook"
_RESERVED = (
    *("Host", "date", "Cookie", "EXPECT", "te", "trailer", "Upgrade", "connection", "keep-alive"),
    *("proxy-authorization", "Proxy-Connection", "content-type", "Content-Length"),
    *("content-encoding", "content-anything", "transfer-encoding", "accept-encoding"),
    *("http2-settings", "x-forwarded-for", "X-Forwarded-Host", "user-agent", "webhook-id"),
    *("Webhook-Signature", "webhook-anything", "traceparent", "tracestate"),
)


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


# Fields


def test_the_smallest_endpoint_has_the_defaults_of_the_contract(client: Client, slug: str) -> None:
    """Only a URL: every event, 15 s, 16 at a time, a secret of its own, healthy."""
    made = client.new_endpoint(slug, NOWHERE)
    shown = client.get(path_to(made)).require(200)
    secret = made.pop("signing_secret")

    assert made == shown
    assert "whsec_" == secret[:6]
    assert (["*"], {}, {}, True, 15, None, 16) == tuple(
        shown[name]
        for name in (
            *("events", "headers", "metadata", "active", "timeout_seconds", "retry_policy"),
            "max_concurrency",
        )
    )
    assert {"source": "endpoint", "scheme": "v1"} == shown["signing"]
    assert ["healthy", 0, None, None, None] == list(shown["health"].values())
    assert (None, None, None) == tuple(
        shown[name] for name in ("description", "disabled_at", "disabled_reason")
    )


def test_a_patch_keeps_what_it_does_not_name(client: Client, slug: str) -> None:
    """Absent keeps, null clears, the secret never comes again."""
    full: Document = {
        "description": "orders",
        "events": ["order.*", "a.b"],
        "metadata": {"a": {"b": 1}},
        "timeout_seconds": 7,
        "retry_policy": ONCE,
        "max_concurrency": 3,
    }
    path = path_to(client.new_endpoint(slug, NOWHERE, **full))
    moved = client.patch(path, {"url": "http://127.0.0.1:1/other"}).require(200)
    cleared = client.patch(path, {"description": None, "retry_policy": None}).require(200)

    assert full == {name: moved[name] for name in full}
    assert "http://127.0.0.1:1/other" == cleared["url"]
    assert (None, None, 7) == tuple(
        cleared[name] for name in ("description", "retry_policy", "timeout_seconds")
    )
    assert "signing_secret" not in cleared
    assert cleared == client.patch(path, {}).require(200) | {"updated_at": cleared["updated_at"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": 31},
        {"timeout_seconds": 1.5},
        {"timeout_seconds": None},
        {"max_concurrency": 0},
        {"max_concurrency": 1001},
        {"events": []},
        {"events": None},
        {"events": ["a.b", "a.b"]},
        {"events": ["order."]},
        {"events": ["order*"]},
        {"events": ["*.order"]},
        {"events": ["order.**"]},
        {"events": ["a b"]},
        {"events": [""]},
        {"events": ["x" * 129]},
        {"events": ["a.b\n"]},
        {"events": [f"e{number}" for number in range(101)]},
        {"description": "x" * 501},
        {"retry_policy": {"preset": "default", "delays_seconds": [1]}},
        {"retry_policy": {"preset": "none", "max_attempts": 2}},
        {"retry_policy": {"delays_seconds": [-1]}},
        {"retry_policy": {"jitter": 1.1}},
        {"headers": {"X A": "1"}},
        {"headers": {"": "1"}},
        {"headers": {"X-A": "a\r\nX-B: c"}},
        {"headers": {"X-A": " padded"}},
        {"headers": {"X-A": ""}},
        {"headers": {"X-A": "ü"}},
        {"headers": {"X-A": 1}},
        {"headers": {"X-A": "x" * 2049}},
        {"url": None},
        {"url": ""},
        {"active": None},
        {"signing": None},
        {"signing": {"source": "both"}},
        {"signing": {"secret": 5}},
        {"id": "ep_1"},
        {"health": {}},
    ],
    ids=repr,
)
def test_a_value_beyond_its_bounds_is_refused(
    client: Client, slug: str, fields: dict[str, Any]
) -> None:
    """The same bounds hold for create and update; a refusal changes nothing."""
    path = path_to(client.new_endpoint(slug, NOWHERE))
    before = client.get(path).json
    created = client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, **fields})
    updated = client.patch(path, fields)

    for answer in (created, updated):
        assert (400, "validation_error") == (answer.status, answer.code)
        assert (
            f"/{next(iter(fields))}"
            in {pointer[: len(next(iter(fields))) + 1] for pointer, _ in answer.faults}
            or answer.faults[0][0] == ""
        )
    assert before == client.get(path).json
    assert 1 == client.get(f"/v1/apps/{slug}/endpoints?include_total=true").json["total_count"]


# Headers


def test_headers_are_masked_and_merged(client: Client, slug: str, sink: Open) -> None:
    """Values read `***`; a patch merges by name without regard to case; all are sent."""
    receiver = sink()
    endpoint = client.new_endpoint(
        slug, receiver.url, headers={"X-Api-Key": "one", "X-Other": "two", "x-third": "3 3"}
    )
    path = path_to(endpoint)
    merged = client.patch(path, {"headers": {"x-api-KEY": "new", "X-Third": None, "X-4": "~"}})
    client.finished(client.trigger(slug)["delivery_ids"][0], "delivered")

    assert {"X-Api-Key": "***", "X-Other": "***", "x-third": "***"} == endpoint["headers"]
    assert {"x-api-KEY": "***", "X-Other": "***", "X-4": "***"} == merged.require(200)["headers"]
    sent = receiver.last.headers
    assert ("new", "two", "~") == (sent["x-api-key"], sent["x-other"], sent["x-4"])
    assert "x-third" not in sent
    client.patch(path, {"headers": {}}).require(200)
    assert 3 == len(client.get(path).json["headers"])
    client.patch(path, {"headers": None}).require(200)
    assert {} == client.get(path).json["headers"]
    client.finished(client.trigger(slug)["delivery_ids"][0], "delivered")
    assert not {"x-api-key", "x-other", "x-4"} & receiver.last.headers.keys()


@pytest.mark.parametrize("name", _RESERVED)
def test_headers_of_the_server_are_refused(client: Client, slug: str, name: str) -> None:
    """What the server or the connection owns is 422 on create and on update, and is named."""
    path = path_to(client.new_endpoint(slug, NOWHERE, headers={"X-Own": "1"}))
    answers = [
        client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "headers": {name: "x"}}),
        client.patch(path, {"headers": {name: "x"}}),
    ]

    for answer in answers:
        assert (422, "header_not_allowed") == (answer.status, answer.code)
        assert [(f"/headers/{name}", "header_name_reserved")] == answer.faults
    assert {"X-Own": "***"} == client.get(path).json["headers"]


def test_a_header_is_given_once(client: Client, slug: str) -> None:
    """Two spellings of one name in one request are refused, on create and on update."""
    twice = {"X-Key": "1", "x-key": "2"}
    path = path_to(client.new_endpoint(slug, NOWHERE))

    for answer in (
        client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "headers": twice}),
        client.patch(path, {"headers": twice}),
        client.patch(path, {"headers": {"X-Key": None, "x-key": "2"}}),
    ):
        assert (422, "header_not_allowed") == (answer.status, answer.code)
        assert [("/headers/x-key", "header_name_duplicated")] == answer.faults


def test_the_limit_of_headers_counts_after_the_merge(client: Client, slug: str) -> None:
    """Twenty headers fit; a patch may swap some, and not go beyond."""
    path = path_to(client.new_endpoint(slug, NOWHERE, headers={f"X-{n}": "v" for n in range(20)}))
    too_many = client.patch(path, {"headers": {"X-20": "v"}})
    create = client.post(
        f"/v1/apps/{slug}/endpoints",
        {"url": NOWHERE, "headers": {f"X-{n}": "v" for n in range(21)}},
    )

    assert [(400, "maxProperties")] * 2 == [(a.status, a.faults[0][1]) for a in (too_many, create)]
    assert 20 == len(client.get(path).json["headers"])
    swapped = client.patch(path, {"headers": {"X-20": "v", "X-3": None}}).require(200)
    assert 20 == len(swapped["headers"])


# Subscriptions


@pytest.mark.parametrize(
    ("events", "accepted", "ignored"),
    [
        (["*"], ["a", "order.paid", "a.b.c.d"], []),
        (
            ["order.*"],
            ["order.paid", "order.item.added"],
            ["order", "orders.paid", "preorder.paid"],
        ),
        (["order.paid"], ["order.paid"], ["order.paid.late", "order", "Order.paid"]),
        (["order.item.*", "a"], ["order.item.added", "a"], ["order.item", "a.b"]),
    ],
)
def test_an_endpoint_gets_what_it_subscribed_to(
    client: Client, slug: str, events: list[str], accepted: list[str], ignored: list[str]
) -> None:
    """Names match exactly, prefixes everything below, the star everything; the list agrees."""
    endpoint = client.new_endpoint(slug, NOWHERE, events=events, active=False)

    for name in accepted:
        sent = client.trigger(slug, event_name=name)
        assert (1, 0) == (sent["endpoint_count"], sent["filtered_count"])
    for name in ignored:
        sent = client.trigger(slug, event_name=name)
        assert (0, 1) == (sent["endpoint_count"], sent["filtered_count"])
    for name in (*accepted, *ignored):
        rows = client.get(f"/v1/apps/{slug}/endpoints?event_name={name}").json["data"]
        assert ([endpoint["id"]] if name in accepted else []) == [row["id"] for row in rows]


def test_endpoints_are_listed_by_what_they_are(client: Client, slug: str) -> None:
    """`active` and `state` pick; `-` covers every app."""
    on = client.new_endpoint(slug, NOWHERE)["id"]
    off = client.new_endpoint(slug, NOWHERE, active=False)["id"]

    for query, expected in (
        ("", [off, on]),
        ("?active=true", [on]),
        ("?active=false", [off]),
        ("?state=healthy", [on]),
        ("?state=disabled", [off]),
        ("?state=disabled&active=true", []),
        ("?state=failing", []),
    ):
        rows = client.get(f"/v1/apps/{slug}/endpoints{query}").require(200)["data"]
        assert expected == [row["id"] for row in rows]
    everywhere = client.get("/v1/apps/-/endpoints?limit=100&active=false").json["data"]
    assert off in {row["id"] for row in everywhere}


# Holding and releasing


def test_what_is_held_goes_out_when_enabled(client: Client, slug: str, sink: Open) -> None:
    """Disabling holds pending and new deliveries; enabling releases all of them."""
    receiver = sink(reply(500), reply(200))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=waits(604800))
    pending = client.trigger(slug)["delivery_ids"][0]
    client.finished(pending, "pending")
    receiver.wait_for(1)
    eventually(lambda: client.delivery(pending)["attempt_count"] == 1)
    disabled = client.post(f"{path_to(endpoint)}/disable").require(200)
    new = client.trigger(slug)["delivery_ids"][0]

    assert (False, "manual", "disabled") == (
        disabled["active"],
        disabled["disabled_reason"],
        disabled["health"]["state"],
    )
    assert disabled["disabled_at"] is not None
    assert ["held", "held"] == [client.delivery(one)["status"] for one in (pending, new)]
    assert disabled == client.post(f"{path_to(endpoint)}/disable").require(200)
    assert disabled == client.get(path_to(endpoint)).json
    enabled = client.post(f"{path_to(endpoint)}/enable", {}).require(200)
    assert (True, None, None) == (
        enabled["active"],
        enabled["disabled_at"],
        enabled["disabled_reason"],
    )
    assert ("healthy", 0) == tuple(list(enabled["health"].values())[:2])
    client.finished(new, "delivered")
    assert 2 == len(receiver.got)


def test_what_is_held_is_cancelled_without_release(client: Client, slug: str, sink: Open) -> None:
    """`release: false` cancels what was held, and new events go out."""
    receiver = sink()
    endpoint = client.new_endpoint(slug, receiver.url, active=False)
    held = [client.trigger(slug)["delivery_ids"][0] for _ in range(3)]

    assert {"held"} == {client.delivery(one)["status"] for one in held}
    client.post(f"{path_to(endpoint)}/enable", {"release": False}).require(200)
    for one in held:
        row = client.delivery(one)
        assert ("cancelled", "not_released", None) == (
            row["status"],
            row["cancel_reason"],
            row["next_attempt_at"],
        )
        assert row["completed_at"] is not None
        retry = client.post(f"/v1/apps/{slug}/deliveries/{one}/retry")
        assert (409, "delivery_not_retryable") == (retry.status, retry.code)
    fresh = client.trigger(slug)["delivery_ids"][0]
    client.finished(fresh, "delivered")
    assert 1 == len(receiver.got)


def test_enabling_an_enabled_endpoint_cancels_nothing(
    client: Client, slug: str, sink: Open
) -> None:
    """`release: false` speaks of held deliveries only."""
    receiver = sink(reply(500))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=waits(604800))
    waiting = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(waiting)["attempt_count"] == 1)
    client.post(f"{path_to(endpoint)}/enable", {"release": False}).require(200)

    assert "pending" == client.delivery(waiting)["status"]


def test_a_patch_of_active_disables_and_enables(client: Client, slug: str, sink: Open) -> None:
    """PATCH `active` does what the two actions do, together with other fields."""
    receiver = sink()
    endpoint = client.new_endpoint(slug, "http://127.0.0.1:1/")
    path = path_to(endpoint)
    off = client.patch(path, {"active": False, "description": "paused"}).require(200)
    held = client.trigger(slug)["delivery_ids"][0]

    assert (False, "manual", "paused") == (
        off["active"],
        off["disabled_reason"],
        off["description"],
    )
    assert "held" == client.delivery(held)["status"]
    on = client.patch(path, {"active": True, "url": receiver.url}).require(200)
    assert (True, None, "healthy") == (on["active"], on["disabled_at"], on["health"]["state"])
    client.finished(held, "delivered")
    assert on["disabled_reason"] is None


def test_an_endpoint_disabled_while_sending_finishes_its_attempt(
    client: Client, slug: str, sink: Open
) -> None:
    """The attempt under way is recorded; what it leaves pending is held."""
    receiver = sink(reply(500), reply(200))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=waits(0))
    receiver.hold()
    delivery = client.trigger(slug)["delivery_ids"][0]
    receiver.wait_for(1)
    client.post(f"{path_to(endpoint)}/disable").require(200)

    assert "sending" == client.delivery(delivery)["status"]
    receiver.let_go()
    assert 1 == client.finished(delivery, "held")["attempt_count"]
    assert 1 == len(receiver.got)
    client.post(f"{path_to(endpoint)}/enable").require(200)
    assert 2 == client.finished(delivery, "delivered")["attempt_count"]


def test_deleting_while_sending_lets_no_attempt_follow(
    client: Client, slug: str, sink: Open
) -> None:
    """The attempt under way finishes; the delivery ends delivered or cancelled, and stays."""
    for answer, expected in ((reply(200), "delivered"), (reply(500), "cancelled")):
        receiver = sink(answer)
        endpoint = client.new_endpoint(slug, receiver.url, retry_policy=waits(0, 0))
        receiver.hold()
        delivery = client.trigger(slug, endpoint_ids=[endpoint["id"]])["delivery_ids"][0]
        receiver.wait_for(1)
        client.delete(path_to(endpoint)).require(204)
        receiver.let_go()
        row = client.finished(delivery, expected)

        assert (1, 1) == (row["attempt_count"], len(client.attempts(delivery)))
        assert (404, 404) == (
            client.get(path_to(endpoint)).status,
            client.delete(path_to(endpoint)).status,
        )
        assert delivery in {
            one["id"]
            for one in client.get(f"/v1/apps/{slug}/deliveries?status={expected}").json["data"]
        }
        assert 1 == len(receiver.got)


@pytest.mark.parametrize("verb", ["enable", "disable", "test", "rotate-secret"])
def test_the_actions_of_a_deleted_endpoint_are_gone(client: Client, slug: str, verb: str) -> None:
    """Every action on a deleted endpoint is 404."""
    endpoint = client.new_endpoint(slug, NOWHERE)
    client.delete(path_to(endpoint)).require(204)

    assert 404 == client.post(f"{path_to(endpoint)}/{verb}").status
    assert 404 == client.patch(path_to(endpoint), {"active": False}).status


# Deadline and concurrency


def test_an_attempt_ends_at_the_endpoints_deadline(client: Client, slug: str, sink: Open) -> None:
    """`timeout_seconds` bounds an attempt, which is a timeout without an answer."""
    receiver = sink()
    client.new_endpoint(slug, receiver.url, timeout_seconds=1, retry_policy=ONCE)
    receiver.hold()
    delivery = client.trigger(slug)["delivery_ids"][0]
    row = client.finished(delivery, "dead_letter")
    attempt = client.attempts(delivery)[0]

    assert ("timeout", None) == (row["last_failure_reason"], row["last_status_code"])
    assert ("timeout", None, None) == (
        attempt["failure_reason"],
        attempt["status_code"],
        attempt["response_body"],
    )
    assert 990 <= attempt["latency_ms"] < 10_000


def test_no_more_are_under_way_than_the_endpoint_takes(
    client: Client, slug: str, sink: Open
) -> None:
    """`max_concurrency` is respected, costs no attempt, and delays nobody else."""
    narrow, wide = sink(), sink()
    client.new_endpoint(slug, narrow.url, max_concurrency=2)
    client.new_endpoint(slug, wide.url)
    narrow.hold()
    sent = [client.trigger(slug, {"n": number}) for number in range(12)]
    wide.wait_for(12)
    narrow.wait_for(2)
    rows = client.get(f"/v1/apps/{slug}/deliveries?limit=100").json["data"]
    waiting = sorted(row["status"] for row in rows if row["endpoint_url"] == narrow.url)

    assert ["pending"] * 10 + ["sending"] * 2 == waiting
    narrow.let_go()
    for one in (delivery for each in sent for delivery in each["delivery_ids"]):
        assert 1 == client.finished(one, "delivered")["attempt_count"]
    assert (2, 12) == (narrow.most_under_way, len(narrow.got))


def test_the_next_attempt_uses_the_present_settings(lab: Lab, sink: Open) -> None:
    """A retry goes to the new URL with the new headers; `webhook-id` and body stay."""
    client = lab.client
    before, after = sink(reply(500)), sink()
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, before.url, retry_policy=waits(60))
    delivery = client.trigger(slug, {"n": 1})["delivery_ids"][0]
    before.wait_for(1)
    client.patch(path_to(endpoint), {"url": after.url, "headers": {"X-New": "1"}}).require(200)
    client.advance("PT61S")
    row = client.finished(delivery, "delivered")

    assert (1, 1, after.url) == (len(before.got), len(after.got), row["endpoint_url"])
    assert ("1", None) == (after.last.headers["x-new"], before.last.headers.get("x-new"))
    assert before.last.message_id == after.last.message_id
    assert before.last.body == after.last.body
    assert before.last.headers["webhook-timestamp"] < after.last.headers["webhook-timestamp"]
