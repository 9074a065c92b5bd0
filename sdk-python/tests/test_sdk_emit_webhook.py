"""`emit_webhook` in each framework: what views return reaches the API, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_type, cast

import pytest
import sdk_web
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from flask import Flask, jsonify
from flask import Response as FlaskResponse
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sdk_emitting import ACCEPTED, BROKEN, published
from sdk_harness import ScriptedApi
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from hookwright.emitting import EmitFailure, Emitter
from hookwright.integrations import django as in_django
from hookwright.integrations import fastapi as in_fastapi
from hookwright.integrations import flask as in_flask
from hookwright.receiving import WebhookReceiver
from hookwright.webhooks import Webhook, WebhookEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
ORDER = {"id": "ord_1", "total": 4900}


def _positive(order: Any) -> bool:
    total: int = order["total"]
    return total > 0


def _never(order: Any) -> bool:
    return False


def _short(order: Any) -> dict[str, Any]:
    return {"id": order["id"]}


def _nothing(order: Any) -> None:
    return None


def _with_path(order: Any, call: in_flask.ViewCall) -> dict[str, Any]:
    request_path = call.request.path if hasattr(call.request, "path") else call.request.url.path
    return {"id": order["id"], "path": request_path}


def _app_of(order: Any) -> str:
    return "app-" + str(order["id"])


def _broken(order: Any) -> Any:
    raise KeyError("on purpose")


def _text_payload(response: Any) -> dict[str, Any]:
    return {"status": response.status_code}


# The view's name, its options, and what is published.
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "plain": ("order", {}, ("shop", ORDER)),
    "response": ("response", {}, ("shop", ORDER)),
    "when": ("order", {"when": _positive}, ("shop", ORDER)),
    "when-response": ("response", {"when": _positive}, ("shop", ORDER)),
    "when-not": ("order", {"when": _never}, None),
    "payload": ("order", {"payload": _short}, ("shop", {"id": "ord_1"})),
    "payload-none": ("order", {"payload": _nothing}, None),
    "payload-call": ("order", {"payload": _with_path}, ("shop", {"id": "ord_1", "path": "/v"})),
    "payload-text": ("text", {"payload": _text_payload}, ("shop", {"status": 200})),
    "app": ("order", {"app": "other"}, ("other", ORDER)),
    "app-of": ("order", {"app": _app_of}, ("app-ord_1", ORDER)),
    "none": ("none", {}, None),
    "refused": ("refused", {}, None),
    "crash": ("crash", {}, None),
}
FAILURES: dict[str, tuple[str, dict[str, Any], str]] = {
    "text": ("text", {}, "not JSON; make the payload with payload="),
    "stream": ("stream", {}, "not JSON; make the payload with payload="),
    "list": ("list", {}, "is a list, not a JSON object"),
    "payload-broken": ("order", {"payload": _broken}, "on purpose"),
    "api-broken": ("order", {"app": "broken"}, "500"),
}
STATUSES = {"refused": 422, "crash": 500}


def _crash() -> Any:
    raise RuntimeError("on purpose")


FLASK_VIEWS: dict[str, Callable[[], Any]] = {
    "order": lambda: (dict(ORDER), 201),
    "response": lambda: jsonify(ORDER),
    "none": lambda: jsonify(None),
    "refused": lambda: ({"detail": "no"}, 422),
    "text": lambda: FlaskResponse("thanks"),
    "stream": lambda: (each for each in ("a", "b")),
    "list": lambda: [1],
    "crash": _crash,
}
DJANGO_VIEWS: dict[str, Callable[[], Any]] = {
    "order": lambda: JsonResponse(ORDER, status=201),
    "response": lambda: JsonResponse(ORDER),
    "none": lambda: JsonResponse(None, safe=False),
    "refused": lambda: JsonResponse({"detail": "no"}, status=422),
    "text": lambda: HttpResponse("thanks"),
    "stream": lambda: StreamingHttpResponse(["a", "b"]),
    "list": lambda: JsonResponse([1], safe=False),
    "crash": _crash,
}


async def _letters() -> AsyncIterator[str]:
    for each in ("a", "b"):
        yield each


DJANGO_ASGI_VIEWS: dict[str, Callable[[], Any]] = {
    **DJANGO_VIEWS,
    "stream": lambda: StreamingHttpResponse(_letters()),
}
FASTAPI_VIEWS: dict[str, Callable[[], Any]] = {
    "order": lambda: dict(ORDER),
    "response": lambda: JSONResponse(ORDER),
    "none": lambda: None,
    "refused": lambda: JSONResponse({"detail": "no"}, 422),
    "text": lambda: PlainTextResponse("thanks"),
    "stream": lambda: StreamingResponse(iter(["a", "b"])),
    "list": lambda: [1],
    "crash": _crash,
}
STARLETTE_VIEWS: dict[str, Callable[[], Any]] = {
    **FASTAPI_VIEWS,
    "order": FASTAPI_VIEWS["response"],
    "none": lambda: JSONResponse(None),
    "list": lambda: JSONResponse([1]),
}

Routes = dict[str, tuple[str, dict[str, Any]]]
Serve = Callable[[Routes], AbstractContextManager[str]]


def _flask(routes: Routes) -> AbstractContextManager[str]:
    app = Flask(__name__)
    for name, (view, options) in routes.items():

        @in_flask.emit_webhook("order.created", **options)
        def endpoint(view: str = view) -> ResponseReturnValue:
            result: ResponseReturnValue = FLASK_VIEWS[view]()
            return result

        app.add_url_rule(f"/{name}", name, endpoint, methods=["POST"])
    return sdk_web.wsgi_server(app)


def _flask_async(routes: Routes) -> AbstractContextManager[str]:
    app = Flask(__name__)
    for name, (view, options) in routes.items():

        @in_flask.emit_webhook("order.created", **options)
        async def endpoint(view: str = view) -> ResponseReturnValue:
            result: ResponseReturnValue = FLASK_VIEWS[view]()
            return result

        app.add_url_rule(f"/{name}", name, endpoint, methods=["POST"])
    return sdk_web.wsgi_server(app)


def _django(routes: Routes) -> AbstractContextManager[str]:
    patterns: list[Any] = []
    for name, (view, options) in routes.items():

        @in_django.emit_webhook("order.created", **options)
        def endpoint(request: HttpRequest, view: str = view) -> HttpResponse:
            result: HttpResponse = DJANGO_VIEWS[view]()
            return result

        patterns.append(path(name, csrf_exempt(endpoint)))
    return sdk_web.django_server(*patterns)


def _async_patterns(routes: Routes, views: dict[str, Callable[[], Any]]) -> list[Any]:
    patterns: list[Any] = []
    for name, (view, options) in routes.items():

        @in_django.emit_webhook("order.created", **options)
        async def endpoint(request: HttpRequest, view: str = view) -> HttpResponse:
            result: HttpResponse = views[view]()
            return result

        # ATOMIC_REQUESTS is not for async views, which Django says itself.
        patterns.append(path(name, csrf_exempt(transaction.non_atomic_requests(endpoint))))
    return patterns


def _django_async(routes: Routes) -> AbstractContextManager[str]:
    return sdk_web.django_server(*_async_patterns(routes, DJANGO_VIEWS))


def _django_asgi(routes: Routes) -> AbstractContextManager[str]:
    return sdk_web.django_asgi_server(*_async_patterns(routes, DJANGO_ASGI_VIEWS))


def _fastapi(routes: Routes) -> AbstractContextManager[str]:
    app = FastAPI()
    for name, (view, options) in routes.items():

        @app.post(f"/{name}")
        @in_fastapi.emit_webhook("order.created", **options)
        def endpoint(view: str = view) -> Any:
            return FASTAPI_VIEWS[view]()

    return sdk_web.asgi_server(app)


def _fastapi_async(routes: Routes) -> AbstractContextManager[str]:
    app = FastAPI()
    for name, (view, options) in routes.items():

        @app.post(f"/{name}")
        @in_fastapi.emit_webhook("order.created", **options)
        async def endpoint(request: Request, view: str = view) -> Any:
            assert "POST" == request.method
            return FASTAPI_VIEWS[view]()

    return sdk_web.asgi_server(app)


def _starlette(routes: Routes) -> AbstractContextManager[str]:
    found: list[Route] = []
    for name, (view, options) in routes.items():

        @in_fastapi.emit_webhook("order.created", **options)
        async def endpoint(request: Request, view: str = view) -> Any:
            return STARLETTE_VIEWS[view]()

        found.append(Route(f"/{name}", endpoint, methods=["POST"]))
    return sdk_web.asgi_server(Starlette(routes=found))


FRAMEWORKS: list[Serve] = [
    _flask,
    _flask_async,
    _django,
    _django_async,
    _django_asgi,
    _fastapi,
    _fastapi_async,
    _starlette,
]


@dataclass
class Hub:
    """An API, an emitter to it, and what the emitter reported."""

    api: ScriptedApi
    emitter: Emitter
    failures: list[EmitFailure]


@pytest.fixture(scope="module")
def _hub() -> Iterator[Hub]:
    api = ScriptedApi()
    failures: list[EmitFailure] = []
    with (
        closing(api),
        Emitter(
            "shop",
            api_key="hw_test_key",
            base_url=api.base_url,
            max_retries=0,
            on_error=failures.append,
        ) as emitter,
    ):
        yield Hub(api, emitter, failures)


@pytest.fixture
def hub(_hub: Hub) -> Hub:
    """The hub, with nothing in it."""
    _hub.api.steps.clear()
    _hub.api.requests.clear()
    _hub.failures.clear()
    return _hub


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=lambda serve: serve.__name__.strip("_"))
def url(request: pytest.FixtureRequest, _hub: Hub) -> Iterator[str]:
    """One server for all cases of a framework. Cases wait for the API, some raise or do not."""
    routes: Routes = {}
    for name, (view, options, _) in {**CASES, **FAILURES}.items():
        given = {"emitter": _hub.emitter, "wait": True, **options}
        routes[name] = (view, given)
        routes[f"{name}-raised"] = (view, {**given, "raise_errors": True})
        routes[f"{name}-later"] = (view, {**given, "wait": False})
    with request.param(routes) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "later"), [*((name, "") for name in CASES), ("plain", "-later"), ("crash", "-later")]
)
@pytest.mark.filterwarnings("ignore")  # what frameworks and servers say of the crash
def test_what_is_published(url: str, hub: Hub, name: str, later: str) -> None:
    """A success is published, as its options say; None, refusals and crashes are not."""
    view, _, expected = CASES[name]
    hub.api.steps[:] = [ACCEPTED]

    answer = sdk_web.post(f"{url}/{name}{later}")
    assert hub.emitter.flush(60)

    usual = {200, 201}
    assert answer.status_code == STATUSES[view] if view in STATUSES else answer.status_code in usual
    if expected is not None:
        app, payload = expected
        payload = {**payload, "path": f"/{name}{later}"} if "path" in payload else payload
        expected = (f"/v1/apps/{app}/trigger", "order.created", payload)
    assert ([expected] if expected else []) == published(hub.api)
    assert [] == hub.failures


@pytest.mark.parametrize("name", FAILURES)
def test_failures_leave_the_response_alone(
    url: str, hub: Hub, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be published is logged and reported; the client gets what the view returned."""
    hub.api.steps[:] = [BROKEN]

    answer = sdk_web.post(f"{url}/{name}")

    assert answer.status_code in {200, 201}
    [failure] = hub.failures
    assert ("order.created", True) == (failure.event_name, FAILURES[name][2] in str(failure.error))
    assert "order.created was not published" in caplog.text


@pytest.mark.parametrize("name", ["text", "api-broken"])
@pytest.mark.filterwarnings("ignore")  # what frameworks and servers say of the 500
def test_failures_can_be_raised(url: str, hub: Hub, name: str) -> None:
    """With raise_errors a failure is reported as well, and the client gets a 500."""
    hub.api.steps[:] = [BROKEN]

    answer = sdk_web.post(f"{url}/{name}-raised")

    assert (500, 1) == (answer.status_code, len(hub.failures))


class User(BaseModel):
    name: str


class StoredUser(User):
    password: str


def test_a_response_model_hides(hub: Hub) -> None:
    """FastAPI's response model, declared or annotated, decides what is published too."""
    app = FastAPI()

    @app.post("/declared", response_model=User, response_model_exclude_none=True)
    @in_fastapi.emit_webhook("user.created", wait=True, emitter=hub.emitter)
    async def declared() -> dict[str, Any]:
        return {"name": "a", "password": "4711"}

    @app.post("/annotated")
    @in_fastapi.emit_webhook("user.created", wait=True, emitter=hub.emitter)
    async def annotated() -> User:
        return StoredUser(name="b", password="4711")

    hub.api.steps[:] = [ACCEPTED, ACCEPTED]
    with sdk_web.asgi_server(app) as url:
        answers = [sdk_web.post(f"{url}/{name}").json() for name in ("declared", "annotated")]

    assert [{"name": "a"}, {"name": "b"}] == answers
    assert answers == [payload for _, _, payload in published(hub.api)]


def test_what_a_response_model_refuses_is_not_published(hub: Hub) -> None:
    """A result that FastAPI answers with a 500 is reported, not published, whoever makes it."""
    app = FastAPI()

    @app.post("/default")
    @in_fastapi.emit_webhook("user.created", wait=True, emitter=hub.emitter)
    async def default() -> User:
        return cast("User", {"named": "a"})

    @app.post("/payload")
    @in_fastapi.emit_webhook(
        "user.created", payload=lambda user: {"id": 1}, wait=True, emitter=hub.emitter
    )
    async def payload() -> User:
        return cast("User", {"named": "a"})

    with sdk_web.asgi_server(app) as url:
        answers = [sdk_web.post(f"{url}/{name}").status_code for name in ("default", "payload")]

    assert [500, 500] == answers
    assert [] == published(hub.api)
    assert ["user.created"] * 2 == [failure.event_name for failure in hub.failures]


def test_django_publishes_after_the_commit(hub: Hub) -> None:
    """In an open transaction nothing is published before the commit, and nothing without one."""
    seen: list[int] = []

    @csrf_exempt
    @in_django.emit_webhook("order.created", wait=True, emitter=hub.emitter)
    def endpoint(request: HttpRequest) -> HttpResponse:
        transaction.on_commit(lambda: seen.append(len(hub.api.requests)))
        if request.GET:
            transaction.set_rollback(True)
        return JsonResponse(ORDER)

    hub.api.steps[:] = [ACCEPTED]
    with sdk_web.django_server(path("v", endpoint)) as url:
        statuses = [sdk_web.post(f"{url}/v{query}").status_code for query in ("?x=1", "")]

    assert ([200, 200], [0], 1) == (statuses, seen, len(hub.api.requests))


class Rendered(SimpleTemplateResponse):
    """Gets its JSON behind the view, as the answers of Django REST framework do."""

    def __init__(self, content: str) -> None:
        super().__init__("unused.html", content_type="application/json")
        self._json = content

    @property
    def rendered_content(self) -> str:
        return self._json


@pytest.mark.parametrize("is_async", [False, True])
def test_django_publishes_what_is_rendered_behind_the_view(hub: Hub, is_async: bool) -> None:
    """The event has the content that the client gets; content that is no JSON is reported."""

    def answered(request: HttpRequest) -> HttpResponse:
        return Rendered("a" if request.GET else json.dumps(ORDER))

    async def answered_later(request: HttpRequest) -> HttpResponse:
        return answered(request)

    emit = in_django.emit_webhook("order.created", wait=True, emitter=hub.emitter)
    endpoint: Any = emit(cast("Any", answered_later if is_async else answered))
    hub.api.steps[:] = [ACCEPTED]
    view = transaction.non_atomic_requests(endpoint)
    with sdk_web.django_server(path("v", csrf_exempt(view))) as url:
        answers = [sdk_web.post(f"{url}/v{query}") for query in ("", "?x=1")]

    assert [(200, json.dumps(ORDER)), (200, "a")] == [(a.status_code, a.text) for a in answers]
    assert [("/v1/apps/shop/trigger", "order.created", ORDER)] == published(hub.api)
    assert ["order.created"] == [failure.event_name for failure in hub.failures]


def test_flask_is_configured(hub: Hub) -> None:
    """Flask's emitter comes from `app.config["HOOKWRIGHT"]`, evaluated late, once for an app."""
    app = Flask(__name__)
    calls: list[int] = []

    def configure() -> dict[str, Any]:
        calls.append(1)
        return {"APP": "flask", "API_KEY": "k", "BASE_URL": hub.api.base_url}

    app.config["HOOKWRIGHT"] = configure

    @app.post("/v")
    @in_flask.emit_webhook("order.created", wait=True)
    def endpoint() -> dict[str, Any]:
        return dict(ORDER)

    hub.api.steps[:] = [ACCEPTED] * 2
    with sdk_web.wsgi_server(app) as url:
        assert [] == calls
        for _ in range(2):
            sdk_web.post(f"{url}/v")
    with app.app_context():
        in_flask.get_emitter().close()

    assert [1] == calls
    assert ["/v1/apps/flask/trigger"] * 2 == [request.target for request in hub.api.requests]


def test_django_is_configured(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's emitter comes from `settings.HOOKWRIGHT`."""
    options = {"APP": "django", "API_KEY": "k", "BASE_URL": hub.api.base_url}
    in_django.get_emitter.cache_clear()
    hub.api.steps[:] = [ACCEPTED]

    with override_settings(HOOKWRIGHT=options), in_django.get_emitter() as emitter:
        emitter.publish("order.created", {})

    in_django.get_emitter.cache_clear()
    assert ["/v1/apps/django/trigger"] == [request.target for request in hub.api.requests]


def test_fastapi_is_configured(hub: Hub) -> None:
    """FastAPI's emitter is `app.state.hookwright`, which a lifespan makes and closes."""
    options = {"APP": "fastapi", "API_KEY": "k", "BASE_URL": hub.api.base_url}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with Emitter.lazily(lambda: options) as app.state.hookwright:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v")
    @in_fastapi.emit_webhook("order.created")
    async def endpoint() -> dict[str, Any]:
        return dict(ORDER)

    hub.api.steps[:] = [ACCEPTED]
    with sdk_web.asgi_server(app) as url:
        sdk_web.post(f"{url}/v")

    assert ["/v1/apps/fastapi/trigger"] == [request.target for request in hub.api.requests]


def test_both_decorators(hub: Hub) -> None:
    """A view of FastAPI's may receive one event and publish another."""
    app = FastAPI()
    webhook = WebhookReceiver(Webhook(SECRET, clock=lambda: 1_800_000_000))

    @app.post("/v")
    @in_fastapi.emit_webhook("order.packed", wait=True, emitter=hub.emitter)
    @in_fastapi.receives(webhook)
    async def endpoint(event: WebhookEvent[dict[str, Any]], request: Request) -> dict[str, Any]:
        return {**event.data, "path": request.url.path}

    body = b'{"type": "x", "timestamp": "2026-11-21T09:00:00Z", "data": {"id": 1}}'
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1800000000",
        "webhook-signature": Webhook(SECRET).sign("msg_1", 1_800_000_000, body),
    }
    hub.api.steps[:] = [ACCEPTED]
    with sdk_web.asgi_server(app) as url:
        answers = [sdk_web.post(f"{url}/v", content=body, headers=each) for each in (headers, {})]

    assert [200, 400] == [answer.status_code for answer in answers]
    assert [{"id": 1, "path": "/v"}] == [payload for _, _, payload in published(hub.api)]


def test_views_keep_their_types() -> None:
    """Type checkers see a decorated view as it was written."""

    @in_flask.emit_webhook("order.created")
    def flask_view(number: int, *, name: str) -> dict[str, Any]:
        return {}

    @in_fastapi.emit_webhook("order.created", when=bool)
    async def fastapi_view(number: int) -> User:
        return User(name="a")

    @in_django.emit_webhook("order.created", payload=lambda order, call: {**order, **call.kwargs})
    def django_view(request: HttpRequest, pk: int) -> HttpResponse:
        return HttpResponse()

    if TYPE_CHECKING:
        assert_type(flask_view(1, name="a"), dict[str, Any])
        assert_type(asyncio.run(fastapi_view(1)), User)
        assert_type(django_view(HttpRequest(), pk=1), HttpResponse)

    names = [view.__name__ for view in (flask_view, fastapi_view, django_view)]
    assert ["flask_view", "fastapi_view", "django_view"] == names
