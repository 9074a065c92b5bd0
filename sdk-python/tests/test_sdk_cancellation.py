"""A caller that gives up: nothing is left open behind it."""

from __future__ import annotations

import asyncio
import socket
from typing import Literal

import pytest

from hookwright import AsyncHookwright


async def _after_cancelling(scheme: str, kind: Literal["aiohttp"] | None) -> tuple[bytes, bytes]:
    """What the server read before and after the call was cancelled, while the client lives on."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        async with AsyncHookwright("hw_test_key", base_url=url, http_client=kind) as client:
            call = asyncio.create_task(client.apps.get("payments"))
            async with asyncio.timeout(60):
                connection, _ = await loop.sock_accept(listener)
                with connection:
                    first = await loop.sock_recv(connection, 65536)
                    call.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await call
                    return first, await loop.sock_recv(connection, 65536)


@pytest.mark.parametrize("kind", [None, "aiohttp"], ids=["httpx", "aiohttp"])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_cancelled_call_closes_its_connection(
    scheme: str, kind: Literal["aiohttp"] | None
) -> None:
    """Cancelled in the middle of the TLS handshake or of the answer, a call leaves no socket."""
    first, then = asyncio.run(_after_cancelling(scheme, kind))

    assert first
    assert b"" == then
