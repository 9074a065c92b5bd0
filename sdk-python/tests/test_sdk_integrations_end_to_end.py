"""The server delivers into Flask, Django and FastAPI what they emit, all of it real."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import sdk_web
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from fastapi import FastAPI
from flask import Flask

from hookwright.deduplication import MemoryStore
from hookwright.emitting import Emitter
from hookwright.integrations import django as in_django
from hookwright.integrations import fastapi as in_fastapi
from hookwright.integrations import flask as in_flask
from hookwright.receiving import WebhookReceiver
from hookwright.webhooks import WebhookEvent

if TYPE_CHECKING:
    from hookwright import Hookwright
    from hookwright.models import AppCreated
    from hookwright.testing import HookwrightServer

EventOfOrder = WebhookEvent[dict[str, Any]]


class Inbox:
    """Who received which order from whom."""

    def __init__(self, expected: int) -> None:
        self.received: list[tuple[str, str]] = []
        self.expected = expected
        self.complete = threading.Event()

    def add(self, receiver: str, event: EventOfOrder) -> None:
        self.received.append((receiver, event.data["shop"]))
        if len(self.received) == self.expected:
            self.complete.set()


def _flask(webhook: WebhookReceiver[dict[str, Any]], emitter: Emitter, inbox: Inbox) -> Flask:
    app = Flask(__name__)

    @app.post("/hooks")
    @in_flask.receives(webhook)
    def received(event: EventOfOrder) -> None:
        inbox.add("flask", event)

    @app.post("/orders")
    @in_flask.emit_webhook("order.created", emitter=emitter)
    def create_order() -> dict[str, str]:
        return {"shop": "flask"}

    return app


def _fastapi(webhook: WebhookReceiver[dict[str, Any]], emitter: Emitter, inbox: Inbox) -> FastAPI:
    app = FastAPI()

    @app.post("/hooks")
    @in_fastapi.receives(webhook)
    async def received(event: EventOfOrder) -> None:
        inbox.add("fastapi", event)

    @app.post("/orders")
    @in_fastapi.emit_webhook("order.created", emitter=emitter)
    async def create_order() -> dict[str, str]:
        return {"shop": "fastapi"}

    return app


def _django(
    webhook: WebhookReceiver[dict[str, Any]], emitter: Emitter, inbox: Inbox
) -> tuple[Any, ...]:
    @in_django.receives(webhook)
    def received(request: HttpRequest, event: EventOfOrder) -> None:
        inbox.add("django", event)

    @csrf_exempt
    @in_django.emit_webhook("order.created", emitter=emitter)
    def create_order(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"shop": "django"})

    return path("hooks", received), path("orders", create_order)


def test_from_every_framework_to_every_framework(
    hookwright_server: HookwrightServer, hookwright_client: Hookwright, hookwright_app: AppCreated
) -> None:
    """What each application emits reaches each one's view once, signed by v1 and v1a."""
    inbox = Inbox(9)
    secrets: dict[str, str] = {}

    def webhook(name: str) -> WebhookReceiver[dict[str, Any]]:
        return WebhookReceiver(lambda: secrets[name], store=MemoryStore())

    with ExitStack() as stack:
        emitter = stack.enter_context(
            Emitter(
                hookwright_app.slug,
                api_key=hookwright_server.api_key,
                base_url=hookwright_server.url,
            )
        )
        urls = {
            "flask": sdk_web.wsgi_server(_flask(webhook("flask"), emitter, inbox)),
            "fastapi": sdk_web.asgi_server(_fastapi(webhook("fastapi"), emitter, inbox)),
            "django": sdk_web.django_asgi_server(*_django(webhook("django"), emitter, inbox)),
        }
        places = {name: stack.enter_context(running) for name, running in urls.items()}
        for name, place in places.items():
            scheme = "v1a" if name == "django" else "v1"
            made = hookwright_client.endpoints.create(
                hookwright_app.slug, url=f"{place}/hooks", signing={"scheme": scheme}
            )
            key = (
                hookwright_client.endpoints.get_secret_public_key(hookwright_app.slug, made.id)
                if scheme == "v1a"
                else None
            )
            secrets[name] = made.signing_secret if key is None else key.public_key

        for place in places.values():
            sdk_web.post(f"{place}/orders").raise_for_status()
        assert inbox.complete.wait(60)

        expected = sorted((receiver, shop) for receiver in places for shop in places)
        assert expected == sorted(inbox.received)
