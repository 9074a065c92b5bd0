"""The machine's limit: requests a second that wrk, or else a bare client, gets out of the sink."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_CONNECTIONS = 64
_BODY_BYTES = 600
_RATE = re.compile(r"Requests/sec:\s*([\d.]+)")


def name() -> str:
    """What the limit is measured with here."""
    return "wrk" if shutil.which("wrk") else "a bare asyncio client (wrk is not installed)"


def requests_per_second(port: int, seconds: int, folder: Path) -> float:
    """POSTs per second that the sink answers on /limit, with as many connections as wrk likes."""
    if not shutil.which("wrk"):
        command = [sys.executable, "-m", __name__, str(port), str(seconds)]
    else:
        script = folder / "post.lua"
        script.write_text(
            'wrk.method = "POST"\n'
            f'wrk.body = string.rep("x", {_BODY_BYTES})\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
        )
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
        command += [f"http://127.0.0.1:{port}/limit"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = _RATE.search(output)
    if found is None:
        raise RuntimeError(f"{command[0]} printed no rate:\n{output}")
    return float(found[1])


class _Bare(asyncio.Protocol):
    """Sends again whenever anything comes back: no parser, the most that Python can do."""

    answers = 0
    request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        _Bare.answers += 1
        self._transport.write(self.request)


async def _run(port: int, seconds: float) -> None:
    _Bare.request = (
        f"POST /limit HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {_BODY_BYTES}\r\n\r\n"
    ).encode("ascii") + b"x" * _BODY_BYTES
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    for _ in range(_CONNECTIONS):
        await loop.create_connection(_Bare, "127.0.0.1", port)
    await asyncio.sleep(seconds)
    print(f"Requests/sec: {_Bare.answers / (time.monotonic() - began):.1f}")


if __name__ == "__main__":
    uvloop.run(_run(int(sys.argv[1]), float(sys.argv[2])))
