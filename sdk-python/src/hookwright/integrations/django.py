"""
Webhooks in Django (5.2 or newer): `receives` verifies what comes in, `emit_webhook` publishes what
views return, `CacheStore` remembers in Django's cache which events were handled.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
from asyncio import CancelledError, ensure_future, shield
from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from hookwright._emit_views import EmitRule, Outcome, ViewCall, response_outcome
from hookwright.deduplication import Refusal, new_token
from hookwright.emitting import Emitter, default_emitter
from hookwright.integrations import missing
from hookwright.receiving import Answer, is_success, view_name

try:
    from asgiref.sync import sync_to_async
    from django.conf import settings
    from django.core.exceptions import RequestDataTooBig
    from django.db import DEFAULT_DB_ALIAS, connections, transaction
    from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
    from django.http.response import HttpResponseBase
    from django.template.response import SimpleTemplateResponse
    from django.views.decorators.csrf import csrf_exempt
except ImportError as error:
    raise missing("Django", "django") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from django.core.cache import BaseCache

    from hookwright._emit_views import EmitterSource, OfResult
    from hookwright.deduplication import Claim
    from hookwright.receiving import Handling, WebhookReceiver
    from hookwright.webhooks import WebhookEvent

__all__ = ["CacheStore", "ViewCall", "emit_webhook", "get_emitter", "receives"]

D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger("hookwright.webhooks")


class _Receives(Protocol[D_co]):
    @overload
    def __call__(
        self,
        view: Callable[
            Concatenate[HttpRequest, WebhookEvent[D_co], P],
            Coroutine[Any, Any, HttpResponseBase | None],
        ],
    ) -> Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]: ...
    @overload
    def __call__(
        self,
        view: Callable[Concatenate[HttpRequest, WebhookEvent[D_co], P], HttpResponseBase | None],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]: ...


def receives(webhook: WebhookReceiver[D], *, using: str | None = None) -> _Receives[D]:
    """
    A view that gets the request and the event of a genuine one, exempt from CSRF checks; sync or
    async.

        >>> from typing import Any
        >>> from django.http import HttpRequest
        >>> from hookwright.integrations.django import receives
        >>> from hookwright.receiving import WebhookReceiver
        >>> from hookwright.webhooks import WebhookEvent
        >>> @receives(WebhookReceiver())
        ... def received(request: HttpRequest, event: WebhookEvent[dict[str, Any]]) -> None:
        ...     print(event.type)

    What the view returns is answered; None is 204. Requests that are not genuine are answered with
    400 or 401, bodies that are too large with 413, other methods than POST with 405, repeats as
    `WebhookReceiver` says. Where a transaction of the database `using` is open around the view
    (ATOMIC_REQUESTS), an event counts as handled once that is committed.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if _is_async(view):
            return csrf_exempt(_async_view(webhook, view))
        return csrf_exempt(_view(webhook, view, using))

    return cast("_Receives[D]", decorate)


def _view(
    webhook: WebhookReceiver[Any], view: Callable[..., Any], using: str | None
) -> Callable[..., HttpResponseBase]:
    name = view_name(view)

    @wraps(view)
    def receiving(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        event = _opened(webhook, request)
        if isinstance(event, HttpResponse):
            return event
        begun = webhook.begin(event, name)
        if isinstance(begun, Answer):
            return _response(begun)
        succeeded = False
        try:
            response = _answered(view(request, event, *args, **kwargs))
            succeeded = is_success(response.status_code)
        finally:
            if webhook.store is not None:
                _ended(partial(webhook.end, begun, succeeded=succeeded), succeeded, using)
        return response

    return receiving


def _async_view(
    webhook: WebhookReceiver[Any], view: Callable[..., Any]
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    name = view_name(view)
    end = sync_to_async(webhook.end)

    async def begin(event: WebhookEvent[Any]) -> Handling | Answer:
        if webhook.store is None:
            return webhook.begin(event, name)
        claiming = ensure_future(sync_to_async(webhook.begin)(event, name))
        try:
            return await shield(claiming)
        except CancelledError:
            # The client has gone, and nobody else would release what is claimed all the same.
            begun = await claiming
            if not isinstance(begun, Answer):
                await end(begun, succeeded=False)
            raise

    @wraps(view)
    async def receiving(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        event = _opened(webhook, request)
        if isinstance(event, HttpResponse):
            return event
        begun = await begin(event)
        if isinstance(begun, Answer):
            return _response(begun)
        succeeded = False
        try:
            response = _answered(await view(request, event, *args, **kwargs))
            succeeded = is_success(response.status_code)
        finally:
            if webhook.store is not None:
                # Also when the client has gone and this task is cancelled.
                await shield(end(begun, succeeded=succeeded))
        return response

    return receiving


def emit_webhook(
    event_name: str,
    *,
    app: str | OfResult[str] | None = None,
    when: OfResult[bool] | None = None,
    payload: OfResult[Any] | None = None,
    wait: bool = False,
    emitter: EmitterSource = None,
    raise_errors: bool = False,
    using: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Publish what the view returns, once it has succeeded: has returned something other than None,
    with a status below 400. For views that are functions, sync or async; a method is decorated
    with `django.utils.decorators.method_decorator`.

        >>> from django.http import HttpRequest, JsonResponse
        >>> from hookwright.integrations.django import emit_webhook
        >>> @emit_webhook("order.created", when=lambda order: order["total"] > 0)
        ... def create_order(request: HttpRequest) -> JsonResponse:
        ...     return JsonResponse({"id": 1, "total": 4900}, status=201)

    `when`, `payload` and `app` are functions of the result: of the parsed JSON of the view's
    response, or of the response where it holds none. With a second argument they get a ViewCall as
    well. The payload is that JSON, or what `payload` makes of it; None publishes nothing.

    Where a transaction of the database `using` is open around a sync view (ATOMIC_REQUESTS), the
    event is published after its commit, and not at all when it is rolled back. The event of a
    response that is rendered behind the view (a TemplateResponse, those of Django REST framework)
    is published once it is.

    `wait=True` publishes before the response goes out, `wait=False` in the background. A failure
    does not undo what the view has done, so the response stays what it is: the failure is logged
    and given to the emitter's `on_error`. With `raise_errors=True` it is raised as well, and the
    client sees a 500 although the view has succeeded.

    `emitter` defaults to that of `get_emitter`.
    """
    rule = EmitRule(
        _Django(using),
        event_name,
        app=app,
        when=when,
        payload=payload,
        wait=wait,
        emitter=emitter,
        raise_errors=raise_errors,
    )
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", rule.decorate)


@cache
def get_emitter() -> Emitter:
    """
    The process's emitter: configured by `settings.HOOKWRIGHT`, the options of `Emitter` in a
    mapping (`{"APP": "shop", "API_KEY": …}`), or a function that gives one and is called when the
    first event is published. Without it, by environment variables.
    """
    configured: Any = getattr(settings, "HOOKWRIGHT", None)
    if configured is None:
        return default_emitter()
    return Emitter.lazily(configured)


class CacheStore:
    """
    Remembers in a cache of Django's, which all processes must share: Redis, Memcached or, for SQL,
    the database cache. A cache that drops entries when it is full forgets events. Caches compare
    and write in two steps: where a lease ends in the instant between them, the claim that follows
    may be dropped and its event handled once more. `RedisStore` knows no such instant.
    """

    def __init__(self, alias: str = "default", prefix: str = "hookwright:event:") -> None:
        self._alias = alias
        self._prefix = prefix

    def claim(self, key: str, lease_seconds: float) -> Claim:
        name, token = self._prefix + key, new_token()
        if self._cache.add(name, token, math.ceil(lease_seconds)):
            return token
        return Refusal.DONE if self._cache.get(name) == "done" else Refusal.RUNNING

    def complete(self, key: str, token: str, remember_seconds: float) -> None:
        name = self._prefix + key
        if self._cache.get(name) in {None, token}:
            self._cache.set(name, "done", math.ceil(remember_seconds))

    def release(self, key: str, token: str) -> None:
        name = self._prefix + key
        if self._cache.get(name) == token:
            self._cache.delete(name)

    @property
    def _cache(self) -> BaseCache:
        from django.core.cache import caches  # late: it reads the settings

        return caches[self._alias]


def _is_async(view: Callable[..., Any]) -> bool:
    # Before Python 3.12 asgiref marks what `as_view` gives by an attribute.
    return inspect.iscoroutinefunction(view) or hasattr(view, "_is_coroutine")


def _opened(webhook: WebhookReceiver[D], request: HttpRequest) -> WebhookEvent[D] | HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    limit = webhook.max_body_bytes
    body = b""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > limit or len(request.body) > limit:
            return _response(webhook.too_large())
        body = request.body
    except ValueError:  # no number: Django reads no body then, and `request.body` raises this too
        pass
    except RequestDataTooBig:  # beyond DATA_UPLOAD_MAX_MEMORY_SIZE
        return _response(webhook.too_large())
    event = webhook.opened(body, request.headers)
    return _response(event) if isinstance(event, Answer) else event


def _response(answer: Answer) -> HttpResponse:
    headers = dict(answer.headers)
    return HttpResponse(
        answer.body,
        status=answer.status,
        content_type=headers.pop("Content-Type", None),
        headers=headers,
    )


def _deferred(act: Callable[[], None], using: str | None) -> bool:
    """Whether `act` waits for the commit of an open transaction. No database is asked for that."""
    if not connections[using or DEFAULT_DB_ALIAS].in_atomic_block:
        return False
    transaction.on_commit(act, using)
    return True


def _ended(end: Callable[[], None], succeeded: bool, using: str | None) -> None:
    deferred = False
    try:
        deferred = succeeded and _deferred(end, using)
    except Exception:
        # The view has succeeded, and its answer is what the sender goes by.
        _logger.exception("what the view did is taken for committed")
    if not deferred:
        end()


def _answered(returned: HttpResponseBase | None) -> HttpResponseBase:
    return HttpResponse(status=204) if returned is None else returned


class _Django:
    def __init__(self, using: str | None) -> None:
        self._using = using

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ViewCall:
        request = next((each for each in args if isinstance(each, HttpRequest)), None)
        return ViewCall(kwargs.get("request", request), args, kwargs)

    def outcome(self, returned: Any, call: ViewCall) -> Outcome:
        if not isinstance(returned, HttpResponseBase):
            return Outcome(200, returned, partial(self.encoded, returned))
        body = cast("bytes | None", None if returned.streaming else cast("Any", returned).content)
        return response_outcome(
            returned, returned.status_code, returned.headers.get("Content-Type", ""), body
        )

    def encoded(self, value: Any) -> Any:
        from django.core.serializers.json import DjangoJSONEncoder

        return json.loads(json.dumps(value, cls=DjangoJSONEncoder))

    def emitter(self, call: ViewCall) -> Emitter:
        return get_emitter()

    def is_async(self, view: Callable[..., Any]) -> bool:
        return _is_async(view)

    async def in_thread(self, function: Callable[[], None]) -> None:
        await sync_to_async(function, thread_sensitive=False)()

    def defers(self, send: Callable[[], None]) -> bool:
        return _deferred(send, self._using)

    def completes(self, returned: Any, act: Callable[[], None]) -> bool:
        # Templates, and all answers of Django REST framework, are rendered behind the view.
        if not isinstance(returned, SimpleTemplateResponse) or returned.is_rendered:
            return False

        def rendered(_: object) -> None:
            act()

        returned.add_post_render_callback(rendered)
        return True
