"""The scripted receiver: what it records, and that each answer is on the wire what it says."""

from __future__ import annotations

import gc
import http.client
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from hookwright_conformance import answers
from hookwright_conformance.answers import Answer, status
from hookwright_conformance.errors import NotReceived
from hookwright_conformance.receiver import Hook, Listener, Receiver

RAW = (
    b"POST /%s?a=%%20b HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nx-twice:  2 \r\n"
    b"Content-Length: 5\r\n\r\nhello"
)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """One receiver with every listener."""
    with Receiver.start(tls=True, ipv6="::1") as started:
        yield started


def connect(url: str) -> socket.socket:
    """A TCP connection to the host of a URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), 60)


def post(hook: Hook, body: bytes = b"hello") -> http.client.HTTPResponse:
    """POST through http.client and read the whole answer."""
    parts = urlsplit(hook.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("POST", parts.path, body)
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


def raw_answer(hook: Hook) -> bytes:
    """Everything that comes back for one raw request, until the connection ends."""
    with connect(hook.url) as client:
        client.sendall(RAW % hook.name.encode())
        data = b""
        while chunk := client.recv(65536):
            data += chunk
        return data


def test_records_the_exact_bytes_headers_and_times(receiver: Receiver) -> None:
    """Bytes, header case, order and repetition, and times are kept as they were."""
    hook = receiver.path("exact")
    raw, before = RAW % hook.name.encode(), time.monotonic()
    with connect(hook.url) as client:
        client.sendall(raw)
        client.recv(1000)
    (request,) = hook.wait_for(1, 60)

    assert raw == request.raw
    assert ("X-Twice", "1") == request.headers[1]
    assert ("x-twice", "2") == request.headers[2]
    assert ["1", "2"] == request.values("X-TWICE")
    assert f"/{hook.name}?a=%20b" == request.target
    assert before <= request.began <= request.arrived <= request.ended_at
    assert abs(time.time() - request.wall) < 60


def test_decodes_a_chunked_body(receiver: Receiver) -> None:
    """A chunked request is recorded by its content."""
    hook = receiver.path("chunked")
    head = f"POST /{hook.name} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with connect(hook.url) as client:
        client.sendall(head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        client.recv(1000)

    assert b"abcde" == hook.wait_for(1, 60)[0].body


def test_numbers_requests_and_connections(receiver: Receiver) -> None:
    """Two requests on a kept connection share its number; a new connection has another."""
    hook = receiver.path("kept")
    with connect(hook.url) as client:
        for _ in range(2):
            client.sendall(RAW % hook.name.encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
    post(hook)
    first, second, third = hook.wait_for(3, 60)

    assert [1, 2, 3] == [first.number, second.number, third.number]
    assert first.connection == second.connection
    assert first.connection != third.connection


def test_follows_its_script_and_repeats_the_last_answer(receiver: Receiver) -> None:
    """Answer n goes to request n, the last one to all others."""
    hook = receiver.path("script", status(500), answers.gone(), status(204))

    assert [500, 410, 204, 204] == [post(hook).status for _ in range(4)]


def test_a_function_may_choose_the_answer(receiver: Receiver) -> None:
    """respond_with sees the request."""
    hook = receiver.path("function")
    hook.respond_with(lambda request: status(413 if len(request.head) > 10_000 else 201))

    assert 201 == post(hook).status


def test_unknown_paths_are_404_and_recorded(receiver: Receiver) -> None:
    """A request to a path that nobody made is kept as a stray."""
    hook = receiver.path("nobody")
    hook.name = "never-made"
    before = len(receiver.strays)

    assert 404 == post(hook).status
    assert before + 1 == len(receiver.strays)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            answers.redirect("http://x/", 308),
            b"HTTP/1.1 308 Permanent Redirect\r\nLocation: http://x/",
        ),
        (answers.retry_after(429, 7), b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"),
        (status(299), b"HTTP/1.1 299 Unassigned\r\n"),
        (answers.many_headers(count=2000), b"X-Many-1999: "),
    ],
    ids=lambda value: value.name if isinstance(value, Answer) else "",
)
def test_heads_are_as_declared(receiver: Receiver, answer: Answer, expected: bytes) -> None:
    """Status, phrase and headers of an answer stand on the wire."""
    hook = receiver.path("heads", Answer(answer.name, answer.steps, answers.Finish("close")))

    assert expected in raw_answer(hook)


def test_garbage_is_no_http(receiver: Receiver) -> None:
    """An HTTP client cannot read it."""
    with pytest.raises(http.client.BadStatusLine):
        post(receiver.path("garbage", answers.garbage()))


def test_truncated_body_ends_early(receiver: Receiver) -> None:
    """The connection ends before the declared length."""
    with pytest.raises(http.client.IncompleteRead):
        post(receiver.path("truncated", answers.truncated()))


@pytest.mark.parametrize("reads_body", [True, False])
def test_reset_is_a_reset(receiver: Receiver, reads_body: bool) -> None:
    """The client sees ECONNRESET."""
    hook = receiver.path("reset", answers.reset(reads_body=reads_body))
    with pytest.raises(ConnectionResetError):
        raw_answer(hook)

    assert "receiver" == hook.wait_for_end(1, 60).by


def test_close_is_an_end_without_answer(receiver: Receiver) -> None:
    """The client sees the end of the stream."""
    assert b"" == raw_answer(receiver.path("close", answers.close()))


def test_a_held_answer_comes_when_it_is_let_go(receiver: Receiver) -> None:
    """Not before; the script then goes on."""
    gate = threading.Event()
    hook = receiver.path("held", answers.held(gate, 503), status(204))
    with connect(hook.url) as client:
        client.sendall(RAW % hook.name.encode())
        hook.wait_for(1, 60)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        gate.set()
        client.settimeout(60)
        answer = client.recv(1000)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert 204 == post(hook).status


def test_hang_lasts_until_the_client_leaves(receiver: Receiver) -> None:
    """Nothing is sent; the moment at which the client left is known."""
    hook = receiver.path("hang", answers.hang())
    with connect(hook.url) as client:
        client.sendall(RAW % hook.name.encode())
        hook.wait_for(1, 60)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
    ending = hook.wait_for_end(1, 60)

    assert "client" == ending.by
    assert ending.at - hook.requests[0].began >= 0.2


def test_drip_sends_a_byte_at_a_time(receiver: Receiver) -> None:
    """Bytes arrive one by one, at the given interval."""
    hook = receiver.path("drip", answers.drip_body(interval=0.05, length=5))
    with connect(hook.url) as client:
        began = time.monotonic()
        client.sendall(RAW % hook.name.encode())
        got = b""
        while not got.endswith(b"\r\n\r\nxxxxx"):
            got += client.recv(1000)

    assert got.startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began >= 0.19


def test_delayed_answers_wait(receiver: Receiver) -> None:
    """Head or body come late."""
    for answer in (answers.delayed(0.2), answers.delayed(0.2, after_head=True)):
        began = time.monotonic()
        response = post(receiver.path("delayed", answer))

        assert 200 == response.status
        assert time.monotonic() - began >= 0.2


def test_large_body_stops_when_the_client_has_enough(receiver: Receiver) -> None:
    """50 MB are declared; a client that leaves after 64 KiB ends the exchange."""
    hook = receiver.path("large", answers.large_body())
    with connect(hook.url) as client:
        client.sendall(RAW % hook.name.encode())
        assert b"Content-Length: 50000000" in client.recv(65536)

    assert "client" == hook.wait_for_end(1, 60).by


def test_waiting_ends_when_the_condition_holds(receiver: Receiver) -> None:
    """wait_for returns as soon as the second request is there."""
    hook = receiver.path("wait")
    post(hook)
    later = threading.Thread(target=post, args=(hook,))
    later.start()

    assert 2 == len(hook.wait_for(2, 60))
    later.join()


def test_waiting_in_vain_says_what_came(receiver: Receiver) -> None:
    """The error names what was wanted and what was seen."""
    hook = receiver.path("vain")
    post(hook)
    with pytest.raises(NotReceived, match=r"expected 2 request\(s\), got 1 request\(s\)"):
        hook.wait_for(2, 0.05)


def test_one_request_too_many_is_noticed(receiver: Receiver) -> None:
    """stays_at returns in silence, and raises for a surplus request."""
    hook = receiver.path("quiet")
    hook.stays_at(0, 0.05)
    post(hook)

    with pytest.raises(NotReceived):
        hook.stays_at(0, 60)


def test_ipv6_listener_serves_the_same_paths(receiver: Receiver) -> None:
    """A hook is reached on [::1] too."""
    hook = receiver.path("six")
    with connect(hook.on("http6")) as client:
        client.sendall(RAW % hook.name.encode())
        client.recv(1000)

    assert "http6" == hook.wait_for(1, 60)[0].listener


def test_only_the_good_certificate_verifies(receiver: Receiver) -> None:
    """A client that trusts the authority reaches `good` and refuses the other four."""
    context = ssl.create_default_context(cafile=str(receiver.authority))
    hook = receiver.path("tls")
    with context.wrap_socket(connect(hook.on("good")), server_hostname="127.0.0.1") as client:
        client.sendall(RAW % hook.name.encode())
        client.recv(1000)
    (request,) = hook.wait_for(1, 60)
    assert ("good", "TLSv1.3") == (request.listener, request.tls)

    reasons: dict[Listener, str] = {
        "self_signed": "self-signed",
        "expired": "expired",
        "wrong_host": "IP address mismatch",
        "unknown_authority": "unable to get local issuer certificate",
    }
    for flavour, reason in reasons.items():
        raw = connect(hook.on(flavour))
        with raw, pytest.raises(ssl.SSLCertVerificationError, match=reason):
            context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_canary_notes_every_visit() -> None:
    """A connection to the canary is recorded with its first bytes."""
    with Receiver.start() as receiver:
        with connect(receiver.canary.url) as client:
            client.sendall(b"GET /canary HTTP/1.1\r\n\r\n")
            assert b"" == client.recv(10)

        (visit,) = receiver.canary.visits
        assert visit.data.startswith(b"GET /canary")


def test_public_url_replaces_the_bound_address() -> None:
    """Hooks are announced under the address that the sender uses."""
    with Receiver.start(public_url="https://hooks.example:{port}/") as receiver:
        hook = receiver.path("public")
        port = urlsplit(hook.url).port

    assert f"https://hooks.example:{port}/{hook.name}" == hook.url


def test_close_cuts_open_connections() -> None:
    """A hanging client is let go, and closing twice does no harm."""
    receiver = Receiver.start()
    hook = receiver.path("hang", answers.hang())
    with connect(hook.url) as client:
        client.sendall(RAW % hook.name.encode())
        hook.wait_for(1, 60)
        receiver.close()
        receiver.close()

        assert b"" == client.recv(1)


def stop_while_clients_come() -> None:
    """Some are being accepted while the receiver is closed."""
    receiver = Receiver.start(tls=True)
    places = [receiver.base_url("http"), receiver.base_url("good"), receiver.canary.url]
    clients = [connect(place) for place in places for _ in range(5)]
    receiver.close()
    for client in clients:
        client.close()


def test_close_leaves_no_socket_of_who_just_came() -> None:
    """Connections that are being accepted, in a handshake or at the canary are cut as well."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        gc.collect()
        warned.clear()  # what other tests left
        for _ in range(20):
            stop_while_clients_come()
        gc.collect()

    assert [] == [str(warning.message) for warning in warned]
