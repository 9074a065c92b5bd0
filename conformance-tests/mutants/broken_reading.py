"""Mutants of how a request is read: what is refused, what is pointed at, what leaves a record."""

# ruff: noqa: INP001 - launch.py puts this folder on the path
# What replaces a method sees what the method sees.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

from replacing import nothing, replace

from hookwright_server.clock import SystemClock
from hookwright_server.domain.strict_json import Document
from hookwright_server.errors import Refusal
from hookwright_server.http import dispatch, idempotency
from hookwright_server.http.answers import Answer
from hookwright_server.http.dispatch import Dispatcher, Request
from hookwright_server.http.edge import gate
from hookwright_server.http.edge.errors import FieldError
from hookwright_server.http.edge.operations import Operation
from hookwright_server.http.idempotency import Idempotency, Keyed
from hookwright_server.http.journal import Entry
from hookwright_server.http.rate_limit import Counted
from hookwright_server.http.request_ids import RequestIds
from hookwright_server.ids import Ids
from hookwright_server.services.principal import Principal
from hookwright_server.store.database import Connection
from hookwright_server.store.idempotency import RecordRow


def names_requests_itself() -> None:
    """No trace id becomes a request id."""
    ids, clock = Ids(), SystemClock()

    def of(self: RequestIds, traceparent: str | None) -> str:
        del self, traceparent
        return ids.new("req", clock.now_ms())

    replace(RequestIds, "of", of)


def reads_any_media_type() -> None:
    """A body is read as JSON, whatever it is declared as."""
    replace(dispatch, "_check_media_type", nothing)


def takes_nan_for_a_number() -> None:
    """NaN, which is no JSON, is read as 0."""
    parsed: Callable[[bytes], Document] = dispatch._parsed  # noqa: SLF001 - the name that is replaced

    def loosely(raw: bytes) -> Document:
        return parsed(raw.replace(b"NaN", b"0"))

    replace(dispatch, "_parsed", loosely)


def points_at_nothing() -> None:
    """What is wrong with a request is told without saying where."""
    pointed: Callable[[str, Sequence[FieldError]], Refusal] = dispatch._invalid  # noqa: SLF001 - the name that is replaced

    def somewhere(detail: str, errors: Sequence[FieldError]) -> Refusal:
        return pointed(detail, [FieldError("", each.code, each.message) for each in errors])

    replace(dispatch, "_invalid", somewhere)


def takes_payloads_of_any_length() -> None:
    """The limit of a payload is not looked at."""
    replace(dispatch, "check_payload", nothing)


def breaks_on_nul() -> None:
    """U+0000 in a path or a query is an unexpected error."""
    authenticated = Dispatcher._authenticated  # noqa: SLF001 - the name that is replaced

    def fragile(self: Dispatcher, operation: Operation, request: Request) -> Principal | None:
        texts = [*request.path_params.values(), *(str(each) for each in request.query.values())]
        if any("\0" in text or "\\x00" in text for text in texts):
            raise ValueError("embedded null byte")
        return authenticated(self, operation, request)

    replace(Dispatcher, "_authenticated", fragile)


def takes_any_batch() -> None:
    """The form of a batch is not looked at."""
    errors = gate.body_errors

    def no_errors(operation_id: str, value: object) -> list[FieldError]:
        return [] if operation_id == "trigger.send_batch" else errors(operation_id, value)

    replace(gate, "body_errors", no_errors)


def readiness_needs_a_key() -> None:
    """Nobody without a key learns whether events are accepted."""
    authenticated = Dispatcher._authenticated  # noqa: SLF001 - the name that is replaced

    def guarded(self: Dispatcher, operation: Operation, request: Request) -> Principal | None:
        if operation.operation_id == "health.ready":
            return self._authenticator.authenticate(request.headers.get("authorization"))
        return authenticated(self, operation, request)

    replace(Dispatcher, "_authenticated", guarded)


def one_place_for_all_idempotency_keys() -> None:
    """A key counts for a whole account, whatever the path and the environment."""
    keyed = Idempotency.keyed

    def anywhere(
        self: Idempotency, principal: Principal, route: str, key: str, body: bytes
    ) -> Keyed:
        del route
        anybody = dataclasses.replace(principal, environment="live")
        return keyed(self, anybody, "anywhere", key, body)

    replace(Idempotency, "keyed", anywhere)


def takes_any_idempotency_key() -> None:
    """Length and characters of a key are not looked at."""
    replace(idempotency, "_FORM", re.compile(r".*", re.DOTALL))


def remembers_refusals() -> None:
    """What was refused before it ran is the answer to every repeat."""
    run = Dispatcher._run  # noqa: SLF001 - the name that is replaced

    def remembering(
        self: Dispatcher,
        operation: Operation,
        call: Any,
        request: Request,
        entry: Entry,
        counted: Counted | None,
    ) -> Answer:
        try:
            return run(self, operation, call, request, entry, counted)
        except Refusal as refusal:
            keyed = self._keyed(operation, entry.principal, request)
            if keyed is not None:
                self._idempotency.keep(keyed, refusal, entry.request_id)
            raise

    def always(status: int) -> bool:
        del status
        return True

    replace(idempotency, "_is_recorded", always)
    replace(Dispatcher, "_run", remembering)


def forgets_who_is_under_way() -> None:
    """A repeat outside `trigger` does not see that the first request is still running."""
    start = Idempotency._start  # noqa: SLF001 - the name that is replaced

    def unaware(self: Idempotency, tx: Connection, keyed: Keyed) -> RecordRow | None:
        found = start(self, tx, keyed)
        return found if found is not None and found.status is not None else None

    replace(Idempotency, "_start", unaware)
