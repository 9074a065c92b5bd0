"""The application and the command that the tests of the process model start as real processes."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hookwright_server.http.frontdoor import Limits
from hookwright_server.serving import (
    ProcessSettings,
    Ready,
    is_stopping,
    register_shutdown,
    serve,
)

STATUS_OF_CODE = {
    "validation_error": 400,
    "request_timeout": 408,
    "payload_too_large": 413,
    "uri_too_long": 414,
    "headers_too_large": 431,
    "internal_error": 500,
    "unavailable": 503,
}
_FOLDER = Path(os.environ.get("SERVING_TEST_FOLDER", "."))
_WAIT_S = 30.0


def render_problem(code: str, detail: str, request_id: str) -> tuple[int, bytes]:
    """A problem document that names everything a test looks at."""
    status = STATUS_OF_CODE[code]
    document = {"status": status, "code": code, "detail": detail, "request_id": request_id}
    return status, json.dumps(document).encode()


def make_app() -> Callable[..., Iterable[bytes]]:
    """The application; that it was made and that it was shut down leaves traces in files."""
    with (_FOLDER / "apps-made").open("a") as made:
        made.write("made\n")
    register_shutdown((_FOLDER / "shutdown-ran").touch)
    return _app


def make_app_once() -> Callable[..., Iterable[bytes]]:
    """Only the first two workers find what they need."""
    made = _FOLDER / f"made-{os.getpid()}"
    if len(list(_FOLDER.glob("made-*"))) >= 2 and not (_FOLDER / "repaired").exists():
        raise RuntimeError("the database is not there")
    made.touch()
    return _app


def fail_to_make_app() -> Callable[..., Iterable[bytes]]:
    """A factory that cannot."""
    raise RuntimeError("the database is not there")


def _app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    headers = [("content-type", "text/plain"), ("x-request-id", "f" * 32)]
    if path == "/large":
        headers.append(("content-length", str(64 << 20)))
        start_response("200 OK", headers)
        return _megabytes(64)
    if path == "/stream":
        start_response("200 OK", headers)
        return _megabytes(2)
    if path == "/boom":
        raise RuntimeError("boom")
    if path == "/hold":
        _hold()
    if path == "/pid":
        start_response("200 OK", headers)
        return [str(os.getpid()).encode()]
    if path == "/health/ready" and ((_FOLDER / "unready").exists() or is_stopping()):
        start_response("503 Service Unavailable", headers)
        return [b""]
    body = environ["wsgi.input"].read()
    digest = hashlib.sha256(body).hexdigest()
    start_response("200 OK", headers)
    return [f"{environ['REQUEST_METHOD']} {path} {len(body)} {digest}".encode()]


def _megabytes(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * (1 << 20)


def _hold() -> None:
    """Answer only once the test has said so."""
    (_FOLDER / "holding").touch()
    (_FOLDER / f"held-{os.getpid()}-{threading.get_ident()}").touch()
    deadline = time.monotonic() + _WAIT_S
    while not (_FOLDER / "release").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def main() -> int:
    """Serve as the options in the first argument say; tell the port on stdout."""
    options = json.loads(sys.argv[1])

    def announce(ready: Ready) -> None:
        event = {"port": ready.port, "worker_pids": ready.worker_pids}
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()

    return serve(
        options.get("factory", "serving_app:make_app"),
        render_problem=render_problem,
        limits=Limits(**options.get("limits", {})),
        process=ProcessSettings(**options.get("process", {})),
        on_ready=announce,
        port=options.get("port", 0),
    )


if __name__ == "__main__":
    sys.exit(main())
