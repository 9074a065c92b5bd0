"""The namespace `event_types`, over a socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hookwright import Hookwright, UnprocessableError, models
from hookwright._core.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdk_harness import ScriptedApi

SHOWN: dict[str, Any] = {
    "id": "ety_01K9ZQ5A1N3P5R7T9V1X3Z5B7D",
    "app_slug": "payments",
    "name": "invoice.paid",
    "description": None,
    "group": "invoices",
    "schema": {"properties": {"id": {"type": "string"}}},
    "example_payload": {"id": "inv_1"},
    "archived": False,
    "created_at": "2026-11-21T09:00:00.000Z",
    "updated_at": "2026-11-21T09:00:00.000Z",
}


def _answer(status: str, document: object = None) -> bytes:
    body = b"" if document is None else json.dumps(document).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        status.encode(),
        len(body),
        body,
    )


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[Hookwright]:
    """A client that does not wait between tries."""
    with Hookwright("key", base_url=api.base_url, _runtime=Runtime(sleep=lambda _: None)) as client:
        yield client


def _sent(api: ScriptedApi) -> list[tuple[str, str, Any]]:
    return [
        (each.method, each.target, json.loads(each.body) if each.body else None)
        for each in api.requests
    ]


def test_event_types_are_written_and_read(api: ScriptedApi, client: Hookwright) -> None:
    """Every operation sends what was given and gives a model; what is left out is not sent."""
    page = {"data": [SHOWN], "has_more": False, "next_cursor": None}
    api.steps = [
        _answer("201 Created", SHOWN),
        _answer("200 OK", SHOWN),
        _answer("200 OK", SHOWN),
        _answer("200 OK", page),
        _answer("204 No Content"),
    ]
    schema = SHOWN["schema"]

    made = client.event_types.create("payments", name="invoice.paid", schema=schema)
    read = client.event_types.get("payments", made.id)
    client.event_types.update("payments", made.id, schema=None, archived=False)
    listed = list(client.event_types.list("payments", include_archived=True))
    client.event_types.delete("payments", made.id)

    place = "/v1/apps/payments/event-types"
    assert [
        ("POST", place, {"name": "invoice.paid", "schema": schema}),
        ("GET", f"{place}/{made.id}", None),
        ("PATCH", f"{place}/{made.id}", {"schema": None, "archived": False}),
        ("GET", f"{place}?include_archived=true", None),
        ("DELETE", f"{place}/{made.id}", None),
    ] == _sent(api)
    assert [made, made] == [read, *listed]
    assert isinstance(made, models.EventType)
    assert (schema, "2026-11-21") == (made.schema, made.created_at.date().isoformat())


def test_a_refused_payload_says_where(api: ScriptedApi, client: Hookwright) -> None:
    """The error of a payload that breaks its schema carries the pointer, and is not tried again."""
    problem = {
        "type": "urn:hookwright:error:payload_schema_mismatch",
        "title": "The payload breaks its schema",
        "status": 422,
        "detail": "/payload/id breaks the schema of the event type.",
        "code": "payload_schema_mismatch",
        "request_id": "req_1",
        "errors": [{"pointer": "/payload/id", "code": "type", "message": "It is no string."}],
    }
    api.steps = [_answer("422 Unprocessable Entity", problem)]

    with pytest.raises(UnprocessableError) as caught:
        client.trigger.send("payments", event_name="invoice.paid", payload={"id": 1})

    assert "payload_schema_mismatch" == caught.value.code
    assert ["/payload/id"] == [error.pointer for error in caught.value.errors]
