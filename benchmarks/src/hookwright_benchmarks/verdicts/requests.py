"""Requests of every operation: what the contract shows, made worse in one place or several."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from hookwright_benchmarks.verdicts import hostile
from hookwright_server.http.edge import gate
from hookwright_server.http.edge.operations import BY_ID, OPERATIONS, Operation

Schema = dict[str, Any]

# Left out: what asks another machine, and what tells of this process.
_LEFT_OUT = frozenset({"endpoints.test"})
_LEFT_OUT_TAGS = frozenset({"health", "test_clock"})
_OPERATIONS = tuple(
    operation
    for operation in OPERATIONS
    if operation.operation_id not in _LEFT_OUT and operation.tag not in _LEFT_OUT_TAGS
)
_WITH_BODY = tuple(operation for operation in _OPERATIONS if operation.request_model is not None)
# How many names of a kind are remembered.
_FEW = {
    "app_slug": 1,
    "endpoint_id": 3,
    "message_id": 5,
    "delivery_id": 5,
    "key_id": 3,
    "event_type_id": 3,
}
# Deleting too much would leave nothing to be asked about.
_RARE = frozenset(
    {"apps.delete", "endpoints.delete", "api_keys.delete", "api_keys.rotate", "event_types.delete"}
)

_PATH_PARTS = (
    *("-", "no-such", "A" * 255, "A" * 256, "%00", "a%00b", "%ff", "%ed%a0%80", "..", "%2e%2e"),
    *("a%2Fb", "%EF%BC%A1", "1", "%20", "a%20b", "ep_0", "%F0%9F%8E%89", "app_" + "0" * 26, "é"),
)
_QUERIES: dict[str, tuple[str, ...]] = {
    "limit": ("1", "2", "3", "100", "0", "101", "-1", "1.0", "1e1", "٣", "9" * 30, "", "x", "%00"),
    "offset": ("0", "1", "5", "10000", "10001", "-1", "", "9223372036854775808"),
    "include_total": ("true", "false", "1", "TRUE", ""),
    "active": ("true", "false", "x"),
    "state": ("healthy", "degraded", "disabled", "Healthy", ""),
    "status": ("pending", "failed", "unsuccessful", "pending,failed", "PENDING", "", "%00"),
    "event_name": ("order.paid", "order", "*", "%25", "%00", "%ED%A0%80", "a" * 300, "é", "_"),
}
_INSTANTS = (
    *("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-13-01"),
    *("9999-12-31T23:59:59.999Z", "2026-01-01T00:00:00", "", "0", "2026-01-01T00:00:00%2B02:00"),
)
_KEYS = ("", "a b", "é", "k" * 255, "k" * 256, "%00", "\t", '"quoted"', "0")
_CONTENT_TYPES = (
    *("application/json; charset=utf-8", "APPLICATION/JSON", "text/plain", "", "application/json;"),
    *('application/json; charset="utf-8"', "application/json; charset=latin-1", "application/xml"),
)
# Plausible values by the name of a member: without them nothing would ever be accepted.
_PLAUSIBLE: dict[str, tuple[str, ...]] = {
    "name": ('"Shop"', '"Ünïcode 🎉"'),
    "url": ('"https://example.com/hook"', '"http://127.0.0.1:1/h?a=b"', '"ftp://x"', '"http://"'),
    "events": ('["order.*"]', '["order.paid","x"]', "null", "[]", '["*"]'),
    "metadata": ("{}", '{"a":{"b":[1,2.50,null,"é"]}}', '{"n":0.1e1}'),
    "headers": ('{"X-A":"b"}', "{}", '{"Host":"x"}', '{"X-A":"1","x-a":"2"}', '{"X-A":"a\\r\\nb"}'),
    "timeout_seconds": ("1", "30", "15", "31"),
    "retry_policy": ('{"preset":"default"}', '{"delays_seconds":[1],"jitter":0}', '{"preset":"x"}'),
    "description": ('"text"', "null", '"é"'),
    "event_name": ('"order.paid"', '"x"', '"a.b.c"'),
    "payload": ("{}", '{"n":1.50,"s":"é\\u00e9","big":123456789012345678901234567890}', "[1]"),
    "scopes": ('["read"]', '["admin"]', "[]", '["read","read"]'),
    "expires_at": ('"2099-01-01T00:00:00Z"', "null"),
    "rate_limit_per_second": ("1000", "null", "0"),
    "retention_days": ("1", "30", "0"),
    "active": ("true", "true", "false"),
    "release": ("true", "false"),
    "event_type_policy": ('"open"', '"open"', '"registered"'),
    "schema": ("null", "{}", '{"properties":{"n":{"maximum":1}}}', '{"$ref":"x"}', '{"type":1}'),
    "example_payload": ("null", '{"n":1.50}', '{"n":2}'),
    "group": ('"orders"', "null", '""'),
    "archived": ("true", "false", "false"),
    "filter_rules": (
        '{"payload.n":{"$gte":1.50}}',
        '{"$or":[{"payload.s":"x"},{"context.a":{"$exists":false}}]}',
        '{"payload..a":1}',
        "null",
        "{}",
    ),
    "filter_context": ("{}", '{"a":1}', "null"),
    "transformation": (
        '{"mappings":[{"from":"payload.n","to":"a.b"},{"from":"payload","to":"all"}]}',
        '{"mappings":[{"from":"body","to":"a"}]}',
        '{"mappings":[]}',
        "null",
    ),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. Header names and values are as in a WSGI environment: Latin-1."""

    number: int
    operation_id: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None


class Generator:
    """An endless stream of requests from a seed; `learn` tells it names that exist."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"verdicts {seed}")
        self._known: dict[str, list[str]] = defaultdict(list)
        self._cursors: list[str] = []

    def requests(self) -> Iterator[Request]:
        number = 0
        while True:
            number += 1
            yield self._request(number)

    def learn(self, operation_id: str, document: Any) -> None:
        """Look at a success."""
        kinds = {
            "apps.create": ("app_slug", "slug"),
            "apps.get_or_create": ("app_slug", "slug"),
            "endpoints.create": ("endpoint_id", "id"),
            "event_types.create": ("event_type_id", "id"),
        }
        if operation_id in kinds:
            kind, member = kinds[operation_id]
            # An app with much in it tells more than many with nothing.
            if kind != "app_slug" or not self._known[kind] or self._random.random() < 0.05:
                self._keep(kind, document[member])
        elif operation_id == "trigger.send":
            self._keep("message_id", document["message_id"])
            for each in document["delivery_ids"][:3]:
                self._keep("delivery_id", each)
        elif operation_id == "api_keys.create":
            self._keep("key_id", document["id"])
        elif isinstance(document, dict) and document.get("next_cursor"):  # pyright: ignore[reportUnknownMemberType]
            self._cursors = [*self._cursors[-20:], document["next_cursor"]]

    def _keep(self, kind: str, name: str) -> None:
        self._known[kind] = [*self._known[kind][-_FEW[kind] :], name]

    def _request(self, number: int) -> Request:
        random = self._random
        operation = random.choice(_WITH_BODY if random.random() < 0.8 else _OPERATIONS)
        if random.random() < 0.1:
            operation = BY_ID["trigger.send"]
        if operation.operation_id in _RARE and random.random() < 0.95:
            operation = random.choice(_OPERATIONS)
        target = self._path(operation) + self._query(operation)
        headers: dict[str, str] = {}
        body = None
        if operation.request_model is not None:
            body = self._body(operation)
            usual = random.random() < 0.97
            headers["Content-Type"] = "application/json" if usual else random.choice(_CONTENT_TYPES)
        if random.random() < 0.2:
            usual = random.random() < 0.9
            key = f"key-{random.randrange(40)}" if usual else random.choice(_KEYS)
            headers["Idempotency-Key"] = key
        return Request(number, operation.operation_id, operation.method, target, headers, body)

    def _path(self, operation: Operation) -> str:
        path = operation.rule
        for name in ("app_slug", "endpoint_id", "message_id", "delivery_id", "key_id"):
            path = path.replace(f"<{name}>", self._part(name), 1)
        return path

    def _part(self, name: str) -> str:
        known = self._known[name]
        if not known or self._random.random() < 0.06:
            part = self._random.choice(_PATH_PARTS)
            return quote(part, safe="%")
        if name == "app_slug" and self._random.random() < 0.1:
            return "-"
        return self._random.choice(known)

    def _query(self, operation: Operation) -> str:
        random = self._random
        parts = [
            f"{name}={self._query_value(name)}"
            for name in operation.query_names
            if random.random() < (0.15 if name in ("cursor", "offset") else 0.25)
        ]
        if random.random() < 0.03:
            parts.append(random.choice(("x=1", "limit=1&limit=2", "%00=1", "cursor", "&&", "=")))
        return "?" + "&".join(parts) if parts else ""

    def _query_value(self, name: str) -> str:
        random = self._random
        if name == "cursor" and self._cursors:
            cursor = random.choice(self._cursors)
            return cursor if random.random() < 0.7 else cursor[:-2] + random.choice(("AA", "", "é"))
        if name in ("after", "before"):
            return random.choice(_INSTANTS)
        if name.endswith("_id"):
            return self._part(name)
        return quote(random.choice(_QUERIES.get(name, ("", "x", "%00"))), safe="%")

    def _body(self, operation: Operation) -> bytes:
        random = self._random
        members = self._members(operation)
        for _ in range(random.choice((0, 0, 0, 1, 1, 1, 2, 4))):
            _worsen(random, members, operation)
        text = "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"
        body = text.encode("utf-8", "surrogatepass")
        return hostile.spoilt(random, body) if random.random() < 0.08 else body

    def _members(self, operation: Operation) -> list[tuple[str, str]]:
        random = self._random
        shown = random.choice(_examples(operation) or ({},))
        members = {json.dumps(name): json.dumps(value) for name, value in shown.items()}
        members |= {
            f'"{name}"': random.choice(_PLAUSIBLE[name])
            for name in _schema(operation).get("properties", {})
            if name in _PLAUSIBLE and (f'"{name}"' in members or random.random() < 0.1)
        }
        if '"slug"' in members:
            members['"slug"'] = f'"shop-{random.randrange(300)}"'
        if '"endpoint_ids"' in members:
            members['"endpoint_ids"'] = json.dumps([self._part("endpoint_id")])
        if '"app_slug"' in members:
            members['"app_slug"'] = json.dumps(self._part("app_slug"))
        return list(members.items())


def _worsen(random: Random, members: list[tuple[str, str]], operation: Operation) -> None:
    names = list(_schema(operation).get("properties", {})) or ["name"]
    chosen = json.dumps(random.choice(names))
    place = random.randrange(len(members) + 1)
    match random.randrange(6):
        case 0 | 1 | 2:
            members[:] = [each for each in members if each[0] != chosen]
            members.append((chosen, hostile.value(random)))
        case 3 if members:
            del members[place % len(members)]
        case 4 if members:
            members.insert(place, random.choice(members))
        case _:
            members.insert(place, (hostile.name(random), hostile.value(random)))


def _examples(operation: Operation) -> list[Schema]:
    content = _content(operation)
    return [example["value"] for example in content.get("examples", {}).values()]


def _schema(operation: Operation) -> Schema:
    return _resolved(_content(operation).get("schema", {}))


def _content(operation: Operation) -> Schema:
    found = _CONTENT.get(operation.operation_id)
    if found is None:
        items: dict[str, dict[str, Any]] = gate.document()["paths"]
        methods = (item.get(operation.method.lower()) for item in items.values())
        method = next(
            each for each in methods if each and each["operationId"] == operation.operation_id
        )
        found = method.get("requestBody", {}).get("content", {}).get("application/json", {})
        _CONTENT[operation.operation_id] = found
    return found


_CONTENT: dict[str, Schema] = {}


def _resolved(schema: Schema) -> Schema:
    reference: str | None = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = gate.document()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return _resolved(found)
