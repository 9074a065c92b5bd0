"""Traces: from the request that publishes to the attempt, and on to the endpoint."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import sqlalchemy as sa
from egress_lab import Receiver, read_request
from http_lab import Client, Lab, OpenLab, eventually
from http_live import serve_live
from http_sink import Got, Sink, reply
from opentelemetry.propagate import inject
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from hookwright_server.store import tables
from hookwright_server.telemetry import otel
from hookwright_server.telemetry.traces import NO_SPAN, NO_TRACES, PassOn, trace_id
from hookwright_server.telemetry.watch import WatchRefused, make_watch

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{PARENT}-01"
EVENT = {"event_name": "order.paid", "payload": {"n": 1}}


def publish(client: Client, app: str, **headers: str) -> dict[str, Any]:
    """Publish an event with these headers, and wait for its deliveries."""
    sent = client.call("POST", f"/v1/apps/{app}/trigger", EVENT, **headers)
    accepted: dict[str, Any] = sent.require(202)
    for delivery_id in accepted["delivery_ids"]:
        client.finished(delivery_id)
    return accepted


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (GIVEN, TRACE),
        (f"01-{TRACE}-{PARENT}-00", TRACE),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (GIVEN.upper(), None),
        (f"{GIVEN}-more", None),
        (f"{GIVEN}\n", None),
        (f"{GIVEN},{GIVEN}", None),
        ("", None),
        (None, None),
    ],
)
def test_only_valid_contexts_have_a_trace_id(header: str | None, expected: str | None) -> None:
    """W3C Trace Context, section traceparent."""
    passed_on = PassOn().request("trigger.send", header).traceparent

    assert (expected, expected) == (trace_id(header), trace_id(passed_on))


def test_a_context_of_a_later_version_is_passed_on_as_one_of_ours() -> None:
    """Only what version 00 defines is known to be whole."""
    span = PassOn().request("trigger.send", f"cc-{TRACE}-{PARENT}-01")

    assert GIVEN == span.traceparent


def test_by_default_nothing_of_the_publisher_is_passed_on(
    new_lab: OpenLab, sink: Callable[..., Sink]
) -> None:
    """Neither to the endpoint nor into the database."""
    lab, hook = new_lab(), sink()
    app = lab.client.new_app()["slug"]
    lab.client.new_endpoint(app, hook.url)
    publish(lab.client, app, traceparent=GIVEN)

    assert "traceparent" not in hook.last.headers
    assert [None] == _stored(lab)


def test_the_publishers_context_is_passed_on_unchanged(
    new_lab: OpenLab, sink: Callable[..., Sink]
) -> None:
    """On every attempt, to every endpoint; without one there is none, and signing is untouched."""
    lab, hook, other = new_lab(traces="pass"), sink(reply(500), reply(200)), sink()
    app = lab.client.new_app()["slug"]
    endpoint = lab.client.new_endpoint(
        app, hook.url, retry_policy={"delays_seconds": [0.01], "jitter": 0}
    )
    lab.client.new_endpoint(app, other.url)
    sent = publish(
        lab.client, app, traceparent=GIVEN, tracestate="vendor=private", baggage="who=private"
    )
    publish(lab.client, app)

    first, second, plain = hook.wait_for(3)
    carried = [got.headers.get("traceparent") for got in (first, second, plain)]
    assert [GIVEN, GIVEN, None] == carried
    assert GIVEN == other.got[0].headers["traceparent"]
    assert ["own"] == second.signed_by(own=endpoint["signing_secret"])
    assert not {"tracestate", "baggage"} & first.headers.keys()
    shown = [a["request_headers"] for d in sent["delivery_ids"] for a in lab.client.attempts(d)]
    assert [GIVEN] * 3 == [headers["traceparent"] for headers in shown]


def test_a_test_event_begins_no_trace(new_lab: OpenLab, sink: Callable[..., Sink]) -> None:
    """It answers the operator who asked, and is no message of the publisher's."""
    lab, hook = new_lab(traces="pass"), sink()
    app = lab.client.new_app()["slug"]
    endpoint = lab.client.new_endpoint(app, hook.url)
    path = f"/v1/apps/{app}/endpoints/{endpoint['id']}/test"
    lab.client.post(path, {}, traceparent=GIVEN).require(200)

    assert "traceparent" not in hook.last.headers


def test_nobody_can_set_the_header_on_an_endpoint(new_lab: OpenLab) -> None:
    """So a delivery carries at most one."""
    lab = new_lab()
    app = lab.client.new_app()["slug"]
    body = {"url": "http://127.0.0.1:9/", "headers": {"Traceparent": GIVEN}}

    assert "header_not_allowed" == lab.client.post(f"/v1/apps/{app}/endpoints", body).code


def test_without_traces_there_is_one_span_for_all() -> None:
    """Switched off, tracing makes no objects."""
    assert NO_SPAN is NO_TRACES.request("trigger.send", GIVEN)
    assert NO_SPAN is NO_TRACES.attempt(GIVEN, {})


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where servers with `traces="export"` leave their spans."""
    exporter = InMemorySpanExporter()

    def tracer(version: str) -> otel.OtelTracer:
        return otel.OtelTracer(SimpleSpanProcessor(exporter), version)

    monkeypatch.setattr(otel, "otlp_tracer", tracer)
    return exporter


def spans(memory: InMemorySpanExporter, name: str, count: int) -> Sequence[ReadableSpan]:
    """The finished spans of that name, once there are so many."""
    found: Sequence[ReadableSpan] = eventually(
        lambda: [span for span in memory.get_finished_spans() if span.name == name],
        lambda got: len(got) >= count,
    )
    return found


def test_attempts_are_children_of_the_request_that_published(
    new_lab: OpenLab, sink: Callable[..., Sink], memory: InMemorySpanExporter
) -> None:
    """The publisher's trace goes through both, and the endpoint gets the attempt's own context."""
    lab, hook = new_lab(traces="export"), sink(reply(503), reply(200))
    app = lab.client.new_app()["slug"]
    lab.client.new_endpoint(app, hook.url, retry_policy={"delays_seconds": [0.01], "jitter": 0})
    carrier: dict[str, str] = {}
    publisher = TracerProvider().get_tracer("publisher").start_as_current_span("checkout")
    with publisher as own:
        inject(carrier)
        sent = publish(lab.client, app, **carrier)

    [request] = spans(memory, "trigger.send", 1)
    attempts = spans(memory, "attempt", 2)
    context = own.get_span_context()
    assert request.parent is not None
    assert (context.trace_id, context.span_id) == (request.parent.trace_id, request.parent.span_id)
    assert {context_of(request).span_id} == {a.parent.span_id for a in attempts if a.parent}
    assert {context.trace_id} == {context_of(span).trace_id for span in (request, *attempts)}
    assert [_header(span) for span in attempts] == [got.headers["traceparent"] for got in hook.got]
    told = [(_of(a, "hookwright.outcome"), _of(a, "http.response.status_code")) for a in attempts]
    assert [("http_5xx", 503), ("delivered", 200)] == told
    assert [sent["message_id"]] * 2 == [_of(a, "hookwright.message") for a in attempts]
    assert (202, lab.owner.account_id) == (
        _of(request, "http.response.status_code"),
        _of(request, "hookwright.account"),
    )


def test_a_publisher_without_traces_begins_one_here(
    new_lab: OpenLab, sink: Callable[..., Sink], memory: InMemorySpanExporter
) -> None:
    """The request's span is then the root, and its attempts belong to it all the same."""
    lab, hook = new_lab(traces="export"), sink()
    app = lab.client.new_app()["slug"]
    lab.client.new_endpoint(app, hook.url)
    publish(lab.client, app)

    [request], [attempt] = spans(memory, "trigger.send", 1), spans(memory, "attempt", 1)
    assert request.parent is None
    assert context_of(request).trace_id == context_of(attempt).trace_id
    assert _header(attempt) == hook.last.headers["traceparent"]


def test_a_trace_that_is_not_sampled_is_passed_on_as_such(
    new_lab: OpenLab, sink: Callable[..., Sink], memory: InMemorySpanExporter
) -> None:
    """The publisher's decision holds: nothing is exported, and the endpoint is told."""
    lab, hook = new_lab(traces="export"), sink()
    app = lab.client.new_app()["slug"]
    lab.client.new_endpoint(app, hook.url)
    publish(lab.client, app, traceparent=f"00-{TRACE}-{PARENT}-00")

    assert hook.last.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert hook.last.headers["traceparent"].endswith("-00")
    exported = {context_of(span).trace_id for span in memory.get_finished_spans()}
    assert int(TRACE, 16) not in exported


def test_spans_hold_no_secret(
    new_lab: OpenLab, sink: Callable[..., Sink], memory: InMemorySpanExporter
) -> None:
    """Neither keys nor URLs, headers, payloads or what the endpoint answered."""
    canary = secrets.token_hex(16)
    lab, hook = new_lab(traces="export"), sink(reply(200, canary.encode()))
    app = lab.client.new_app()["slug"]
    endpoint = lab.client.new_endpoint(app, f"{hook.url}?token={canary}", headers={"X-Key": canary})
    body = {"event_name": "order.paid", "payload": {"secret": canary}}
    sent = lab.client.post(f"/v1/apps/{app}/trigger", body, tracestate=f"k={canary}").require(202)
    lab.client.finished(sent["delivery_ids"][0])
    spans(memory, "attempt", 1)
    text = "".join(span.to_json() for span in memory.get_finished_spans())

    assert [] == [
        secret
        for secret in (canary, endpoint["signing_secret"], lab.owner.live_key)
        if secret in text
    ]


def test_spans_reach_a_collector(tmp_path: Path, sink: Callable[..., Sink]) -> None:
    """`serve` exports by OTLP over HTTP, and what is left when it stops."""
    hook, received = sink(), Collector()
    environment = {
        "HOOKWRIGHT_TRACES": "export",
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
        "OTEL_SERVICE_NAME": "orders-webhooks",
    }
    with serve_live(tmp_path, **environment) as server:
        app = server.client.new_app()["slug"]
        server.client.new_endpoint(app, hook.url)
        publish(server.client, app, traceparent=GIVEN)
    received.stop()

    found = {span.name: span for span in received.spans if span.trace_id.hex() == TRACE}
    assert {"trigger.send", "attempt"} == found.keys()
    assert PARENT == found["trigger.send"].parent_span_id.hex()
    assert {"orders-webhooks"} == received.services


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not start silently without the traces that were asked for."""
    monkeypatch.delitem(sys.modules, "hookwright_server.telemetry.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(WatchRefused, match=r"hookwright-server\[otel\]"):
        make_watch(None, "export", "1")


class Collector:
    """Takes what an OTLP exporter posts."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._receiver = Receiver(self._serve)
        self._receiver.start()
        self.url = self._receiver.url().rstrip("/")

    @property
    def _resources(self) -> list[Any]:
        parsed = [ExportTraceServiceRequest.FromString(body) for body in self._bodies]
        return [resource for request in parsed for resource in request.resource_spans]

    @property
    def spans(self) -> list[Any]:
        """Every span that came."""
        return [s for r in self._resources for scope in r.scope_spans for s in scope.spans]

    @property
    def services(self) -> set[str]:
        """Who sent them."""
        attributes = [a for r in self._resources for a in r.resource.attributes]
        return {a.value.string_value for a in attributes if a.key == "service.name"}

    def stop(self) -> None:
        self._receiver.stop()

    def _serve(self, peer: socket) -> None:
        while raw := read_request(peer):
            self._bodies.append(Got(raw).body)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def context_of(span: ReadableSpan) -> SpanContext:
    """Its ids."""
    found: SpanContext | None = span.context
    assert found is not None
    return found


def _header(span: ReadableSpan) -> str:
    found = context_of(span)
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


def _of(span: ReadableSpan, name: str) -> object:
    return (span.attributes or {}).get(name)


def _stored(lab: Lab) -> list[str | None]:
    kept = sa.select(tables.messages.c.traceparent)
    return lab.database.read(lambda tx: list(tx.scalars(kept)))
