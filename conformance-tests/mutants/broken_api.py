"""Mutants of the API: what is stored, replayed, refused and shown."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import json
import secrets
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response
from replacing import replace

from hookwright_server import wiring
from hookwright_server.http import app as http_app
from hookwright_server.http.handlers import events
from hookwright_server.http.idempotency import Idempotency, Keyed
from hookwright_server.ids import Ids
from hookwright_server.services.principal import Principal
from hookwright_server.services.trigger import Event
from hookwright_server.store.realm import Realm

_LEAKING = frozenset({"messages", "deliveries"})


class _ForgetfulIdempotency(Idempotency):
    def keyed(self, principal: Principal, route: str, key: str, body: bytes) -> Keyed:
        keyed = super().keyed(principal, route, key, body)
        return Keyed(
            secrets.token_bytes(32), keyed.fingerprint, keyed.account_id, keyed.environment
        )


def loses_the_idempotency_key() -> None:
    """Every request is the first with its key."""
    replace(wiring, "Idempotency", _ForgetfulIdempotency)


def reserialises_the_payload() -> None:
    """The payload is parsed and written again: key order stays, numbers and spaces do not."""

    def event(*, payload: bytes, **fields: Any) -> Event:
        again = json.dumps(json.loads(payload), separators=(",", ":"), ensure_ascii=False)
        return Event(payload=again.encode(), **fields)

    replace(events, "Event", event)


def framework_errors_as_html() -> None:
    """What the framework refuses by itself looks as the framework likes it."""
    create = http_app.create_app

    def create_app(*arguments: Any) -> Flask:
        app = create(*arguments)
        for status in (404, 405):
            app.register_error_handler(status, _html)
        return app

    def _html(error: Exception) -> Response:
        status = getattr(error, "code", 500)
        response = Response(f"<!doctype html><h1>{status}</h1>", status, mimetype="text/html")
        response.headers["X-Request-Id"] = Ids().new("req", 0)
        return response

    replace(wiring, "create_app", create_app)


def leaks_foreign_rows() -> None:
    """Messages and deliveries are found whoever asks."""
    owns = Realm.owns

    def owns_too_much(
        self: Realm, table: sa.Table, app_column: str = "app_id"
    ) -> sa.ColumnElement[bool]:
        return sa.true() if table.name in _LEAKING else owns(self, table, app_column)

    replace(Realm, "owns", owns_too_much)
