"""Handlers of the tag `event_types`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hookwright_server.http.context import Context
from hookwright_server.http.edge import params as p
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers import views
from hookwright_server.http.handlers.bodies import given
from hookwright_server.http.paging import Cursors, envelope
from hookwright_server.services.event_types import EventTypes, NewEventType


class EventTypesHandlers:
    """See `edge.handlers.EventTypesHandlers`."""

    def __init__(self, event_types: EventTypes, cursors: Cursors) -> None:
        self._event_types = event_types
        self._cursors = cursors

    def list(self, context: Context, params: p.EventTypesListParams) -> responses.EventTypePage:
        page = self._event_types.page(
            context.tx,
            context.principal,
            params.app_slug,
            params.include_archived,
            self._cursors.query(context, params),
        )
        return envelope(page, self._cursors.next_cursor(context, params, page), views.event_type)

    def create(
        self, context: Context, params: p.EventTypesCreateParams, body: requests.EventTypeCreate
    ) -> responses.EventType:
        fields = _fields(body)
        new = NewEventType(
            name=body.name,
            description=fields.get("description"),
            group=fields.get("group"),
            schema=fields.get("schema"),
            example_payload=fields.get("example_payload"),
        )
        row = self._event_types.create(context.tx, context.principal, params.app_slug, new)
        return views.event_type(row)

    def get(self, context: Context, params: p.EventTypesGetParams) -> responses.EventType:
        row = self._event_types.get(
            context.tx, context.principal, params.app_slug, params.event_type_id
        )
        return views.event_type(row)

    def update(
        self, context: Context, params: p.EventTypesUpdateParams, body: requests.EventTypeUpdate
    ) -> responses.EventType:
        row = self._event_types.update(
            context.tx, context.principal, params.app_slug, params.event_type_id, _fields(body)
        )
        return views.event_type(row)

    def delete(self, context: Context, params: p.EventTypesDeleteParams) -> None:
        self._event_types.archive(
            context.tx, context.principal, params.app_slug, params.event_type_id
        )


def _fields(body: BaseModel) -> dict[str, Any]:
    # pydantic has a `schema` of its own, so the field is called otherwise there.
    return {name.removesuffix("_"): value for name, value in given(body).items()}
