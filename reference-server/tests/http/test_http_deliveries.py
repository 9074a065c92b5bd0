"""Messages and deliveries: what lists find, what retries do, and the schedule in full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from conftest import OpenLab
from http_lab import Client, Document, Lab, eventually
from http_receivers import Mailbox, status
from pydantic import ValidationError

from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.settings import Settings

NOWHERE = "http://127.0.0.1:1/hook"
Box = tuple[Mailbox, str]
_ONCE = {"preset": "none"}


def _listed(client: Client, slug: str, query: str) -> list[str]:
    page = client.get(f"/v1/apps/{slug}/deliveries?limit=100&{query}").require(200)
    return sorted(row["id"] for row in page["data"])


def test_filters_find_what_they_say(lab: Lab, mailbox: Box) -> None:
    """Status (several), endpoint, event, message and time, alone and together."""
    box, url = mailbox
    client = lab.client
    slug = client.new_app()["slug"]
    endpoints = {
        "delivered": client.new_endpoint(slug, url)["id"],
        "dead_letter": client.new_endpoint(slug, NOWHERE, retry_policy=_ONCE)["id"],
        "held": client.new_endpoint(slug, NOWHERE, active=False)["id"],
    }
    sent = client.trigger(slug, event_name="one")
    other = client.trigger(slug, event_name="two", endpoint_ids=[endpoints["held"]])
    by_endpoint = {client.delivery(d)["endpoint_id"]: d for d in sent["delivery_ids"]}
    found = {state: by_endpoint[endpoint] for state, endpoint in endpoints.items()}
    client.finished(found["delivered"], "delivered")
    client.finished(found["dead_letter"], "dead_letter")
    box.reply = status(404)
    failed = client.trigger(slug, event_name="three", endpoint_ids=[endpoints["delivered"]])
    client.finished(failed["delivery_ids"][0], "failed")
    held = sorted([found["held"], *other["delivery_ids"]])
    lost = sorted([found["dead_letter"], *failed["delivery_ids"]])

    assert [found["delivered"]] == _listed(client, slug, "status=delivered")
    assert held == _listed(client, slug, "status=held")
    assert lost == _listed(client, slug, "status=unsuccessful")
    assert sorted([found["delivered"], *lost]) == _listed(
        client, slug, "status=delivered&status=failed&status=dead_letter"
    )
    assert [] == _listed(client, slug, "status=pending&status=sending&status=cancelled")
    assert held == _listed(client, slug, f"endpoint_id={endpoints['held']}")
    assert sorted(sent["delivery_ids"]) == _listed(client, slug, "event_name=one")
    assert sorted(sent["delivery_ids"]) == _listed(client, slug, f"message_id={sent['message_id']}")
    assert [found["held"]] == _listed(client, slug, "event_name=one&status=held")
    assert [] == _listed(client, slug, "before=2020-01-01T00:00:00Z")
    assert 5 == len(_listed(client, slug, "after=2020-01-01T00:00:00Z"))


def test_messages_are_found_by_event_and_correlation_id(client: Client) -> None:
    """`event_id` need not be unique; a message shows its payload and its deliveries."""
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, NOWHERE, active=False)
    first = client.trigger(slug, {"n": 1}, event_id="same id/1", event_name="a")
    second = client.trigger(slug, {"n": 2}, event_id="same id/1", event_name="b")
    path = f"/v1/apps/{slug}/messages"

    def ids(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"{path}?{query}").json["data"]]

    shown = client.get(f"{path}/{first['message_id']}").require(200)
    assert [second["message_id"], first["message_id"]] == ids("event_id=same%20id/1")
    assert [second["message_id"]] == ids("event_id=same%20id/1&event_name=b")
    assert [] == ids("event_id=same")
    assert ({"n": 1}, first["delivery_ids"]) == (
        shown["payload"],
        [delivery["id"] for delivery in shown["deliveries"]],
    )
    assert "payload" not in client.get(path).json["data"][0]


# Retrying


def test_a_retry_goes_on_with_a_fresh_schedule(lab: Lab, mailbox: Box) -> None:
    """At once, with the same webhook-id, attempt numbers that go on, and the schedule anew."""
    box, url = mailbox
    client = lab.client
    box.reply = status(503)
    slug = client.new_app()["slug"]
    policy = {"delays_seconds": [0, 0], "jitter": 0}
    client.new_endpoint(slug, url, retry_policy=policy)
    sent = client.trigger(slug)
    delivery = sent["delivery_ids"][0]
    dead = client.finished(delivery, "dead_letter")
    retried = client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry").require(200)
    again = eventually(
        lambda: client.delivery(delivery),
        lambda row: row["status"] == "dead_letter" and row["attempt_count"] == 6,
    )
    box.reply = status(200)
    client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry").require(200)
    done = client.finished(delivery, "delivered")

    assert (3, 3) == (dead["attempt_count"], dead["max_attempts"])
    assert (3, 6, None) == (
        retried["attempt_count"],
        retried["max_attempts"],
        retried["completed_at"],
    )
    assert "http_5xx" == again["last_failure_reason"]
    assert (7, 9, 200, None) == (
        done["attempt_count"],
        done["max_attempts"],
        done["last_status_code"],
        done["last_failure_reason"],
    )
    assert list(range(1, 8)) == [attempt["number"] for attempt in client.attempts(delivery)]
    assert {sent["message_id"]} == {got.headers["webhook-id"] for got in box.received}


def test_only_failures_can_be_retried(client: Client, mailbox: Box) -> None:
    """Delivered, held and cancelled ones are 409 and stay as they are."""
    _, url = mailbox
    slug = client.new_app()["slug"]
    good = client.new_endpoint(slug, url)["id"]
    held = client.new_endpoint(slug, NOWHERE, active=False)["id"]
    gone = client.new_endpoint(slug, NOWHERE, active=False)["id"]
    deliveries = client.trigger(slug)["delivery_ids"]
    client.delete(f"/v1/apps/{slug}/endpoints/{gone}").require(204)
    eventually(lambda: _listed(client, slug, "status=delivered"))
    before = [client.delivery(delivery) for delivery in deliveries]
    answers = [client.post(f"/v1/apps/-/deliveries/{d}/retry") for d in deliveries]

    assert {good: "delivered", held: "held", gone: "cancelled"} == {
        row["endpoint_id"]: row["status"] for row in before
    }
    assert [(409, "delivery_not_retryable")] * 3 == [(a.status, a.code) for a in answers]
    assert before == [client.delivery(delivery) for delivery in deliveries]


def test_a_retry_to_a_disabled_endpoint_is_held(client: Client, mailbox: Box) -> None:
    """It goes out when the endpoint is enabled."""
    box, url = mailbox
    box.reply = status(400)
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(slug, url)["id"]
    delivery = client.trigger(slug)["delivery_ids"][0]
    client.finished(delivery, "failed")
    client.post(f"/v1/apps/{slug}/endpoints/{endpoint}/disable").require(200)
    held = client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry").require(200)
    box.reply = status(200)
    client.post(f"/v1/apps/{slug}/endpoints/{endpoint}/enable").require(200)
    done = client.finished(delivery, "delivered")

    assert ("held", 2) == (held["status"], done["attempt_count"])


@pytest.mark.parametrize(
    ("code", "final", "reason"),
    [
        (200, "delivered", None),
        (204, "delivered", None),
        (299, "delivered", None),
        (302, "dead_letter", "http_3xx"),
        (400, "failed", "http_4xx"),
        (404, "failed", "http_4xx"),
        (408, "dead_letter", "http_4xx"),
        (409, "dead_letter", "http_4xx"),
        (425, "dead_letter", "http_4xx"),
        (429, "dead_letter", "http_4xx"),
        (500, "dead_letter", "http_5xx"),
    ],
)
def test_outcomes(
    client: Client, mailbox: Box, code: int, final: str, reason: str | None
) -> None:
    """What each answer of a receiver makes of a delivery, and what the attempt shows."""
    box, url = mailbox
    box.reply = status(code, body=b"" if code == 204 else b"answer")
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, url, retry_policy=_ONCE)
    delivery = client.finished(client.trigger(slug)["delivery_ids"][0])
    attempt = client.attempts(delivery["id"])[0]

    assert (final, code, reason) == (
        delivery["status"],
        delivery["last_status_code"],
        delivery["last_failure_reason"],
    )
    assert ("failed" if reason else "succeeded", code, reason) == (
        attempt["status"],
        attempt["status_code"],
        attempt["failure_reason"],
    )
    assert ("" if code == 204 else "answer") == attempt["response_body"]


# The schedule, by the test clock


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_default_schedule_is_as_documented(lab: Lab, mailbox: Box) -> None:
    """Ten attempts; each wait is the documented one, lengthened by at most a tenth."""
    box, url = mailbox
    box.reply = status(500)
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, url)
    delivery = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    documented = RETRY_PRESETS["default"].delays_seconds
    for number in range(1, 10):
        due = _ms(client.delivery(delivery)["next_attempt_at"])
        ended = client.attempts(delivery)[-1]
        wait = (due - _ms(ended["created_at"]) - ended["latency_ms"]) / 1000

        assert documented[number - 1] - 0.1 <= wait <= documented[number - 1] * 1.1 + 1
        left = (due - _ms(client.advance("PT0S")["now"])) / 1000
        client.advance(f"PT{max(0.0, left - 1.5):.3f}S")
        early = client.delivery(delivery)["attempt_count"]
        client.advance("PT2S")
        assert (number, number + 1) == (early, client.delivery(delivery)["attempt_count"])
    dead = client.delivery(delivery)
    attempts = client.attempts(delivery)
    took = _ms(attempts[-1]["created_at"]) - _ms(attempts[0]["created_at"])

    assert ("dead_letter", 10, None) == (
        dead["status"],
        dead["attempt_count"],
        dead["next_attempt_at"],
    )
    assert 271_055 <= took / 1000 <= 271_055 * 1.1 + 60  # 75 h 17 min 35 s
    assert 10 == len(box.received)
    stamps = [int(got.headers["webhook-timestamp"]) for got in box.received]
    assert stamps == sorted(set(stamps))
    assert 1 == len({json.loads(got.body)["timestamp"] for got in box.received})


def test_one_step_runs_a_whole_schedule(lab: Lab, mailbox: Box) -> None:
    """Moving far ahead makes every attempt at its own time, not all at the end."""
    box, url = mailbox
    box.reply = status(500)
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, url, retry_policy={"delays_seconds": [60, 3600], "jitter": 0})
    delivery = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    client.advance("P1D")
    begun = [_ms(attempt["created_at"]) for attempt in client.attempts(delivery)]

    assert "dead_letter" == client.delivery(delivery)["status"]
    waits = [(later - earlier) / 1000 for earlier, later in zip(begun, begun[1:], strict=False)]
    assert waits == [pytest.approx(60, abs=2), pytest.approx(3600, abs=2)]


def test_retry_after_delays_the_next_attempt(lab: Lab, mailbox: Box) -> None:
    """A receiver's wish is honoured where it is later than the schedule."""
    box, url = mailbox
    box.reply = status(503, "Retry-After: 120")
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, url, retry_policy={"delays_seconds": [1], "jitter": 0})
    delivery = client.trigger(slug)["delivery_ids"][0]
    row = eventually(lambda: client.delivery(delivery), lambda found: found["attempt_count"] == 1)
    due = _ms(row["next_attempt_at"]) - _ms(row["created_at"])

    assert 120_000 <= due <= 122_000


def test_the_clock_moves_forward_only_by_what_is_asked(lab: Lab) -> None:
    """It answers with its time; nothing moves it back."""
    client = lab.client
    start = _ms(client.advance("PT0S")["now"])
    later = _ms(client.advance("P1DT2H3M4.5S")["now"])

    assert 93_784_500 <= later - start <= 93_784_500 + 5_000
    assert _ms(client.new_app()["created_at"]) >= later


def test_the_clock_stops_before_the_calendar_ends(lab: Lab) -> None:
    """Beyond the year 9999 there is no time to move to: 400, and the clock stays."""
    client = lab.client
    answers = [client.post("/_test/clock", {"advance": "P9999D"}) for _ in range(300)]
    refused = [answer for answer in answers if answer.status != 200]

    assert {(400, "validation_error")} == {(answer.status, answer.code) for answer in refused}
    assert client.advance("PT0S")["now"] < "9999-12-31T23:59:59.999Z"


def test_there_is_no_clock_unless_it_is_switched_on(new_lab: OpenLab) -> None:
    """404, and only for those who may administer."""
    client = new_lab(test_clock=False).client
    reader = client.with_key(client.new_key("write")["key"])
    body: Document = {"advance": "PT1S"}

    assert (404, "not_found") == (
        client.post("/_test/clock", body).status,
        client.post("/_test/clock", body).code,
    )
    assert 403 == reader.post("/_test/clock", body).status


def test_production_mode_refuses_the_clock(tmp_path: Path) -> None:
    """The settings refuse it, and so the command does not start."""
    with pytest.raises(ValidationError, match="production"):
        Settings(mode="production", test_clock=True)
    done = subprocess.run(
        [sys.executable, "-m", "hookwright_server", "serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "HOOKWRIGHT_MODE": "production", "HOOKWRIGHT_TEST_CLOCK": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 1 == done.returncode
    assert "HOOKWRIGHT_TEST_CLOCK" in done.stderr
    assert [] == list(tmp_path.iterdir())
