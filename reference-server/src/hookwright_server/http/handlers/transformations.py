"""Handlers of the tag `transformations`."""

from __future__ import annotations

from hookwright_server.http.answers import RawObject
from hookwright_server.http.context import Context
from hookwright_server.http.edge import requests, responses
from hookwright_server.http.handlers.bodies import given
from hookwright_server.services.transformations import Transformations


class TransformationsHandlers:
    """See `edge.handlers.TransformationsHandlers`."""

    def __init__(self, transformations: Transformations) -> None:
        self._transformations = transformations

    def preview(
        self, context: Context, body: requests.TransformationPreview
    ) -> responses.TransformationPreviewed:
        result = self._transformations.preview(given(body.transformation), context.payload or b"{}")
        return {"payload": RawObject(result)}
