"""Publishing takes a lane past Flask; nobody can tell from the answers."""

from __future__ import annotations

import io
import json

import pytest
from http_lab import JSON, Answer, Client, Lab

from hookwright_server.domain.contract import Limits
from hookwright_server.http.fast_lane import LanedFlask

PLAIN = json.dumps({"event_name": "order.paid", "payload": {"n": 1.50}}).encode()
# Members that differ from one request to the next.
_OWN = ("message_id", "request_id", "delivery_ids")
_OWN_HEADERS = ("x-request-id", "x-ratelimit-remaining", "ratelimit", "content-length", "date")

REQUESTS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "accepted": ("{app}/trigger", JSON, PLAIN),
    "an odd slug": ("Not_An-App/trigger", JSON, PLAIN),
    "an unknown app": ("no-such-app/trigger", JSON, PLAIN),
    "no media type": ("{app}/trigger", {}, PLAIN),
    "another media type": ("{app}/trigger", {"Content-Type": "text/plain"}, PLAIN),
    "an encoding": ("{app}/trigger", {**JSON, "Content-Encoding": "gzip"}, PLAIN),
    "no body": ("{app}/trigger", JSON, b""),
    "no JSON": ("{app}/trigger", JSON, b'{"event_name":'),
    "a missing member": ("{app}/trigger", JSON, b"{}"),
    "a bad idempotency key": ("{app}/trigger", {**JSON, "Idempotency-Key": "a b"}, PLAIN),
    "a wrong key": ("{app}/trigger", {**JSON, "Authorization": "Bearer hw_live_0"}, PLAIN),
    "a trace": (
        "{app}/trigger",
        {**JSON, "Traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        PLAIN,
    ),
    "too large a body": ("{app}/trigger", JSON, b" " * (Limits.body_bytes + 1)),
}


@pytest.mark.parametrize("name", list(REQUESTS))
def test_both_ways_give_the_same_answer(name: str, shared_lab: Lab, client: Client) -> None:
    """Status, headers and body are those that Flask's route gives."""
    target, headers, body = REQUESTS[name]
    path = f"/v1/apps/{target.format(app=client.new_app()['slug'])}"
    app = shared_lab.server.app
    assert isinstance(app, LanedFlask)
    fast = client.send("POST", path, headers, body)
    lane, app.lane = app.lane, None
    try:
        usual = client.send("POST", path, headers, body)
    finally:
        app.lane = lane

    assert _comparable(usual) == _comparable(fast)


@pytest.mark.parametrize(
    ("method", "suffix", "status"),
    [("POST", "?x=1", 400), ("GET", "", 405), ("POST", "/", 404)],
)
def test_what_is_not_plain_goes_the_usual_way(
    method: str, suffix: str, status: int, client: Client
) -> None:
    """A query, another method or another path is Flask's to answer."""
    slug = client.new_app()["slug"]

    assert status == client.send(method, f"/v1/apps/{slug}/trigger{suffix}", JSON, PLAIN).status


def test_a_body_without_a_length_goes_the_usual_way(client: Client) -> None:
    """A chunked body is read up to the contract's limit, and accepted."""
    slug = client.new_app()["slug"]

    answer = client.send("POST", f"/v1/apps/{slug}/trigger", JSON, io.BytesIO(PLAIN))

    assert 202 == answer.status


def _comparable(answer: Answer) -> tuple[int, dict[str, str], object]:
    headers = {name: text for name, text in answer.headers.items() if name not in _OWN_HEADERS}
    return answer.status, headers, {k: v for k, v in answer.json.items() if k not in _OWN}
