"""Receiving in each framework, over real sockets, with requests as the server signs them."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, TypedDict

import httpx
import pytest
import sdk_web
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.views import View
from fastapi import Depends, FastAPI, Response
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hookwright.deduplication import Claim, MemoryStore
from hookwright.errors import UsageError
from hookwright.integrations import django as in_django
from hookwright.integrations import fastapi as in_fastapi
from hookwright.integrations import flask as in_flask
from hookwright.receiving import Answer, Handling, WebhookReceiver, view_name
from hookwright.webhooks import Webhook, WebhookEvent

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
BODY = json.dumps(
    {"type": "order.created", "timestamp": "2026-11-21T09:00:00.000Z", "data": {"id": "ord_1"}}
).encode()
NOW = 1_800_000_000
LIMIT = 100_000
NOTHING: Mapping[str, str] = {}


class Order(TypedDict):
    id: str


Receiver = WebhookReceiver[Order]


@dataclass
class Handler:
    """What the views do: note the event, then the next step of the script, or 200."""

    events: list[WebhookEvent[Order]] = field(default_factory=list[WebhookEvent[Order]])
    script: list[Callable[[], int]] = field(default_factory=list[Callable[[], int]])

    def __call__(self, event: WebhookEvent[Order]) -> int:
        self.events.append(event)
        return self.script.pop(0)() if self.script else 200


Serve = Callable[[Receiver, Handler], AbstractContextManager[str]]


def _flask(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    app = Flask(__name__)

    @app.post("/hooks/<tenant>")
    @in_flask.receives(webhook)
    def received(event: WebhookEvent[Order], tenant: str) -> tuple[str, int]:
        return tenant, handler(event)

    return sdk_web.wsgi_server(app)


def _flask_async(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    app = Flask(__name__)

    @app.post("/hooks/<tenant>")
    @in_flask.receives(webhook)
    async def received(event: WebhookEvent[Order], tenant: str) -> tuple[str, int]:
        return tenant, await asyncio.to_thread(handler, event)

    return sdk_web.wsgi_server(app)


def _django(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    @in_django.receives(webhook)
    def received(request: HttpRequest, event: WebhookEvent[Order], tenant: str) -> HttpResponse:
        return HttpResponse(tenant, status=handler(event))

    return sdk_web.django_server(path("hooks/<str:tenant>", received))


def _async_path(webhook: Receiver, handler: Handler) -> Any:
    @in_django.receives(webhook)
    async def received(
        request: HttpRequest, event: WebhookEvent[Order], tenant: str
    ) -> HttpResponse:
        return HttpResponse(tenant, status=await asyncio.to_thread(handler, event))

    # ATOMIC_REQUESTS is not for async views, which Django says itself.
    return path("hooks/<str:tenant>", transaction.non_atomic_requests(received))


def _django_async(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    return sdk_web.django_server(_async_path(webhook, handler))


def _django_asgi(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    return sdk_web.django_asgi_server(_async_path(webhook, handler))


def _fastapi(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    app = FastAPI()

    @app.post("/hooks/{tenant}")
    @in_fastapi.receives(webhook)
    async def received(event: WebhookEvent[Order], tenant: str, response: Response) -> str:
        response.status_code = await asyncio.to_thread(handler, event)
        return tenant

    return sdk_web.asgi_server(app)


def _fastapi_thread(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    app = FastAPI()

    @app.post("/hooks/{tenant}")
    @in_fastapi.receives(webhook)
    def received(event: WebhookEvent[Order], tenant: str) -> Response:
        return Response(tenant, handler(event))

    return sdk_web.asgi_server(app)


def _starlette(webhook: Receiver, handler: Handler) -> AbstractContextManager[str]:
    @in_fastapi.receives(webhook)
    async def received(event: WebhookEvent[Order]) -> Response:
        return PlainTextResponse("x", await asyncio.to_thread(handler, event))

    return sdk_web.asgi_server(Starlette(routes=[Route("/hooks/x", received, methods=["POST"])]))


FRAMEWORKS: list[Serve] = [
    _flask,
    _flask_async,
    _django,
    _django_async,
    _django_asgi,
    _fastapi,
    _fastapi_thread,
    _starlette,
]


def _signed(message_id: str, body: bytes = BODY) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(NOW),
        "webhook-signature": Webhook(SECRET).sign(message_id, NOW, body),
    }


@dataclass
class Site:
    """A receiver that answers at `url`."""

    url: str
    handler: Handler
    framework: str = ""
    prefix: str = ""

    def deliver(
        self, message_id: str = "1", body: bytes = BODY, changed: Mapping[str, str] = NOTHING
    ) -> httpx.Response:
        """Send as the server does, or with other headers."""
        message_id = self.prefix + message_id
        headers = {**_signed(message_id, body), "content-type": "application/json", **changed}
        return sdk_web.post(self.url, content=body, headers=headers)


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=lambda serve: serve.__name__.strip("_"))
def served(request: pytest.FixtureRequest) -> Iterator[Site]:
    """One server for all tests of a framework."""
    handler = Handler()
    webhook = WebhookReceiver(
        lambda: Webhook(SECRET, clock=lambda: NOW),
        into=Order,
        max_body_bytes=LIMIT,
        store=MemoryStore(),
    )
    with request.param(webhook, handler) as url:
        yield Site(f"{url}/hooks/x", handler, request.param.__name__)


@pytest.fixture
def site(served: Site) -> Site:
    """The server, with message ids of this test's own."""
    served.handler.events.clear()
    served.handler.script.clear()
    return replace(served, prefix=f"{uuid.uuid4()}-")


def test_a_genuine_webhook(site: Site) -> None:
    """The view gets the event and its own arguments; what it returns is answered."""
    answer = site.deliver()

    assert (200, "x") == (answer.status_code, answer.text.strip('"'))
    [event] = site.handler.events
    expected = (f"{site.prefix}1", "order.created", {"id": "ord_1"})
    assert expected == (event.id, event.type, event.data)


@pytest.mark.parametrize(
    ("headers", "status", "detail"),
    [
        ({"webhook-id": "msg_2"}, 401, "The webhook's signature does not match."),
        ({"webhook-timestamp": "7"}, 401, "The webhook's timestamp is too far from now."),
        ({"webhook-timestamp": "x"}, 400, "The webhook's headers are missing or malformed."),
        ({"webhook-signature": ""}, 400, "The webhook's headers are missing or malformed."),
    ],
)
def test_not_genuine(site: Site, headers: dict[str, str], status: int, detail: str) -> None:
    """What is not genuine is answered with a problem document, and reaches no view."""
    answer = site.deliver(changed=headers)

    assert (status, detail) == (answer.status_code, answer.json()["detail"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert [] == site.handler.events


def test_signed_rubbish(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A signed body that is no event is answered with 400; the log says why."""
    answer = site.deliver(body=b"[4711]")

    assert (400, []) == (answer.status_code, site.handler.events)
    [record] = [each for each in caplog.records if each.name == "hookwright.webhooks"]
    assert "refused a webhook: InvalidPayloadError" in record.getMessage()


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(site: Site, chunked: bool) -> None:
    """A body beyond the limit is answered with 413, whether its length is declared or not."""
    body = b"x" * (LIMIT + 1)
    # Django behind WSGI sees an empty body where no length is declared.
    status = 400 if chunked and site.framework in {"_django", "_django_async"} else 413

    answer = sdk_web.post(site.url, content=iter([body]) if chunked else body)

    assert (status, status) == (answer.status_code, answer.json()["status"])


def test_a_repeat(site: Site) -> None:
    """An event that was handled is answered with 204 and not handled again; another one is."""
    statuses = [site.deliver(each).status_code for each in "112"]

    assert [200, 204, 200] == statuses
    assert ["1", "2"] == [event.id.removeprefix(site.prefix) for event in site.handler.events]


def _crash() -> int:
    raise RuntimeError("on purpose")


@pytest.mark.parametrize("failure", [_crash, lambda: 503])
@pytest.mark.filterwarnings("ignore")  # what frameworks and servers say of the crash
def test_a_failure_is_not_remembered(site: Site, failure: Callable[[], int]) -> None:
    """After a handler that raised or answered 503, the repeat is handled."""
    site.handler.script[:] = [failure]

    statuses = [site.deliver().status_code for _ in range(3)]

    assert [500 if failure is _crash else 503, 200, 204] == statuses
    assert 2 == len(site.handler.events)


def test_a_repeat_meanwhile(site: Site) -> None:
    """A repeat while the first is being handled is answered with 409 and a Retry-After."""
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> int:
        begun.set()
        assert go_on.wait(60)
        return 200

    site.handler.script[:] = [slowly]
    first: list[int] = []
    thread = threading.Thread(target=lambda: first.append(site.deliver().status_code))
    thread.start()
    assert begun.wait(60)

    answer = site.deliver()

    go_on.set()
    thread.join(60)
    assert ([200], 409, "5") == (first, answer.status_code, answer.headers["retry-after"])


def _to_the_database(data: dict[str, object]) -> Order:
    if data["id"] == "ord_0":
        raise ValueError("no such order")
    raise ConnectionError("the database is down")


@pytest.mark.filterwarnings("ignore")  # what frameworks and servers say of the fault
@pytest.mark.parametrize("serve", [_flask, _fastapi, _django, _django_asgi])
def test_a_converter_that_fails(serve: Serve) -> None:
    """A fault of a function is answered with 500 and comes again, its ValueError with 400."""
    webhook = WebhookReceiver(Webhook(SECRET, clock=lambda: NOW), into=_to_the_database)
    handler = Handler()
    with serve(webhook, handler) as url:
        site = Site(f"{url}/hooks/x", handler)
        fault, unfit = site.deliver(), site.deliver(body=BODY.replace(b"ord_1", b"ord_0"))

    assert (500, 400, []) == (fault.status_code, unfit.status_code, handler.events)


class _Views:
    """Two views behind one store in each framework; each notes that it was called."""

    def __init__(self, first: Receiver, second: Receiver) -> None:
        self.called: list[str] = []
        self._first, self._second = first, second

    def flask(self) -> AbstractContextManager[str]:
        app = Flask(__name__)

        @app.post("/first")
        @in_flask.receives(self._first)
        def first(event: WebhookEvent[Order]) -> None:
            self.called.append("first")

        @app.post("/second")
        @in_flask.receives(self._second)
        def second(event: WebhookEvent[Order]) -> None:
            self.called.append("second")

        return sdk_web.wsgi_server(app)

    def fastapi(self) -> AbstractContextManager[str]:
        app = FastAPI()

        @app.post("/first")
        @in_fastapi.receives(self._first)
        async def first(event: WebhookEvent[Order]) -> None:
            self.called.append("first")

        @app.post("/second")
        @in_fastapi.receives(self._second)
        async def second(event: WebhookEvent[Order]) -> None:
            self.called.append("second")

        return sdk_web.asgi_server(app)

    def django(self) -> AbstractContextManager[str]:
        @in_django.receives(self._first)
        def first(request: HttpRequest, event: WebhookEvent[Order]) -> None:
            self.called.append("first")

        @in_django.receives(self._second)
        async def second(request: HttpRequest, event: WebhookEvent[Order]) -> None:
            self.called.append("second")

        return sdk_web.django_server(
            path("first", first), path("second", transaction.non_atomic_requests(second))
        )


def _receiver(store: MemoryStore, name: str | None = None) -> Receiver:
    return WebhookReceiver(Webhook(SECRET, clock=lambda: NOW), into=Order, store=store, name=name)


@pytest.mark.parametrize("framework", [_Views.flask, _Views.fastapi, _Views.django])
def test_views_that_share_a_store(
    framework: Callable[[_Views], AbstractContextManager[str]],
) -> None:
    """Two endpoints of one message are called once each; receivers of one name once together."""
    called: list[list[str]] = []
    for name in (None, "billing"):
        store = MemoryStore()
        views = _Views(_receiver(store, name), _receiver(store, name))
        with framework(views) as url:
            for where in ("first", "second", "first", "second"):
                Site(f"{url}/{where}", Handler()).deliver()
        called.append(views.called)

    assert [["first", "second"], ["first"]] == called


def test_the_name_of_a_view() -> None:
    """Views are told apart by module and qualified name, those of classes by their class."""
    partial_view = partial(_to_the_database)
    names = [view_name(_to_the_database), view_name(View.as_view()), view_name(partial_view)]

    expected = [f"{__name__}._to_the_database", "django.views.generic.base.View"]
    assert [*expected, "functools.partial"] == names


def test_a_late_end_changes_nothing() -> None:
    """A handler that outlives its lease and fails drops neither the next claim nor what is done."""
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    webhook = _receiver(store)
    event = webhook.unwrap(BODY, _signed("msg_1"))
    late = webhook.begin(event, "view")
    now[0] = 301
    current = webhook.begin(event, "view")
    assert isinstance(late, Handling)
    assert isinstance(current, Handling)

    webhook.end(late, succeeded=False)
    meanwhile = webhook.begin(event, "view")
    webhook.end(current, succeeded=True)
    webhook.end(late, succeeded=False)
    after = webhook.begin(event, "view")

    assert isinstance(meanwhile, Answer)
    assert isinstance(after, Answer)
    assert (409, 204) == (meanwhile.status, after.status)


PLAIN = WebhookReceiver(Webhook(SECRET, clock=lambda: NOW), into=Order)
EventOfOrder = Annotated[WebhookEvent[Order], Depends(in_fastapi.verified(PLAIN))]


def test_the_dependency() -> None:
    """FastAPI's dependency gives the event; what is not genuine is an HTTPException."""
    app = FastAPI()

    @app.post("/hooks")
    async def received(event: EventOfOrder) -> str:
        return f"{event.id} {event.data['id']}"

    with sdk_web.asgi_server(app) as url:
        site = Site(f"{url}/hooks", Handler())
        good, bad = site.deliver(), site.deliver(changed={"webhook-id": "msg_2"})

    assert "1 ord_1" == good.json()
    assert (401, {"detail": "The webhook's signature does not match."}) == (
        bad.status_code,
        bad.json(),
    )
    with pytest.raises(UsageError, match="cannot deduplicate"):
        in_fastapi.verified(WebhookReceiver(SECRET, store=MemoryStore()))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_body_bytes": 0}, "max_body_bytes is a whole number above 0, not 0"),
        ({"max_body_bytes": "5"}, "max_body_bytes is a whole number above 0, not '5'"),
        ({"lease_seconds": None}, "lease_seconds is a number above 0, not None"),
        ({"remember_seconds": True}, "remember_seconds is a number above 0, not True"),
        ({"secret": "whsec_!"}, "whsec_"),
        ({"into": "Order"}, "into is a class, .* not 'Order'"),
        ({"into": {"order.created": [int]}}, "into is a class, .* not .*int"),
        ({"store": 5}, "store is a DeduplicationStore, .* not 5"),
        ({"name": 5}, "name has 1 to 128 .* not 5"),
        *(({"name": name}, "name has 1 to 128") for name in ("", "a:b", "a b", "x" * 129)),
    ],
)
def test_what_a_receiver_refuses(options: dict[str, Any], text: str) -> None:
    """What no receiver can work with is refused when it is made."""
    make: Any = WebhookReceiver
    with pytest.raises(UsageError, match=text):
        make(**{"secret": SECRET, **options})


def _takes_it_by_name(*, event: Any) -> None: ...
def _takes_nothing() -> None: ...


@pytest.mark.parametrize("view", [_takes_it_by_name, _takes_nothing])
def test_a_view_that_cannot_get_the_event(view: Any) -> None:
    """FastAPI's decorator refuses a view whose first argument cannot be the event."""
    with pytest.raises(UsageError, match=f"{view.__name__} needs a first argument for the event"):
        in_fastapi.receives(WebhookReceiver(SECRET))(view)


class _SlowStore(MemoryStore):
    """Claims when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on, self.claimed = (threading.Event() for _ in range(3))

    def claim(self, key: str, lease_seconds: float) -> Claim:
        self.asked.set()
        assert self.go_on.wait(60)
        claim = super().claim(key, lease_seconds)
        self.claimed.set()
        return claim


def test_django_whose_client_goes_meanwhile() -> None:
    """A view that is cancelled while the store claims its event leaves no claim behind."""
    store = _SlowStore()
    webhook = _receiver(store)

    @in_django.receives(webhook)
    async def view(request: HttpRequest, event: WebhookEvent[Order]) -> None:
        raise AssertionError("it was cancelled")

    async def give_up() -> None:
        headers = dict(_signed("msg_1"))
        task = asyncio.create_task(
            view(RequestFactory().generic("POST", "/", BODY, headers=headers))
        )
        await asyncio.to_thread(store.asked.wait, 60)
        task.cancel()
        await asyncio.sleep(0)  # it learns of that now
        store.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())

    assert store.claimed.wait(60)
    assert isinstance(
        webhook.begin(webhook.unwrap(BODY, _signed("msg_1")), view_name(view)), Handling
    )


class _BrokenStore(MemoryStore):
    def complete(self, key: str, token: str, remember_seconds: float) -> None:
        raise OSError("the store has gone")


def test_a_store_that_fails_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """When the handler has succeeded, a store that cannot note it changes the log alone."""
    webhook = WebhookReceiver(Webhook(SECRET, clock=lambda: NOW), store=_BrokenStore())
    begun = webhook.begin(webhook.unwrap(BODY, _signed("msg_1")))

    assert isinstance(begun, Handling)
    webhook.end(begun, succeeded=True)
    assert "could not note the end of the webhook msg_1" in caplog.text
