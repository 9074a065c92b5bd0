"""Answers that are no success, and successes that cannot be understood."""

from __future__ import annotations

import copy
import json
from typing import Any

from hookwright_conformance.answers import Answer, Headers, Send, head, redirect, status
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.sdk.api import page, problem, reply, text
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.world import SdkWorld

_HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"
_JSON = "application/problem+json"
# A slow machine has much to do with so many bytes.
_PATIENCE_S = 240.0
_LARGE_BYTES = 65 * 1024 * 1024


@case(
    id="sdk-errors.every-code",
    requirement="SDK-20",
    profile="sdk-errors",
    kills=["tells-no-codes"],
)
def every_code(world: SdkWorld) -> None:
    """Each error code of the contract arrives with its status, detail and request id."""
    one = world.example("trigger.send")
    known: dict[str, dict[str, Any]] = world.spec.at("/components/schemas/ErrorCode")["x-errors"]
    world.client(max_retries=0)
    for name, definition in known.items():
        code = definition["status"]
        world.script(problem(code, name))
        error = world.fails("api", **one.members)
        told = {key: error.get(key) for key in ("status", "code", "detail", "request_id")}
        expected = {
            "status": code,
            "code": name,
            "detail": f"The detail of {name}.",
            "request_id": "req_01K9ZQ9D3E5F7G9H1J3K5M7N9P",
        }
        world.require_same(expected, told, f"error after {code} {name}")
        world.require_requests(1)


@case(
    id="sdk-errors.fields-are-named",
    requirement="SDK-20",
    profile="sdk-errors",
    kills=["tells-no-fields"],
)
def field_errors(world: SdkWorld) -> None:
    """What is wrong at which place of the request arrives."""
    wrong = [
        {"pointer": "/url", "code": "required", "message": "'url' is missing."},
        {"pointer": "/metadata/a~1b", "code": "too_long", "message": "is 900 characters"},
    ]
    world.client(max_retries=0)
    world.script(problem(400, "validation_error", errors=wrong))
    error = world.fails("api", **world.example("endpoints.create").members)
    world.require_same(wrong, error.get("errors"), "errors of a 400 validation_error")


@case(
    id="sdk-errors.no-problem-document",
    requirement="SDK-21",
    profile="sdk-errors",
    kills=["trusts-problems"],
)
def no_problem(world: SdkWorld) -> None:
    """A proxy's page, nothing, other JSON and wrong types are errors with their status."""
    answers: list[tuple[int, Answer]] = [
        (502, text(502, _HTML)),
        (500, status(500)),
        (404, text(404, b"")),
        (400, text(400, b"[1, 2]", _JSON)),
        (403, text(403, b'"no"', _JSON)),
        (404, text(404, b"null", _JSON)),
        (422, text(422, b'{"code": "validation_er', _JSON)),
        (400, text(400, b'{"code": 5, "detail": [], "errors": "x", "request_id": {}}', _JSON)),
        (400, text(400, b'{"code": null, "errors": [1, null, {"pointer": 7}]}', _JSON)),
        (401, text(401, b"\xff\xfe\x00", "text/plain; charset=nonsense")),
        (500, text(500, b"[" * 100_000, _JSON)),
        (599, text(599, b"?", "application/octet-stream")),
    ]
    one = world.example("apps.get")
    world.client(max_retries=0)
    for code, answer in answers:
        world.script(answer)
        error = world.fails("api", **one.members)
        require_equal(code, error["status"], f"status of the error after {answer.name}")
        require(error.get("code") is None, "code of the error", None, error.get("code"))


@case(
    id="sdk-errors.redirects-are-not-followed",
    requirement="SDK-22",
    profile="sdk-errors",
    kills=["follows-redirects"],
)
def redirects(world: SdkWorld) -> None:
    """Neither to another host, which would get the key, nor to another path."""
    canary = world.api.canary
    world.client(max_retries=2)
    for operation in ("apps.list", "trigger.send"):
        one = world.example(operation)
        for code in (301, 302, 303, 307, 308):
            for location in (canary.url, "/v1/api-keys"):
                world.script(redirect(location, code), reply(one.status, one.value))
                error = world.fails("api", **one.members)
                require_equal(code, error["status"], "status of the error after a redirect")
                world.require_requests(1)
    require_equal(0, len(canary.visits), "connections to the host that the redirect names")


@case(
    id="sdk-errors.no-json",
    requirement="SDK-23",
    profile="sdk-errors",
    kills=["takes-what-it-cannot-read"],
)
def no_json(world: SdkWorld) -> None:
    """A success that is no JSON, or another kind of JSON, is no result."""
    bodies = [_HTML, b"", b'{"id": "ep_1", ', b"[]", b'"endpoint"', b"7", b"null", b"\xff\xfe"]
    one = world.example("endpoints.get")
    world.client(max_retries=0)
    for body in bodies:
        world.script(text(200, body, "application/json"))
        world.fails("decode", **one.members)
    listing = world.example("endpoints.list")
    no_pages: list[Any] = [[], "page", {"data": {}, "has_more": False, "next_cursor": None}]
    for value in no_pages:
        world.script(text(200, json.dumps(value).encode(), "application/json"))
        world.fails("decode", **listing.members)


@case(
    id="sdk-errors.missing-members",
    requirement="SDK-24",
    profile="sdk-errors",
    kills=["takes-what-it-cannot-read"],
)
def missing_members(world: SdkWorld) -> None:
    """A success without a member that the contract requires is no result."""
    one = world.example("endpoints.get")
    world.client(max_retries=0)
    for name in ("id", "events", "health"):
        value = copy.deepcopy(one.value)
        del value[name]
        world.script(reply(200, value))
        world.fails("decode", **one.members)
    world.script(text(200, b'{"data": []}', "application/json"))
    world.fails("decode", **world.example("endpoints.list").members)
    world.script(page([{"app_slug": "my-app"}]))
    world.fails("decode", **world.example("endpoints.list").members)


@case(
    id="sdk-errors.huge-answers",
    requirement="SDK-27",
    profile="sdk-errors",
    kills=["reads-whatever-comes"],
)
def huge_answers(world: SdkWorld) -> None:
    """An answer of 65 MiB, announced or not, is given up."""
    one = world.example("apps.get")
    # An app with a very long name: whoever reads all of it has a result.
    begin, _, end = json.dumps({**one.value, "name": "|"}).encode().partition(b"|")
    chunk = b"z" * 65_536
    times = _LARGE_BYTES // len(chunk)
    length = len(begin) + times * len(chunk) + len(end)
    world.client(max_retries=0, timeout_seconds=_PATIENCE_S)
    media = ("Content-Type", "application/json")
    told: list[tuple[str, Headers, bytes, bytes]] = [
        ("announced", [media, ("Content-Length", str(length))], b"", b""),
        (
            "chunked",
            [media, ("Transfer-Encoding", "chunked")],
            b"%x\r\n" % length,
            b"\r\n0\r\n\r\n",
        ),
    ]
    for name, headers, before, after in told:
        steps = (Send(head(200, headers) + before + begin), Send(chunk, times), Send(end + after))
        world.script(Answer(f"200, {length} bytes, {name}", steps))
        answer = world.ask("call", _PATIENCE_S, **one.members)
        world.error_of("decode", f"an answer of {length} bytes", answer)
