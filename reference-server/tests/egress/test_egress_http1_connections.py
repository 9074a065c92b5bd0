"""How connections are dialled, kept, dropped and never shared."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from egress_lab import (
    OK,
    FixedResolver,
    Receiver,
    Run,
    Script,
    Send,
    Start,
    answering,
    make_sender,
    read_request,
    request_to,
)

from hookwright_server.delivery.http1 import connected_socket
from hookwright_server.delivery.sender import Attempted, Sender
from hookwright_server.domain.outcome import DeadlineExceeded, Delivered, Unreachable

NAME = "hooks.example.com"


def statuses(run: Run, sender: Sender, *steps: Callable[[], Awaitable[object]]) -> list[object]:
    """Run the steps one after the other with one sender; the outcomes of those that send."""

    async def all_steps() -> list[object]:
        try:
            results = [await step() for step in steps]
        finally:
            await sender.aclose()
        return [result.outcome for result in results if isinstance(result, Attempted)]

    outcomes: list[object] = run(all_steps())
    return outcomes


def attempt(sender: Sender, url: str, account_id: str = "acc_1") -> Callable[[], Awaitable[object]]:
    """A step that sends one request."""
    return lambda: sender.send(request_to(url, account_id=account_id))


def until(event: threading.Event) -> Callable[[], Awaitable[object]]:
    """A step that waits for a signal of the receiver; it must come while the sender is open."""

    async def wait() -> None:
        assert await asyncio.to_thread(event.wait, 10)

    return wait


@pytest.fixture
def closed_port() -> int:
    """A port on 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_connection_is_reused_for_the_same_account(run: Run, receiver: Start) -> None:
    """Three requests of one account to one place take one connection."""
    sink = receiver(answering(OK))
    sender = make_sender()

    assert [Delivered(200)] * 3 == statuses(run, sender, *[attempt(sender, sink.url())] * 3)
    assert 1 == sink.connections


def test_a_connection_is_never_shared_between_accounts(run: Run, receiver: Start) -> None:
    """Two accounts that send to the same place have a connection each."""
    sink = receiver(answering(OK))
    sender = make_sender()
    steps = [attempt(sender, sink.url(), account) for account in ("acc_1", "acc_2", "acc_1")]

    assert [Delivered(200)] * 3 == statuses(run, sender, *steps)
    assert 2 == sink.connections


def test_a_connection_is_never_shared_between_names(run: Run, receiver: Start) -> None:
    """Two names at one address have a connection each: what is judged is what is used."""
    sink = receiver(answering(OK))
    sender = make_sender(resolver=FixedResolver(["127.0.0.1"]))
    steps = [attempt(sender, sink.url(host=host)) for host in (NAME, "localhost", NAME)]

    assert [Delivered(200)] * 3 == statuses(run, sender, *steps)
    assert 2 == sink.connections


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
        OK + b"HTTP/1.1",
        OK + b"garbage",
        b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + bytes(700_000),
    ],
    ids=["close", "1.0", "short promise", "second answer", "half answer", "garbage", "too long"],
)
def test_a_connection_with_any_doubt_is_not_reused(run: Run, receiver: Start, reply: bytes) -> None:
    """An answer that promises an end, or is followed by more bytes, ends the connection."""
    sink = receiver(answering(reply))
    sender = make_sender()

    assert [Delivered(200)] * 2 == statuses(run, sender, *[attempt(sender, sink.url())] * 2)
    assert 2 == sink.connections


@pytest.mark.parametrize("afterwards", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_an_idle_connection_that_stirs_is_dropped(
    run: Run, receiver: Start, afterwards: bytes
) -> None:
    """An end or bytes while idle show on the socket before the next request goes out."""
    stirred = threading.Event()

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(OK)
        if sink.connections == 1:
            if afterwards:
                peer.sendall(afterwards)
            else:
                peer.shutdown(socket.SHUT_WR)
            stirred.set()
        read_request(peer)

    sink: Receiver = receiver(script)
    sender = make_sender()
    steps = [attempt(sender, sink.url()), until(stirred), attempt(sender, sink.url())]

    assert [Delivered(200)] * 2 == statuses(run, sender, *steps)
    assert 2 == sink.connections


def test_liveness_is_asked_of_the_socket_itself(run: Run, receiver: Start) -> None:
    """Even when the loop has not seen the end yet, a dead connection is not used."""
    ended = threading.Event()

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(OK)
        if sink.connections == 1:
            peer.shutdown(socket.SHUT_RDWR)
            ended.set()

    sink: Receiver = receiver(script)
    sender = make_sender()

    async def without_yielding() -> object:
        ended.wait(60)  # blocks the loop on purpose: it cannot notice the end by itself
        return await sender.send(request_to(sink.url()))

    steps = [attempt(sender, sink.url()), without_yielding]
    assert [Delivered(200)] * 2 == statuses(run, sender, *steps)


def test_a_connection_that_dies_under_a_request_is_a_counted_attempt(
    run: Run, receiver: Start
) -> None:
    """Nothing is sent twice in silence: the receiver may have acted on the request."""
    requests: list[bytes] = []

    def script(peer: socket.socket) -> None:
        requests.append(read_request(peer))
        peer.sendall(OK)
        requests.append(read_request(peer))

    sink = receiver(script)
    sender = make_sender()
    outcomes = statuses(run, sender, *[attempt(sender, sink.url())] * 2)

    assert [Delivered(200), Unreachable("connection_reset")] == outcomes
    assert (1, 2) == (sink.connections, len(requests))


def test_idle_connections_are_closed_in_time(run: Run, receiver: Start) -> None:
    """A connection that nobody needs is closed by the sender."""
    closed = threading.Event()

    def script(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while read_request(peer):
                peer.sendall(OK)
        closed.set()

    sink = receiver(script)
    sender = make_sender(idle_seconds=0.1)

    assert [Delivered(200)] == statuses(run, sender, attempt(sender, sink.url()), until(closed))


def test_the_pool_is_bounded(run: Run, receiver: Start) -> None:
    """Beyond the bound the connection that was used longest ago is closed."""
    sinks = [receiver(answering(OK)) for _ in range(3)]
    sender = make_sender(max_idle=2)
    order = [sinks[0], sinks[1], sinks[0], sinks[2], sinks[0], sinks[1]]
    outcomes = statuses(run, sender, *[attempt(sender, sink.url()) for sink in order])

    assert [Delivered(200)] * 6 == outcomes
    assert [1, 2, 1] == [sink.connections for sink in sinks]


def test_a_cancelled_attempt_takes_its_connection_along(run: Run, receiver: Start) -> None:
    """After a cancellation no late answer can be mistaken for another request's."""
    reached, ended = threading.Event(), threading.Event()

    def script(peer: socket.socket) -> None:
        read_request(peer)
        reached.set()
        with contextlib.suppress(OSError):
            peer.recv(1)
        ended.set()

    sink = receiver(script)
    sender = make_sender()

    async def cancel_midway() -> None:
        task = asyncio.create_task(sender.send(request_to(sink.url())))
        await asyncio.to_thread(reached.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert [] == statuses(run, sender, cancel_midway, until(ended))


def test_closing_the_sender_closes_its_connections(run: Run, receiver: Start) -> None:
    """After `aclose` nothing stays open at the receiver."""
    ended = threading.Event()

    def script(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while read_request(peer):
                peer.sendall(OK)
        ended.set()

    sink = receiver(script)
    sender = make_sender()
    statuses(run, sender, attempt(sender, sink.url()))

    assert ended.wait(60)


def test_nobody_listening_is_a_connect_error(send: Send, closed_port: int) -> None:
    """A closed port is a connect error, at once."""
    attempted = send(f"http://127.0.0.1:{closed_port}/")

    assert Unreachable("connect_error") == attempted.outcome


def test_the_next_address_is_tried_after_a_connect_error(send: Send, receiver: Start) -> None:
    """Of several vetted addresses the first that takes a connection gets the request."""
    sink = receiver(answering(OK), address="127.0.0.2")
    sender = make_sender(resolver=FixedResolver(["127.0.0.1", "::1", "127.0.0.2"]))
    attempted = send(sink.url(host=NAME), sender=sender)

    assert (Delivered(200), 1) == (attempted.outcome, sink.connections)


def test_ipv6_is_dialled(send: Send, receiver: Start) -> None:
    """An IPv6 literal is dialled, with brackets in Host."""
    seen: list[bytes] = []

    def script(peer: socket.socket) -> None:
        seen.append(read_request(peer))
        peer.sendall(OK)

    sink = receiver(script, address="::1")

    assert Delivered(200) == send(sink.url()).outcome
    assert f"\r\nHost: [::1]:{sink.port}\r\n".encode() in seen[0]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that a further one hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
        yield address[1]


def test_a_connection_that_hangs_is_bounded_by_the_deadline(send: Send, full_port: int) -> None:
    """Dialling counts against the total deadline."""
    attempted = send(f"http://127.0.0.1:{full_port}/", timeout_ms=300)

    assert DeadlineExceeded("connect") == attempted.outcome
    assert 290 <= attempted.latency_ms <= 30_000


def test_an_address_that_hangs_leaves_time_for_the_next(send: Send, full_port: int) -> None:
    """Each address has its share of the time that is left."""
    with socket.create_server(("127.0.0.2", full_port)) as listener:
        answerer = threading.Thread(target=_answer_one, args=(listener, answering(OK)))
        answerer.start()
        sender = make_sender(resolver=FixedResolver(["127.0.0.1", "127.0.0.2"]))
        attempted = send(f"http://{NAME}:{full_port}/", sender=sender, timeout_ms=4000)
        answerer.join()

    assert Delivered(200) == attempted.outcome


def _answer_one(listener: socket.socket, script: Script) -> None:
    peer, _ = listener.accept()
    with peer, contextlib.suppress(OSError):
        script(peer)


def test_a_connection_to_oneself_is_refused() -> None:
    """TCP can meet itself on a free local port; that is nobody listening."""

    class Loop(asyncio.SelectorEventLoop):
        async def sock_connect(self, sock: socket.socket, address: Any) -> None:
            sock.bind(address)
            sock.setblocking(True)
            sock.connect(address)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    with asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        with pytest.raises(ConnectionRefusedError):
            runner.run(connected_socket(loop, "127.0.0.1", port, loop.time() + 5))
