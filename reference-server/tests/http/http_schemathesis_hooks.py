"""Hooks of schemathesis: what the schema language cannot say of a valid request is put in here.

A cursor is one that the server issued, ids are of things that exist, an idempotency key is fresh.
Only requests that are meant to succeed are touched. Schemathesis' own process finds the server in
the environment, a test in this process calls `seed`.
"""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from functools import cache, partial
from importlib import import_module
from typing import Any

from http_lab import Client, Document
from http_live import send_to
from http_world import Things, make_things
from schemathesis import GenerationMode, HookContext
from schemathesis.generation.meta import TestPhase

SERVER_VARIABLE = "SCHEMATHESIS_TESTS_SERVER"
NOWHERE = "http://127.0.0.1:1/hook"
_OWN_SECRET = "whsec_" + "QUJD" * 8
_library: Any = import_module("schemathesis")  # its types are incomplete
_EXACT_DIGITS = 16
_STATE: dict[str, Any] = {"client": None, "succeeded": Counter[str]()}
# These take what they are about away, or may be asked once only.
_SPENT_BY = {
    "apps.delete",
    "endpoints.delete",
    "api_keys.delete",
    "deliveries.retry",
    "deliveries.replay",
    "deliveries.create_replay",
    "messages.expunge",
    "event_types.delete",
}


def seed(client: Client) -> Counter[str]:
    """Let `client`'s server be the one; the result counts successes by operation id."""
    succeeded: Counter[str] = Counter()
    _STATE.update(client=client, succeeded=succeeded)
    _things.cache_clear()
    return succeeded


def before_call(context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """Make a request that is meant to succeed one that can."""
    meta = case.meta
    if meta is None or meta.generation.mode != GenerationMode.POSITIVE:
        return
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    case.query.pop("cursor", None)
    _mend_times(_operation_id(case), case.query)
    nothing: Document = {}
    has_object = isinstance(case.body, dict)
    body: Document = case.body if has_object else nothing
    _mend_body(_operation_id(case), body)
    if meta.phase.name != TestPhase.STATEFUL:
        _put_in_names(case)
    else:
        body.pop("endpoint_ids", None)  # links lead to apps that have other endpoints


def after_call(context: HookContext, case: Any, response: Any) -> None:
    """Count successes."""
    if response.status_code < 300:
        _STATE["succeeded"][_operation_id(case)] += 1
        if _operation_id(case).startswith("test_clock."):
            _things.cache_clear()  # retention takes what is old by now away


_library.hook(before_call)
_library.hook(after_call)


def _operation_id(case: Any) -> str:
    found: str = case.operation.definition.raw["operationId"]
    return found


def _put_in_names(case: Any) -> None:
    operation_id = _operation_id(case)
    fresh = operation_id in _SPENT_BY
    # What is published goes to one endpoint, not to all that were created meanwhile.
    things = make_things(_client(), NOWHERE) if fresh else _things(operation_id == "trigger.send")
    for name in case.path_parameters:
        if name == "app_slug" and operation_id == "apps.get_or_create":
            continue  # any slug will do
        case.path_parameters[name] = getattr(things, name)


def _mend_times(operation_id: str, query: dict[str, Any]) -> None:
    """A time of analytics begins before it ends, is short, and its counts are still kept."""
    if not operation_id.startswith("analytics."):
        return
    if "after" in query:
        query |= {"after": "2026-01-01T00:00:00Z", "before": "2026-01-03T00:00:00Z"}
    elif "before" in query:
        query["before"] = "2026-01-03T00:00:00Z"
    if operation_id in {"analytics.timeseries", "analytics.timeline"}:
        query["interval"] = "1d"


def _mend_body(operation_id: str, body: dict[str, Any]) -> None:
    _mend_members(body)
    if operation_id == "trigger.send_batch":
        for event in body.get("events") or ():
            _mend_members(event)
    if operation_id == "deliveries.create_replay":
        _mend_replay(body)
    if operation_id == "api_keys.create":
        body.pop("environment", None)
    if operation_id == "event_types.create":
        body["name"] = f"n{uuid.uuid4().hex}"
    if operation_id == "apps.create" and "slug" in body:
        body["slug"] = f"s{uuid.uuid4().hex}"
    if "secret" in (body.get("signing") or {}):
        body["signing"] |= {"scheme": "v1", "secret": _OWN_SECRET}
    if body.get("headers"):
        body["headers"] = {"X-Api-Key": "key"}
    if body.get("retry_policy"):
        body["retry_policy"].pop("max_attempts", None)


def _mend_members(body: dict[str, Any]) -> None:
    instead: dict[str, Any] = {
        "url": NOWHERE,
        "expires_at": "2999-01-01T00:00:00Z",
        "deliver_at": "2000-01-01T00:00:00Z",
        "app_slug": _things().app_slug,
        "endpoint_ids": [_things(True).endpoint_id],
        "event_type_policy": "open",  # others take only what is in their catalogue
        "schema": {"type": "object"},
    }
    body |= {name: value for name, value in instead.items() if name in body}
    if "ordering_key" in body:
        body.pop("deliver_at", None)
    for name in ("metadata", "filter_context", "example_payload"):
        if name in body:
            body[name] = _within_bounds(body[name])
    if body.get("filter_rules"):
        body["filter_rules"] = {"payload.a": {"$ne": 1}}
    if body.get("transformation"):
        body["transformation"] = {"mappings": [{"from": "payload", "to": "all"}]}


def _mend_replay(body: dict[str, Any]) -> None:
    """Ids alone, or a range that is short enough."""
    if "delivery_ids" in body:
        for name in body.keys() - {"delivery_ids", "dry_run"}:
            del body[name]
    else:
        body |= {"after": "2026-01-01T00:00:00Z", "before": "2026-01-02T00:00:00Z"}


def _within_bounds(value: Any) -> Any:
    """The same without integers that a JSON number cannot hold exactly."""
    return json.loads(json.dumps(value), parse_int=_exact, parse_float=float)


def _exact(digits: str) -> int:
    return int(digits) if len(digits) < _EXACT_DIGITS else 0


@cache
def _things(publishing: bool = False) -> Things:
    return make_things(_client(), NOWHERE)


def _client() -> Client:
    if _STATE["client"] is None:
        server = json.loads(os.environ[SERVER_VARIABLE])
        address = (server["host"], server["port"])
        _STATE["client"] = Client(partial(send_to, address), server["key"])
    client: Client = _STATE["client"]
    return client
