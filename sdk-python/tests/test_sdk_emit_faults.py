"""`emit_webhook` whose own functions fail: the view's answer stays, and the failure is told."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sdk_web
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.test import RequestFactory
from flask import Flask
from sdk_emitting import ACCEPTED, published

from hookwright.deduplication import MemoryStore
from hookwright.emitting import EmitFailure, Emitter
from hookwright.errors import UsageError
from hookwright.integrations import django as in_django
from hookwright.integrations import flask as in_flask
from hookwright.receiving import WebhookReceiver
from hookwright.testing import SECRET, sign_request
from hookwright.webhooks import WebhookEvent

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

sdk_web.configure_django()

ORDER = {"id": "ord_1", "total": 4900}


@pytest.fixture
def failures() -> list[EmitFailure]:
    """What was reported."""
    return []


@pytest.fixture
def emitter(api: ScriptedApi, failures: list[EmitFailure]) -> Iterator[Emitter]:
    """An emitter whose own app is `shop`."""
    with Emitter(
        "shop", api_key="k", base_url=api.base_url, max_retries=0, on_error=failures.append
    ) as emitter:
        yield emitter


def _status(**options: Any) -> int:
    """That of a Flask view whose result is to be published."""
    app = Flask(__name__)

    @app.post("/v")
    @in_flask.emit_webhook("order.created", wait=True, **options)
    def view() -> dict[str, Any]:
        return dict(ORDER)

    return app.test_client().post("/v").status_code


@pytest.mark.parametrize("given", [None, "", 5])
def test_an_app_that_cannot_be_told(
    given: Any, api: ScriptedApi, emitter: Emitter, failures: list[EmitFailure]
) -> None:
    """A function that names no app publishes nothing, least of all to the emitter's own app."""
    api.steps[:] = [ACCEPTED]

    def app_of(order: Any) -> Any:
        return given

    status = _status(emitter=emitter, app=app_of)

    assert (200, []) == (status, published(api))
    [failure] = failures
    expected = f"app=… gave {given!r} for order.created, not the slug of an app"
    assert expected == str(failure.error)


@pytest.mark.parametrize("given", ["", 5])
def test_an_app_that_is_none(given: Any, api: ScriptedApi, emitter: Emitter) -> None:
    """An app that is empty or no text is refused, as an event may be another tenant's."""
    for act in (emitter.publish, emitter.enqueue):
        with pytest.raises(UsageError, match="app is the slug of an app"):
            act("order.created", {}, app=given)

    assert [] == published(api)


def _from_django(emitter: Emitter, using: str) -> HttpResponseBase:
    @in_django.emit_webhook("order.created", wait=True, emitter=emitter, using=using)
    def view(request: HttpRequest) -> HttpResponseBase:
        return JsonResponse(ORDER)

    return view(RequestFactory().post("/v"))


def test_django_without_its_database(
    api: ScriptedApi, emitter: Emitter, failures: list[EmitFailure]
) -> None:
    """Where no transaction is open the event is published at once, and no database is asked."""
    api.steps[:] = [ACCEPTED]

    answer = _from_django(emitter, "down")

    assert (200, []) == (answer.status_code, failures)
    assert [("/v1/apps/shop/trigger", "order.created", ORDER)] == published(api)


def test_django_with_an_unknown_database(
    api: ScriptedApi, emitter: Emitter, failures: list[EmitFailure]
) -> None:
    """A database that nobody knows is reported, and the view's answer stays what it is."""
    answer = _from_django(emitter, "nowhere")

    assert (200, []) == (answer.status_code, published(api))
    [failure] = failures
    assert "nowhere" in str(failure.error)


@pytest.mark.parametrize("using", ["down", "nowhere"])
@pytest.mark.parametrize("store", [None, MemoryStore()])
def test_django_receives_without_its_database(using: str, store: MemoryStore | None) -> None:
    """What a view has handled is answered and remembered, whatever the database says."""
    webhook = WebhookReceiver(SECRET, store=store, name=using)
    handled: list[str] = []

    @in_django.receives(webhook, using=using)
    def view(request: HttpRequest, event: WebhookEvent[dict[str, Any]]) -> None:
        handled.append(event.type)

    signed = sign_request(message_id="msg_1")
    request = partial(RequestFactory().generic, "POST", "/v", signed.body, headers=signed.headers)
    statuses = [view(request()).status_code for _ in range(2)]

    assert ([204, 204], 2 if store is None else 1) == (statuses, len(handled))


def _no_emitter() -> Emitter:
    raise KeyError("no settings")


@pytest.mark.parametrize(("give", "text"), [(_no_emitter, "no settings"), (dict, "not {}")])
def test_an_emitter_that_cannot_be_made(
    give: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The view has succeeded and is answered; that nobody could publish its event is logged."""
    status = _status(emitter=give)

    assert 200 == status
    assert "order.created was not published: " in caplog.text
    assert text in caplog.text


def test_django_with_a_length_that_is_none() -> None:
    """A Content-Length that is no number is refused as any request without a signature is."""

    @in_django.receives(WebhookReceiver(SECRET))
    def view(request: HttpRequest, event: WebhookEvent[dict[str, Any]]) -> None: ...

    answer = view(RequestFactory().post("/v", CONTENT_LENGTH="abc"))

    assert 400 == answer.status_code
