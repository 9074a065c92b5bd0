"""What the two public clients add: settings, options, ownership of connections, logs."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest

from hookwright import AsyncHookwright, Hookwright, UsageError, models
from hookwright._core.call import Call, CallOptions
from hookwright._core.runtime import Runtime
from hookwright._core.settings import settings_from
from hookwright._core.wire import WireRequest

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nX-Secret: s3cret\r\n\r\n{}"
FAILED = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NO_WAIT = Runtime(sleep=lambda seconds: None)
GET: Call[Any] = Call("apps.list", "GET", "/v1/apps", lambda parsed: parsed)


class Client(Hookwright):
    """With one operation of its own, so that these tests need none of the generated ones."""

    def call(self, call: Call[Any] = GET) -> Any:
        return self._core.request(call)


class AsyncClient(AsyncHookwright):
    """The same for asyncio."""

    async def call(self, call: Call[Any] = GET) -> Any:
        return await self._core.request(call)


def test_settings_come_from_the_environment(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without arguments the two variables say where and who."""
    monkeypatch.setenv("HOOKWRIGHT_API_KEY", "hw_test_env")
    monkeypatch.setenv("HOOKWRIGHT_BASE_URL", api.base_url)
    api.steps = [OK]

    with Client() as client:
        client.call()

    assert "Bearer hw_test_env" == api.requests[0].headers["authorization"]


@pytest.mark.parametrize("kind", [Hookwright, AsyncHookwright])
def test_missing_settings(
    kind: type[Hookwright | AsyncHookwright], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without key or address is not made."""
    monkeypatch.delenv("HOOKWRIGHT_API_KEY", raising=False)
    monkeypatch.delenv("HOOKWRIGHT_BASE_URL", raising=False)

    with pytest.raises(UsageError, match="HOOKWRIGHT_API_KEY"):
        kind()
    with pytest.raises(UsageError, match="HOOKWRIGHT_BASE_URL"):
        kind("key")


@pytest.mark.parametrize(
    "options", [{"timeout": -1}, {"max_retries": 1.5}, {"extra_headers": {"host": "x"}}]
)
def test_wrong_options(options: dict[str, Any]) -> None:
    """Options out of range are refused when the client is made."""
    for kind in (Hookwright, AsyncHookwright):
        with pytest.raises(UsageError):
            kind("key", base_url="http://127.0.0.1", **options)


def test_no_repr_shows_the_key() -> None:
    """Clients, settings and requests can be printed: the API key stays out."""
    with Hookwright("hw_live_x", base_url="http://127.0.0.1:1/") as client:
        settings = settings_from("hw_live_x", "http://127.0.0.1:1", {"cookie": "hw_live_x"})
        request = WireRequest("GET", "/", settings.headers, b"hw_live_x", None, "GET /")
        shown = [repr(client), repr(client.apps), repr(settings), repr(request)]
        same = AsyncHookwright("hw_live_x", base_url="http://127.0.0.1:1/")

        assert "Hookwright(base_url='http://127.0.0.1:1')" == shown[0]
        assert "AsyncHookwright(base_url='http://127.0.0.1:1')" == repr(same)
        assert [] == [each for each in shown if "hw_live_x" in each]


@pytest.mark.parametrize(
    ("model", "secret"),
    [
        (models.SecretRotated, "signing_secret"),
        (models.AppCreated, "signing_secret"),
        (models.AppProvisioned, "signing_secret"),
        (models.EndpointCreated, "signing_secret"),
        (models.ApiKeyCreated, "key"),
        (models.ApiKeyRotated, "key"),
    ],
)
def test_no_repr_shows_a_secret(model: type[Any], secret: str) -> None:
    """A model with a secret that is shown once can be printed without giving it away."""
    names = [each.name for each in attrs.fields(model)]
    shown = repr(model(**{name: f"<{name}>" for name in names}))

    assert f"<{secret}>" not in shown
    assert f"{model.__name__}(" in shown


def test_namespaces_are_made_once(api: ScriptedApi) -> None:
    """A namespace is the same object on each access, and a derived client has its own."""
    with Client("key", base_url=api.base_url) as client:
        derived = client.with_options(max_retries=0)

        assert client.apps is client.apps
        assert client.apps is not derived.apps


def test_with_options_shares_the_connections(api: ScriptedApi) -> None:
    """A derived client has its own defaults, leaves its parent's alone, and closes nothing."""
    api.steps = [FAILED, OK, OK]

    with Client("key", base_url=api.base_url, max_retries=0, _runtime=NO_WAIT) as client:
        with client.with_options(max_retries=1, extra_headers={"X-A": "1"}) as derived:
            derived.call()
        client.call()

    assert ["1", "1", None] == [request.headers.get("x-a") for request in api.requests]


# Sockets of a loop that is closed can only be left to the collector, which says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_of_an_event_loop_that_is_closed_says_so(api: ScriptedApi) -> None:
    """A second asyncio.run with the same client is a typed error that says what to do."""

    def stay(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        closing.wait()

    api.steps[:] = [stay]
    client = AsyncClient("key", base_url=api.base_url, max_retries=0)
    asyncio.run(client.call())

    with pytest.raises(UsageError, match="make a client in each loop"):
        asyncio.run(client.call())

    del client
    gc.collect()


def test_a_closed_client_says_so(api: ScriptedApi) -> None:
    """After close, the client and those derived from it refuse to be used."""
    client = Client("key", base_url=api.base_url)
    derived = client.with_options()
    client.close()
    client.close()

    for closed in (client, derived):
        with pytest.raises(UsageError, match="closed"):
            closed.call()


def test_a_given_http_client_stays_open(api: ScriptedApi) -> None:
    """Its headers are used; its auth, cookies and redirects are not; it is not closed."""
    redirect = b"HTTP/1.1 302 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    api.steps = [OK.replace(b"X-Secret: s3cret", b"Set-Cookie: a=b"), OK, redirect]
    with httpx.Client(
        headers={"X-Team": "blue", "Authorization": "Basic no", "User-Agent": "no"},
        cookies={"c": "d"},
        auth=("user", "password"),
        follow_redirects=True,
    ) as http:
        with Client("key", base_url=api.base_url, http_client=http) as client:
            client.call()
            client.call()
            with pytest.raises(Exception, match="302"):
                client.call()

        assert not http.is_closed
    for request in api.requests:
        assert "Bearer key" == request.headers["authorization"]
        assert "blue" == request.headers["x-team"]
        assert request.headers["user-agent"].startswith("hookwright-python/")
        assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timeout": "10"}, "a number of seconds above 0, or None, not '10'"),
        ({"timeout": httpx.Timeout(10)}, r"a number of seconds .*not Timeout\(timeout=10\)"),
        ({"timeout": float("nan")}, "a number of seconds above 0, or None, not nan"),
        ({"timeout": 1e12}, "at most 1000000 seconds, not 1000000000000.0; None waits"),
        ({"max_retries": "2"}, "max_retries is a whole number of at least 0, not '2'"),
        ({"api_key": b"secret"}, "the API key is a string, not bytes$"),
        ({"base_url": httpx.URL("http://h")}, r"a string, not URL\('http://h'\); pass str"),
        ({"base_url": "http://h/hooks/v1/"}, "not end in /v1, .*pass 'http://h/hooks'"),
        ({"app_info": ("shop", "2.1")}, "app_info is visible ASCII like 'shop/2.1', not"),
        ({"extra_headers": [("x", "secret")]}, "a mapping of names to values, .*not list$"),
        ({"verify": 7}, "verify is True, False, the path .*, not 7"),
        ({"verify": None}, "verify is True, False, the path .*, not None"),
        ({"proxy": 7}, "the proxy must be like"),
    ],
)
@pytest.mark.parametrize("flavour", [Hookwright, AsyncHookwright])
def test_malformed_arguments(flavour: Any, arguments: dict[str, Any], message: str) -> None:
    """An argument of the wrong type or size is a UsageError with the rule, never a secret."""
    with pytest.raises(UsageError, match=message):
        flavour(**{"api_key": "key", "base_url": "http://127.0.0.1", **arguments})


def test_the_wrong_kind_of_http_client() -> None:
    """Sync and async httpx clients cannot be mixed up."""
    with httpx.Client() as http, pytest.raises(UsageError, match=r"httpx\.AsyncClient"):
        AsyncHookwright("key", base_url="http://127.0.0.1", http_client=http)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"httpx\.Client"):
        Hookwright("key", base_url="http://127.0.0.1", http_client="no")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_the_async_client(api: ScriptedApi) -> None:
    """The async client calls, derives and closes like the sync one."""
    api.steps = [OK, OK]

    async def use() -> None:
        async with (
            httpx.AsyncClient() as http,
            AsyncClient("key", base_url=api.base_url, http_client=http) as client,
        ):
            async with client.with_options(timeout=3) as derived:
                assert {} == await derived.call()
            assert {} == await client.call()
            await client.aclose()
            assert not http.is_closed
        own = AsyncClient("key", base_url=api.base_url)
        await own.aclose()
        with pytest.raises(UsageError, match="closed"):
            await own.call()

    asyncio.run(use())

    assert 2 == len(api.requests)


def test_async_client_has_no_finaliser() -> None:
    """Collecting an async client does nothing: there may be no event loop any more."""
    assert not hasattr(AsyncHookwright, "__del__")


def test_debug_log_shows_no_secrets(api: ScriptedApi, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells operation, path, query names, status and retries, but no key and no value."""
    caplog.set_level(logging.DEBUG, logger="hookwright")
    api.steps = [b"", OK]
    call = Call(
        "trigger.send",
        "POST",
        "/v1/apps/a/trigger",
        lambda parsed: parsed,
        query=(("event_id", "private-value"),),
        body={"payload": "private-value"},
        idempotent=True,
        options=CallOptions(extra_headers={"X-Secret": "s3cret"}, idempotency_key="my-key"),
    )

    with Client("hw_test_key", base_url=api.base_url, _runtime=NO_WAIT) as client:
        derived = client.with_options()
        derived.call(call)

    ours = [record.getMessage() for record in caplog.records if record.name == "hookwright"]
    assert 5 == len(ours)
    assert "operation=trigger.send POST /v1/apps/a/trigger query=['event_id'] attempt=1" in ours[0]
    assert "APIConnectionError" in ours[1]
    assert "retry operation=trigger.send" in ours[2]
    assert "200" in ours[4]
    for private in ("private-value", "hw_test_key", "s3cret", "my-key"):
        assert private not in " ".join(ours)
