"""
Webhooks in Flask (3.1 or newer): `receives` verifies what comes in, `emit_webhook` publishes what
views return.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from hookwright._emit_views import EmitRule, Outcome, ViewCall, response_outcome
from hookwright.emitting import Emitter, default_emitter
from hookwright.integrations import missing
from hookwright.receiving import Answer, is_success, view_name

try:
    from flask import Response, current_app, request
    from werkzeug.exceptions import RequestEntityTooLarge
    from werkzeug.wrappers import Response as BaseResponse
except ImportError as error:
    raise missing("Flask", "flask") from error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flask.typing import ResponseReturnValue

    from hookwright._emit_views import EmitterSource, OfResult
    from hookwright.receiving import WebhookReceiver
    from hookwright.webhooks import WebhookEvent

__all__ = ["ViewCall", "emit_webhook", "get_emitter", "receives"]

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")


def receives(
    webhook: WebhookReceiver[D],
) -> Callable[
    [
        Callable[
            Concatenate[WebhookEvent[D], P],
            ResponseReturnValue | Awaitable[ResponseReturnValue | None] | None,
        ]
    ],
    Callable[P, ResponseReturnValue],
]:
    """
    A view that gets the event of a genuine request as its first argument.

        >>> from typing import Any
        >>> from flask import Flask
        >>> from hookwright.integrations.flask import receives
        >>> from hookwright.receiving import WebhookReceiver
        >>> from hookwright.webhooks import WebhookEvent
        >>> app, webhook = Flask("shop"), WebhookReceiver()
        >>> @app.post("/webhooks")
        ... @receives(webhook)
        ... def received(event: WebhookEvent[dict[str, Any]]) -> None:
        ...     print(event.type)

    What the view returns is answered; None is 204. Requests that are not genuine are answered with
    400 or 401, bodies that are too large with 413, repeats as `WebhookReceiver` says.
    """

    def decorate(view: Callable[..., Any]) -> Callable[P, ResponseReturnValue]:
        name = view_name(view)

        @wraps(view)
        def receiving(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            event = _opened(webhook)
            if isinstance(event, Answer):
                return _response(event)
            begun = webhook.begin(event, name)
            if isinstance(begun, Answer):
                return _response(begun)
            succeeded = False
            try:
                # Flask's own way to call a view that is a coroutine function.
                returned = current_app.ensure_sync(view)(event, *args, **kwargs)
                response = Response(status=204) if returned is None else _made(returned)
                succeeded = is_success(response.status_code)
            finally:
                webhook.end(begun, succeeded=succeeded)
            return response

        return receiving

    return decorate


def emit_webhook(
    event_name: str,
    *,
    app: str | OfResult[str] | None = None,
    when: OfResult[bool] | None = None,
    payload: OfResult[Any] | None = None,
    wait: bool = False,
    emitter: EmitterSource = None,
    raise_errors: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Publish what the view returns, once it has succeeded: has returned something other than None,
    with a status below 400.

        >>> from flask import Flask
        >>> from hookwright.integrations.flask import emit_webhook
        >>> app = Flask("shop")
        >>> @app.post("/orders")
        ... @emit_webhook("order.created", when=lambda order: order["total"] > 0)
        ... def create_order() -> dict[str, int]:
        ...     return {"id": 1, "total": 4900}

    `when`, `payload` and `app` are functions of the result: of what the view returned without its
    status and headers, and of the parsed JSON where that is a response. With a second argument
    they get a ViewCall as well. The payload is the result as the client gets it, or what `payload`
    makes of it; None publishes nothing.

    `wait=True` publishes before the response goes out, `wait=False` in the background. A failure
    does not undo what the view has done, so the response stays what it is: the failure is logged
    and given to the emitter's `on_error`. With `raise_errors=True` it is raised as well, and the
    client sees a 500 although the view has succeeded.

    `emitter` defaults to that of `get_emitter`.
    """
    rule = EmitRule(
        _Flask(),
        event_name,
        app=app,
        when=when,
        payload=payload,
        wait=wait,
        emitter=emitter,
        raise_errors=raise_errors,
    )
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", rule.decorate)


def get_emitter() -> Emitter:
    """
    The current application's emitter: configured by `app.config["HOOKWRIGHT"]`, the options of
    `Emitter` in a mapping, or a function that gives one and is called when the first event is
    published. Without it, by environment variables.
    """
    found: object = current_app.extensions.get("hookwright")
    if isinstance(found, Emitter):
        return found
    configured: Any = cast("dict[str, Any]", current_app.config).get("HOOKWRIGHT")
    if configured is None:
        return default_emitter()
    made = Emitter.lazily(configured)
    kept: Emitter = current_app.extensions.setdefault("hookwright", made)
    return kept


def _opened(webhook: WebhookReceiver[D]) -> WebhookEvent[D] | Answer:
    # Werkzeug cuts a body of undeclared length off at its limit: one byte more shows that.
    limit = webhook.max_body_bytes + 1
    allowed = request.max_content_length
    request.max_content_length = limit if allowed is None else min(limit, allowed)
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        return webhook.too_large()
    finally:
        request.max_content_length = allowed
    if len(body) >= limit:
        return webhook.too_large()
    return webhook.opened(body, request.headers)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _made(returned: Any) -> Response:
    return current_app.make_response(returned)


class _Flask:
    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ViewCall:
        return ViewCall(request, args, kwargs)

    def outcome(self, returned: Any, call: ViewCall) -> Outcome:
        response = returned if isinstance(returned, Response) else _made(returned)
        body = None if response.is_streamed else response.get_data()
        outcome = response_outcome(response, response.status_code, response.mimetype or "", body)
        result = cast("Any", returned[0] if isinstance(returned, tuple) else returned)
        return outcome if isinstance(result, BaseResponse) else replace(outcome, result=result)

    def encoded(self, value: Any) -> Any:
        return current_app.json.loads(current_app.json.dumps(value))

    def emitter(self, call: ViewCall) -> Emitter:
        return get_emitter()

    def is_async(self, view: Callable[..., Any]) -> bool:
        return inspect.iscoroutinefunction(view)

    async def in_thread(self, function: Callable[[], None]) -> None:
        from asyncio import to_thread

        await to_thread(function)

    def defers(self, send: Callable[[], None]) -> bool:
        return False

    def completes(self, returned: Any, act: Callable[[], None]) -> bool:
        return False
