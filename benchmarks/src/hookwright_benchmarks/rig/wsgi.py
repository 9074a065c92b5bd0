"""Requests to a WSGI application in this process."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

WsgiApp = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. Header names are lower-case and in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def call(
    app: WsgiApp, key: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Send exactly this with the API key; `target` is path and query as on the wire."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, text in headers.items():
        variable = name.upper().replace("-", "_")
        environ[variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}"] = text
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, head: list[tuple[str, str]], _error: object = None) -> None:
        started.append((status, head))

    chunks = app(environ, start)
    try:
        content = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, head = started[0]
    return Answer(
        int(status[:3]), tuple(sorted((name.lower(), text) for name, text in head)), content
    )
