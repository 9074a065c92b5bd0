"""The engine with the real sender, against a real receiver on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest
from delivery_lab import DeliveryLab
from standardwebhooks import Webhook

from hookwright_server.clock import SystemClock
from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.delivery.resolver import ThreadResolver
from hookwright_server.delivery.sender import OutgoingRequest, Sender
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.domain.egress_policy import EgressPolicy, parse_allow_rule
from hookwright_server.domain.outcome import Delivered
from hookwright_server.store import tables


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets; answers with the statuses it was told, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver = cast("Receiver", self.server)
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver.received.append(
            ({name.lower(): value for name, value in self.headers.items()}, body)
        )
        self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Be quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a port of its own."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _real_sender() -> Sender:
    policy = EgressPolicy(allow=(parse_allow_rule("127.0.0.0/8"),), allow_http=True)
    return Sender(HttpClient(outgoing_tls_context()), ThreadResolver(), policy, SystemClock())


def test_a_webhook_arrives_signed_and_is_retried(lab: DeliveryLab, receiver: Receiver) -> None:
    """Over a real socket: a refusal, then a delivery, with one id and valid signatures."""
    app_id = lab.store.app()
    policy = '{"delays_seconds": [1], "jitter": 0}'
    endpoint_id = lab.store.endpoint(app_id, url=receiver.url, retry_policy=policy)
    lab.store.clock.now = SystemClock().now_ms()
    secret = lab.signing_secret(app_id, endpoint_id)
    delivery_id = lab.store.deliver(app_id, endpoint_id)
    receiver.statuses = [503]
    with lab.engine(make_sender=_real_sender) as engine:
        lab.settle(engine)
        lab.pass_time(engine, 1_000)

    assert ("delivered", 2) == (
        lab.store.row(tables.deliveries, delivery_id)["status"],
        len(receiver.received),
    )
    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received})
    for headers, body in receiver.received:
        assert Webhook(secret).verify(body, headers)["data"] is None
    assert [("http_5xx", b"ok"), (None, b"ok")] == [
        (row["failure_reason"], row["response_body"]) for row in lab.store.rows(tables.attempts)
    ]


def test_a_request_can_be_sent_outside_the_outbox(lab: DeliveryLab, receiver: Receiver) -> None:
    """`Engine.send` waits for the outcome and leaves no rows."""
    with lab.engine(make_sender=_real_sender) as engine:
        attempted = engine.send(
            OutgoingRequest("acc_one", receiver.url, [("webhook-id", "msg_1")], b"{}", 5_000)
        )

    assert Delivered(200) == attempted.outcome
    assert [] == lab.store.rows(tables.attempts)
