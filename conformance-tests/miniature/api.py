"""openapi.yaml over HTTP: what any API needs. Nothing here knows of webhooks."""

# ruff: noqa: INP001 - a folder to copy and start, not a package

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import jsonschema_rs
import yaml
from aiohttp import StreamReader, web

Document = dict[str, Any]
_FILES = (folder / "openapi.yaml" for folder in Path(__file__).resolve().parents)
CONTRACT: Document = yaml.load(next(filter(Path.is_file, _FILES)).read_bytes(), yaml.CSafeLoader)
COMPONENTS: Document = CONTRACT["components"]
SCHEMAS: Document = COMPONENTS["schemas"]
ERRORS: Document = SCHEMAS["ErrorCode"]["x-errors"]
LIMITS: dict[str, int] = CONTRACT["x-limits"]
TRACE = re.compile("00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
LITERAL = re.compile("true|false|0|-?[1-9][0-9]{0,9}")
ABSENT = {
    "deliver_at", "dry_run", "event_type_policy", "expires_at", "filter_context", "filter_rules",
    "metadata", "ordering_key", "rate_limit", "rate_limit_per_second", "retention_days", "signing",
    "tag", "tags", "transformation",
}  # fmt: skip
"""What this server does not have, it refuses instead of taking and ignoring it."""


class Problem(Exception):
    """A refusal (ERROR-1): where it points (ERROR-8), and the headers that go with it."""

    def __init__(self, code: str, detail: str, *pointers: str, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        errors = [{"pointer": each, "code": "invalid", "message": detail} for each in pointers]
        about = {"type": f"urn:hookwright:error:{code}", "code": code, "detail": detail}
        self.document: Document = about | ERRORS[code] | {"errors": errors}


class Call(NamedTuple):
    """A request that fits the contract; `payload` is the text of that member, as it came."""

    url: str
    path: dict[str, str]
    query: Document
    header: dict[str, str]
    body: Document
    payload: str


Outcome = str | Problem
Method = Callable[[Call], Awaitable[Document | str]]


class Operation:
    """One operation; `parts` are the schemas of a request's, `status` is that of a success."""

    def __init__(self, method: str, path: str, definition: Document) -> None:
        self.method, self.path = method.upper(), re.sub("{(.+?)}", "(?P<\\1>[^/]+)", path)
        self.name: str = definition["operationId"].replace(".", "_")
        self.status = int(min(definition["responses"]))
        self.public = definition.get("security") == []
        closed: Document = {"type": "object", "additionalProperties": False}
        self.parts: dict[str, Document] = {
            part: closed | {"properties": {}} for part in ("path", "query", "header", "body")
        }
        for each in map(_resolved, definition.get("parameters", ())):
            self.parts[each["in"]]["properties"][each["name"]] = each["schema"]
        if "requestBody" in definition:
            body = definition["requestBody"]["content"]["application/json"]["schema"]
            self.parts["body"] = _resolved(body)
        schema = {"properties": self.parts, "components": COMPONENTS}
        self._judges = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def read(self, request: web.BaseRequest, path: dict[str, str], raw: bytes) -> Call:
        """What is asked for, with defaults. Raises Problem, which points at all faults."""
        kinds = {name: each.get("type") for name, each in self.parts["query"]["properties"].items()}
        query: Document = {}
        for name in request.query:
            texts, typed = request.query.getall(name), kinds.get(name) in ("integer", "boolean")
            values = [json.loads(t) if typed and LITERAL.fullmatch(t) else t for t in texts]
            query[name] = values if kinds.get(name) == "array" or len(values) > 1 else values[0]
        header = {
            name: request.headers[name].encode("utf-8", "surrogateescape").decode("latin-1")
            for name in self.parts["header"]["properties"]
            if name in request.headers
        }
        body: Document = _parsed(raw) if raw else {}
        parts: dict[str, Document] = {"path": path, "query": query, "header": header, "body": body}
        self._judge(parts)
        payload = _text_of(raw.decode(), "payload") if "payload" in body else "{}"
        if len(payload.encode()) > LIMITS["payload_bytes"]:
            raise Problem("payload_too_large", "a payload has at most 256 KiB")
        for part, schema in self.parts.items():
            for name, each in schema["properties"].items():
                if "default" in each:
                    parts[part].setdefault(name, each["default"])
        return Call(request.path, **parts, payload=payload)

    def _judge(self, parts: dict[str, Document]) -> None:
        faults: dict[str, str] = {}
        for error in self._judges.iter_errors(parts):
            for name in getattr(error.kind, "unexpected", [""]):
                pointer = "/".join([*map(str, error.instance_path), name]).rstrip("/")
                faults[pointer] = error.message
        for part in ("query", "body") if not faults else ():
            for name in ABSENT.intersection(parts[part]):
                faults[f"{part}/{name}"] = f"this server has no {name}"
        if faults:
            pointers = [each.removeprefix("body") for each in faults]
            raise Problem("validation_error", "; ".join(faults.values())[:500], *pointers)


def _resolved(node: Document) -> Document:
    """A node of the contract, or what it refers to."""
    *_, kind, name = node.get("$ref", "/").split("/")
    return COMPONENTS[kind][name] if name else node


OPERATIONS = [
    Operation(method, path, definition)
    for path, item in CONTRACT["paths"].items()
    for method, definition in item.items()
]


class Api:
    """The operations that accounts have methods for, each named like its operationId."""

    def __init__(self, accounts: dict[str, Any]) -> None:
        self._accounts, self._any = accounts, next(iter(accounts.values()))
        self._operations = [each for each in OPERATIONS if hasattr(self._any, each.name)]
        self._known: dict[tuple[object, str, str | None], tuple[bytes, asyncio.Task[Outcome]]] = {}

    async def listen(self, host: str, port: int) -> asyncio.Server:
        loop, server = asyncio.get_running_loop(), web.Server(self._answer)
        much = 65_536  # `_answer` draws the lines
        edge = partial(
            Edge, server, loop=loop, max_line_size=much, max_field_size=much, max_headers=999
        )
        return await loop.create_server(edge, host, port)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        """Find what is asked for and by whom, judge it, and carry it out. Raises Problem."""
        size = sum(len(part) + 2 for field in request.raw_headers for part in field)
        if len(request.raw_path) > LIMITS["request_target_bytes"]:
            raise Problem("uri_too_long", "a target has at most 8 KiB")
        if len(request.raw_headers) > 100 or size > LIMITS["request_header_bytes"]:
            raise Problem("headers_too_large", "a head has at most 100 fields and 32 KiB")
        operation, path = self._found(request)
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        account = self._accounts.get(key) if scheme.lower() == "bearer" else None
        if not account and not operation.public:
            detail = "send the header Authorization: Bearer and a key of this server"
            raise Problem("unauthorized", detail, WWW_Authenticate="Bearer")
        raw = await read(request.content, LIMITS["body_bytes"])
        if len(raw) > LIMITS["body_bytes"]:
            raise Problem("payload_too_large", "a body has at most 320 KiB")
        if raw and request.content_type != "application/json":
            raise Problem("unsupported_media_type", "send JSON with Content-Type: application/json")
        call = operation.read(request, path, raw)
        task, again = self._begun(account or self._any, operation, call, raw)
        replayed = {"Idempotency-Replayed": "true"} if again else {}
        return answer(request, await task, operation.status, **replayed)

    def _found(self, request: web.BaseRequest) -> tuple[Operation, dict[str, str]]:
        """The operation of a method and a path, and the path's parameters. Raises Problem."""
        text = request.rel_url.raw_path
        matches = [(each, re.fullmatch(each.path, text)) for each in self._operations]
        found = {each.method: (each, match) for each, match in matches if match}
        if not found:
            raise Problem("not_found", "there is no such path")
        if request.method not in found:
            raise Problem("method_not_allowed", "see Allow", Allow=", ".join(found))
        operation, match = found[request.method]
        return operation, {name: unquote(text) for name, text in match.groupdict().items()}

    def _begun(
        self, account: object, operation: Operation, call: Call, raw: bytes
    ) -> tuple[asyncio.Task[Outcome], bool]:
        """A request under way or done, and whether it had been begun before. Raises Problem."""
        key = call.header.get("Idempotency-Key")
        place = (account, call.url, key)
        if key and place in self._known:  # IDEM-1
            known, task = self._known[place]
            if known != raw:
                raise Problem("idempotency_key_reused", "the key was used with another body")
            if not task.done() and not operation.name.startswith("trigger_"):
                raise Problem("idempotency_in_progress", "it is running", Retry_After="1")
            return task, True
        task = asyncio.create_task(_outcome(getattr(account, operation.name), call))
        if key:
            self._known[place] = raw, task
            task.add_done_callback(lambda done: done.exception() and self._known.pop(place))
        return task, False


class Edge(web.RequestHandler):
    """aiohttp's HTTP; what it or we refuse is answered with a problem (ERROR-1, ERROR-10)."""

    def handle_error(self, request: web.BaseRequest, *about: Any, **_: Any) -> web.StreamResponse:
        status, error, *_more = (*about, None)
        if isinstance(error, Problem):
            return answer(request, error)
        if status < 500 or isinstance(error, web.RequestPayloadError):
            return answer(request, Problem("validation_error", "this breaks HTTP"))
        self.log_exception("a request failed", exc_info=error)
        return answer(request, Problem("internal_error", "see the log"))


def answer(
    request: web.BaseRequest, outcome: Outcome, status: int = 200, **headers: str
) -> web.Response:
    """The response with JSON, or with a problem (ERROR-1 to ERROR-3)."""
    trace, kind = TRACE.fullmatch(request.headers.get("traceparent", "")), "application/json"
    headers["X-Request-Id"] = trace[1] if trace else secrets.token_hex(16)
    if isinstance(outcome, Problem):
        status, kind = outcome.document["status"], "application/problem+json"
        headers |= outcome.headers
        outcome = json.dumps(outcome.document | {"request_id": headers["X-Request-Id"]})
    return web.Response(status=status, text=outcome, content_type=kind, headers=headers)


async def _outcome(method: Method, call: Call) -> Outcome:
    """What came of it, in the form in which whoever asks again is told, too."""
    try:
        shown = await method(call)
    except Problem as problem:
        return problem
    return shown if isinstance(shown, str) else json.dumps(shown)


async def read(stream: StreamReader, most: int) -> bytes:
    """All of a body, or more than `most` bytes of it."""
    kept = b""
    while len(kept) <= most and (part := await stream.readany()):
        kept += part
    return kept


def _parsed(body: bytes) -> Any:
    """Strict JSON (ERROR-7). Raises Problem."""
    try:
        text = body.decode()  # and `int` refuses NaN and Infinity
        value = json.loads(text, object_pairs_hook=_members, parse_constant=int)
        text = json.dumps(value, ensure_ascii=False, indent=1)  # indented by a space a level
        text.encode()  # refuses lone surrogates
        if re.search(r"(?<!\\)(\\\\)*\\u0000|^ {65}", text, re.MULTILINE):
            raise ValueError("U+0000 in a text, or nested deeper than 64")
    except (ValueError, RecursionError) as error:
        raise Problem("validation_error", f"the body is not strict JSON: {error}", "") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> Document:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a key twice")
    return dict(pairs)


def _text_of(text: str, name: str) -> str:
    """The very text of a member of the object that a strict JSON text is (WIRE-3)."""
    decoder, key, at, begin = json.JSONDecoder(parse_int=float), "", 0, 0
    while key != name:
        key, at = decoder.raw_decode(text, text.index('"', at))
        begin = len(text) - len(text[at:].lstrip(": \t\r\n"))
        _, at = decoder.raw_decode(text, begin)
    return text[begin:at]
