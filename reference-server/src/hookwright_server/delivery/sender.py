"""One attempt: vet the URL, resolve, judge every address, send, and name the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hookwright_server.clock import Clock
from hookwright_server.delivery.exchange import Answer, Reply
from hookwright_server.delivery.http1 import HttpClient, Origin
from hookwright_server.delivery.request_head import (
    HeaderNotSendable,
    request_head,
    request_prefix,
)
from hookwright_server.delivery.resolver import Resolver
from hookwright_server.domain.egress_policy import BlockedAddress, EgressPolicy
from hookwright_server.domain.outcome import (
    Blocked,
    DeadlineExceeded,
    Delivered,
    Outcome,
    Refused,
    Unreachable,
    status_code,
)
from hookwright_server.domain.retry_after import parse_retry_after
from hookwright_server.domain.target_url import TargetUrl, UrlNotAllowed

_VETTED_URLS_KEPT: Final = 4096
_VERDICTS_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """What to POST, and for whom. `timeout_ms` runs from name resolution to the last byte."""

    account_id: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of a request. `response_body` is the first 4 KiB of the answer, raw."""

    outcome: Outcome
    latency_ms: int
    response_body: bytes = b""
    response_body_truncated: bool = False

    @property
    def status_code(self) -> int | None:
        """The status of the answer, when there was one."""
        return status_code(self.outcome)


@dataclass(frozen=True, slots=True)
class _Vetted:
    """A URL that passed the policy, with the request bytes that follow from it alone."""

    target: TargetUrl
    prefix: bytes


class Sender:
    """Sends requests that the egress policy allows. Belongs to one event loop.

    `clock` only reads dates in Retry-After; deadlines and latencies are in real, monotonic time.
    """

    def __init__(
        self, client: HttpClient, resolver: Resolver, policy: EgressPolicy, clock: Clock
    ) -> None:
        self._client = client
        self._resolver = resolver
        self._policy = policy
        self._clock = clock
        self._vetted: dict[str, _Vetted | Blocked] = {}
        # A policy never changes, so neither does its verdict on an address.
        self._judge = lru_cache(maxsize=_VERDICTS_KEPT)(policy.judge)

    async def send(self, request: OutgoingRequest) -> Attempted:
        """Make one attempt. Every failure is an outcome; only cancellation is raised."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        reply = await self._reply(request, started + request.timeout_ms / 1000)
        latency_ms = round((loop.time() - started) * 1000)
        if not isinstance(reply, Answer):
            return Attempted(reply, latency_ms)
        return Attempted(self._judged(reply), latency_ms, reply.body, reply.body_truncated)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _reply(self, request: OutgoingRequest, deadline: float) -> Reply | Blocked:
        vetted = self._vetted.get(request.url) or self._vet(request.url)
        if isinstance(vetted, Blocked):
            return vetted
        target = vetted.target
        try:
            head = request_head(vetted.prefix, request.headers, len(request.body))
        except HeaderNotSendable:
            return Unreachable("protocol_error")
        addresses = await self._addresses(target, request.account_id, deadline)
        if not isinstance(addresses, tuple):
            return addresses
        for address in addresses:
            verdict = self._judge(address, target.port)
            if isinstance(verdict, BlockedAddress):
                return Blocked(verdict.reason)
        origin = Origin(request.account_id, target.scheme, target.host, target.port)
        return await self._client.post(origin, addresses, head, request.body, deadline)

    def _vet(self, url: str) -> _Vetted | Blocked:
        """Check again what was checked when the URL was saved: the policy may have changed."""
        try:
            target = self._policy.vet(url)
            vetted: _Vetted | Blocked = _Vetted(target, request_prefix(target))
        except UrlNotAllowed as refused:
            vetted = Blocked(refused.reason)
        if len(self._vetted) >= _VETTED_URLS_KEPT:
            self._vetted.clear()
        self._vetted[url] = vetted
        return vetted

    async def _addresses(
        self, target: TargetUrl, account_id: str, deadline: float
    ) -> tuple[str, ...] | Unreachable | DeadlineExceeded:
        """Where `target` is, looked up anew for every attempt and never within one."""
        if target.is_ip_literal:
            return (target.host,)
        if target.host == "localhost":
            return self._policy.loopback_addresses(target.port)
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._resolver.resolve(target.host, account_id)
        except TimeoutError:
            return DeadlineExceeded("dns")
        except OSError:
            return Unreachable("dns_error")
        return addresses or Unreachable("dns_error")

    def _judged(self, answer: Answer) -> Outcome:
        if 200 <= answer.status < 300:
            return Delivered(answer.status)
        if answer.retry_after is None:
            return Refused(answer.status)
        wait_ms = parse_retry_after(answer.retry_after, self._clock.now_ms())
        return Refused(answer.status, wait_ms)
