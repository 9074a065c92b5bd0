"""Health: labels, the two ways to be disabled automatically, and test events that count nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_lab import Client, Document, Lab, eventually
from http_sink import ONCE, Open, Sink, path_to, reply, waits
from standardwebhooks import Webhook

NOWHERE = "http://127.0.0.1:1/hook"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def deliver(client: Client, endpoint: Document) -> Document:
    """Publish one event to the endpoint and wait for its end."""
    sent = client.trigger(endpoint["app_slug"], endpoint_ids=[endpoint["id"]])
    return client.finished(sent["delivery_ids"][0])


def health_of(client: Client, endpoint: Document) -> Document:
    """The endpoint's health as it reads now."""
    health: Document = client.get(path_to(endpoint)).require(200)["health"]
    return health


# Labels


def test_failures_in_a_row_degrade_and_a_success_heals(
    client: Client, slug: str, sink: Open
) -> None:
    """Degraded after 1, failing after 5, healthy after a success; the list's filter agrees."""
    receiver = sink(reply(500))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=ONCE)
    seen: list[tuple[str, int]] = []
    for _ in range(6):
        deliver(client, endpoint)
        health = health_of(client, endpoint)
        seen.append((health["state"], health["consecutive_failures"]))
        listed = client.get(f"/v1/apps/{slug}/endpoints?state={health['state']}").json["data"]
        assert [endpoint["id"]] == [row["id"] for row in listed]

    assert [
        *(("degraded", number) for number in range(1, 5)),
        ("failing", 5),
        ("failing", 6),
    ] == seen
    failing = health_of(client, endpoint)
    assert failing["first_failure_at"] <= failing["last_failure_at"]
    assert failing["last_success_at"] is None
    receiver.answer_with(reply(204))
    deliver(client, endpoint)
    healed = health_of(client, endpoint)
    assert ("healthy", 0, None) == tuple(list(healed.values())[:3])
    assert failing["last_failure_at"] == healed["last_failure_at"] <= healed["last_success_at"]


def test_attempts_of_one_delivery_count_each(lab: Lab, sink: Open) -> None:
    """Health counts attempts, not deliveries."""
    client, receiver = lab.client, sink(reply(503))
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, retry_policy=waits(1, 1, 1, 1)
    )
    delivery = client.trigger(endpoint["app_slug"])["delivery_ids"][0]
    client.advance("PT10S")

    assert "dead_letter" == client.delivery(delivery)["status"]
    assert ("failing", 5) == tuple(list(health_of(client, endpoint).values())[:2])


# Disabled automatically


def test_gone_disables_and_holds_the_rest(lab: Lab, sink: Open) -> None:
    """410: that delivery failed, the endpoint is disabled (`gone`), everything else is held."""
    client, receiver = lab.client, sink(reply(500), reply(410), reply(200))
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=waits(3600))
    waiting = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(waiting)["attempt_count"] == 1)
    gone = deliver(client, endpoint)
    new = client.trigger(slug)["delivery_ids"][0]
    shown = client.get(path_to(endpoint)).json

    assert ("failed", 410, "http_4xx", 1) == (
        gone["status"],
        gone["last_status_code"],
        gone["last_failure_reason"],
        gone["attempt_count"],
    )
    assert (False, "gone", "disabled") == (
        shown["active"],
        shown["disabled_reason"],
        shown["health"]["state"],
    )
    assert shown["disabled_at"] is not None
    assert ["held", "held"] == [client.delivery(one)["status"] for one in (waiting, new)]
    client.advance("PT2H")
    assert 2 == len(receiver.got)
    client.post(f"{path_to(endpoint)}/enable").require(200)
    for one in (waiting, new):
        client.finished(one, "delivered")
    retried = client.post(f"/v1/apps/{slug}/deliveries/{gone['id']}/retry").require(200)
    assert "delivered" == client.finished(retried["id"], "delivered")["status"]
    assert "healthy" == health_of(client, endpoint)["state"]


def test_gone_is_gone_even_when_client_errors_are_retried(
    client: Client, slug: str, sink: Open
) -> None:
    """`retry_client_errors` does not concern 410."""
    receiver = sink(reply(410))
    endpoint = client.new_endpoint(
        slug, receiver.url, retry_policy={"preset": "linear", "retry_client_errors": True}
    )

    assert "failed" == deliver(client, endpoint)["status"]
    assert "gone" == client.get(path_to(endpoint)).json["disabled_reason"]


def test_twenty_dead_letters_in_a_row_disable(client: Client, slug: str, sink: Open) -> None:
    """The twentieth in a row disables (`failing`), what comes later is held until enabled."""
    receiver = sink(reply(500))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=ONCE)
    for _ in range(19):
        assert "dead_letter" == deliver(client, endpoint)["status"]

    assert ("failing", True) == (
        (shown := client.get(path_to(endpoint)).json)["health"]["state"],
        shown["active"],
    )
    assert "dead_letter" == deliver(client, endpoint)["status"]
    disabled = client.get(path_to(endpoint)).json
    assert (False, "failing", "disabled", 20) == (
        disabled["active"],
        disabled["disabled_reason"],
        disabled["health"]["state"],
        disabled["health"]["consecutive_failures"],
    )
    held = client.trigger(slug)["delivery_ids"][0]
    assert "held" == client.delivery(held)["status"]
    receiver.answer_with(reply(200))
    enabled = client.post(f"{path_to(endpoint)}/enable").require(200)
    assert ("healthy", 0) == tuple(list(enabled["health"].values())[:2])
    client.finished(held, "delivered")
    assert 21 == len(receiver.got)


@pytest.mark.parametrize("between", [reply(200), reply(404)])
def test_an_answer_that_is_no_dead_letter_breaks_the_row(
    client: Client, slug: str, sink: Open, between: bytes
) -> None:
    """A delivered or failed delivery in between, and the count begins anew."""
    receiver = sink(*[reply(500)] * 19, between, reply(500))
    endpoint = client.new_endpoint(slug, receiver.url, retry_policy=ONCE)
    for _ in range(39):
        deliver(client, endpoint)

    assert client.get(path_to(endpoint)).json["active"]
    deliver(client, endpoint)
    assert "failing" == client.get(path_to(endpoint)).json["disabled_reason"]


def test_five_days_of_failures_disable(lab: Lab, sink: Open) -> None:
    """When every attempt failed for 5 days the endpoint is disabled, not a day earlier."""
    client, receiver = lab.client, sink(reply(500))
    day = 86_400
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, retry_policy=waits(*[day] * 7)
    )
    delivery = client.trigger(endpoint["app_slug"])["delivery_ids"][0]
    client.advance("P4DT23H")

    assert (5, True) == (len(receiver.got), client.get(path_to(endpoint)).json["active"])
    client.advance("PT2H")
    disabled = client.get(path_to(endpoint)).json
    assert (6, "failing") == (len(receiver.got), disabled["disabled_reason"])
    assert "held" == client.delivery(delivery)["status"]
    client.advance("P3D")
    assert 6 == len(receiver.got)
    client.post(f"{path_to(endpoint)}/enable").require(200)
    receiver.wait_for(7)
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 7)
    assert client.get(path_to(endpoint)).json["active"]


def test_two_failures_far_apart_disable_nothing(lab: Lab, sink: Open) -> None:
    """An endpoint that is sent nothing for more than two days has not failed in these days."""
    client, receiver = lab.client, sink(reply(500))
    endpoint = client.new_endpoint(
        client.new_app()["slug"], receiver.url, retry_policy=waits(*[5 * 86_400] * 2)
    )
    client.trigger(endpoint["app_slug"])
    for count in (2, 3):
        client.advance("P5DT1H")
        assert count == len(receiver.got)

    read = client.get(path_to(endpoint)).json
    assert (True, None, 3) == (
        read["active"],
        read["disabled_reason"],
        read["health"]["consecutive_failures"],
    )


# endpoints.test


def ask(client: Client, endpoint: Document, body: Any = None) -> Document:
    """Send a test event."""
    found: Document = client.post(f"{path_to(endpoint)}/test", body).require(200)
    return found


def test_a_test_event_is_a_real_signed_request(client: Client, slug: str, sink: Open) -> None:
    """It is what a delivery would be; the answer shows it with the values masked."""
    receiver = sink(reply(200, b"thank you"))
    endpoint = client.new_endpoint(slug, receiver.url, headers={"X-Api-Key": "hidden-value"})
    result = ask(
        client, endpoint, {"event_name": "a.b", "payload": {"n": 1.50, "\u00fc": "\u2028"}}
    )
    got = receiver.last
    verified = Webhook(endpoint["signing_secret"]).verify(got.body, got.headers)

    assert ("a.b", {"n": 1.5, "\u00fc": "\u2028"}) == (verified["type"], verified["data"])
    assert (True, 200, "thank you", False, None) == (
        result["success"],
        result["status_code"],
        result["response_body"],
        result["response_body_truncated"],
        result["failure_reason"],
    )
    assert result["latency_ms"] >= 0
    assert (receiver.url, got.body.decode()) == (
        result["request"]["url"],
        result["request"]["body"],
    )
    assert "hidden-value" == got.headers["x-api-key"]
    sent = {name: value for name, value in got.headers.items() if name in _shown(result)}
    assert {**sent, "x-api-key": "***"} == _shown(result)
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} < _shown(result).keys()


def _shown(result: Document) -> dict[str, str]:
    headers: dict[str, str] = result["request"]["headers"]
    return {name.lower(): value for name, value in headers.items()}


def test_a_test_event_without_a_body_has_defaults(client: Client, slug: str, sink: Open) -> None:
    """No body: `hookwright.test` with an empty payload."""
    receiver = sink()
    result = ask(client, client.new_endpoint(slug, receiver.url))
    body = json.loads(receiver.last.body)

    assert ("hookwright.test", {}) == (body["type"], body["data"])
    assert result["success"]


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (reply(500, b"oops"), 500, "http_5xx"),
        (reply(302, Location="http://127.0.0.1:1/"), 302, "http_3xx"),
        (reply(404), 404, "http_4xx"),
        (reply(410), 410, "http_4xx"),
        (b"nonsense\r\n\r\n", None, "protocol_error"),
    ],
)
def test_a_test_event_tells_how_it_failed(
    client: Client, slug: str, sink: Open, answer: bytes, status: int | None, reason: str
) -> None:
    """Every outcome is told, none has an effect: not even 410 disables."""
    receiver = sink(answer)
    endpoint = client.new_endpoint(slug, receiver.url)
    before = client.get(path_to(endpoint)).json
    result = ask(client, endpoint)

    assert (False, status, reason) == (
        result["success"],
        result["status_code"],
        result["failure_reason"],
    )
    assert (result["response_body"] is None) == (status is None)
    assert before == client.get(path_to(endpoint)).json
    assert 1 == len(receiver.got)


def test_a_test_event_to_a_dead_endpoint(client: Client, slug: str) -> None:
    """Nobody listens: `connect_error`, without an answer."""
    result = ask(client, client.new_endpoint(slug, NOWHERE))

    assert (False, None, "connect_error", None) == (
        result["success"],
        result["status_code"],
        result["failure_reason"],
        result["response_body"],
    )


def test_a_test_event_to_a_hanging_endpoint(client: Client, slug: str, sink: Open) -> None:
    """It ends at the endpoint's deadline."""
    receiver = sink()
    endpoint = client.new_endpoint(slug, receiver.url, timeout_seconds=1)
    receiver.hold()
    result = ask(client, endpoint)

    assert (False, None, "timeout") == (
        result["success"],
        result["status_code"],
        result["failure_reason"],
    )
    assert 990 <= result["latency_ms"] < 10_000


def test_a_test_event_goes_to_a_disabled_endpoint(client: Client, slug: str, sink: Open) -> None:
    """Testing before enabling: it is sent, and what is held stays held."""
    receiver = sink()
    endpoint = client.new_endpoint(slug, receiver.url, active=False)
    held = client.trigger(slug)["delivery_ids"][0]
    result = ask(client, endpoint)

    assert (True, 1) == (result["success"], len(receiver.got))
    assert "held" == client.delivery(held)["status"]
    assert not client.get(path_to(endpoint)).json["active"]


def test_a_long_answer_to_a_test_event_is_cut(client: Client, slug: str, sink: Open) -> None:
    """4 KiB are shown, and that there was more; what is no UTF-8 is replaced."""
    receiver = sink(reply(200, b"\xff" + b"x" * 5000))
    result = ask(client, client.new_endpoint(slug, receiver.url))

    assert ("\ufffd" + "x" * 4095, True) == (
        result["response_body"],
        result["response_body_truncated"],
    )


def test_test_events_count_nowhere(lab: Lab, sink: Open) -> None:
    """No message, delivery, attempt or health comes of them; they are not retried."""
    client, receiver = lab.client, sink(reply(500))
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url)
    before = lab.snapshot()
    for _ in range(6):
        ask(client, endpoint)

    assert before == lab.snapshot()
    client.advance("P1D")
    assert 6 == len(receiver.got)


@pytest.mark.parametrize(
    "body", [{"payload": []}, {"payload": None}, {"event_name": "a b"}, {"url": NOWHERE}]
)
def test_a_malformed_test_event_is_not_sent(
    client: Client, slug: str, sink: Open, body: Document
) -> None:
    """400, and the receiver gets nothing."""
    receiver: Sink = sink()
    answer = client.post(f"{path_to(client.new_endpoint(slug, receiver.url))}/test", body)

    assert (400, "validation_error") == (answer.status, answer.code)
    assert [] == receiver.got
