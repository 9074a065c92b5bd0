"""Every error code of the contract is provoked; limits are exact and tell where a caller stands."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from egress_lab import OK, answering
from http_lab import JSON, Answer, Client, Document, Lab, OpenLab, StartReceiver, eventually
from http_limits import copy_event_type
from http_live import LiveServer
from http_world import example_of, make_things, request

from hookwright_server.domain.contract import ERRORS, Limits
from hookwright_server.http.edge.operations import OPERATIONS
from hookwright_server.services.apps import Apps
from hookwright_server.store.errors import StoreUnavailable, WriterBusy, WriteUnknown

NOWHERE = "http://127.0.0.1:1/hook"


@dataclass(frozen=True)
class Scene:
    """What there is to provoke an error with."""

    lab: Lab
    live: LiveServer
    receiver: StartReceiver
    patch: pytest.MonkeyPatch

    @property
    def client(self) -> Client:
        return self.lab.client


Provoke = Callable[[Scene], Answer]
_PROVOKE: dict[str, Provoke] = {}


def _provokes(function: Provoke) -> Provoke:
    """Register a function under the code that it is named for."""
    _PROVOKE[function.__name__.removeprefix("_")] = function
    return function


def _raw(live: LiveServer, data: bytes) -> Answer:
    """The answer to these bytes on a connection of their own."""
    with socket.create_connection(live.address, timeout=30) as peer:
        peer.sendall(data)
        received = b""
        while more := peer.recv(65536):
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split(" ")[1]), headers, body)


@_provokes
def _validation_error(scene: Scene) -> Answer:
    return scene.client.post("/v1/apps", {})


@_provokes
def _unauthorized(scene: Scene) -> Answer:
    return scene.client.with_key(None).get("/v1/apps")


@_provokes
def _forbidden(scene: Scene) -> Answer:
    reader = scene.client.new_key("read")["key"]
    return scene.client.with_key(reader).post("/v1/apps", {"name": "x"})


@_provokes
def _not_found(scene: Scene) -> Answer:
    return scene.client.get("/v1/apps/nobodys")


@_provokes
def _method_not_allowed(scene: Scene) -> Answer:
    answer = scene.client.put("/v1/apps", {})
    assert "GET, POST" == answer.headers["allow"]
    return answer


@_provokes
def _request_timeout(scene: Scene) -> Answer:
    return _raw(scene.live, b"GET /v1/apps HTTP/1.1\r\nHost: x\r\n")  # and then nothing


@_provokes
def _slug_taken(scene: Scene) -> Answer:
    return scene.client.post("/v1/apps", {"name": "x", "slug": scene.client.new_app()["slug"]})


@_provokes
def _app_inactive(scene: Scene) -> Answer:
    slug = scene.client.new_app(active=False)["slug"]
    return scene.client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}})


@_provokes
def _delivery_not_retryable(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    scene.client.new_endpoint(slug, NOWHERE, active=False)
    delivery = scene.client.trigger(slug)["delivery_ids"][0]
    return scene.client.post(f"/v1/apps/{slug}/deliveries/{delivery}/retry")


@_provokes
def _endpoint_deleted(scene: Scene) -> Answer:
    things = make_things(scene.client, NOWHERE)
    path = f"/v1/apps/{things.app_slug}"
    scene.client.delete(f"{path}/endpoints/{things.endpoint_id}").require(204)
    return scene.client.post(f"{path}/deliveries/{things.delivery_id}/retry")


@_provokes
def _delivery_not_replayable(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    scene.client.new_endpoint(slug, NOWHERE, active=False)
    delivery = scene.client.trigger(slug)["delivery_ids"][0]
    return scene.client.post(f"/v1/apps/{slug}/deliveries/{delivery}/replay")


@_provokes
def _payload_expunged(scene: Scene) -> Answer:
    things = make_things(scene.client, NOWHERE)
    path = f"/v1/apps/{things.app_slug}"
    scene.client.post(f"{path}/messages/{things.message_id}/expunge").require(200)
    replayed = scene.client.post(f"{path}/deliveries/{things.delivery_id}/replay")
    assert "payload_expunged" == replayed.code
    return scene.client.post(f"{path}/deliveries/{things.delivery_id}/retry")


@_provokes
def _too_many_replays(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    scene.lab.server.engine.stop(0)
    body: Document = {"delivery_ids": ["del_x"]}
    path = f"/v1/apps/{slug}/replays"
    for _ in range(3):
        scene.client.post(path, body).require(202)
    other = scene.client.new_app()["slug"]
    scene.client.post(f"/v1/apps/{other}/replays", body).require(202)
    return scene.client.post(path, body)


@_provokes
def _too_many_endpoints(scene: Scene) -> Answer:
    scene.client.put("/v1/apps/_system", {}).require(200)
    answers = [
        scene.client.post("/v1/apps/_system/endpoints", {"url": NOWHERE})
        for _ in range(Limits.system_endpoints + 1)
    ]
    assert {201} == {answer.status for answer in answers[:-1]}
    return answers[-1]


@_provokes
def _too_many_event_types(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    path = f"/v1/apps/{slug}/event-types"
    scene.client.post(path, {"name": "first"}).require(201)
    copy_event_type(scene.lab.server.database, "first", Limits.event_types_per_app - 2)
    scene.client.post(path, {"name": "last"}).require(201)
    return scene.client.post(path, {"name": "one_more"})


@_provokes
def _idempotency_in_progress(scene: Scene) -> Answer:
    good = scene.receiver(answering(OK))
    slug = scene.client.new_app()["slug"]
    endpoint = scene.client.new_endpoint(slug, good.url())["id"]
    path = f"/v1/apps/{slug}/endpoints/{endpoint}/test"
    scene.client.post(path, {}, Idempotency_Key="k").require(200)
    scene.lab.database.write(
        lambda tx: tx.exec_driver_sql("UPDATE idempotency_records SET status = NULL")
    )
    answer = scene.client.post(path, {}, Idempotency_Key="k")
    assert int(answer.headers["retry-after"]) >= 1
    return answer


@_provokes
def _payload_too_large(scene: Scene) -> Answer:
    return scene.client.send("POST", "/v1/apps", JSON, b" " * 400_000)


@_provokes
def _uri_too_long(scene: Scene) -> Answer:
    return _raw(scene.live, b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 9000))


@_provokes
def _headers_too_large(scene: Scene) -> Answer:
    return _raw(scene.live, b"GET / HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % (b"x" * 40_000))


@_provokes
def _unsupported_media_type(scene: Scene) -> Answer:
    return scene.client.send("POST", "/v1/apps", {"Content-Type": "text/plain"}, b"x")


@_provokes
def _url_not_allowed(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    body: Document = {"url": "ftp://example.com/"}
    return scene.client.post(f"/v1/apps/{slug}/endpoints", body)


@_provokes
def _header_not_allowed(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    body: Document = {"url": NOWHERE, "headers": {"Host": "x"}}
    return scene.client.post(f"/v1/apps/{slug}/endpoints", body)


@_provokes
def _secret_not_valid(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    body: Document = {"url": NOWHERE, "signing": {"secret": "whsec_c2hvcnQ="}}
    return scene.client.post(f"/v1/apps/{slug}/endpoints", body)


@_provokes
def _unknown_app(scene: Scene) -> Answer:
    body: Document = {"name": "x", "scopes": ["read"], "app_slug": "nobodys"}
    return scene.client.post("/v1/api-keys", body)


@_provokes
def _unknown_endpoint(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    body: Document = {"event_name": "a", "payload": {}, "endpoint_ids": ["ep_x", "ep_y"]}
    answer = scene.client.post(f"/v1/apps/{slug}/trigger", body)
    assert ["/endpoint_ids/0", "/endpoint_ids/1"] == [pointer for pointer, _ in answer.faults]
    return answer


@_provokes
def _idempotency_key_reused(scene: Scene) -> Answer:
    scene.client.post("/v1/apps", {"name": "x"}, Idempotency_Key="k").require(201)
    return scene.client.post("/v1/apps", {"name": "y"}, Idempotency_Key="k")


@_provokes
def _event_type_exists(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    scene.client.new_event_type(slug, "a.b")
    return scene.client.post(f"/v1/apps/{slug}/event-types", {"name": "a.b"})


@_provokes
def _unknown_event_type(scene: Scene) -> Answer:
    slug = scene.client.new_app(event_type_policy="registered")["slug"]
    return scene.client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}})


@_provokes
def _payload_schema_mismatch(scene: Scene) -> Answer:
    slug = scene.client.new_app()["slug"]
    scene.client.new_event_type(slug, "a", schema={"required": ["id"]})
    return scene.client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}})


@_provokes
def _transformation_failed(scene: Scene) -> Answer:
    mappings = [{"from": "payload.x", "to": "x"}]
    body: Document = {"transformation": {"mappings": mappings}, "payload": {}}
    return scene.client.post("/v1/transformations/preview", body)


@_provokes
def _not_schedulable(scene: Scene) -> Answer:
    body: Document = {
        "event_name": "a",
        "payload": {},
        "ordering_key": "a",
        "deliver_at": "2000-01-01T00:00:00Z",
    }
    return scene.client.post(f"/v1/apps/{scene.client.new_app()['slug']}/trigger", body)


@_provokes
def _rate_limited(scene: Scene) -> Answer:
    slug = scene.client.new_app(rate_limit_per_second=1)["slug"]
    body: Document = {"event_name": "a", "payload": {}}
    path = f"/v1/apps/{slug}/trigger"
    answer: Answer = eventually(
        lambda: scene.client.post(path, body), lambda answer: answer.status == 429
    )
    assert int(answer.headers["retry-after"]) >= int(answer.headers["x-ratelimit-reset"]) >= 1
    return answer


@_provokes
def _internal_error(scene: Scene) -> Answer:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret detail")

    scene.patch.setattr(Apps, "create", fail)
    answer = scene.client.post("/v1/apps", {"name": "x"})
    assert b"secret detail" not in answer.body
    return answer


@_provokes
def _unavailable(scene: Scene) -> Answer:
    scene.lab.server.engine.stop(0)
    answer = scene.client.get("/health/ready")
    assert "engine" in answer.json["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    assert 200 == scene.client.get("/health/live").status
    return answer


@pytest.mark.parametrize("code", ERRORS)
def test_every_code_can_be_had(
    code: str, lab: Lab, live: LiveServer, receiver: StartReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each code of the contract has a request that gets it, with its status, title and type."""
    answer = _PROVOKE[code](Scene(lab, live, receiver, monkeypatch))

    assert (code, ERRORS[code].status) == (answer.code, answer.status)
    assert ERRORS[code].title == answer.json["title"]
    assert re.fullmatch(r"req_[0-9A-Z]{26}|[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "error",
    [WriterBusy("full"), WriteUnknown("late"), StoreUnavailable("the disk is full")],
    ids=lambda error: type(error).__name__,
)
def test_a_store_that_cannot_write_is_unavailable(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """503 with Retry-After, whatever the operation, and without the store's own words."""
    slug = lab.client.new_app()["slug"]

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(type(lab.database), "write", fail)
    monkeypatch.setattr(type(lab.database), "accept", fail)
    answers = [
        lab.client.post("/v1/apps", {"name": "x"}),
        lab.client.post("/v1/apps", {"name": "x"}, Idempotency_Key="k"),
        lab.client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}}),
        lab.client.post(
            f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}}, Idempotency_Key="k"
        ),
    ]

    assert [(503, "unavailable")] * 4 == [(answer.status, answer.code) for answer in answers]
    assert ["1"] * 4 == [answer.headers["retry-after"] for answer in answers]
    assert not any(str(error).encode() in answer.body for answer in answers)


def test_ready_names_what_is_missing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer is told apart from an engine that does not run."""

    def fail(*_: object) -> None:
        raise StoreUnavailable("gone")

    assert {"database": "ok", "engine": "ok"} == lab.client.get("/health/ready").json["checks"]
    monkeypatch.setattr(type(lab.database), "read", fail)
    answer = lab.client.get("/health/ready")

    assert (503, True) == (answer.status, "database" in answer.json["detail"])
    assert "engine" not in answer.json["detail"].partition("missing:")[2]


# Request ids

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("traceparent", "taken"),
    [
        (f"00-{_TRACE}-00f067aa0ba902b7-01", True),
        (f"cc-{_TRACE}-00f067aa0ba902b7-09", True),
        (f"ff-{_TRACE}-00f067aa0ba902b7-01", False),
        (f"00-{_TRACE.upper()}-00f067aa0ba902b7-01", False),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-{_TRACE}-{'0' * 16}-01", False),
        (f"00-{_TRACE}-00f067aa0ba902b7", False),
        (f"00-{_TRACE}-00f067aa0ba902b7-01\r\n", False),
        ("", False),
    ],
)
def test_the_request_id_is_the_callers_trace(client: Client, traceparent: str, taken: bool) -> None:
    """A valid traceparent names the request, on successes and problems; others are ignored."""
    answers = [
        client.get("/v1/apps", traceparent=traceparent),
        client.get("/nowhere", traceparent=traceparent),
        client.with_key(None).get("/v1/apps", traceparent=traceparent),
    ]

    ids = [answer.headers["x-request-id"] for answer in answers]
    assert [taken] * 3 == [found == _TRACE for found in ids]
    assert ids[1:] == [answer.json["request_id"] for answer in answers[1:]]


def test_request_ids_differ(client: Client) -> None:
    """Each request has its own."""
    ids = {client.get("/v1/apps").headers["x-request-id"] for _ in range(50)}

    assert 50 == len(ids)


# Rate limits


def _headers(answer: Answer) -> dict[str, Any]:
    fields = {
        name: answer.headers[name]
        for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
    }
    limit, remaining, reset = (int(value) for value in fields.values())
    standing = re.fullmatch(r'"(key|app)";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    policy = re.fullmatch(r'"(key|app)";q=(\d+);w=(\d+)', answer.headers["ratelimit-policy"])
    assert standing is not None
    assert policy is not None
    assert (str(remaining), str(reset)) == standing.groups()[1:]
    assert (standing[1], str(limit)) == policy.groups()[:2]
    return {"name": policy[1], "limit": limit, "remaining": remaining, "window": int(policy[3])}


def test_requests_are_counted_by_key(new_lab: OpenLab) -> None:
    """Quota requests pass, the next is 429 until the window ends; other keys are not touched."""
    lab = new_lab(requests_per_minute=4)
    other = lab.client.with_key(lab.stranger.live_key)
    answers = [lab.client.get("/v1/apps") for _ in range(6)]
    standings = [_headers(answer) for answer in answers]
    refused = answers[-1]

    assert [200] * 4 + [429] * 2 == [answer.status for answer in answers]
    assert [3, 2, 1, 0, 0, 0] == [standing["remaining"] for standing in standings]
    assert {("key", 4, 60)} == {(s["name"], s["limit"], s["window"]) for s in standings}
    assert "rate_limited" == refused.code
    assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    other.advance(f"PT{refused.headers['retry-after']}S")
    assert 200 == lab.client.get("/v1/apps").status


def test_refused_requests_count_too(new_lab: OpenLab) -> None:
    """Guessing at paths and bodies is not free."""
    client = new_lab(requests_per_minute=3).client
    answers = [
        client.get("/v1/apps/nobodys"),
        client.post("/v1/apps", {}),
        client.get("/v1/apps?x"),
    ]

    assert [404, 400, 400, 429] == [a.status for a in (*answers, client.get("/v1/apps"))]


def test_messages_are_counted_by_app(new_lab: OpenLab) -> None:
    """Events count against their app alone, and not against the key."""
    client = new_lab(requests_per_minute=6, messages_per_second=2).client
    slugs = [client.new_app(slug=slug)["slug"] for slug in ("one", "two")]
    own = client.new_app(slug="three", rate_limit_per_second=1)["slug"]
    body: Document = {"event_name": "a", "payload": {}}

    def burst(slug: str) -> list[Answer]:
        return [client.post(f"/v1/apps/{slug}/trigger", body) for _ in range(6)]

    bursts = {slug: burst(slug) for slug in (*slugs, own)}
    for slug, answers in bursts.items():
        standings = [_headers(answer) for answer in answers]
        quota = 1 if slug == own else 2

        assert {("app", quota, 1)} == {(s["name"], s["limit"], s["window"]) for s in standings}
        assert {202, 429} == {answer.status for answer in answers}
        assert sum(answer.status == 202 for answer in answers) in (quota, 2 * quota)
    assert 200 == client.get("/v1/apps").status  # the fourth request of this key


def test_unknown_apps_count_against_the_key(new_lab: OpenLab) -> None:
    """Publishing to apps that do not exist is limited as well."""
    client = new_lab(requests_per_minute=2).client
    body: Document = {"event_name": "a", "payload": {}}
    answers = [client.post("/v1/apps/nobodys/trigger", body) for _ in range(3)]

    assert [404, 404, 429] == [answer.status for answer in answers]
    assert {"key"} == {_headers(answer)["name"] for answer in answers}


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if not o.public], ids=lambda o: o.operation_id
)
def test_every_authenticated_answer_tells_where_the_caller_stands(
    client: Client, operation: Any
) -> None:
    """On success, on 404 and on 400."""
    things = make_things(client, NOWHERE)
    done = request(client, operation, things.path(operation), NOWHERE)
    bad = client.call(
        operation.method, things.path(operation) + "?nonsense=1", example_of(operation, NOWHERE)
    )

    assert (operation.success_status, 400) == (done.status, bad.status)
    for answer in (done, bad):
        assert ("app" if operation.tag == "trigger" else "key") == _headers(answer)["name"]


def test_public_operations_are_not_counted(client: Client) -> None:
    """Health checks need no key and have no limit."""
    answer = client.with_key(None).get("/health/live")

    assert (200, False) == (answer.status, "x-ratelimit-limit" in answer.headers)
    assert {"status": "ok"} == answer.json


def test_every_path_has_its_methods_and_no_other(client: Client) -> None:
    """405 on every path of the contract, with exactly its methods in Allow."""
    methods: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        methods.setdefault(operation.rule, set()).add(operation.method)
    for rule, found in methods.items():
        answer = client.send("TRACE", re.sub(r"<\w+>", "x", rule))

        assert (405, ", ".join(sorted(found))) == (answer.status, answer.headers["allow"])
