"""Publishing past Flask: the one route whose speed is a promise, and Flask half of what it cost.

Only a request that is plain at sight takes this lane: a short path, no query, a body with a
length within the limit. Flask serves every other one, so no rule is written twice; from the
dispatcher on both are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask

from hookwright_server.domain.contract import Limits
from hookwright_server.http.answers import Answer
from hookwright_server.http.dispatch import Dispatcher, Request, refusal_of
from hookwright_server.http.edge.handlers import Handlers
from hookwright_server.http.edge.operations import BY_ID
from hookwright_server.http.journal import Journal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATH = re.compile(r"/v1/apps/([A-Za-z0-9_-]{1,255})/trigger")
_LENGTH = re.compile(r"[0-9]{1,9}")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class FastLane:
    """Serves `trigger.send` straight from the WSGI environment."""

    def __init__(self, dispatcher: Dispatcher, handlers: Handlers, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal
        self._operation = BY_ID["trigger.send"]
        self._call = partial(self._operation.call, handlers)

    def serve(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes] | None:
        """The response; None when the request has to take the usual way."""
        request = _plain(environ)
        if request is None:
            return None
        answer = self._answer(request)
        headers = [("Content-Length", str(len(answer.body))), *answer.headers.items()]
        if answer.media_type is not None:
            headers.append(("Content-Type", answer.media_type))
        start_response(_STATUS_LINES[answer.status], headers)
        return [answer.body]  # what granian sends in one piece is a list

    def _answer(self, request: Request) -> Answer:
        try:
            return self._dispatcher.serve(self._operation, self._call, request)
        except Exception as error:  # noqa: BLE001 - nothing but a problem may reach the caller
            given = request.headers.get("traceparent")
            entry = self._journal.begin(self._operation, "POST", request.path, given)
            return self._journal.turn_away(entry, refusal_of(error))


class LanedFlask(Flask):
    """Flask with a fast lane beside it, once there is one."""

    lane: FastLane | None = None

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self.lane is not None:
            response = self.lane.serve(environ, start_response)
            if response is not None:
                return response
        return super().wsgi_app(environ, start_response)


def _plain(environ: WSGIEnvironment) -> Request | None:
    if environ["REQUEST_METHOD"] != "POST":
        return None
    found = _PATH.fullmatch(environ["PATH_INFO"])
    length = environ.get("CONTENT_LENGTH", "")
    if (
        found is None
        or not _LENGTH.fullmatch(length)
        or int(length) > Limits.body_bytes
        or environ.get("QUERY_STRING")
        or environ.get("SCRIPT_NAME")
        or "HTTP_TRANSFER_ENCODING" in environ
    ):
        return None
    return Request(
        path=environ["PATH_INFO"],
        path_params={"app_slug": found[1]},
        query={},
        headers=_headers(environ),
        body=environ["wsgi.input"].read(int(length)),
    )


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers
