"""What the machine can say: events, what endpoints want, and how receivers answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

NAMES = ("order.paid", "order.refunded", "user.created")
PATTERNS = (("*",), ("order.*",), ("order.paid",), ("user.created", "order.refunded"))
SYSTEM = "_system"
SYSTEM_PATTERNS = (
    *(("*",), ("endpoint.*",), ("delivery.dead_letter",)),
    ("replay.completed", "endpoint.disabled"),
)


def instant(ms: int | None) -> str | None:
    """As the API writes it."""
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


@dataclass(frozen=True)
class Answer:
    """How a receiver answers, and what an attempt is to say of that."""

    status: int | None
    reason: str | None = None
    retry_after_ms: int = 0

    @property
    def is_success(self) -> bool:
        return self.reason is None


OK = Answer(200)
FAILS = Answer(500, "http_5xx")
SILENT = Answer(None, "timeout")
NOT_TRANSFORMED = Answer(None, "transformation_error")  # nothing was sent
CUT = Answer(None, "connection_reset")
ANSWERS = (
    *(
        OK,
        OK,
        Answer(204),
        FAILS,
        FAILS,
        Answer(503, "http_5xx"),
    ),
    *(Answer(400, "http_4xx"), Answer(410, "http_4xx"), Answer(429, "http_4xx", 7_000)),
    *(Answer(408, "http_4xx"), Answer(302, "http_3xx"), CUT),
)


@dataclass(frozen=True)
class Filter:
    """Rules of an endpoint, and what they say."""

    rules: dict[str, Any] | None
    least: int | None = None
    kind: str | None = None
    region: str | None = None

    def accepts(self, event: Event) -> bool:
        return (
            (self.least is None or event.number >= self.least)
            and (self.kind is None or event.kind == self.kind)
            and (self.region is None or event.region == self.region)
        )


FILTERS = (
    Filter(None),
    Filter(None),
    Filter({"payload.n": {"$gte": 5}}, least=5),
    Filter({"payload.kind": "a"}, kind="a"),
    Filter({"context.region": "eu"}, region="eu"),
    Filter({"$and": [{"payload.n": {"$gte": 5}}, {"payload.kind": "a"}]}, least=5, kind="a"),
)


@dataclass(frozen=True)
class Change:
    """A transformation, and the form of what it makes of a payload's fields."""

    mappings: tuple[tuple[str, str], ...] = ()
    form: bytes = b""

    @property
    def document(self) -> dict[str, Any] | None:
        """As the API takes it."""
        mappings = [{"from": source, "to": target} for source, target in self.mappings]
        return {"mappings": mappings} if mappings else None

    def of(self, event: Event) -> bytes | None:
        """What is sent as `data`; None: the payload lacks a field of it."""
        if not self.mappings:
            return event.payload
        try:
            return self.form % event.fields
        except KeyError:
            return None


CHANGES = (
    Change(),
    Change(
        (("payload.big", "amount"), ("payload.é", "who.name"), ("payload.kind", "who.kind")),
        b'{"amount":%(big)b,"who":{"name":%(name)b,"kind":%(kind)b}}',
    ),
    Change((("payload.b_only", "it"),), b'{"it":%(b_only)b}'),
)


@dataclass(frozen=True)
class Wanted:
    """What an endpoint asks for."""

    patterns: tuple[str, ...] = ("*",)
    filter: Filter = FILTERS[0]
    delays_ms: tuple[int, ...] = ()
    retry_client_errors: bool = False
    rate: tuple[int, int] | None = None
    change: Change = CHANGES[0]
    source: str = "endpoint"

    def of_system(self) -> Wanted:
        """The same of what the platform publishes, with no limit and as it is."""
        patterns = SYSTEM_PATTERNS[PATTERNS.index(self.patterns)]
        return replace(self, patterns=patterns, rate=None, change=CHANGES[0])

    @property
    def attempts(self) -> int:
        return len(self.delays_ms) + 1

    def takes(self, event: Event) -> bool:
        """Whether it subscribed to the event and its filter accepts it."""
        subscribed = any(
            pattern in ("*", event.name)
            or (pattern.endswith(".*") and event.name.startswith(pattern[:-1]))
            for pattern in self.patterns
        )
        return subscribed and self.filter.accepts(event)

    @property
    def document(self) -> dict[str, Any]:
        """As the API takes it."""
        return {
            "events": list(self.patterns),
            "filter_rules": self.filter.rules,
            "retry_policy": {
                "delays_seconds": [each / 1000 for each in self.delays_ms],
                "jitter": 0,
                "retry_client_errors": self.retry_client_errors,
            },
            "rate_limit": self.rate and {"max_requests": self.rate[0], "duration_ms": self.rate[1]},
            "transformation": self.change.document,
            "signing": {"source": self.source, "scheme": "v1"},
        }


@dataclass(frozen=True)
class Event:
    """An event to be published."""

    name: str
    number: int = 0
    kind: str = "a"
    region: str | None = None
    event_id: str | None = None
    tags: tuple[str, ...] = ()
    endpoint_ids: tuple[str, ...] | None = None
    deliver_at: int | None = None
    expires_at: int | None = None
    ordering_key: str | None = None
    dry_run: bool = False

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The values of the payload as they stand there; those of the kind b have one more."""
        common = {
            b"kind": b'"%b"' % self.kind.encode(),
            b"n": b"%d.0" % self.number,
            b"big": b"12345678901234567890.10",
            b"name": '"Zoë 🪝"'.encode(),
        }
        return common | ({b"b_only": b'{"\\u0062": [1 ,2.0]}'} if self.kind == "b" else {})

    @property
    def payload(self) -> bytes:
        """Bytes that no parser would write again like this."""
        form = b'{"kind" :%(kind)b,"n":%(n)b,"big":%(big)b,"\\u00e9":%(name)b'
        form += b', "b_only":%(b_only)b}' if self.kind == "b" else b"}"
        return form % self.fields

    @property
    def document(self) -> bytes:
        """The body of `trigger.send`."""
        members: dict[str, Any] = {
            "event_name": self.name,
            "filter_context": {"region": self.region} if self.region else None,
            "event_id": self.event_id,
            "tags": list(self.tags) or None,
            "endpoint_ids": None if self.endpoint_ids is None else list(self.endpoint_ids),
            "deliver_at": instant(self.deliver_at),
            "expires_at": instant(self.expires_at),
            "ordering_key": self.ordering_key,
            "dry_run": self.dry_run or None,
        }
        given = {name: value for name, value in members.items() if value is not None}
        return json.dumps(given).encode()[:-1] + b',"payload":' + self.payload + b"}"

    def body(self, accepted_at: int, data: bytes) -> bytes:
        """What a receiver gets (WIRE-2)."""
        head = f'{{"type":"{self.name}","timestamp":"{instant(accepted_at)}","data":'
        return head.encode() + data + b"}"


@dataclass(frozen=True)
class Happening(Event):
    """An event that the platform publishes itself; how it writes `data` is learned from it."""

    number: int = -1
    kind: str = ""
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    written: bytes = b""

    @property
    def payload(self) -> bytes:
        return self.written
