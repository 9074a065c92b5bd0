"""Rate limits of endpoints, as the API shows them and the test clock lets them pass."""

from __future__ import annotations

import pytest
from http_lab import Client, Document, Lab
from http_sink import Open, Sink, path_to

_RATE = {"max_requests": 2, "duration_ms": 60_000}


@pytest.fixture
def receiver(sink: Open) -> Sink:
    """Answers 200 always."""
    return sink()


def test_a_rate_limit_is_kept_replaced_and_cleared(client: Client, receiver: Sink) -> None:
    """It reads as it was given, is replaced whole, and null takes it away."""
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url, rate_limit=_RATE)
    path, other = path_to(endpoint), {"max_requests": 1, "duration_ms": 100}

    def changed(body: Document) -> object:
        return client.patch(path, body).require(200)["rate_limit"]

    assert _RATE == endpoint["rate_limit"] == client.get(path).require(200)["rate_limit"]
    assert _RATE == changed({"description": "another"})
    assert other == changed({"rate_limit": other})
    assert changed({"rate_limit": None}) is None


@pytest.mark.parametrize(
    "rate",
    [
        {},
        {"max_requests": 1},
        {"duration_ms": 1_000},
        {"max_requests": 0, "duration_ms": 1_000},
        {"max_requests": 1, "duration_ms": 99},
        {"max_requests": 1, "duration_ms": 86_400_001},
        {"max_requests": 1, "duration_ms": 1_000, "burst": 2},
        5,
    ],
)
def test_half_a_rate_limit_is_refused(client: Client, receiver: Sink, rate: object) -> None:
    """Both members are needed, within their bounds."""
    body = {"url": receiver.url, "rate_limit": rate}
    answer = client.post(f"/v1/apps/{client.new_app()['slug']}/endpoints", body)

    assert (400, "validation_error") == (answer.status, answer.code)


def test_the_windows_pass_with_the_clock(lab: Lab, receiver: Sink) -> None:
    """Two a minute: five events take three minutes, one attempt each; tests do not count."""
    client = lab.client
    endpoint = client.new_endpoint(client.new_app()["slug"], receiver.url, rate_limit=_RATE)
    client.advance("PT0S")
    sent = [client.trigger(endpoint["app_slug"])["delivery_ids"][0] for _ in range(5)]
    client.advance("PT0S")
    assert 2 == len(receiver.got)
    client.post(f"{path_to(endpoint)}/test", {}).require(200)
    assert {"pending", "delivered"} == {client.delivery(each)["status"] for each in sent}

    arrived: list[int] = []
    for _ in range(3):
        client.advance("PT60S")
        arrived.append(len(receiver.got) - 1)

    assert [4, 5, 5] == arrived
    assert [("delivered", 1)] * 5 == [
        (found["status"], found["attempt_count"]) for found in map(client.delivery, sent)
    ]
