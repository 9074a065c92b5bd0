"""The fixtures that users get, used as users use them: a real server and a real receiver."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hookwright import AsyncHookwright, Hookwright, UsageError
from hookwright.models import AppCreated
from hookwright.testing import (
    Answer,
    HookwrightClock,
    HookwrightServer,
    NewReceiver,
    RecordingReceiver,
)

PAYLOAD = {"id": 7}


@dataclass(frozen=True)
class Order:
    id: int


def publish(client: Hookwright, receiver: RecordingReceiver, name: str = "order.created") -> str:
    """Publish; the message's id."""
    accepted = client.trigger.send(receiver.app_slug, event_name=name, payload=PAYLOAD)
    return accepted.message_id


def test_the_example_of_the_readme_passes(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """Both of its tests, as they stand there."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    (example,) = re.findall(r"```python\n(import pytest\n.*?)```", readme, re.DOTALL)
    tests: dict[str, Any] = {}
    exec(example, tests)

    tests["test_an_order_is_announced"](hookwright_client, webhook_receiver)
    tests["test_a_forged_request_is_refused"]()

    assert [1, 2] == [each.event.attempt for each in webhook_receiver.requests if each.event]


def test_an_event_arrives_verified(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """Two arguments are all that a test of publishing needs."""
    message_id = publish(hookwright_client, webhook_receiver)

    event = webhook_receiver.wait_for("order.created", into=Order)

    assert ("order.created", Order(7), message_id) == (event.type, event.data, event.id)


def test_a_scripted_answer_is_given_once_and_retried_at_once(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """500, a cut line and a delayed 503 come before the answer that lets the event arrive."""
    webhook_receiver.answers(500, "close", Answer(503, "later", delay_seconds=0.05))
    publish(hookwright_client, webhook_receiver)

    event = webhook_receiver.wait_for("order.created")
    webhook_receiver.settle()
    (delivery,) = hookwright_client.deliveries.list(webhook_receiver.app_slug)
    attempts = hookwright_client.deliveries.list_attempts(webhook_receiver.app_slug, delivery.id)
    codes = [attempt.status_code for attempt in attempts][::-1]

    assert 4 == event.attempt
    assert ("delivered", 4) == (delivery.status, delivery.attempt_count)
    assert [500, None, 503, 204] == codes
    assert 4 == len(webhook_receiver.wait_for_attempts(4))


def test_a_receiver_that_hangs_costs_the_attempt_its_time(
    hookwright_client: Hookwright, new_webhook_receiver: NewReceiver
) -> None:
    """`hang` answers nothing; the sender gives up after the endpoint's timeout."""
    receiver = new_webhook_receiver(["order.*"], timeout_seconds=1)
    receiver.answers("hang")
    publish(hookwright_client, receiver)

    assert 2 == receiver.wait_for("order.created").attempt


def test_events_are_taken_one_after_the_other(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """Each event is returned once; `events` keeps all of them."""
    sent = {publish(hookwright_client, webhook_receiver) for _ in range(3)}
    publish(hookwright_client, webhook_receiver, "order.paid")

    first = webhook_receiver.wait_for("order.created")
    others = webhook_receiver.wait_for_all("order.created", count=2)
    paid = webhook_receiver.wait_for()

    assert sent == {event.id for event in (first, *others)}
    assert "order.paid" == paid.type
    assert 4 == len(webhook_receiver.events)


def test_endpoints_of_every_kind_of_secret_are_verified(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """The app's secret, an ed25519 key, and one that the test brings."""
    slug = webhook_receiver.app_slug
    webhook_receiver.subscribe(["a"], path="app", signing={"source": "app"})
    webhook_receiver.subscribe(["b"], path="ed25519", signing={"scheme": "v1a"})
    rotated = hookwright_client.endpoints.rotate_secret(
        slug, webhook_receiver.endpoint.id, overlap_seconds=0
    )
    webhook_receiver.trust(rotated.signing_secret)
    for name in ("a", "b"):
        publish(hookwright_client, webhook_receiver, name)

    webhook_receiver.wait_for_all("a", count=2)
    webhook_receiver.wait_for_all("b", count=2)

    paths = {request.path for request in webhook_receiver.requests}
    assert {"/", "/app", "/ed25519"} == paths


def test_a_failure_tells_what_came_instead(
    hookwright_client: Hookwright, new_webhook_receiver: NewReceiver
) -> None:
    """The text shows what arrived, the attempts' outcomes, and when the next one is due."""
    receiver = new_webhook_receiver(["order.*"], retry_policy={"delays_seconds": [3600]})
    receiver.answers(500)
    publish(hookwright_client, receiver)
    publish(hookwright_client, receiver, "invoice.paid")
    receiver.wait_for_attempts(1)
    receiver.answers(204)
    publish(hookwright_client, receiver, "order.paid")
    receiver.wait_for("order.paid")

    with pytest.raises(AssertionError) as failure:
        receiver.wait_for("order.created", timeout=0.2)

    text = str(failure.value)
    for part in (
        f"order.created did not arrive at {receiver.url} within 0.2 s",
        "attempt 1  answered 500",
        "order.paid",
        "pending, attempts: 1, next at ",
        "attempt 1: http_5xx 500",
        "to no endpoint (1 filtered it out)",
        f"{receiver.endpoint.id} takes order.*",
    ):
        assert part in text


def test_a_failure_says_when_nothing_was_published(webhook_receiver: RecordingReceiver) -> None:
    """The most frequent mistake gets a sentence of its own."""
    with pytest.raises(AssertionError, match="no event: the code under test publishes elsewhere"):
        webhook_receiver.wait_for_attempts(1, timeout=0)


def test_a_wrong_signature_fails_at_once(
    hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
) -> None:
    """A request that is not to be trusted ends the waiting, and is answered 400."""
    rotated = hookwright_client.endpoints.rotate_secret(
        webhook_receiver.app_slug, webhook_receiver.endpoint.id, overlap_seconds=0
    )
    publish(hookwright_client, webhook_receiver)
    began_at = time.monotonic()

    with pytest.raises(AssertionError, match="not to be trusted: SignatureMismatchError"):
        webhook_receiver.wait_for("order.created", timeout=60)

    assert time.monotonic() - began_at < 30
    assert rotated.signing_secret
    webhook_receiver.settle()
    (delivery,) = hookwright_client.deliveries.list(webhook_receiver.app_slug)
    assert ("failed", 400) == (delivery.status, delivery.last_status_code)


def test_nothing_means_neither_arrived_nor_on_its_way(
    hookwright_client: Hookwright, new_webhook_receiver: NewReceiver
) -> None:
    """An accepted event counts before it is delivered; one that nobody takes does not."""
    receiver = new_webhook_receiver(["order.created"])
    publish(hookwright_client, receiver, "invoice.paid")
    receiver.assert_nothing(within=0.05)
    publish(hookwright_client, receiver)

    receiver.assert_nothing("invoice.paid")
    with pytest.raises(AssertionError, match=r"order\.created was sent to .*, and nothing was"):
        receiver.assert_nothing("order.created")


def test_what_needs_no_signature_is_refused(new_webhook_receiver: NewReceiver) -> None:
    """A receiver without endpoints trusts nobody and says what to do."""
    receiver = new_webhook_receiver([])
    address = urlsplit(receiver.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    connection.request("POST", "/any", b"{}")
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()

    assert (400, True) == (response.status, "`trust` one" in text)
    with pytest.raises(UsageError, match="`subscribe` makes one"):
        _ = receiver.endpoint


@pytest.mark.parametrize("answer", [99, 600, "later"])
def test_a_script_is_checked_when_it_is_given(
    webhook_receiver: RecordingReceiver, answer: int
) -> None:
    """A mistake in a test is told of where it is made."""
    with pytest.raises(UsageError, match="a receiver answers with a status of 200 to 599"):
        webhook_receiver.answers(answer)


def test_the_clock_brings_retries_forward(
    hookwright_client: Hookwright,
    hookwright_clock: HookwrightClock,
    new_webhook_receiver: NewReceiver,
) -> None:
    """Days of the default schedule pass in an instant, and signatures are judged by that time."""
    receiver = new_webhook_receiver(retry_policy=None)
    receiver.answers(500, 500, 500, 500)
    began_at = hookwright_clock.now()
    publish(hookwright_client, receiver)
    receiver.wait_for_attempts(1)

    now = hookwright_clock.advance(days=1)

    assert 5 == receiver.wait_for("order.created").attempt
    assert now - began_at >= timedelta(days=1)
    with pytest.raises(UsageError, match="forward only"):
        hookwright_clock.advance(seconds=-1)


def test_a_clock_that_stands_in_for_others_does_not_move(
    hookwright_server: HookwrightServer, request: pytest.FixtureRequest
) -> None:
    """A test that asks for the clock too late shares its server with tests that do not move it."""
    with pytest.raises(UsageError, match="among the test's arguments"):
        request.getfixturevalue("hookwright_clock")


def test_the_environment_names_the_server(
    hookwright_server: HookwrightServer, hookwright_app: AppCreated
) -> None:
    """Code that makes its client from the environment reaches the tests' server."""
    with Hookwright() as client:
        slug = client.apps.get(hookwright_app.slug).slug

    assert hookwright_app.slug == slug
    assert hookwright_server.url == os.environ["HOOKWRIGHT_BASE_URL"]


def test_the_async_client_serves_any_event_loop(
    hookwright_async_client: AsyncHookwright, webhook_receiver: RecordingReceiver
) -> None:
    """It is used in two loops, and leaves no socket behind (warnings are errors)."""

    async def send() -> None:
        await hookwright_async_client.trigger.send(
            webhook_receiver.app_slug, event_name="order.created", payload=PAYLOAD
        )

    asyncio.run(send())
    asyncio.run(send())

    assert 2 == len(webhook_receiver.wait_for_all("order.created", count=2))
