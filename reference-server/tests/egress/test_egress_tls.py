"""TLS is always verified: chain, name, dates, version."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from egress_certificates import NAME, Authority, outdate
from egress_lab import OK, FixedResolver, Run, Send, Start, answering, make_sender, request_to

from hookwright_server.delivery.sender import Attempted, Sender
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.domain.outcome import DeadlineExceeded, Delivered, Unreachable


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One authority for the whole module."""
    return Authority(tmp_path_factory.mktemp("authority"))


def trusting(ca_file: str | None) -> Sender:
    """A sender that finds NAME on loopback and trusts `ca_file` besides the system."""
    tls = outgoing_tls_context(ca_file)
    return make_sender(tls=tls, resolver=FixedResolver(["127.0.0.1"]))


def test_a_good_certificate_is_accepted_and_the_name_is_sent(
    send: Send, receiver: Start, authority: Authority
) -> None:
    """The connection goes to the vetted address; SNI and Host carry the name."""
    server = authority.good()
    asked: list[str | None] = []

    def note_name(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        asked.append(name)

    server.sni_callback = note_name
    sink = receiver(answering(OK), tls=server)
    url = sink.url(scheme="https", host=NAME)

    assert Delivered(200) == send(url, sender=trusting(authority.ca_file)).outcome
    assert [NAME] == asked


def test_a_certificate_for_an_address_is_accepted(
    send: Send, receiver: Start, authority: Authority
) -> None:
    """An https literal is verified against the certificate's addresses."""
    sink = receiver(answering(OK), tls=authority.good())
    url = sink.url(scheme="https")

    assert Delivered(200) == send(url, sender=trusting(authority.ca_file)).outcome


@pytest.mark.parametrize(
    "bad",
    [Authority.expired, Authority.wrong_name, Authority.self_signed, Authority.tls_1_1],
    ids=["expired", "wrong name", "self-signed", "TLS 1.1"],
)
def test_a_bad_certificate_or_version_is_a_tls_error(
    send: Send, receiver: Start, authority: Authority, bad: Callable[[Authority], ssl.SSLContext]
) -> None:
    """Nothing is sent over a connection that does not prove its name."""
    seen: list[bytes] = []

    def script(peer: socket.socket) -> None:
        seen.append(peer.recv(1))

    sink = receiver(script, tls=bad(authority))
    url = sink.url(scheme="https", host=NAME)

    assert Unreachable("tls_error") == send(url, sender=trusting(authority.ca_file)).outcome
    assert b"" == b"".join(seen)


def test_the_old_server_does_work_for_old_clients(receiver: Start, authority: Authority) -> None:
    """The TLS 1.1 case above fails for its version, not for a broken server."""
    sink = receiver(answering(OK), tls=authority.tls_1_1())
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lenient.load_verify_locations(authority.ca_file)
    outdate(lenient)
    with (
        socket.create_connection(("127.0.0.1", sink.port)) as plain,
        lenient.wrap_socket(plain, server_hostname=NAME) as secured,
    ):
        version = secured.version()

    assert "TLSv1.1" == version


def test_an_unknown_authority_is_a_tls_error(
    send: Send, receiver: Start, authority: Authority
) -> None:
    """Without the operator's file the test authority means nothing."""
    sink = receiver(answering(OK), tls=authority.good())
    url = sink.url(scheme="https", host=NAME)

    assert Unreachable("tls_error") == send(url, sender=trusting(None)).outcome


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_the_environment_adds_no_authority(
    send: Send,
    receiver: Start,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """Variables that OpenSSL and other clients obey decide nothing here."""
    file = Path(authority.ca_file)
    monkeypatch.setenv(variable, str(file.parent if variable.endswith("DIR") else file))
    sink = receiver(answering(OK), tls=authority.good())
    url = sink.url(scheme="https", host=NAME)

    assert Unreachable("tls_error") == send(url, sender=trusting(None)).outcome


def test_a_peer_that_speaks_no_tls_is_a_tls_error(
    send: Send, receiver: Start, authority: Authority
) -> None:
    """Plain HTTP on an https port is named for what it is."""

    def script(peer: socket.socket) -> None:
        peer.recv(100)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    url = receiver(script).url(scheme="https", host=NAME)

    assert Unreachable("tls_error") == send(url, sender=trusting(authority.ca_file)).outcome


def test_a_peer_that_hangs_up_in_the_handshake_is_a_tls_error(
    send: Send, receiver: Start, authority: Authority
) -> None:
    """A handshake that ends early is a TLS error, not an unnamed failure."""

    def script(peer: socket.socket) -> None:
        peer.recv(1)

    url = receiver(script).url(scheme="https", host=NAME)

    assert Unreachable("tls_error") == send(url, sender=trusting(authority.ca_file)).outcome


def test_a_handshake_that_stalls_is_bounded_by_the_deadline(
    send: Send, receiver: Start, authority: Authority
) -> None:
    """The handshake counts against the total deadline."""
    release = threading.Event()

    def script(peer: socket.socket) -> None:
        release.wait(60)

    url = receiver(script).url(scheme="https", host=NAME)
    attempted = send(url, sender=trusting(authority.ca_file), timeout_ms=300)
    release.set()

    assert DeadlineExceeded("tls") == attempted.outcome
    assert 290 <= attempted.latency_ms <= 30_000


def test_a_tls_connection_is_reused(run: Run, receiver: Start, authority: Authority) -> None:
    """Keep-alive spares the handshake, which costs most of an https delivery."""
    sink = receiver(answering(OK), tls=authority.good())
    sender = trusting(authority.ca_file)

    async def attempts() -> list[Attempted]:
        url = sink.url(scheme="https", host=NAME)
        results = [await sender.send(request_to(url)) for _ in range(3)]
        await sender.aclose()
        return results

    assert [Delivered(200)] * 3 == [attempted.outcome for attempted in run(attempts())]
    assert 1 == sink.connections


def test_the_context_verifies_and_starts_at_tls_1_2() -> None:
    """The defaults that must never be loosened."""
    context = outgoing_tls_context()

    assert (True, ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2) == (
        context.check_hostname,
        context.verify_mode,
        context.minimum_version,
    )
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_a_missing_extra_authority_stops_the_start(tmp_path: Path) -> None:
    """A wrong path in the settings is an error, not a silent loss of trust."""
    with pytest.raises(FileNotFoundError):
        outgoing_tls_context(str(tmp_path / "missing.pem"))
