"""How the raw HTTP route takes answers that come early, and how long it waits for a quota."""

from __future__ import annotations

import socket
import threading

import pytest

from hookwright_conformance.errors import Unmet
from hookwright_conformance.route import HttpRoute, Request, Response, wait_asked_for
from hookwright_conformance.spec import Spec
from hookwright_conformance.timeline import Timeline

DATE: tuple[str, str] = ("Date", "Sun, 22 Nov 2026 10:00:00 GMT")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (None, 1),
        ("0", 0),
        ("17", 17),
        ("Sun, 22 Nov 2026 10:00:05 GMT", 5),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
    ],
)
def test_retry_after_in_both_forms(told: str | None, seconds: float) -> None:
    """A date counts from the answer's own, whatever clock the suite has."""
    headers = [DATE, *([] if told is None else [("Retry-After", told)])]

    assert seconds == wait_asked_for(Response(429, headers, b""))


@pytest.mark.parametrize("told", ["soon", "-1", "1.5", "Sun, 22 Nov 2026 10:00:05"])
def test_any_other_retry_after_is_told(told: str) -> None:
    """As an observation, so that it fails a case and not the suite."""
    with pytest.raises(Unmet, match="Retry-After: expected whole seconds or an HTTP date"):
        wait_asked_for(Response(429, [DATE, ("Retry-After", told)], b""))


PROBLEM = (
    b'{"type":"about:blank","title":"t","status":413,"detail":"d","code":"payload_too_large",'
    b'"request_id":"req_1","errors":[]}'
)


def test_an_answer_before_the_end_of_the_request_is_read() -> None:
    """Whoever refuses a body by its length need not read it: RFC 9110, section 15.5.14."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        refusing = threading.Thread(target=_refuse, args=(listening,), daemon=True)
        refusing.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        route = HttpRoute(url, None, Spec.load(), Timeline())
        long = Request("POST", "/v1/apps", {}, b"x" * 50_000_000)
        response = route.send(long, patient=False)
        refusing.join(30)

    assert (413, "payload_too_large") == (response.status, response.code)


def _refuse(listening: socket.socket) -> None:
    """Read the head of a request, answer and hang up."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(1_000)
        head = (
            b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/problem+json\r\n"
            b"X-Request-Id: req_1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head % len(PROBLEM) + PROBLEM)
