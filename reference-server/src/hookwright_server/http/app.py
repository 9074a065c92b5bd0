"""Flask's part: routing, reading a request off the WSGI environment, and errors of its own."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from hookwright_server.domain.contract import Limits
from hookwright_server.errors import Refusal
from hookwright_server.http.answers import Answer
from hookwright_server.http.dispatch import Dispatcher, Request, refusal_of
from hookwright_server.http.edge import routes
from hookwright_server.http.edge.handlers import Handlers
from hookwright_server.http.edge.operations import Operation
from hookwright_server.http.fast_lane import FastLane, LanedFlask
from hookwright_server.http.journal import Journal

_LARGER = {"trigger.send_batch": Limits.batch_body_bytes}


def create_app() -> LanedFlask:
    """The WSGI application, still without operations."""
    app = LanedFlask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    return app


def add_operations(
    app: LanedFlask,
    dispatcher: Dispatcher,
    handlers: Handlers,
    journal: Journal,
) -> None:
    """Serve every operation of the contract, and every error as a problem."""

    def dispatch(operation: Operation, call: routes.Call, path: Mapping[str, str]) -> Response:
        if request.method != operation.method:  # HEAD, which routing adds to GET
            adapter = app.create_url_adapter(request)
            raise MethodNotAllowed(adapter.allowed_methods() if adapter else [operation.method])
        if request.environ["PATH_INFO"].startswith(
            "//"
        ):  # routing takes any number of slashes for one
            raise NotFound
        try:
            _check_query()
            body = _read_body(_LARGER.get(operation.operation_id, Limits.body_bytes))
        except Refusal as refusal:
            return _response(_refused(refusal, journal))
        return _response(dispatcher.serve(operation, call, _request(path, body)))

    def refuse(error: Exception) -> Response:
        answer = _refused(_refusal(error), journal)
        response = _response(answer)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(_allowed(error))
        return response

    routes.register(app, handlers, dispatch)
    app.register_error_handler(Exception, refuse)
    app.lane = FastLane(dispatcher, handlers, journal)


def _request(path: Mapping[str, str], body: bytes) -> Request:
    return Request(
        path=request.path,
        path_params=path,
        query=request.args.to_dict(flat=False),
        headers={name.lower(): value for name, value in request.headers},
        body=body,
    )


def _check_query() -> None:
    # Werkzeug would put U+FFFD where the query is no UTF-8, and so ask for something else.
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError as error:
        raise Refusal("validation_error", "The query is not UTF-8. Encode it anew.") from error
    if any("\0" in name for name in request.args):
        raise Refusal("validation_error", "A parameter's name holds U+0000. Remove it.")


def _read_body(most: int) -> bytes:
    """The whole body, however it is framed, up to the contract's limit."""
    length = request.content_length
    if length is not None and length > most:
        raise _too_large(most)
    body: bytes = request.environ["wsgi.input"].read(most + 1 if length is None else length)
    if len(body) > most:
        raise _too_large(most)
    return body


def _too_large(most: int) -> Refusal:
    return Refusal("payload_too_large", f"The body has more than {most} bytes. Shorten it.")


def _response(answer: Answer) -> Response:
    response = Response(answer.body, status=answer.status, mimetype=answer.media_type)
    if answer.media_type is None:
        del response.headers["Content-Type"]
    response.headers.update(answer.headers)
    return response


def _refused(refusal: Refusal, journal: Journal) -> Answer:
    given = request.headers.get("traceparent")
    return journal.turn_away(journal.begin(None, request.method, request.path, given), refusal)


def _refusal(error: Exception) -> Refusal:
    if not isinstance(error, HTTPException):
        return refusal_of(error)
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(_allowed(error))
        detail = f"{request.path} has no method {request.method}; it has: {allowed}."
        return Refusal("method_not_allowed", detail)
    if error.code == 404:
        return Refusal("not_found", f"There is no path {request.path[:200]!r}. See openapi.yaml.")
    return Refusal("validation_error", f"The request is malformed: {error.description}")


def _allowed(error: MethodNotAllowed) -> list[str]:
    return sorted(method for method in error.valid_methods or () if method != "HEAD")
