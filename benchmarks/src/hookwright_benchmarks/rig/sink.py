"""The verifying sink: answers 200, checks every signature with an HMAC of its own.

Told by JSON lines on stdin: {"expect": {path: secret}}, {"report": true}, {"release": true}.
Paths: what was told to expect is verified and noted; /limit is answered and nothing else;
/hold/… is noted and answered only when released; /after/N/… is answered N milliseconds later.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import ssl
import sys
import time
from typing import Any, cast

import uvloop

from hookwright_benchmarks.rig.lines import say

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_END = b"\r\n\r\n"
_AFTER = b"/after/"


class Ledger:
    """What arrived: [webhook-id, path, monotonic nanoseconds], and how many were not genuine."""

    def __init__(self) -> None:
        self.keys: dict[bytes, bytes] = {}
        self.arrivals: list[tuple[str, str, int]] = []
        self.not_genuine = 0
        self.held: list[asyncio.Transport] = []

    def note(self, path: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        now = time.monotonic_ns()
        message_id = headers.get(b"webhook-id", b"")
        signed = b"%b.%b.%b" % (message_id, headers.get(b"webhook-timestamp", b""), body)
        expected = b"v1," + base64.b64encode(hmac.digest(self.keys[path], signed, "sha256"))
        if expected not in headers.get(b"webhook-signature", b"").split():
            self.not_genuine += 1
        self.arrivals.append((message_id.decode("ascii", "replace"), path.decode(), now))

    def report(self) -> dict[str, Any]:
        found = {"arrivals": self.arrivals, "not_genuine": self.not_genuine, "held": len(self.held)}
        self.arrivals, self.not_genuine = [], 0
        return found

    def release(self) -> None:
        for transport in self.held:
            transport.write(_OK)
        self.held.clear()


class Receiver(asyncio.Protocol):
    """One connection. Requests carry Content-Length: the engine sends no other."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(_END)) >= 0:
            line, headers = _head(self._pending[:end])
            length = int(headers.get(b"content-length", b"0"))
            start = end + len(_END)
            if len(self._pending) < start + length:
                return
            body = self._pending[start : start + length]
            self._pending = self._pending[start + length :]
            self._handle(line.split(b" ")[1], headers, body)

    def _handle(self, path: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        if path in self._ledger.keys:
            self._ledger.note(path, headers, body)
        if path.startswith(b"/hold/"):
            self._ledger.held.append(self._transport)
        elif path.startswith(_AFTER):
            seconds = int(path.split(b"/")[2]) / 1000
            asyncio.get_running_loop().call_later(seconds, self._transport.write, _OK)
        else:
            self._transport.write(_OK)


def _head(head: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    first, *rest = head.split(b"\r\n")
    pairs = (line.split(b":", 1) for line in rest)
    return first, {name.lower(): value.strip() for name, value in pairs}


def _obey(ledger: Ledger, line: str) -> None:
    order = json.loads(line)
    for path, secret in order.get("expect", {}).items():
        ledger.keys[path.encode()] = base64.b64decode(secret.removeprefix("whsec_"))
    if "report" in order:
        say(ledger.report())
    if "count" in order:
        say([len(ledger.arrivals), len(ledger.held)])
    if "release" in order:
        ledger.release()


async def _serve(certificate: str | None) -> None:
    loop = asyncio.get_running_loop()
    ledger = Ledger()
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = await loop.create_server(
        lambda: Receiver(ledger), "127.0.0.1", 0, ssl=tls, backlog=2048
    )
    say({"port": server.sockets[0].getsockname()[1]})
    orders = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        _obey(ledger, line.decode())


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1] if len(sys.argv) > 1 else None))
