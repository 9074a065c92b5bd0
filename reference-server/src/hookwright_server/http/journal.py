"""What is noted of each request: its span, its measures, and one line in the log.

The line goes to the logger `hookwright.request`: refusals and everything that changes or reads
something always, published events by a sample (their deliveries have lines of their own), health
checks only with `debug`. No header, query or body is ever in it.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hookwright_server.errors import Refusal
from hookwright_server.http.answers import Answer, refused
from hookwright_server.http.edge.operations import Operation
from hookwright_server.http.request_ids import RequestIds
from hookwright_server.logs import Fields
from hookwright_server.services.principal import Principal
from hookwright_server.store.errors import WriterBusy
from hookwright_server.telemetry.meters import SILENT, RequestMeter
from hookwright_server.telemetry.traces import NO_TRACES, Span, Tracer, trace_id

_log = logging.getLogger("hookwright.request")
_chance = random.Random().random  # noqa: S311 - chooses a sample

_LONGEST_PATH = 200
_NO_OPERATION = "none"
_SAMPLED = "trigger.send"
_HEALTH = "health"


@dataclass(slots=True)
class Entry:
    """A request while it is served; who serves it notes what comes to be known."""

    operation: Operation | None
    method: str
    path: str
    span: Span
    began_at: float
    request_id: str
    principal: Principal | None = None
    code: str | None = None


class Journal:
    """Notes requests."""

    def __init__(
        self,
        request_ids: RequestIds,
        meter: RequestMeter = SILENT,
        tracer: Tracer = NO_TRACES,
        *,
        sampled_share: float = 1.0,
        chance: Callable[[], float] = _chance,
    ) -> None:
        """`sampled_share` (0 to 1) of the published events are logged."""
        self._request_ids = request_ids
        self._meter = meter
        self._tracer = tracer
        self._sampled_share = sampled_share
        self._chance = chance

    def begin(
        self, operation: Operation | None, method: str, path: str, traceparent: str | None
    ) -> Entry:
        """A request has arrived, and gets its id; `operation` is None when no route fits it."""
        name = _NO_OPERATION if operation is None else operation.operation_id
        tracer = NO_TRACES if name.startswith(_HEALTH) else self._tracer
        span = tracer.request(name, traceparent)
        request_id = self._request_ids.of(traceparent)
        return Entry(operation, method, path, span, time.perf_counter(), request_id)

    def refused(self, entry: Entry, error: Exception, refusal: Refusal) -> None:
        """It is answered with `refusal`, because of `error`."""
        entry.code = refusal.code
        if isinstance(error, WriterBusy):
            self._meter.refused("ingest_queue")
        elif refusal.code == "rate_limited" and entry.operation is not None:
            self._meter.refused("app" if entry.operation.tag == "trigger" else "key")

    def turn_away(self, entry: Entry, refusal: Refusal) -> Answer:
        """The answer to a request that never reaches the dispatcher, or fails behind it."""
        self.refused(entry, refusal, refusal)
        answer = refused(refusal, entry.request_id)
        headers = {**answer.headers, "X-Request-Id": entry.request_id}
        self.end(entry, answer)
        return replace(answer, headers=headers)

    def end(self, entry: Entry, answer: Answer) -> None:
        """It is answered."""
        seconds = time.perf_counter() - entry.began_at
        operation = entry.operation
        name = _NO_OPERATION if operation is None else operation.operation_id
        self._meter.answered(name, answer.status, seconds)
        if entry.span.traceparent is not None:
            self._end_span(entry, answer.status)
        if answer.status < 400 and name == _SAMPLED and self._chance() >= self._sampled_share:
            return
        level = _level(name, answer.status)
        if _log.isEnabledFor(level):
            _log.log(level, _fields(entry, name, answer.status, seconds))

    def _end_span(self, entry: Entry, status: int) -> None:
        fields: dict[str, str | int] = {
            "method": entry.method,
            "status": status,
            "request": entry.request_id,
        }
        if entry.principal is not None:
            fields["account"] = entry.principal.account_id
        entry.span.end(fields, error=entry.code if status >= 500 else None)


def _level(name: str, status: int) -> int:
    if status >= 500:
        return logging.WARNING
    return logging.DEBUG if name.startswith(_HEALTH) else logging.INFO


def _fields(entry: Entry, name: str, status: int, seconds: float) -> Fields:
    principal = entry.principal
    return Fields(
        request=entry.request_id,
        trace=trace_id(entry.span.traceparent),
        operation=name,
        method=entry.method,
        path=entry.path[:_LONGEST_PATH],
        status=status,
        code=entry.code,
        duration_ms=round(seconds * 1000, 1),
        account=None if principal is None else principal.account_id,
        environment=None if principal is None else principal.environment,
        key=None if principal is None else principal.key_id,
    )
