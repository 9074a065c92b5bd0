"""Deliveries: filters, retries by hand, what an attempt shows, Retry-After."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from egress_lab import Start, answering_once
from http_lab import Client, Document, Lab, eventually
from http_sink import ONCE, Open, parsed, reply, seconds_between, waits

NOWHERE = "http://127.0.0.1:1/hook"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def retry(client: Client, slug: str, delivery_id: str) -> Document:
    """Retry by hand."""
    found: Document = client.post(f"/v1/apps/{slug}/deliveries/{delivery_id}/retry").require(200)
    return found


# Filters


def test_deliveries_are_filtered(lab: Lab, sink: Open) -> None:
    """By one and several statuses, `unsuccessful`, endpoint, event, message and time."""
    client = lab.client
    slug = client.new_app()["slug"]
    answers = {"delivered": reply(200), "failed": reply(404), "dead_letter": reply(500)}
    urls = {status: sink(answer).url for status, answer in answers.items()}
    ids = {
        status: client.new_endpoint(slug, url, retry_policy=ONCE, events=["a.*"])["id"]
        for status, url in urls.items()
    }
    ids["held"] = client.new_endpoint(slug, NOWHERE, active=False, events=["a.*"])["id"]
    ids["pending"] = client.new_endpoint(slug, NOWHERE, retry_policy=waits(604800), events=["a.*"])[
        "id"
    ]
    cancelled = client.new_endpoint(slug, NOWHERE, active=False, events=["a.*"])
    ids["cancelled"] = cancelled["id"]
    first = client.trigger(slug, event_name="a.first")
    client.delete(f"/v1/apps/{slug}/endpoints/{cancelled['id']}").require(204)
    client.advance("PT5S")
    second = client.trigger(slug, event_name="a.second")
    client.advance("PT0S")
    when = parsed(client.delivery(second["delivery_ids"][0])["created_at"])
    boundary = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def found(query: str, app: str = slug) -> set[tuple[str, str]]:
        page = client.get(f"/v1/apps/{app}/deliveries?limit=100&include_total=true&{query}")
        rows = page.require(200)["data"]
        assert len(rows) == page.json["total_count"]
        statuses = {ids[row["status"]] == row["endpoint_id"] for row in rows}
        assert statuses <= {True}
        return {(row["event_name"], row["status"]) for row in rows}

    def both(*statuses: str) -> set[tuple[str, str]]:
        live = {("a.second", status) for status in statuses if status != "cancelled"}
        return live | {("a.first", status) for status in statuses}

    for status, endpoint_id in ids.items():
        assert both(status) == found(f"status={status}")
        assert both(status) == found(f"endpoint_id={endpoint_id}")
    assert both("failed", "dead_letter") == found("status=unsuccessful")
    assert both("held", "cancelled") == found("status=held&status=cancelled")
    assert both("failed", "dead_letter", "held") == found("status=unsuccessful&status=held")
    assert both("failed", "dead_letter") == found("status=unsuccessful&status=failed")
    assert set() == found("status=sending")
    assert both(*ids) == found("") == found("", "-")
    assert {("a.first", status) for status in ids} == found("event_name=a.first")
    of_second = {("a.second", status) for status in ids if status != "cancelled"}
    assert of_second == found(f"message_id={second['message_id']}") == found(f"after={boundary}")
    assert {("a.first", status) for status in ids} == found(f"before={boundary}")
    assert {("a.first", "held")} == found(f"message_id={first['message_id']}&status=held")
    assert set() == found("message_id=nobody")


@pytest.mark.parametrize(
    "query",
    [
        "status=unknown",
        "status=",
        "status=held,failed",
        "status=HELD",
        "after=x",
        "event_name=order.*",
        "endpoint_id=",
    ],
)
def test_a_malformed_filter_is_refused(client: Client, slug: str, query: str) -> None:
    """400 that points at the parameter."""
    answer = client.get(f"/v1/apps/{slug}/deliveries?{query}")

    assert (400, "validation_error") == (answer.status, answer.code)
    assert answer.faults[0][0].startswith(f"query/{query.partition('=')[0]}")


# Retries by hand


def test_a_retry_goes_on_with_a_fresh_schedule(lab: Lab, sink: Open) -> None:
    """Dead-lettered, retried: the same delivery and message id, numbers go on, all waits again."""
    client, receiver = lab.client, sink(reply(500))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url, retry_policy=waits(10, 20))
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.advance("PT31S")
    dead = client.delivery(delivery)
    retried = retry(client, slug, delivery)

    assert ("dead_letter", 3, 3, None) == (
        dead["status"],
        dead["attempt_count"],
        dead["max_attempts"],
        dead["next_attempt_at"],
    )
    assert dead["completed_at"] is not None
    assert (delivery, dead["message_id"], 6, None) == (
        retried["id"],
        retried["message_id"],
        retried["max_attempts"],
        retried["completed_at"],
    )
    receiver.wait_for(4)
    client.advance("PT11S")
    client.advance("PT25S")
    again = client.delivery(delivery)
    assert ("dead_letter", 6, 6) == tuple(
        again[name] for name in ("status", "attempt_count", "max_attempts")
    )
    attempts = client.attempts(delivery)
    assert [1, 2, 3, 4, 5, 6] == [attempt["number"] for attempt in attempts]
    times = [attempt["created_at"] for attempt in attempts]
    assert 10 <= seconds_between(times[3], times[4]) < 30
    assert 20 <= seconds_between(times[4], times[5]) < 45
    assert {dead["message_id"]} == {got.message_id for got in receiver.got}
    assert 1 == len({got.body for got in receiver.got})
    receiver.answer_with(reply(200))
    retry(client, slug, delivery)
    delivered = client.finished(delivery, "delivered")
    assert (7, 200, None) == tuple(
        delivered[name] for name in ("attempt_count", "last_status_code", "last_failure_reason")
    )


@pytest.mark.parametrize("status", ["delivered", "pending", "sending", "held", "cancelled"])
def test_only_what_failed_can_be_retried(
    client: Client, slug: str, sink: Open, status: str
) -> None:
    """Any other state is 409 and changes nothing."""
    receiver = sink(reply(200 if status == "delivered" else 500))
    endpoint = client.new_endpoint(
        slug, receiver.url, retry_policy=waits(604800), active=status not in ("held", "cancelled")
    )
    if status == "sending":
        receiver.hold()
    delivery = client.trigger(slug)["delivery_ids"][0]
    if status == "cancelled":
        path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}/enable"
        client.post(path, {"release": False}).require(200)
    if status == "pending":
        eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    client.finished(delivery, status)
    before = client.delivery(delivery)
    answer = client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry")

    assert (409, "delivery_not_retryable") == (answer.status, answer.code)
    assert before == client.delivery(delivery)


def test_a_failed_delivery_can_be_retried(client: Client, slug: str, sink: Open) -> None:
    """4xx failed it, the operator mended the receiver, the retry delivers."""
    receiver = sink(reply(400), reply(200))
    client.new_endpoint(slug, receiver.url)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "failed")
    retry(client, slug, delivery)

    assert 2 == client.finished(delivery, "delivered")["attempt_count"]


def test_nothing_is_retried_to_a_deleted_endpoint(client: Client, slug: str, sink: Open) -> None:
    """409 `endpoint_deleted`, and the delivery stays what it was."""
    receiver = sink(reply(400))
    endpoint = client.new_endpoint(slug, receiver.url)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "failed")
    client.delete(f"/v1/apps/{slug}/endpoints/{endpoint['id']}").require(204)
    before = client.delivery(delivery)

    for app in (slug, "-"):
        answer = client.post(f"/v1/apps/{app}/deliveries/{delivery}/retry")
        assert (409, "endpoint_deleted") == (answer.status, answer.code)
    assert before == client.delivery(delivery)


def test_a_retry_to_a_disabled_endpoint_is_held(client: Client, slug: str, sink: Open) -> None:
    """It waits like everything else for that endpoint."""
    receiver = sink(reply(400), reply(200))
    endpoint = client.new_endpoint(slug, receiver.url)
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}"
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "failed")
    client.post(f"{path}/disable").require(200)

    assert "held" == retry(client, slug, delivery)["status"]
    assert 1 == len(receiver.got)
    client.post(f"{path}/enable").require(200)
    client.finished(delivery, "delivered")


# Outcomes


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 418, 422, 451, 499])
def test_a_client_error_fails_at_once(client: Client, slug: str, sink: Open, status: int) -> None:
    """One attempt, `failed`, the endpoint stays active."""
    receiver = sink(reply(status))
    endpoint = client.new_endpoint(slug, receiver.url)
    row = client.finished(client.trigger(slug)["delivery_ids"][0])

    assert ("failed", 1, status, "http_4xx", None) == (
        row["status"],
        row["attempt_count"],
        row["last_status_code"],
        row["last_failure_reason"],
        row["next_attempt_at"],
    )
    assert client.get(f"/v1/apps/{slug}/endpoints/{endpoint['id']}").json["active"]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503, 599, 301, 304, 307])
def test_what_may_pass_is_retried(client: Client, slug: str, sink: Open, status: int) -> None:
    """These answers are retried, redirects are not followed."""
    elsewhere = sink()
    receiver = sink(reply(status, Location=elsewhere.url), reply(200))
    client.new_endpoint(slug, receiver.url, retry_policy=waits(0.01))
    row = client.finished(client.trigger(slug)["delivery_ids"][0])
    first = client.attempts(row["id"])[0]

    assert ("delivered", 2, status) == (row["status"], row["attempt_count"], first["status_code"])
    assert f"http_{status // 100}xx" == first["failure_reason"]
    assert [] == elsewhere.got


def test_client_errors_are_retried_on_request(client: Client, slug: str, sink: Open) -> None:
    """`retry_client_errors` retries every 4xx."""
    receiver = sink(reply(400), reply(404), reply(422), reply(201))
    policy = waits(0, 0, 0, retry_client_errors=True)
    client.new_endpoint(slug, receiver.url, retry_policy=policy)
    row = client.finished(client.trigger(slug)["delivery_ids"][0])

    assert ("delivered", 4, 201) == (row["status"], row["attempt_count"], row["last_status_code"])


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_any_2xx_is_delivered(client: Client, slug: str, sink: Open, status: int) -> None:
    """The first digit decides."""
    receiver = sink(reply(status))
    client.new_endpoint(slug, receiver.url)
    row = client.finished(client.trigger(slug)["delivery_ids"][0])

    assert ("delivered", status, None) == tuple(
        row[name] for name in ("status", "last_status_code", "last_failure_reason")
    )
    assert row["completed_at"] >= row["created_at"]
    assert row["latency_ms"] >= 0


# Attempts


def test_an_attempt_shows_what_was_sent_and_what_came_back(
    client: Client, slug: str, sink: Open
) -> None:
    """Newest first, with the answer, and the values of custom headers masked."""
    receiver = sink(reply(500, "größer".encode()), reply(200))
    client.new_endpoint(
        slug, receiver.url, retry_policy=waits(0), headers={"X-Api-Key": "hidden-value"}
    )
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "delivered")
    page = client.get(f"/v1/apps/{slug}/deliveries/{delivery}/attempts")
    second, first = page.require(200)["data"]

    assert ("failed", "http_5xx", 500, "größer", False) == tuple(
        first[name]
        for name in (
            *("status", "failure_reason", "status_code", "response_body"),
            "response_body_truncated",
        )
    )
    assert ("succeeded", None, 200, "", False) == tuple(
        second[name]
        for name in (
            *("status", "failure_reason", "status_code", "response_body"),
            "response_body_truncated",
        )
    )
    assert first["latency_ms"] >= 0
    assert b"hidden-value" not in page.body
    for attempt, got in zip((first, second), receiver.got, strict=True):
        shown = {name.lower(): value for name, value in attempt["request_headers"].items()}
        assert "***" == shown.pop("x-api-key")
        assert "hidden-value" == got.headers["x-api-key"]
        assert shown == {name: got.headers[name] for name in shown}
        assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= shown.keys()


@pytest.mark.parametrize(
    ("body", "shown", "cut"),
    [
        (b"", "", False),
        (b"x" * 4096, "x" * 4096, False),
        (b"x" * 4097, "x" * 4096, True),
        (b"x" * 300_000, "x" * 4096, True),
        (b"a\xff\xfeb\xc3", "a\ufffd\ufffdb\ufffd", False),
        (b"x" * 4095 + "é".encode(), "x" * 4095 + "\ufffd", True),
        (b"nul \x00 esc \x1b[31m", "nul \ufffd esc \x1b[31m", False),
        (b'<script>alert("x")</script>', '<script>alert("x")</script>', False),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_an_answer_is_kept_as_text(
    client: Client, slug: str, sink: Open, body: bytes, shown: str, cut: bool
) -> None:
    """4 KiB at most, invalid UTF-8 and NUL replaced, and the status decides however long it was."""
    receiver = sink(reply(200, body))
    client.new_endpoint(slug, receiver.url)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "delivered")
    attempt = client.attempts(delivery)[0]

    assert (shown, cut) == (attempt["response_body"], attempt["response_body_truncated"])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "connection_reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "connection_reset"),
        (b"SMTP ready\r\n\r\n", "protocol_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "protocol_error"),
    ],
)
def test_a_broken_answer_is_named(
    client: Client, slug: str, receiver: Start, answer: bytes, reason: str
) -> None:
    """No answer that can be trusted: a reason, no status, no body."""
    broken = receiver(answering_once(answer))
    client.new_endpoint(slug, broken.url(), retry_policy=ONCE)
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "dead_letter")
    attempt = client.attempts(delivery)[0]

    assert (reason, None, None) == tuple(
        attempt[name] for name in ("failure_reason", "status_code", "response_body")
    )


def test_nobody_listening_is_a_connect_error(client: Client, slug: str) -> None:
    """A refused connection is named so."""
    client.new_endpoint(slug, NOWHERE, retry_policy=ONCE)
    row = client.finished(client.trigger(slug)["delivery_ids"][0])

    assert ("dead_letter", "connect_error") == (row["status"], row["last_failure_reason"])


# Retry-After


@pytest.mark.parametrize("status", [429, 503, 500, 302])
def test_retry_after_in_seconds_is_honoured(lab: Lab, sink: Open, status: int) -> None:
    """The next attempt waits at least so long, never less than the schedule."""
    client, receiver = lab.client, sink(reply(status, Retry_After="120"), reply(200))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url, retry_policy=waits(5))
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.advance("PT110S")

    assert 1 == len(receiver.got)
    client.advance("PT11S")
    client.finished(delivery, "delivered")
    first, second = client.attempts(delivery)
    assert 120 <= seconds_between(first["created_at"], second["created_at"]) < 140


def test_retry_after_as_a_date_is_honoured(lab: Lab, sink: Open) -> None:
    """An HTTP date, read by the server's clock."""
    client, receiver = lab.client, sink()
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url, retry_policy=waits(5))
    at = (parsed(client.advance("P3D")["now"]) + timedelta(hours=2)).replace(microsecond=0)
    receiver.answer_with(reply(503, Retry_After=format_datetime(at, usegmt=True)), reply(200))
    delivery = client.trigger(slug)["delivery_ids"][0]
    receiver.wait_for(1)
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)

    assert 0 <= (parsed(client.delivery(delivery)["next_attempt_at"]) - at).total_seconds() < 5
    client.advance("PT1H59M")
    assert 1 == len(receiver.got)
    client.advance("PT2M")
    client.finished(delivery, "delivered")


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("0", 50, 55),
        ("10", 50, 55),
        ("-5", 50, 55),
        ("soon", 50, 55),
        ("1e99", 50, 55),
        ("1.5", 50, 55),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 50, 55),
        ("172800", 86_400, 86_405),
        ("9" * 30, 86_400, 86_405),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400, 86_405),
    ],
)
def test_retry_after_has_bounds(
    client: Client, slug: str, sink: Open, value: str, low: int, high: int
) -> None:
    """It never brings an attempt forward, nonsense is ignored, and a day is the most."""
    receiver = sink(reply(503, Retry_After=value))
    client.new_endpoint(slug, receiver.url, retry_policy=waits(50))
    delivery = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    row, attempt = client.delivery(delivery), client.attempts(delivery)[0]

    assert low <= seconds_between(attempt["created_at"], row["next_attempt_at"]) < high


def test_retry_after_does_not_revive_what_is_over(client: Client, slug: str, sink: Open) -> None:
    """On the last attempt, and on a 4xx that fails, it has no effect."""
    for status, expected in ((503, "dead_letter"), (404, "failed")):
        receiver = sink(reply(status, Retry_After="1"))
        endpoint = client.new_endpoint(slug, receiver.url, retry_policy=ONCE)
        sent = client.trigger(slug, endpoint_ids=[endpoint["id"]])
        row = client.finished(sent["delivery_ids"][0])

        assert (expected, None) == (row["status"], row["next_attempt_at"])
