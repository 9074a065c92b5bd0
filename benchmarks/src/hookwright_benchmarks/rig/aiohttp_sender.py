"""The engine's sender on aiohttp: what the engine would cost with a general HTTP client.

For comparison only. It does the same work as the server's own sender (one POST, at most 4 KiB of
the answer kept) but checks no address.
"""

from __future__ import annotations

import time

import aiohttp

from hookwright_server.delivery.sender import Attempted, OutgoingRequest
from hookwright_server.domain.outcome import Delivered, Refused, Unreachable

_KEPT = 4_096


class AiohttpSender:
    """See `delivery.tools.Sending`."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
        )

    async def send(self, request: OutgoingRequest) -> Attempted:
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=request.timeout_ms / 1000)
        try:
            async with self._session.post(
                request.url,
                data=request.body,
                headers=list(request.headers),
                allow_redirects=False,
                timeout=timeout,
            ) as answer:
                body = await answer.content.read(_KEPT)
                status = answer.status
        except (TimeoutError, aiohttp.ClientError):
            return Attempted(Unreachable("connection_reset"), _since(started))
        outcome = Delivered(status) if 200 <= status < 300 else Refused(status)
        return Attempted(outcome, _since(started), body)

    async def aclose(self) -> None:
        await self._session.close()


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
