"""Mutants of one attempt: what it carries, how long it waits, and what its answer means."""

# ruff: noqa: INP001 - launch.py puts this folder on the path
# What replaces a method sees what the method sees.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from replacing import replace

from hookwright_server import wiring
from hookwright_server.delivery import exchange, prepare, recorder, request_head, sender, tls
from hookwright_server.delivery.loop import DeliveryLoop
from hookwright_server.delivery.prepare import Prepared, Preparer, SignedRequest
from hookwright_server.delivery.sender import Attempted, OutgoingRequest, Sender
from hookwright_server.domain import signing
from hookwright_server.domain.outcome import (
    DeadlineExceeded,
    Delivered,
    Outcome,
    Overflow,
    Refused,
    Unreachable,
)
from hookwright_server.domain.retry_policy import Decision, RetryPolicy, decide
from hookwright_server.domain.target_url import TargetUrl

_MANY = 1 << 30
_A_MINUTE_MS = 60_000
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name


def _outcome_becomes(change: Callable[[Outcome], Outcome]) -> None:
    send = Sender.send

    async def changed(self: Sender, request: OutgoingRequest) -> Attempted:
        attempted = await send(self, request)
        return dataclasses.replace(attempted, outcome=change(attempted.outcome))

    replace(Sender, "send", changed)


def knows_200_alone() -> None:
    """Every other 2xx is taken for a failure."""

    def only_200(outcome: Outcome) -> Outcome:
        if isinstance(outcome, Delivered) and outcome.status != 200:
            return Refused(outcome.status)
        return outcome

    _outcome_becomes(only_200)


def calls_a_timeout_a_reset() -> None:
    """Whoever does not answer in time is said to have closed the connection."""

    def reset(outcome: Outcome) -> Outcome:
        late = isinstance(outcome, DeadlineExceeded)
        return Unreachable("connection_reset") if late else outcome

    _outcome_becomes(reset)


def calls_a_long_head_a_timeout() -> None:
    """Too many header fields are recorded as an answer that came too late."""

    def late(outcome: Outcome) -> Outcome:
        return DeadlineExceeded("response") if isinstance(outcome, Overflow) else outcome

    _outcome_becomes(late)


def gives_up_after_a_second() -> None:
    """No endpoint gets the time that it was promised."""
    send = Sender.send

    async def impatient(self: Sender, request: OutgoingRequest) -> Attempted:
        timeout_ms = min(request.timeout_ms, 1_000)
        return await send(self, dataclasses.replace(request, timeout_ms=timeout_ms))

    replace(Sender, "send", impatient)


def endpoints_of_an_app_share_one_queue() -> None:
    """Four attempts at a time for all endpoints of an app together."""
    places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(4))
    send = DeliveryLoop._send  # noqa: SLF001 - the name that is replaced

    async def queued(self: DeliveryLoop, prepared: Prepared) -> Attempted:
        async with places[prepared.claimed.target.app_id]:
            return await send(self, prepared)

    replace(DeliveryLoop, "_send", queued)


def reads_all_of_an_answer() -> None:
    """However long it is."""
    replace(exchange, "MAX_BODY_BYTES", _MANY)
    replace(exchange, "MAX_WIRE_BYTES", _MANY)


def never_retries_client_errors() -> None:
    """`retry_client_errors` is not looked at."""

    def strict(
        outcome: Outcome, attempt: int, policy: RetryPolicy, now_ms: int, random: Any
    ) -> Decision:
        final = dataclasses.replace(policy, retry_client_errors=False)
        return decide(outcome, attempt, final, now_ms, random)

    replace(recorder, "decide", strict)


def asks_for_compression() -> None:
    """`Accept-Encoding: gzip`."""
    prefix = request_head.request_prefix

    def compressed(target: TargetUrl) -> bytes:
        return prefix(target).replace(b"identity", b"gzip")

    replace(sender, "request_prefix", compressed)


def misdates_the_body() -> None:
    """The body's timestamp is a minute after the acceptance."""
    build = signing.build_body

    def later(event_name: str, accepted_at: int, data: bytes) -> bytes:
        return build(event_name, accepted_at + _A_MINUTE_MS, data)

    replace(prepare, "build_body", later)


def _signed_becomes(change: Callable[[SignedRequest], SignedRequest]) -> None:
    sign = Preparer.sign

    def changed(self: Preparer, *arguments: Any) -> SignedRequest:
        return change(sign(self, *arguments))

    replace(Preparer, "sign", changed)


def sends_text() -> None:
    """`Content-Type: text/plain`."""

    def as_text(signed: SignedRequest) -> SignedRequest:
        headers = tuple(
            (name, "text/plain" if name == "content-type" else value)
            for name, value in signed.request.headers
        )
        return dataclasses.replace(
            signed, request=dataclasses.replace(signed.request, headers=headers)
        )

    _signed_becomes(as_text)


def shows_what_endpoints_are_told() -> None:
    """Attempts show an endpoint's own headers in clear."""

    def in_clear(signed: SignedRequest) -> SignedRequest:
        return dataclasses.replace(signed, shown_headers=dict(signed.request.headers))

    _signed_becomes(in_clear)


def writes_ipv6_hosts_bare() -> None:
    """`Host: ::1:8080`."""
    prefix = request_head.request_prefix

    def bare(target: TargetUrl) -> bytes:
        host = target.host.encode()
        return prefix(target).replace(b"Host: [%b]" % host, b"Host: %b" % host)

    replace(sender, "request_prefix", bare)


def _context_becomes(change: Callable[[ssl.SSLContext], None]) -> None:
    context_of = tls.outgoing_tls_context

    def changed(extra_ca_file: str | None = None) -> ssl.SSLContext:
        context = context_of(extra_ca_file)
        change(context)
        return context

    replace(wiring, "outgoing_tls_context", changed)


def verifies_no_certificate() -> None:
    """Whoever answers over TLS is believed."""

    def credulous(context: ssl.SSLContext) -> None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    _context_becomes(credulous)


def forgets_whose_certificate_it_is() -> None:
    """A certificate is good for every host."""

    def any_host(context: ssl.SSLContext) -> None:
        context.check_hostname = False

    _context_becomes(any_host)


def forgets_when_certificates_end() -> None:
    """A certificate is good for ever."""

    def for_ever(context: ssl.SSLContext) -> None:
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)

    _context_becomes(for_ever)


def trusts_no_authority() -> None:
    """What the operator trusts is not looked at."""

    def trusting_nobody(extra_ca_file: str | None = None) -> ssl.SSLContext:
        del extra_ca_file
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    replace(wiring, "outgoing_tls_context", trusting_nobody)
