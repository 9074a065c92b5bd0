"""How requests get there: proxies, certificates, the name of the program; and closing it all."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import ssl
import sys
import threading
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sdk_certificates import own_certificate
from sdk_harness import Received, Step, answer, read_request

from hookwright import (
    APIConnectionError,
    AsyncHookwright,
    DefaultAioHttpClient,
    DefaultHttpxClient,
    Hookwright,
    MissingExtraError,
    UsageError,
)
from hookwright._core.http_clients import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdk_harness import ScriptedApi

EMPTY = b'{"data": [], "has_more": false, "next_cursor": null}'
FLAVOURS = ["sync", "async", "aiohttp"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tests run there may be a proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate of our own, and a server's context with it."""
    return own_certificate(tmp_path_factory.mktemp("certificates"))


def _list(flavour: str, base_url: str, **options: Any) -> None:
    """One call in a client of its own."""
    options = {"timeout": 5, "max_retries": 0, **options}
    if flavour == "sync":
        with Hookwright("hw_test_key", base_url=base_url, **options) as client:
            client.apps.list()
        return

    async def call() -> None:
        if flavour == "aiohttp":
            options["http_client"] = "aiohttp"
        async with AsyncHookwright("hw_test_key", base_url=base_url, **options) as client:
            await client.apps.list()

    asyncio.run(call())


def _over_tls(context: ssl.SSLContext, seen: list[Received]) -> Step:
    """What a TLS server does with a connection; its requests go to `seen`."""

    def serve(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as tls:
            request = read_request(tls)
            if request is not None:
                seen.append(request)
                tls.sendall(answer(EMPTY))

    return serve


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_proxy_gets_whole_addresses(flavour: str, api: ScriptedApi) -> None:
    """Under http the proxy gets the request itself, with the user and password of its URL."""
    api.steps = [answer(EMPTY)]
    proxy = api.base_url.replace("http://", "http://blue:s3cret@")

    _list(flavour, "http://hooks.example.com", proxy=proxy)

    [request] = api.requests
    assert "http://hooks.example.com/v1/apps" == request.target
    expected = "Basic " + b64encode(b"blue:s3cret").decode()
    assert expected == request.headers["proxy-authorization"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_proxy_from_the_environment(
    flavour: str, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY is used, and NO_PROXY spares its hosts."""
    monkeypatch.setenv("HTTP_PROXY", api.base_url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    api.steps = [answer(EMPTY), answer(EMPTY)]

    _list(flavour, "http://hooks.example.com")
    _list(flavour, api.base_url)

    targets = [request.target for request in api.requests]
    assert ["http://hooks.example.com/v1/apps", "/v1/apps"] == targets


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_tunnel_keeps_the_key_from_the_proxy(
    flavour: str, api: ScriptedApi, own: tuple[Path, ssl.SSLContext]
) -> None:
    """Under https the proxy sees host and port alone; an authority of one's own is trusted."""
    trusted, context = own
    seen: list[Received] = []
    api.steps = [_over_tls(context, seen)]

    _list(flavour, "https://127.0.0.1:4430", proxy=api.base_url, verify=trusted)

    [tunnel] = api.requests
    assert ("CONNECT", "127.0.0.1:4430") == (tunnel.method, tunnel.target)
    assert "authorization" not in tunnel.headers
    assert ["Bearer hw_test_key"] == [each.headers["authorization"] for each in seen]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_certificate_that_nobody_vouches_for(
    flavour: str, api: ScriptedApi, own: tuple[Path, ssl.SSLContext]
) -> None:
    """Without `verify` it is refused before the key is sent; False takes anything."""
    _, context = own
    seen: list[Received] = []
    api.steps = [_over_tls(context, seen), _over_tls(context, seen)]

    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        _list(flavour, "https://127.0.0.1:4430", proxy=api.base_url)
    refused = list(seen)
    _list(flavour, "https://127.0.0.1:4430", proxy=api.base_url, verify=False)

    assert ([], 1) == (refused, len(seen))


def test_an_authority_from_the_environment(
    api: ScriptedApi, own: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE is read when a client is made, even when others were made before."""
    trusted, context = own
    seen: list[Received] = []
    api.steps = [_over_tls(context, seen)]
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    _list("sync", "https://127.0.0.1:4430", proxy=api.base_url)

    assert 1 == len(seen)


@pytest.mark.parametrize("from_environment", [True, False])
def test_authorities_are_read_once(
    from_environment: bool, own: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients share what was read of a file, which takes long, until the file is another."""
    trusted, _ = own
    file = trusted.with_name(f"renewed-{from_environment}.pem")
    shutil.copy(trusted, file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    verify = True if from_environment else file

    first, second = tls_context(verify), tls_context(verify)
    file.write_text(trusted.read_text() + "\n")
    third = tls_context(verify)

    assert (True, False) == (first is second, first is third)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"verify": "/no/such/file.pem"}, "leads to no certificates"),
        ({"verify": __file__}, "leads to no certificates"),
        ({"proxy": "blue:s3cret@nowhere"}, "proxy must be like"),
        ({"proxy": "gopher://blue:s3cret@nowhere"}, "proxy must be like"),
        ({"app_info": "shop\r\nX: y"}, "app_info"),
        ({"hooks": print}, "Hooks"),
    ],
)
@pytest.mark.parametrize("kind", [Hookwright, AsyncHookwright])
def test_routes_that_cannot_be(
    kind: Callable[..., object], options: dict[str, Any], reason: str
) -> None:
    """What cannot be used is refused when the client is made, and no password is shown."""
    with pytest.raises(UsageError, match=reason) as caught:
        kind("hw_test_key", base_url="https://127.0.0.1", **options)

    assert "s3cret" not in str(caught.value)


def test_a_given_client_brings_its_own_route() -> None:
    """`proxy` and `verify` beside an `http_client` would do nothing, and say so."""
    with httpx.Client() as http, pytest.raises(UsageError, match="brings its own"):
        Hookwright("key", base_url="http://127.0.0.1", http_client=http, verify=False)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_user_agent(flavour: str, api: ScriptedApi) -> None:
    """It names the SDK, Python, the HTTP library and the caller's program, in this order."""
    api.steps = [answer(EMPTY)]

    _list(flavour, api.base_url, app_info="shop/2.1")

    parts = api.requests[0].headers["user-agent"].split()
    library = "aiohttp" if flavour == "aiohttp" else "httpx"
    assert ["hookwright-python", "python", library, "shop"] == [
        part.partition("/")[0] for part in parts
    ]


def test_default_clients_take_options(api: ScriptedApi) -> None:
    """The clients that ours are made of can be made with other options and handed in."""
    api.steps = [answer(EMPTY), answer(EMPTY)]
    limits = httpx.Limits(max_connections=2)

    with DefaultHttpxClient(limits=limits, headers={"X-Team": "blue"}) as http:
        _list("sync", api.base_url, http_client=http)

    async def call() -> None:
        async with (
            DefaultAioHttpClient(limits=limits, headers={"X-Team": "blue"}) as http,
            AsyncHookwright("key", base_url=api.base_url, http_client=http) as client,
        ):
            await client.apps.list()

    asyncio.run(call())
    assert ["blue", "blue"] == [request.headers["x-team"] for request in api.requests]


@pytest.mark.parametrize("package", ["aiohttp", "httpx_aiohttp"])
def test_aiohttp_is_an_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the message says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "hookwright._core.aiohttp_client", raising=False)

    with pytest.raises(MissingExtraError, match=r"hookwright\[aiohttp\]"):
        AsyncHookwright("key", base_url="http://127.0.0.1", http_client="aiohttp")


def test_aiohttp_knows_no_socks() -> None:
    """A proxy that the library cannot use is refused when the client is made."""
    with pytest.raises(UsageError, match="proxy must be like"):
        AsyncHookwright("k", base_url="http://x", http_client="aiohttp", proxy="socks5://p:1080")


def _hold(connection: socket.socket, closing: threading.Event) -> None:
    """Answers, and keeps the connection until the client closes it."""
    connection.sendall(answer(EMPTY).replace(b"Connection: close\r\n", b""))
    connection.recv(1)


@pytest.mark.serial
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_closed_clients_leave_nothing(flavour: str, api: ScriptedApi) -> None:
    """Hundreds of clients, opened, used and closed: as many sockets and objects as before."""

    def open_and_close(times: int) -> tuple[int, int]:
        api.steps = [_hold] * times
        for _ in range(times):
            _list(flavour, api.base_url)
        api.join()
        api.requests.clear()
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), len(gc.get_objects())

    files, objects = open_and_close(20)
    files_after, objects_after = open_and_close(100)

    assert files == files_after
    assert objects_after - objects < 100


def test_no_client_closes_itself() -> None:
    """A collected async client touches no event loop: closing is explicit."""
    assert not hasattr(AsyncHookwright, "__del__")
    assert not hasattr(Hookwright, "__del__")


def test_closed_is_seen(api: ScriptedApi) -> None:
    """`is_closed` tells of a client and of those derived from it."""
    client = Hookwright("key", base_url=api.base_url)
    derived = client.with_options(api_key="other")
    before = client.is_closed, derived.is_closed
    client.close()

    assert ((False, False), (True, True)) == (before, (client.is_closed, derived.is_closed))
    assert api.base_url == derived.base_url
