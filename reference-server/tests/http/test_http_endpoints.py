"""Endpoints: headers, secrets' places, subscriptions, holding and releasing, test events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_lab import Client, Lab, eventually
from http_receivers import Mailbox, status

NOWHERE = "http://127.0.0.1:1/hook"
Box = tuple[Mailbox, str]


@pytest.fixture
def slug(client: Client) -> str:
    """An app of the test's own."""
    name: str = client.new_app()["slug"]
    return name


# Headers


def test_header_values_never_come_back(client: Client, slug: str, mailbox: Box) -> None:
    """They read as `***` everywhere, and go out as they were given."""
    box, url = mailbox
    made = client.new_endpoint(slug, url, headers={"X-Key": "canary-1", "Authorization": "Bearer c"})
    path = f"/v1/apps/{slug}/endpoints/{made['id']}"
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "delivered")
    tested = client.post(f"{path}/test").require(200)
    answers = [client.get(path), client.get(f"/v1/apps/{slug}/endpoints"), client.patch(path, {})]

    assert {"X-Key": "***", "Authorization": "***"} == made["headers"]
    assert {("canary-1", "Bearer c")} == {
        (r.headers["x-key"], r.headers["authorization"]) for r in box.received
    }
    assert "***" == tested["request"]["headers"]["X-Key"]
    assert "***" == client.attempts(delivery)[0]["request_headers"]["X-Key"]
    assert not any(b"canary" in answer.body for answer in answers)


def test_headers_are_merged(client: Client, slug: str, mailbox: Box) -> None:
    """Absent keeps, null removes, names ignore case, null for all removes all."""
    box, url = mailbox
    made = client.new_endpoint(slug, url, headers={"X-One": "1", "X-Two": "2"})
    path = f"/v1/apps/{slug}/endpoints/{made['id']}"
    patches: list[Any] = [
        {"headers": {"X-Three": "3", "X-One": None}},
        {"headers": {"x-two": "two"}},
        {"description": "untouched"},
        {"headers": {"X-Nothing": None}},
        {"headers": None},
    ]
    seen: list[dict[str, str]] = []
    for patch in patches:
        client.patch(path, patch).require(200)
        client.post(f"{path}/test").require(200)
        headers = box.received[-1].headers
        seen.append({name: value for name, value in headers.items() if name.startswith("x-")})

    both = {"x-three": "3", "x-two": "two"}
    assert [{"x-three": "3", "x-two": "2"}, both, both, both, {}] == seen
    assert {} == client.get(path).json["headers"]


def test_an_endpoint_has_at_most_20_headers_after_a_merge(client: Client, slug: str) -> None:
    """The bound holds for the result, not for the patch alone."""
    headers = {f"X-{number}": "v" for number in range(20)}
    made = client.new_endpoint(slug, NOWHERE, headers=headers)
    path = f"/v1/apps/{slug}/endpoints/{made['id']}"
    answer = client.patch(path, {"headers": {"X-20": "v"}})

    assert (400, [("/headers", "maxProperties")]) == (answer.status, answer.faults)
    client.patch(path, {"headers": {"X-20": "v", "X-0": None}}).require(200)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "host", "Date", "Cookie", "Expect", "TE", "Trailer", "Upgrade", "Connection"),
        *("Keep-Alive", "Proxy-Authorization", "Content-Type", "Content-Length", "Content-X"),
        *("Transfer-Encoding", "Accept-Encoding", "HTTP2-Settings", "X-Forwarded-For"),
        *("User-Agent", "Webhook-Id", "webhook-anything", "Traceparent", "tracestate"),
    ],
)
def test_reserved_headers_are_refused(client: Client, slug: str, name: str) -> None:
    """On create and on update: 422 that names the header and not its value."""
    path = f"/v1/apps/{slug}/endpoints"
    made = client.new_endpoint(slug, NOWHERE)
    answers = [
        client.post(path, {"url": NOWHERE, "headers": {name: "canary"}}),
        client.patch(f"{path}/{made['id']}", {"headers": {name: "canary"}}),
    ]

    for answer in answers:
        assert (422, "header_not_allowed") == (answer.status, answer.code)
        assert [(f"/headers/{name}", "header_name_reserved")] == answer.faults
        assert b"canary" not in answer.body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("X-A", value) for value in ("a\r\nB: c", "a\nb", "a\0b", "\u00e9", " a", "a ", "", "\t")),
        *((name, "v") for name in ("X A", "X:A", "", "X\r\nA", "\u00e9", "X\0", "x" * 129)),
        ("X-A", "v" * 2049),
    ],
)
def test_malformed_headers_are_refused(client: Client, slug: str, name: str, value: str) -> None:
    """CR, LF, NUL, blanks around and what is not visible ASCII cannot get in."""
    body = {"url": NOWHERE, "headers": {name: value}}
    answer = client.post(f"/v1/apps/{slug}/endpoints", body)

    assert answer.status in (400, 422)


def test_names_that_differ_in_case_are_one_header(client: Client, slug: str) -> None:
    """The same name twice is refused, not sent twice."""
    body = {"url": NOWHERE, "headers": {"X-A": "1", "x-a": "2"}}
    answer = client.post(f"/v1/apps/{slug}/endpoints", body)

    assert (422, [("/headers/x-a", "header_name_duplicated")]) == (answer.status, answer.faults)


# Merge patches


def test_a_merge_patch_changes_what_it_names(client: Client, slug: str) -> None:
    """Null clears what may be null; lists and policies are replaced whole."""
    made = client.new_endpoint(
        slug,
        NOWHERE,
        description="d",
        events=["a", "b"],
        retry_policy={"delays_seconds": [1, 2.5], "jitter": 0},
        metadata={"a": 1, "b": 2},
    )
    made.pop("signing_secret")
    path = f"/v1/apps/{slug}/endpoints/{made['id']}"
    empty = client.patch(path, {}).require(200)
    changed = client.patch(
        path,
        {
            "description": None,
            "events": ["c"],
            "retry_policy": None,
            "metadata": {"b": None},
            "timeout_seconds": 3,
            "max_concurrency": 2,
        },
    ).require(200)
    expected = {
        **made,
        "description": None,
        "events": ["c"],
        "retry_policy": None,
        "metadata": {"a": 1},
        "timeout_seconds": 3,
        "max_concurrency": 2,
        "updated_at": changed["updated_at"],
    }

    assert {"delays_seconds": [1, 2.5], "jitter": 0} == made["retry_policy"]
    assert {**made, "updated_at": ""} == {**empty, "updated_at": ""}
    assert expected == changed == client.get(path).json


# Subscriptions


@pytest.mark.parametrize(
    ("events", "received"),
    [
        (["*"], {"order.paid", "order.paid.late", "orders.paid", "order"}),
        (["order.*"], {"order.paid", "order.paid.late"}),
        (["order.paid"], {"order.paid"}),
        (["order", "orders.*"], {"order", "orders.paid"}),
    ],
)
def test_an_endpoint_gets_what_it_subscribed_to(
    client: Client, slug: str, events: list[str], received: set[str]
) -> None:
    """Names, prefixes and `*`; the rest is counted as filtered, and lists agree."""
    endpoint = client.new_endpoint(slug, NOWHERE, events=events, active=False)["id"]
    for name in ("order.paid", "order.paid.late", "orders.paid", "order"):
        sent = client.trigger(slug, event_name=name)
        listed = client.get(f"/v1/apps/{slug}/endpoints?event_name={name}").json["data"]

        expected = (1, 0) if name in received else (0, 1)
        assert expected == (sent["endpoint_count"], sent["filtered_count"])
        assert (name in received) == (endpoint in [row["id"] for row in listed])


@pytest.mark.parametrize(
    "events", [[], ["a", "a"], ["a.*.b"], ["*.a"], [".*"], ["a."], [""], ["a b"], ["**"], [1]]
)
def test_bad_event_lists_are_refused(client: Client, slug: str, events: Any) -> None:
    """An empty list, repeats and other patterns are 400."""
    answer = client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "events": events})

    assert 400 == answer.status


def test_chosen_endpoints_must_still_subscribe(client: Client, slug: str) -> None:
    """`endpoint_ids` narrows; it does not overrule subscriptions."""
    yes = client.new_endpoint(slug, NOWHERE, events=["a"], active=False)["id"]
    no = client.new_endpoint(slug, NOWHERE, events=["b"], active=False)["id"]
    client.new_endpoint(slug, NOWHERE, active=False)
    sent = client.trigger(slug, event_name="a", endpoint_ids=[yes, no])

    assert (1, 1) == (sent["endpoint_count"], sent["filtered_count"])
    assert yes == client.delivery(sent["delivery_ids"][0])["endpoint_id"]


# Holding and releasing


def test_disabling_holds_and_enabling_releases(client: Client, slug: str, mailbox: Box) -> None:
    """While disabled everything reads as held; enabling sends it at once."""
    box, url = mailbox
    endpoint = client.new_endpoint(slug, url)["id"]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}"
    disabled = client.post(f"{path}/disable").require(200)
    again = client.post(f"{path}/disable").require(200)
    deliveries = [client.trigger(slug)["delivery_ids"][0] for _ in range(3)]
    held = client.get(f"/v1/apps/{slug}/deliveries?status=held").json["data"]
    pending = client.get(f"/v1/apps/{slug}/deliveries?status=pending").json["data"]
    enabled = client.post(f"{path}/enable").require(200)
    for delivery in deliveries:
        client.finished(delivery, "delivered")

    assert (False, "disabled", "manual") == (
        disabled["active"],
        disabled["health"]["state"],
        disabled["disabled_reason"],
    )
    assert disabled == again
    assert (sorted(deliveries), []) == (sorted(row["id"] for row in held), pending)
    assert (True, "healthy", None, None) == (
        enabled["active"],
        enabled["health"]["state"],
        enabled["disabled_at"],
        enabled["disabled_reason"],
    )
    assert 3 == len(box.received)


def test_enabling_can_cancel_what_was_held(client: Client, slug: str, mailbox: Box) -> None:
    """`release: false` cancels visibly; new events go out."""
    box, url = mailbox
    endpoint = client.new_endpoint(slug, url, active=False)["id"]
    held = client.trigger(slug)["delivery_ids"][0]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}/enable"
    client.post(path, {"release": False}).require(200)
    cancelled = client.delivery(held)
    fresh = client.trigger(slug)["delivery_ids"][0]
    client.finished(fresh, "delivered")
    retried = client.post(f"/v1/apps/{slug}/deliveries/{held}/retry")

    assert ("cancelled", "not_released", None) == (
        cancelled["status"],
        cancelled["cancel_reason"],
        cancelled["next_attempt_at"],
    )
    assert cancelled["completed_at"] is not None
    assert (409, "delivery_not_retryable") == (retried.status, retried.code)
    assert 1 == len(box.received)


def test_patching_active_disables_and_enables(client: Client, slug: str, mailbox: Box) -> None:
    """The same as the two operations, in a merge patch."""
    _, url = mailbox
    endpoint = client.new_endpoint(slug, url)["id"]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}"
    off = client.patch(path, {"active": False}).require(200)
    held = client.trigger(slug)["delivery_ids"][0]
    reads = client.delivery(held)["status"]
    on = client.patch(path, {"active": True, "description": "on again"}).require(200)

    assert (False, "manual", "held") == (off["active"], off["disabled_reason"], reads)
    assert (True, None, "on again") == (on["active"], on["disabled_reason"], on["description"])
    client.finished(held, "delivered")


def test_410_disables_and_enabling_mends(client: Client, slug: str, mailbox: Box) -> None:
    """A receiver that says it is gone is disabled with that reason, until a user enables it."""
    box, url = mailbox
    box.reply = status(410)
    endpoint = client.new_endpoint(slug, url)["id"]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}"
    failed = client.finished(client.trigger(slug)["delivery_ids"][0], "failed")
    gone = eventually(lambda: client.get(path).json, lambda found: not found["active"])
    held = client.trigger(slug)["delivery_ids"][0]
    reads = client.delivery(held)["status"]
    box.reply = status(204)
    mended = client.post(f"{path}/enable").require(200)
    client.finished(held, "delivered")

    assert (410, "http_4xx") == (failed["last_status_code"], failed["last_failure_reason"])
    assert ("gone", "disabled", "held") == (gone["disabled_reason"], gone["health"]["state"], reads)
    assert (True, 0, None) == (
        mended["active"],
        mended["health"]["consecutive_failures"],
        mended["health"]["first_failure_at"],
    )


def test_health_is_degraded_then_failing_then_healthy(
    client: Client, slug: str, mailbox: Box
) -> None:
    """One failure degrades, five in a row are failing, one success mends; lists filter by it."""
    box, url = mailbox
    box.reply = status(500)
    endpoint = client.new_endpoint(slug, url, retry_policy={"preset": "none"})["id"]

    def health_after(sends: int) -> Any:
        for _ in range(sends):
            client.finished(client.trigger(slug)["delivery_ids"][0])
        return client.get(f"/v1/apps/{slug}/endpoints/{endpoint}").json["health"]

    def listed(state: str) -> bool:
        rows = client.get(f"/v1/apps/{slug}/endpoints?state={state}").json["data"]
        return [endpoint] == [row["id"] for row in rows]

    steps = [(health_after(0), "healthy"), (health_after(1), "degraded"), (health_after(4), "failing")]
    assert listed("failing")
    assert not listed("degraded")
    box.reply = status(200)
    steps.append((health_after(1), "healthy"))

    assert [state for _, state in steps] == [health["state"] for health, _ in steps]
    assert [0, 1, 5, 0] == [health["consecutive_failures"] for health, _ in steps]
    assert listed("healthy")


def test_a_deleted_endpoint_is_gone_but_its_history_stays(client: Client, slug: str) -> None:
    """404 for everything about it; its deliveries are read and what was pending is cancelled."""
    endpoint = client.new_endpoint(slug, NOWHERE, active=False)["id"]
    delivery = client.trigger(slug)["delivery_ids"][0]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}"
    client.delete(path).require(204)
    row = client.delivery(delivery)
    found = client.get(f"/v1/apps/{slug}/deliveries?status=cancelled&endpoint_id={endpoint}").json

    assert ("cancelled", "endpoint_deleted") == (row["status"], row["cancel_reason"])
    assert [row] == found["data"]
    answers = [client.delete(path), client.get(path), client.patch(path, {})]
    assert [404] * 3 == [answer.status for answer in answers]
    assert 0 == client.trigger(slug)["endpoint_count"]


# Test events


def test_a_test_event_is_a_real_signed_request(client: Client, slug: str, mailbox: Box) -> None:
    """It shows what was sent and what came back, even for a disabled endpoint."""
    box, url = mailbox
    box.reply = status(200, body=b"thanks")
    endpoint = client.new_endpoint(slug, url, active=False)["id"]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}"
    result = client.post(f"{path}/test", {"event_name": "a.b", "payload": {"x": 1}}).require(200)
    got = box.one()

    assert (True, 200, "thanks", None) == (
        result["success"],
        result["status_code"],
        result["response_body"],
        result["failure_reason"],
    )
    assert got.body.decode() == result["request"]["body"]
    assert url == result["request"]["url"]
    sent = {name.lower(): value for name, value in result["request"]["headers"].items()}
    assert sent == {name: got.headers[name] for name in sent}
    assert {"type": "a.b", "data": {"x": 1}} == {
        name: json.loads(got.body)[name] for name in ("type", "data")
    }


@pytest.mark.parametrize(
    ("reply", "reason", "code"),
    [
        (status(500), "http_5xx", 500),
        (status(404), "http_4xx", 404),
        (status(302, "Location: http://127.0.0.1:1/"), "http_3xx", 302),
        (b"nonsense\r\n\r\n", "protocol_error", None),
        (b"", "connection_reset", None),
    ],
)
def test_a_failing_test_event_is_told_not_retried(
    client: Client, slug: str, mailbox: Box, reply: bytes, reason: str, code: int | None
) -> None:
    """The answer is 200 with what went wrong; health and deliveries know nothing of it."""
    box, url = mailbox
    endpoint = client.new_endpoint(slug, url, timeout_seconds=1)["id"]
    box.reply = reply
    path = f"/v1/apps/{slug}/endpoints/{endpoint}"
    result = client.post(f"{path}/test").require(200)

    if reply:
        assert (False, code, reason) == (
            result["success"],
            result["status_code"],
            result["failure_reason"],
        )
    else:  # it never answers
        assert (False, "timeout") == (result["success"], result["failure_reason"])
    assert "healthy" == client.get(path).json["health"]["state"]
    assert [] == client.get(f"/v1/apps/{slug}/messages").json["data"]


def test_long_answers_are_cut(client: Client, slug: str, mailbox: Box) -> None:
    """4 KiB are kept; bytes that are no text are replaced."""
    box, url = mailbox
    box.reply = status(200, body=b"\xff\x00" + b"x" * 9000)
    endpoint = client.new_endpoint(slug, url)["id"]
    result = client.post(f"/v1/apps/{slug}/endpoints/{endpoint}/test").require(200)

    assert result["response_body_truncated"]
    assert result["response_body"].startswith("\ufffd")
    assert len(result["response_body"]) <= 4096


def test_the_endpoints_of_all_apps_are_listed_under_the_dash(lab: Lab) -> None:
    """`-` lists every app's endpoints, but not those of deleted apps."""
    client = lab.client
    slugs = [client.new_app()["slug"] for _ in range(3)]
    made = {slug: client.new_endpoint(slug, NOWHERE)["id"] for slug in slugs}
    client.delete(f"/v1/apps/{slugs[0]}").require(204)
    rows = client.get("/v1/apps/-/endpoints").json["data"]

    assert {made[slugs[1]]: slugs[1], made[slugs[2]]: slugs[2]} == {
        row["id"]: row["app_slug"] for row in rows
    }
    assert 404 == client.get(f"/v1/apps/-/endpoints/{made[slugs[1]]}").status
