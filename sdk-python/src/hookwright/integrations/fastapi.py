"""
Webhooks in FastAPI and Starlette: `receives` and the dependency `verified` check what comes in,
`emit_webhook` publishes what views return.
"""

from __future__ import annotations

import inspect
import json
from functools import lru_cache, partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar, cast

from hookwright._emit_views import EmitRule, Outcome, ViewCall, response_outcome
from hookwright.emitting import Emitter, default_emitter
from hookwright.errors import UsageError
from hookwright.integrations import missing
from hookwright.receiving import Answer, is_success, view_name

try:
    from anyio import CancelScope
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError as error:
    raise missing("FastAPI or Starlette", "fastapi") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pydantic import TypeAdapter

    from hookwright._emit_views import EmitterSource, OfResult
    from hookwright.receiving import Handling, WebhookReceiver
    from hookwright.webhooks import WebhookEvent

__all__ = ["ViewCall", "emit_webhook", "receives", "verified"]

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")

_REQUEST: Final = "hookwright_request"


def verified(
    webhook: WebhookReceiver[D],
) -> Callable[[Request], Coroutine[Any, Any, WebhookEvent[D]]]:
    """
    A dependency of FastAPI that gives the event of a genuine request.

        >>> from typing import Annotated, Any
        >>> from fastapi import Depends, FastAPI
        >>> from hookwright.integrations.fastapi import verified
        >>> from hookwright.receiving import WebhookReceiver
        >>> from hookwright.webhooks import WebhookEvent
        >>> app, webhook = FastAPI(), WebhookReceiver()
        >>> @app.post("/webhooks")
        ... async def received(
        ...     event: Annotated[WebhookEvent[dict[str, Any]], Depends(verified(webhook))],
        ... ) -> None:
        ...     print(event.type)

    Requests that are not genuine are answered with 400 or 401 by an HTTPException, bodies that
    are too large with 413. A dependency does not see what the view answers, so it cannot know
    whether an event was handled: a receiver with a store needs `receives`, and is a UsageError.
    """
    if webhook.store is not None:
        raise UsageError("a dependency cannot deduplicate; use @receives(webhook) with a store")

    async def dependency(request: Request) -> WebhookEvent[D]:
        event = await _opened(webhook, request)
        if isinstance(event, Answer):
            raise HTTPException(event.status, json.loads(event.body)["detail"])
        return event

    return dependency


def receives(
    webhook: WebhookReceiver[D],
) -> Callable[
    [Callable[Concatenate[WebhookEvent[D], P], Any]], Callable[P, Coroutine[Any, Any, Any]]
]:
    """
    A view that gets the event of a genuine request as its first argument.

        >>> from typing import Any
        >>> from fastapi import FastAPI
        >>> from hookwright.integrations.fastapi import receives
        >>> from hookwright.receiving import WebhookReceiver
        >>> from hookwright.webhooks import WebhookEvent
        >>> app, webhook = FastAPI(), WebhookReceiver()
        >>> @app.post("/webhooks")
        ... @receives(webhook)
        ... async def received(event: WebhookEvent[dict[str, Any]]) -> None:
        ...     print(event.type)

    FastAPI fills the view's other parameters; an endpoint of Starlette's gets the event alone and
    returns a Response. None is answered with 204. Requests that are not genuine are answered with
    400 or 401, bodies that are too large with 413, repeats as `WebhookReceiver` says. Views that
    are no coroutine functions run in a thread.
    """

    def decorate(view: Callable[..., Any]) -> Callable[P, Coroutine[Any, Any, Any]]:
        name, first = view_name(view), _event_name(view)

        async def handle(event: WebhookEvent[Any], args: tuple[Any, ...], kwargs: Any) -> Any:
            if inspect.iscoroutinefunction(view):
                returned = await view(event, *args, **kwargs)
            else:
                returned = await run_in_threadpool(view, event, *args, **kwargs)
            return Response(status_code=204) if returned is None else returned

        @wraps(view)
        async def receiving(*args: Any, **kwargs: Any) -> Any:
            request, args = _taken(args, kwargs)
            event = await _opened(webhook, request)
            if isinstance(event, Answer):
                return _response(event)
            begun = await _begun(webhook, event, name)
            if isinstance(begun, Answer):
                return _response(begun)
            succeeded = False
            try:
                returned = await handle(event, args, kwargs)
                succeeded = is_success(_status(returned, kwargs, request))
            finally:
                await _ended(webhook, begun, succeeded=succeeded)
            return returned

        _with_request(receiving, view, without=first)
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

        >>> from fastapi import FastAPI
        >>> from hookwright.integrations.fastapi import emit_webhook
        >>> app = FastAPI()
        >>> @app.post("/orders")
        ... @emit_webhook("order.created", when=lambda order: order["total"] > 0)
        ... async def create_order() -> dict[str, int]:
        ...     return {"id": 1, "total": 4900}

    `when`, `payload` and `app` are functions of the result: of what the view returned or, where
    that is a response, of its parsed JSON. With a second argument they get a ViewCall as well. The
    payload is the result as the client gets it, through the route's response model, or what
    `payload` makes of it; None publishes nothing. A result that does not fit the response model,
    which the client gets as a 500, is not published.

    That is before the end of dependencies with `yield`: where one commits the transaction, the
    event may be out before the commit, and although the commit fails. Commit in the view instead.

    `wait=True` publishes before the response goes out, `wait=False` in the background. A failure
    does not undo what the view has done, so the response stays what it is: the failure is logged
    and given to the emitter's `on_error`. With `raise_errors=True` it is raised as well, and the
    client sees a 500 although the view has succeeded.

    `emitter` defaults to `app.state.hookwright`, and without such to the one that environment
    variables configure.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        rule = EmitRule(
            _FastAPI(shares_request=_REQUEST in inspect.signature(view).parameters),
            event_name,
            app=app,
            when=when,
            payload=payload,
            wait=wait,
            emitter=emitter,
            raise_errors=raise_errors,
        )
        emitting = rule.decorate(view)
        _with_request(emitting, view)
        return emitting

    return cast("Callable[[Callable[P, R]], Callable[P, R]]", decorate)


def _event_name(view: Callable[..., Any]) -> str:
    """What a view calls the event, its first argument. UsageError when it takes no such."""
    first = next(iter(inspect.signature(view).parameters.values()), None)
    if first is None or first.kind in {first.KEYWORD_ONLY, first.VAR_KEYWORD}:
        raise UsageError(
            f"{view_name(view)} needs a first argument for the event, one that is no keyword-only"
        )
    return first.name


def _with_request(
    wrapper: Callable[..., Any], view: Callable[..., Any], *, without: str | None = None
) -> None:
    """Have FastAPI hand the request to `wrapper`, beside what `view` asks for but `without`."""
    signature = inspect.signature(view)
    kept = [each for each in signature.parameters.values() if each.name not in {without, _REQUEST}]
    kind = inspect.Parameter.KEYWORD_ONLY
    index = next((n for n, each in enumerate(kept) if each.kind > kind), len(kept))
    # As a dependency: of two parameters for the request itself FastAPI fills one.
    asked = inspect.Parameter(_REQUEST, kind, default=_dependency(), annotation=Any)
    kept.insert(index, asked)
    cast("Any", wrapper).__signature__ = signature.replace(parameters=kept)


def _dependency() -> Any:
    try:
        from fastapi import Depends
    except ImportError:  # Starlette alone, which looks at no signature
        return None
    return Depends(_request_of)


def _request_of(request: Request) -> Request:
    return request


def _taken(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Request, tuple[Any, ...]]:
    """The request: FastAPI passes it by name, Starlette as the only argument."""
    if _REQUEST in kwargs:
        return cast("Request", kwargs.pop(_REQUEST)), args
    return cast("Request", args[0]), args[1:]


async def _opened(webhook: WebhookReceiver[D], request: Request) -> WebhookEvent[D] | Answer:
    body = bytearray()
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > webhook.max_body_bytes:
        return webhook.too_large()
    async for chunk in request.stream():
        body += chunk
        if len(body) > webhook.max_body_bytes:
            return webhook.too_large()
    return webhook.opened(bytes(body), request.headers)


async def _begun(
    webhook: WebhookReceiver[Any], event: WebhookEvent[Any], name: str
) -> Handling | Answer:
    if webhook.store is None:
        return webhook.begin(event, name)
    return await run_in_threadpool(webhook.begin, event, name)


async def _ended(webhook: WebhookReceiver[Any], begun: Handling, *, succeeded: bool) -> None:
    if webhook.store is None:
        return
    # Also when the client has gone and this task is cancelled: the event must be released.
    with CancelScope(shield=True):
        await run_in_threadpool(webhook.end, begun, succeeded=succeeded)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _status(returned: Any, kwargs: dict[str, Any], request: Request) -> int:
    """That of a response, else what was set on FastAPI's injected one, else the route's."""
    if isinstance(returned, Response):
        return returned.status_code
    injected = [each.status_code for each in kwargs.values() if isinstance(each, Response)]
    route = request.scope.get("route")
    return next(filter(None, injected), None) or getattr(route, "status_code", None) or 200


class _FastAPI:
    def __init__(self, *, shares_request: bool) -> None:
        # Another of our decorators is beneath, which needs the request too.
        self._shares_request = shares_request

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ViewCall:
        request: Any = kwargs.get(_REQUEST)
        if not self._shares_request:
            kwargs.pop(_REQUEST, None)
        if request is None:
            request = next((cast("Any", each) for each in args if isinstance(each, Request)), None)
        return ViewCall(request, args, kwargs)

    def outcome(self, returned: Any, call: ViewCall) -> Outcome:
        if isinstance(returned, Response):
            kind = returned.headers.get("content-type", "")
            body = cast("bytes | None", getattr(returned, "body", None))  # streams have none
            return response_outcome(returned, returned.status_code, kind, body)
        if call.request is None:
            return Outcome(200, returned, partial(self.encoded, returned))
        status = _status(returned, dict(call.kwargs), call.request)
        route = call.request.scope.get("route")
        modelled = partial(_modelled, returned, route)
        # FastAPI applies the model after us, and answers what does not fit it with a 500.
        has_model = getattr(route, "response_model", None) is not None
        return Outcome(status, returned, modelled, modelled if has_model else None)

    def encoded(self, value: Any) -> Any:
        from fastapi.encoders import jsonable_encoder

        return jsonable_encoder(value)

    def emitter(self, call: ViewCall) -> Emitter:
        state = getattr(call.request.app, "state", None) if call.request is not None else None
        found = getattr(state, "hookwright", None)
        return found if isinstance(found, Emitter) else default_emitter()

    def is_async(self, view: Callable[..., Any]) -> bool:
        return inspect.iscoroutinefunction(view)

    async def in_thread(self, function: Callable[[], None]) -> None:
        await run_in_threadpool(function)

    def defers(self, send: Callable[[], None]) -> bool:
        return False

    def completes(self, returned: Any, act: Callable[[], None]) -> bool:
        return False


@lru_cache(256)
def _adapter(model: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(model)


def _modelled(returned: Any, route: Any) -> Any:
    """As FastAPI answers it: a response model hides what is not for others."""
    from fastapi.encoders import jsonable_encoder

    model = getattr(route, "response_model", None)
    if model is None:
        return jsonable_encoder(returned)
    try:
        adapter = _adapter(model)
    except TypeError:  # a type that cannot be hashed
        adapter = _adapter.__wrapped__(model)
    value = adapter.validate_python(returned, from_attributes=True)
    return adapter.dump_python(
        value,
        mode="json",
        include=route.response_model_include,
        exclude=route.response_model_exclude,
        by_alias=route.response_model_by_alias,
        exclude_unset=route.response_model_exclude_unset,
        exclude_defaults=route.response_model_exclude_defaults,
        exclude_none=route.response_model_exclude_none,
    )
