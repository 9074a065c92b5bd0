"""Problems, validation and request ids."""

from __future__ import annotations

import secrets

from hookwright_conformance.case import case
from hookwright_conformance.errors import require, require_equal
from hookwright_conformance.route import Request, Response
from hookwright_conformance.world import Document, World

JSON = {"Content-Type": "application/json"}
NOT_STRICT_JSON = {
    "nothing": b"",
    "a cut document": b'{"event_name":"a","payload":{',
    "text after the document": b'{"event_name":"a","payload":{}} x',
    "NaN": b'{"event_name":"a","payload":{"n":NaN}}',
    "Infinity": b'{"event_name":"a","payload":{"n":-Infinity}}',
    "a duplicate key": b'{"event_name":"a","payload":{"n":1,"n":2}}',
    "NUL in a string": b'{"event_name":"a","payload":{"n":"\\u0000"}}',
    "a lone surrogate": b'{"event_name":"a","payload":{"n":"\\ud800"}}',
    "invalid UTF-8": b'{"event_name":"a","payload":{"n":"\xff"}}',
    "UTF-16": '{"event_name":"a","payload":{}}'.encode("utf-16"),
    "depth 10,000": b'{"event_name":"a","payload":{"n":' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
}
MALFORMED_HTTP = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00 hello\r\n\r\n",
    "a space in a header name": b"GET /v1/apps HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
    "two lengths": (
        b"POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"
    ),
    "a negative length": b"POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
    "length and chunks": (
        b"POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
}


def require_problem(response: Response, status: int, code: str, what: str) -> None:
    """Raise Unmet unless the response is this problem (its form is judged by the route)."""
    require_equal((status, code), (response.status, response.code), f"status and code for {what}")


@case(
    id="errors.unknown-path-is-a-problem",
    requirement="ERROR-1",
    profile="core",
    kills=["framework-errors-as-html"],
)
def unknown_path_is_a_problem(world: World) -> None:
    """Paths outside the contract answer 404 as a problem."""
    for path in ("/", "/v1", "/v1/nothing", "/v1/apps/a/b/c/d", "/v2/apps"):
        require_problem(world.api.send(Request("GET", path, {})), 404, "not_found", path)


@case(
    id="errors.responses-carry-a-request-id",
    requirement="ERROR-2",
    profile="core",
    kills=["framework-errors-as-html"],
)
def responses_carry_a_request_id(world: World) -> None:
    """Each response has an X-Request-Id of its own."""
    responses = [world.api.call("apps.list", expect=200) for _ in range(3)]
    responses += [world.api.send(Request("GET", "/v1/nothing", {})) for _ in range(3)]

    ids = [response.header("x-request-id") for response in responses]
    require_equal(len(ids), len(set(ids)), "number of different request ids")


@case(
    id="errors.trace-id-becomes-the-request-id",
    requirement="ERROR-3",
    profile="core",
    kills=["names-requests-itself"],
)
def trace_id_becomes_the_request_id(world: World) -> None:
    """A valid traceparent names the request; an invalid one does not."""
    trace = secrets.token_hex(16)
    valid = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    named = world.api.call("apps.list", expect=200, headers=valid)
    zero = {"traceparent": f"00-{'0' * 32}-{secrets.token_hex(8)}-01"}
    unnamed = world.api.call("apps.list", expect=200, headers=zero)

    require_equal(trace, named.header("x-request-id"), "X-Request-Id")
    require(unnamed.header("x-request-id") != "0" * 32, "X-Request-Id", "a random id", "zeros")


@case(
    id="errors.unknown-ids-are-not-found",
    requirement="ERROR-4",
    profile="core",
    kills=["framework-errors-as-html"],
)
def unknown_ids_are_not_found(world: World) -> None:
    """Ids that name nothing, well-formed or not, are 404 not_found."""
    app = world.app()
    operations = {"endpoints.get": "ep_", "messages.get": "msg_", "deliveries.get": "del_"}
    for operation, prefix in operations.items():
        for unknown in (prefix + "01K9ZQ4T7M3N8R2V6X1B5C0D9E", "nonsense", "%00", "../apps"):
            response = world.api.call(operation, app, unknown)
            require_problem(response, 404, "not_found", f"{operation} {unknown}")
    require_problem(world.api.call("apps.get", world.slug()), 404, "not_found", "apps.get")


@case(
    id="errors.wrong-method-lists-the-right-ones",
    requirement="ERROR-5",
    profile="core",
    kills=["framework-errors-as-html"],
)
def wrong_method_lists_the_right_ones(world: World) -> None:
    """DELETE /v1/apps is 405, and Allow says GET and POST."""
    response = world.api.send(Request("DELETE", "/v1/apps", {}))

    require_problem(response, 405, "method_not_allowed", "DELETE /v1/apps")
    allowed = {method.strip() for method in (response.header("allow") or "").split(",")}
    require({"GET", "POST"} <= allowed, "Allow", "GET and POST", sorted(allowed))


@case(
    id="errors.other-media-types-are-refused",
    requirement="ERROR-6",
    profile="core",
    kills=["reads-any-media-type"],
)
def other_media_types_are_refused(world: World) -> None:
    """A body declared as text, as a form, or not at all is 415."""
    app = world.app()
    raw = b'{"event_name":"a","payload":{}}'
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        headers = {"Content-Type": media}
        response = world.api.call("trigger.send", app, raw=raw, headers=headers)
        require_problem(response, 415, "unsupported_media_type", media)


@case(
    id="errors.json-is-judged-strictly",
    requirement="ERROR-7",
    profile="core",
    kills=["takes-nan-for-a-number"],
)
def json_is_judged_strictly(world: World) -> None:
    """Broken and ambiguous JSON is 400 and publishes nothing."""
    app, hook = world.app(), world.hook()
    world.endpoint(app, hook)
    for name, raw in NOT_STRICT_JSON.items():
        response = world.api.call("trigger.send", app, raw=raw)
        require_problem(response, 400, "validation_error", name)

    messages = world.api.call("messages.list", app, expect=200).json()
    require_equal([], messages["data"], "messages after refused requests")


@case(
    id="errors.broken-rules-are-pointed-at",
    requirement="ERROR-8",
    profile="core",
    kills=["points-at-nothing"],
)
def broken_rules_are_pointed_at(world: World) -> None:
    """Unknown members and parameters and bad values are 400 with a pointer to each."""
    app = world.app()
    event: Document = {"event_name": "a", "payload": {}}
    bodies: dict[str, Document] = {
        "/colour": {**event, "colour": 1},
        "/event_name": {**event, "event_name": "a b"},
    }
    bodies["/payload"] = {**event, "payload": []}
    for pointer, body in bodies.items():
        response = world.api.call("trigger.send", app, body=body)
        require_problem(response, 400, "validation_error", pointer)
        pointers = [error["pointer"] for error in response.json()["errors"]]
        require(any(pointer in one for one in pointers), "errors[].pointer", pointer, pointers)
    for name, value in {"colour": "red", "limit": "101", "cursor": "x", "offset": "-1"}.items():
        response = world.api.call("apps.list", query={name: value})
        require_problem(response, 400, "validation_error", f"?{name}={value}")


@case(
    id="errors.oversized-bodies-are-refused",
    requirement="ERROR-9",
    profile="core",
    kills=["takes-payloads-of-any-length"],
)
def oversized_bodies_are_refused(world: World) -> None:
    """A payload of 256 KiB is accepted, one byte more is 413, and so is a body far too long."""
    app = world.app()

    def payload(size: int) -> bytes:
        return b'{"a":"' + b"x" * (size - 8) + b'"}'

    world.publish_raw(app, payload(262_144))
    for size in (262_145, 2_000_000):
        raw = b'{"event_name":"a","payload":' + payload(size) + b"}"
        response = world.api.call("trigger.send", app, raw=raw)
        require_problem(response, 413, "payload_too_large", f"{size} bytes")


@case(
    id="errors.malformed-http-is-a-problem",
    requirement="ERROR-10",
    profile="core",
    kills=["malformed-http-is-a-500"],
)
def malformed_http_is_a_problem(world: World) -> None:
    """Messages that break HTTP get 400 as a problem or a closed connection."""
    for name, data in MALFORMED_HTTP.items():
        response = world.api.send_bytes(data)
        if response is not None:
            require_problem(response, 400, "validation_error", name)
    world.api.call("health.live", expect=200)


@case(
    id="errors.taken-slug-is-a-conflict",
    requirement="ERROR-11",
    profile="core",
    kills=["hands-out-taken-slugs"],
)
def taken_slug_is_a_conflict(world: World) -> None:
    """A second app with the same slug is 409; get_or_create returns the first."""
    app = world.app(name="First")
    response = world.api.call("apps.create", body={"name": "Second", "slug": app})
    found = world.api.call("apps.get_or_create", app, expect=200, body={"name": "Third"}).json()

    require_problem(response, 409, "slug_taken", "a taken slug")
    require_equal(("First", False), (found["name"], found["created"]), "name, created")


@case(
    id="errors.nothing-is-a-500",
    requirement="ERROR-12",
    profile="core",
    kills=["breaks-on-nul"],
)
def nothing_is_a_500(world: World) -> None:
    """Odd ids, numbers and texts in every place get a 4xx."""
    app = world.app()
    odd = ("\u0000", "9" * 400, "a" * 5000, "\u202e", "'; drop table apps;--", "%ff", "..%2f..")
    for value in odd:
        responses = [
            world.api.call("apps.get", value),
            world.api.call("deliveries.get", app, value),
            world.api.call("messages.list", app, query={"after": value}),
            world.api.call("endpoints.list", app, query={"event_name": value}),
            world.api.call("apps.create", body={"name": "x", "slug": value}),
            world.api.call("endpoints.create", app, body={"url": value}),
        ]
        for response in responses:
            handled = response.status < 500
            require(handled, f"status for {value[:20]!r}", "no 5xx", response.status)


@case(
    id="errors.oversized-heads-are-refused",
    requirement="ERROR-14",
    profile="core",
    kills=["malformed-http-is-a-500"],
)
def oversized_heads_are_refused(world: World) -> None:
    """A target of 9 KB is 414; 200 header fields, or one of 40 KB, are 431."""
    long = world.api.send(Request("GET", "/v1/apps?cursor=" + "x" * 9_000, {}))
    many = world.api.send(Request("GET", "/v1/nothing", {f"X-{n}": "y" for n in range(200)}))
    large = world.api.send(Request("GET", "/v1/nothing", {"X-Large": "y" * 40_000}))

    require_problem(long, 414, "uri_too_long", "a long target")
    require_problem(many, 431, "headers_too_large", "many fields")
    require_problem(large, 431, "headers_too_large", "a large field")


@case(
    id="errors.stalled-request-ends",
    requirement="ERROR-16",
    profile="limits",
    kills=["a-stalled-client-is-malformed"],
)
def stalled_request_ends(world: World) -> None:
    """Half a head, then silence: 408 request_timeout or a closed connection."""
    response = world.api.send_bytes(b"POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Type: appli")

    if response is not None:
        require_problem(response, 408, "request_timeout", "half a head")


@case(
    id="errors.every-answer-is-documented",
    requirement="ERROR-13",
    profile="core",
    kills=["shows-attempts-without-latency"],
)
def every_answer_is_documented(world: World) -> None:
    """What an app consists of, read in every way, has the documented form."""
    app, hook = world.app(), world.hook()
    endpoint = world.endpoint(app, hook, events=["case.event"], headers={"X-Mine": "1"})
    accepted = world.publish(app, {"n": 1}, event_id="one")
    delivery, message = accepted["delivery_ids"][0], accepted["message_id"]
    world.finished(app, delivery, "delivered")
    read: list[tuple[str, tuple[str, ...]]] = [
        ("apps.list", ()),
        ("apps.get", (app,)),
        ("endpoints.list", (app,)),
        ("endpoints.get", (app, endpoint["id"])),
        ("messages.list", (app,)),
        ("messages.get", (app, message)),
        ("deliveries.list", (app,)),
        ("deliveries.get", (app, delivery)),
        ("deliveries.list_attempts", (app, delivery)),
    ]

    for operation, path in read:
        world.api.call(operation, *path, expect=200)
