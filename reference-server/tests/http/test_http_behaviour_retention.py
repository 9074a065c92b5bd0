"""Retention as the API shows it, and the test clock lets it pass."""

from __future__ import annotations

import pytest
from http_lab import Client, Document, Lab
from http_sink import Open, Sink, path_to


@pytest.fixture
def receiver(sink: Open) -> Sink:
    """Answers 200 always."""
    return sink()


def _statuses(client: Client, path: str) -> list[int]:
    return [client.get(f"{path}{rest}").status for rest in ("", "/attempts")]


def test_the_days_are_thirty_unless_told_otherwise(client: Client) -> None:
    """Every way to make an app knows the default, and an update changes it."""
    made = client.new_app()
    path = f"/v1/apps/{made['slug']}"
    provisioned = client.put(f"{path}-two", {}).require(201, 200)
    changed = client.patch(path, {"retention_days": 7}).require(200)
    kept = client.patch(path, {"name": "Another"}).require(200)

    assert [30, 30, 7, 7] == [each["retention_days"] for each in (made, provisioned, changed, kept)]
    assert 90 == client.new_app(retention_days=90)["retention_days"]


@pytest.mark.parametrize("days", [0, 366, 1.5, None, "30"])
def test_other_numbers_of_days_are_refused(client: Client, days: object) -> None:
    """1 to 365 whole days."""
    answer = client.post("/v1/apps", {"name": "An app", "retention_days": days})

    assert (400, "validation_error") == (answer.status, answer.code)


def test_what_is_over_is_gone_after_its_days(lab: Lab, receiver: Sink) -> None:
    """Message, delivery and attempts read until the days have passed, and are 404 then."""
    client = lab.client
    app = client.new_app(retention_days=2)
    client.new_endpoint(app["slug"], receiver.url)
    sent = client.trigger(app["slug"])
    client.finished(sent["delivery_ids"][0], "delivered")
    delivery = f"/v1/apps/{app['slug']}/deliveries/{sent['delivery_ids'][0]}"
    message = f"/v1/apps/{app['slug']}/messages/{sent['message_id']}"
    client.advance("P1DT23H")
    assert [200, 200] == _statuses(client, delivery)
    assert 200 == client.get(message).status
    client.advance("PT1H1M")

    assert [404, 404] == _statuses(client, delivery)
    assert 404 == client.get(message).status
    assert [] == client.get(f"/v1/apps/{app['slug']}/messages").json["data"]


def test_what_was_held_too_long_is_cancelled(lab: Lab, receiver: Sink) -> None:
    """A held delivery ends as cancelled (`retention`), is not sent any more, and is kept."""
    client = lab.client
    app = client.new_app(retention_days=1)
    endpoint = client.new_endpoint(app["slug"], receiver.url, active=False)
    held = client.trigger(app["slug"])["delivery_ids"][0]
    client.advance("PT23H")
    assert "held" == client.delivery(held)["status"]
    client.advance("PT1H1M")

    found: Document = client.delivery(held)
    assert ("cancelled", "retention") == (found["status"], found["cancel_reason"])
    assert found["completed_at"] is not None
    client.post(f"{path_to(endpoint)}/enable", {}).require(200)
    client.advance("PT23H")
    assert [] == receiver.got
    assert "cancelled" == client.delivery(held)["status"]
    client.advance("PT1H1M")
    assert 404 == client.get(f"/v1/apps/{app['slug']}/deliveries/{held}").status
