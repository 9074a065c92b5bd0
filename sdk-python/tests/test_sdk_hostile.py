"""Servers that mean harm or are broken: typed errors, within the timeout, and no secret lost."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import threading
import time
import tracemalloc
import weakref
import zlib
from typing import TYPE_CHECKING, Any, NoReturn

import httpx
import pytest
from sdk_harness import Step, answer, dripping

from hookwright import (
    AsyncHookwright,
    DefaultAioHttpClient,
    DefaultAsyncHttpxClient,
    DefaultHttpxClient,
    Hookwright,
    errors,
)
from hookwright._core.bodies import Body, unpack
from hookwright._core.call import Call
from hookwright._core.resolver import Resolver

if TYPE_CHECKING:
    from sdk_harness import Driver, ScriptedApi

GET: Call[Any] = Call("apps.get", "GET", "/v1/apps/x", lambda parsed: parsed["name"])
LARGE: Call[Any] = Call("o", "PUT", "/v1/o", lambda parsed: parsed, body={"x": "y" * 30_000_000})
NAME = b'{"name": "x"}'
CHUNK = b"1\r\n \r\n"


class Client(Hookwright):
    """With one operation of its own."""

    def call(self) -> Any:
        return self._core.request(GET)


DRIPS: dict[str, Step] = {
    "status line": dripping(b"", b"H"),
    "head": dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "many headers": dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "informational answers": dripping(b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    "chunks": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK),
    "length of a chunk": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "error page": dripping(b"HTTP/1.1 502 Bad\r\nContent-Length: 9999\r\n\r\n", b"<"),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_drip_ends_with_the_timeout(drip: Step, driver: Driver, api: ScriptedApi) -> None:
    """Wherever a server drips bytes, a try ends when its timeout is over, or before."""
    driver.with_options(timeout=0.25, max_retries=0)
    api.steps = [drip]
    began = time.monotonic()

    # "00000…" is no length of a chunk for long: that one may end as a broken answer.
    with pytest.raises(errors.APIConnectionError):
        driver.request(GET)

    assert time.monotonic() - began < 30  # the drip itself never ends


def test_a_server_that_never_reads(driver: Driver, api: ScriptedApi) -> None:
    """A request that nobody takes ends with the timeout as well."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        driver.point_to(url, timeout=0.3, max_retries=0)
        with pytest.raises(errors.APITimeoutError, match=r"within 0\.3 s"):
            driver.request(LARGE)


def test_a_tls_handshake_that_never_ends(driver: Driver, api: ScriptedApi) -> None:
    """A port that takes connections and says nothing costs the timeout, under https too."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        driver.point_to(url, timeout=0.2, max_retries=0)
        with pytest.raises(errors.APITimeoutError):
            driver.request(GET)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(NAME)),
        ("GZIP", gzip.compress(NAME)),
        ("deflate", zlib.compress(NAME)),
        ("deflate", zlib.compress(NAME)[2:-4]),
        ("identity", NAME),
    ],
    ids=["gzip", "upper-case", "deflate", "bare-deflate", "identity"],
)
def test_packed_bodies_are_unpacked(
    coding: str, packed: bytes, driver: Driver, api: ScriptedApi
) -> None:
    """What is asked for is understood: gzip, and deflate in the two forms that servers send."""
    api.steps = [answer(packed, Content_Encoding=coding)]

    assert "x" == driver.request(GET)


@pytest.mark.parametrize(
    ("coding", "packed", "reason"),
    [
        ("gzip", gzip.compress(NAME)[:-9], "cut off"),
        ("gzip", NAME, "cannot be decoded"),
        ("br", NAME, "not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(NAME)), "not asked for"),
    ],
    ids=["cut", "false", "unknown", "twice"],
)
def test_bodies_that_cannot_be_unpacked(
    coding: str, packed: bytes, reason: str, driver: Driver, api: ScriptedApi
) -> None:
    """A cut, false or unknown packing is named, and so is one in another."""
    api.steps = [answer(packed, Content_Encoding=coding)]

    with pytest.raises(errors.APIResponseError, match=reason):
        driver.request(GET)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_bomb_is_not_unpacked(
    chunked: bool, driver: Driver, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small body that unpacks to a large one is an error; under a status it keeps that status."""
    monkeypatch.setattr("hookwright._core.bodies.LARGEST_BODY_BYTES", 1_000_000)
    bomb = gzip.compress(bytes(3_000_000))
    api.steps = [
        answer(bomb, chunked=chunked, Content_Encoding="gzip"),
        answer(bomb, status=403, chunked=chunked, Content_Encoding="gzip"),
    ]

    with pytest.raises(errors.APIResponseError, match="larger than 1000000 bytes"):
        driver.request(GET)
    with pytest.raises(errors.PermissionDeniedError):
        driver.request(GET)


def test_a_bomb_takes_no_memory() -> None:
    """Unpacking stops at the limit, not after it."""
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        content, defect = unpack(bomb, "gzip", 100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (b"", "the body is larger than 100000 bytes") == (content, defect)
    assert peak < 1_000_000


def test_tiny_chunks_take_no_memory() -> None:
    """A body in chunks of two bytes costs what it holds, not an object for each chunk."""
    body = Body(200, {}, None)
    tracemalloc.start()
    try:
        for number in range(50_000):
            body.take(number.to_bytes(2, "little"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 100_000 == len(body.reply().body)
    assert peak < 1_000_000


def test_an_endless_chunked_body(
    driver: Driver, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body whose size nobody announced is given up at the limit."""
    monkeypatch.setattr("hookwright._core.bodies.LARGEST_BODY_BYTES", 1_000_000)
    sent = 0

    def flood(connection: socket.socket, closing: threading.Event) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        block = b"186a0\r\n" + b"x" * 100_000 + b"\r\n"
        while sent < 1_000_000_000:
            connection.sendall(block)
            sent += len(block)

    api.steps = [flood]

    with pytest.raises(errors.APIResponseError, match="larger than 1000000 bytes"):
        driver.request(GET)

    assert sent < 100_000_000


def test_the_documented_limit_of_a_body(driver: Driver, api: ScriptedApi) -> None:
    """A body of 64 MiB is taken; what goes on is an error there, and is neither kept nor read."""
    limit, sent = 64 * 1024 * 1024, 0
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

    def whole(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(head + b'{"name": "%s"}' % (b"x" * (limit - len('{"name": ""}'))))

    def endless(connection: socket.socket, closing: threading.Event) -> None:
        nonlocal sent
        connection.sendall(head)
        while sent < 1_000_000_000:
            connection.sendall(bytes(1024 * 1024))
            sent += 1024 * 1024

    api.steps = [whole, endless]
    name = driver.request(GET)
    assert limit == len('{"name": ""}') + len(name)

    del name
    tracemalloc.start()
    try:
        with pytest.raises(errors.APIResponseError, match="larger than 67108864 bytes"):
            driver.request(GET)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    api.join()

    assert peak < limit * 5 / 4
    assert sent < 2 * limit


def test_a_client_of_the_callers_leaks_nothing(api: ScriptedApi) -> None:
    """With hooks, auth and redirects of its own it still keeps the key from another host."""

    def read(response: httpx.Response) -> None:
        response.read()

    def refuse(response: httpx.Response) -> None:
        response.raise_for_status()

    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        target = f"http://127.0.0.1:{canary.getsockname()[1]}/steal"
        api.steps = [
            answer(NAME),
            answer(b'{"code": "moved"}', status=307, Location=target),
        ]
        with (
            DefaultHttpxClient(
                follow_redirects=True,
                auth=("user", "password"),
                event_hooks={"response": [read, refuse]},
            ) as http,
            Client("hw_test_key", base_url=api.base_url, http_client=http) as client,
        ):
            assert "x" == client.call()
            with pytest.raises(errors.APIStatusError, match="307 moved"):
                client.call()

        with pytest.raises(BlockingIOError):
            canary.accept()
    assert ["Bearer hw_test_key"] * 2 == [each.headers["authorization"] for each in api.requests]


@pytest.mark.parametrize("kind", [httpx.AsyncClient, DefaultAioHttpClient])
def test_an_async_client_of_the_callers_leaks_nothing(kind: Any, api: ScriptedApi) -> None:
    """One that would follow redirects, and keep cookies, does neither for our calls."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        target = f"http://127.0.0.1:{canary.getsockname()[1]}/steal"
        api.steps = [
            answer(status=308, Location=target, Set_Cookie="key=stolen; Path=/"),
            answer(b"", status=204),
        ]

        async def call() -> None:
            async with (
                kind(follow_redirects=True, auth=("user", "password")) as http,
                AsyncHookwright("hw_test_key", base_url=api.base_url, http_client=http) as client,
            ):
                with pytest.raises(errors.APIStatusError, match="never followed"):
                    await client.apps.delete("x")
                await client.apps.delete("x")

        asyncio.run(call())

        with pytest.raises(BlockingIOError):
            canary.accept()
    assert ["Bearer hw_test_key"] * 2 == [each.headers["authorization"] for each in api.requests]
    assert [] == [each for each in api.requests if "cookie" in each.headers]


def test_cookies_take_no_memory(api: ScriptedApi) -> None:
    """A server that sends ever new cookies leaves none with our clients."""
    api.steps = [answer(b"", status=204, Set_Cookie="a=b; Path=/") for _ in range(3)]

    async def call(http: httpx.AsyncClient) -> int:
        async with http, AsyncHookwright("k", base_url=api.base_url, http_client=http) as client:
            await client.apps.delete("x")
            return len(http.cookies)

    with (
        DefaultHttpxClient() as http,
        Hookwright("k", base_url=api.base_url, http_client=http) as client,
    ):
        client.apps.delete("x")
        kept = [len(http.cookies)]
    kept += [asyncio.run(call(kind())) for kind in (DefaultAsyncHttpxClient, DefaultAioHttpClient)]

    assert [0, 0, 0] == kept


def test_a_mistake_in_the_callers_hook_is_the_callers(api: ScriptedApi) -> None:
    """What a hook of the caller's own HTTP client raises is no connection error, nor retried."""

    def wrong(request: httpx.Request) -> None:
        raise ZeroDivisionError

    with (
        httpx.Client(event_hooks={"request": [wrong]}) as http,
        Client("hw_test_key", base_url=api.base_url, http_client=http) as client,
        pytest.raises(ZeroDivisionError),
    ):
        client.call()


@pytest.mark.parametrize("host", ["no-such-host.invalid", f"{'a' * 70}.example", "xn--a.invalid"])
def test_names_that_lead_nowhere(host: str, driver: Driver, api: ScriptedApi) -> None:
    """A name that cannot be resolved is a connection error, whatever the resolver thinks of it."""
    driver.point_to(f"http://{host}", timeout=5, max_retries=0)

    with pytest.raises(errors.APIConnectionError):
        driver.request(GET)


def test_a_resolver_that_never_answers(
    driver: Driver, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that nobody resolves costs the timeout of each try, and blocking calls one thread."""
    asked: list[object] = []
    given_up = threading.Event()

    def deaf(*arguments: object, **_: object) -> NoReturn:
        asked.append(arguments[0])
        given_up.wait(60)
        raise socket.gaierror("nobody has answered")

    monkeypatch.setattr(socket, "getaddrinfo", deaf)
    driver.point_to("http://api.example", timeout=0.2, max_retries=1)
    began = time.monotonic()
    try:
        with pytest.raises(errors.APITimeoutError, match=r"within 0\.2 s"):
            driver.request(GET)
        waited = time.monotonic() - began
    finally:
        given_up.set()

    assert waited < 30
    assert 1 == len(asked) if driver.flavour == "sync" else asked


def test_what_a_lookup_raised_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it the caller's frames would be kept until somebody asks for the name again."""

    class Held:
        pass

    def deaf(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror("nobody knows it")

    def ask() -> weakref.ref[Held]:
        held = Held()
        with pytest.raises(socket.gaierror):
            resolver.addresses("api.example", 443, timeout=60)
        return weakref.ref(held)

    monkeypatch.setattr(socket, "getaddrinfo", deaf)
    resolver = Resolver()
    kept = ask()
    gc.collect()

    assert kept() is None


def test_a_name_is_resolved(driver: Driver, api: ScriptedApi) -> None:
    """A name leads to its addresses, and on to the next where nobody listens at the first."""
    api.steps = [answer(NAME)]
    driver.point_to(api.base_url.replace("127.0.0.1", "localhost"), timeout=30)

    assert "x" == driver.request(GET)


def test_names_without_threads(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be begun, as at the end of a process, names are resolved all the same."""

    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "hookwright-resolver":
            raise RuntimeError("can't start new thread")
        start(thread)

    api.steps = [answer(NAME)]
    with Client("hw_test_key", base_url=api.base_url.replace("127.0.0.1", "localhost")) as client:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        got = client.call()
        monkeypatch.undo()

    assert "x" == got
