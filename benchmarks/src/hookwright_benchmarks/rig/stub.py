"""An API that answers at once, for what the SDK costs by itself. Prints its port."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

from hookwright_benchmarks.rig.lines import say

_INSTANT = "2026-11-21T09:00:00.412Z"


def app(number: int) -> dict[str, Any]:
    """An app as the API shows it."""
    return {
        "id": f"app_01JD7V0000000000000000{number:04}",
        "slug": f"app-{number}",
        "name": f"App {number}",
        "description": "An app of the benchmark.",
        "active": True,
        "retry_policy": None,
        "rate_limit_per_second": 100,
        "retention_days": 30,
        "event_type_policy": "open",
        "metadata": {"team": "payments"},
        "created_at": _INSTANT,
        "updated_at": _INSTANT,
    }


ACCEPTED = {
    "message_id": "msg_01JD7V00000000000000000001",
    "event_name": "order.created",
    "delivery_ids": ["del_01JD7V00000000000000000001", "del_01JD7V00000000000000000002"],
    "endpoint_count": 2,
    "filtered_count": 0,
    "dry_run": False,
}
PAGE = {"data": [app(number) for number in range(50)], "has_more": False, "next_cursor": None}


def _answer(status: str, document: object) -> bytes:
    body = json.dumps(document).encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii") + body


_ONE = _answer("200 OK", app(1))
_PAGE = _answer("200 OK", PAGE)
_ACCEPTED = _answer("202 Accepted", ACCEPTED)


class _Stub(asyncio.Protocol):
    """Answers by method and path. Bodies are small and come at once, or nearly so."""

    def __init__(self) -> None:
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        head, end, body = self._pending.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._pending = b""
        if head.startswith(b"POST"):
            self._transport.write(_ACCEPTED)
        else:
            self._transport.write(_PAGE if b"limit=50" in head.split(b"\r\n")[0] else _ONE)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Stub, "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve())
