"""Idempotency keys: one effect for each key, the first answer again, and nothing in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from egress_lab import OK, answering, read_request
from http_lab import (
    PRIVATE_OPERATIONS,
    Answer,
    Client,
    Document,
    Lab,
    OpenLab,
    StartReceiver,
    eventually,
)
from http_world import make_things, request

from hookwright_server.http.edge.operations import Operation
from hookwright_server.store import idempotency

NOWHERE = "http://127.0.0.1:1/hook"
_KEYED = [operation for operation in PRIVATE_OPERATIONS if operation.idempotent]
# What they have made goes on by itself.
_GO_ON = {
    "deliveries.retry",
    "deliveries.replay",
    "deliveries.create_replay",
    "trigger.send",
    "trigger.send_batch",
}
_MESSAGE = {"event_name": "order.paid", "payload": {"n": 1}}


def _again(client: Client, path: str, body: object, key: str) -> tuple[Answer, Answer]:
    first = client.post(path, body, Idempotency_Key=key)
    return first, client.post(path, body, Idempotency_Key=key)


@pytest.mark.parametrize("operation", _KEYED, ids=lambda operation: operation.operation_id)
def test_a_repeat_gets_the_first_answer(lab: Lab, operation: Operation) -> None:
    """Every POST: same key and body, the same answer, a header that says so, no second effect."""
    client, headers = lab.client, {"Idempotency-Key": "k1"}
    path = make_things(client, NOWHERE).path(operation)
    first = request(client, operation, path, NOWHERE, headers)
    settled = eventually(lab.snapshot, lambda found: found == lab.snapshot())
    again = request(client, operation, path, NOWHERE, headers)

    assert (operation.success_status, False) == (first.status, _is_replay(first))
    assert (first.status, first.body, True) == (again.status, again.body, _is_replay(again))
    assert first.headers["content-type"] == again.headers["content-type"]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert "x-ratelimit-limit" in again.headers
    if operation.operation_id not in _GO_ON:
        assert settled == lab.snapshot()


@pytest.mark.parametrize("operation", _KEYED, ids=lambda operation: operation.operation_id)
def test_another_body_is_refused(client: Client, operation: Operation) -> None:
    """A key stands for one body, byte for byte."""
    path = make_things(client, NOWHERE).path(operation)
    request(client, operation, path, NOWHERE, {"Idempotency-Key": "k2"})
    other = client.send(
        operation.method,
        path,
        {"Idempotency-Key": "k2", "Content-Type": "application/json"},
        b"{ }" if not operation.has_body else _valid_but_other(operation),
    )

    if operation.has_body:
        assert (422, "idempotency_key_reused") == (other.status, other.code)
    else:  # nothing but {} may be sent, and blanks around it are another body
        assert other.status in (400, 422)


def _valid_but_other(operation: Operation) -> bytes:
    bodies = {
        "apps.create": b'{"name": "Other"}',
        "endpoints.create": b'{"url": "http://127.0.0.1:1/other"}',
        "trigger.send": b'{"event_name": "other", "payload": {}}',
        "api_keys.create": b'{"name": "other", "scopes": ["read"]}',
        "transformations.preview": (
            b'{"payload": {}, "transformation": {"mappings": [{"from": "payload", "to": "a"}]}}'
        ),
        "trigger.send_batch": b'{"events": [{"event_name": "other", "payload": {}}]}',
        "deliveries.create_replay": b'{"delivery_ids": ["del_other"]}',
        "event_types.create": b'{"name": "other.made"}',
    }
    return bodies.get(operation.operation_id, b"{ }")


# Refusals


def _conflict(client: Client) -> tuple[str, Document]:
    return "/v1/apps", {"name": "x", "slug": client.new_app()["slug"]}


def _unknown_app(client: Client) -> tuple[str, Document]:
    return "/v1/apps/nobodys/rotate-secret", {}


def _unknown_app_to_publish_to(client: Client) -> tuple[str, Document]:
    return "/v1/apps/nobodys/trigger", _MESSAGE


def _forbidden_url(client: Client) -> tuple[str, Document]:
    slug = client.new_app()["slug"]
    return f"/v1/apps/{slug}/endpoints", {"url": "https://user:pw@example.com/"}


def _unknown_endpoint(client: Client) -> tuple[str, Document]:
    slug = client.new_app()["slug"]
    return f"/v1/apps/{slug}/trigger", {**_MESSAGE, "endpoint_ids": ["ep_none"]}


def _unknown_endpoint_to_enable(client: Client) -> tuple[str, Document]:
    slug = client.new_app()["slug"]
    return f"/v1/apps/{slug}/endpoints/ep_none/enable", {"release": False}


def _unknown_app_to_replay_in(_client: Client) -> tuple[str, Document]:
    return "/v1/apps/nobodys/replays", {"delivery_ids": ["del_none"]}


def _inactive(client: Client) -> tuple[str, Document]:
    return f"/v1/apps/{client.new_app(active=False)['slug']}/trigger", _MESSAGE


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (_conflict, 409),
        (_inactive, 409),
        (_unknown_app, 404),
        (_unknown_app_to_publish_to, 404),
        (_forbidden_url, 422),
        (_unknown_endpoint, 422),
        (_unknown_endpoint_to_enable, 404),
        (_unknown_app_to_replay_in, 404),
    ],
)
def test_refusals_of_an_operation_are_recorded(
    client: Client, make: Callable[[Client], tuple[str, Document]], status: int
) -> None:
    """404, 409 and 422 are answers too: they come again, but with the repeat's request id."""
    path, body = make(client)
    first, again = _again(client, path, body, f"refused-{make.__name__}")

    assert (status, False, True) == (first.status, _is_replay(first), _is_replay(again))
    assert first.code == again.code
    assert {**first.json, "request_id": ""} == {**again.json, "request_id": ""}


def test_a_recorded_refusal_outlives_its_reason(client: Client) -> None:
    """What was 404 stays 404 for this key even when the app exists by now."""
    path = "/v1/apps/late-app/trigger"
    first = client.post(path, _MESSAGE, Idempotency_Key="late")
    client.new_app(slug="late-app")
    again = client.post(path, _MESSAGE, Idempotency_Key="late")
    fresh = client.post(path, _MESSAGE, Idempotency_Key="later")

    assert [404, 404, 202] == [first.status, again.status, fresh.status]


_BAD: dict[int, tuple[dict[str, str], bytes]] = {
    400: ({"Content-Type": "application/json"}, b'{"name": 1}'),
    413: ({"Content-Type": "application/json"}, b'{"name": "%b"}' % (b"x" * 400_000)),
    415: ({"Content-Type": "text/plain"}, b'{"name": "x"}'),
}


@pytest.mark.parametrize("status", _BAD)
def test_what_was_refused_before_it_ran_leaves_the_key_free(client: Client, status: int) -> None:
    """400, 413 and 415 leave no record."""
    headers, body = _BAD[status]
    keyed = {"Idempotency-Key": f"free-{status}"}
    refused = client.send("POST", "/v1/apps", {**headers, **keyed}, body)
    accepted = client.post("/v1/apps", {"name": "x"}, Idempotency_Key=f"free-{status}")

    assert (status, 201, False) == (refused.status, accepted.status, _is_replay(accepted))


def test_late_400_and_413_leave_the_key_free(client: Client) -> None:
    """Rules that only the service knows are told with a 400 or 413, and leave no record."""
    contradiction = {"preset": "none", "max_attempts": 5}
    bodies: list[tuple[Document, int]] = [
        ({"name": "x", "retry_policy": contradiction}, 400),
        ({"name": "x", "metadata": {"a": "b" * 9000}}, 413),
        ({"name": "x"}, 201),
    ]
    answers = [client.post("/v1/apps", body, Idempotency_Key="late-400") for body, _ in bodies]

    assert [status for _, status in bodies] == [answer.status for answer in answers]


def test_401_403_and_429_leave_the_key_free(new_lab: OpenLab) -> None:
    """A key that was refused, or too busy, may repeat its request."""
    client = new_lab(requests_per_minute=3).client
    reader = client.with_key(client.new_key("read")["key"])
    writer = client.with_key(client.new_key("write")["key"])
    body, key = {"name": "x"}, {"Idempotency_Key": "free"}
    statuses = [
        client.with_key(None).post("/v1/apps", body, **key).status,
        reader.post("/v1/apps", body, **key).status,
        *(client.post("/v1/apps", body, **key).status for _ in range(2)),
    ]
    answer = writer.post("/v1/apps", body, Idempotency_Key="free-2")

    assert [401, 403, 201, 429] == statuses
    assert (201, False) == (answer.status, _is_replay(answer))


def test_a_failure_of_the_server_leaves_the_key_free(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 500 is not stored, and what the operation had done is undone with it."""
    client, before = lab.client, lab.snapshot()

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "finish", fail)
        failed = client.post("/v1/apps", {"name": "x"}, Idempotency_Key="burnt")
    unchanged = before == lab.snapshot()
    repeated = client.post("/v1/apps", {"name": "x"}, Idempotency_Key="burnt")

    assert (500, "internal_error", True) == (failed.status, failed.code, unchanged)
    assert b"fire" not in failed.body
    assert (201, False) == (repeated.status, _is_replay(repeated))


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 256, "caf\u00e9", "a\tb", "\x7f"])
def test_malformed_keys_are_refused(client: Client, key: str) -> None:
    """1 to 255 visible ASCII characters."""
    answer = client.post("/v1/apps", {"name": "x"}, Idempotency_Key=key)

    assert (400, "validation_error") == (answer.status, answer.code)
    assert "header/idempotency-key" == answer.faults[0][0]


def test_the_longest_key_is_taken(client: Client) -> None:
    """255 characters of every visible kind."""
    key = ("".join(chr(code) for code in range(0x21, 0x7F)) * 3)[:255]
    first, again = _again(client, "/v1/apps", {"name": "x"}, key)

    assert (201, True) == (first.status, _is_replay(again))


# Scope


def test_a_key_is_tied_to_route_account_and_environment(lab: Lab) -> None:
    """The same key elsewhere is another key."""
    client = lab.client
    apps = [client.new_app()["slug"] for _ in range(2)]
    callers = [client.with_key(lab.stranger.live_key), client.with_key(lab.owner.test_key)]
    key = {"Idempotency_Key": "same"}
    answers = [client.post("/v1/apps", {"name": "x"}, **key)]
    answers += [caller.post("/v1/apps", {"name": "x"}, **key) for caller in callers]
    answers += [client.post(f"/v1/apps/{slug}/trigger", _MESSAGE, **key) for slug in apps]
    answers += [client.post(f"/v1/apps/{slug}/rotate-secret", {}, **key) for slug in apps]

    assert not any(_is_replay(answer) for answer in answers)
    assert {200, 201, 202} == {answer.status for answer in answers}
    names = [answer.json.get("id") or answer.json.get("message_id") for answer in answers[:5]]
    assert len(set(names)) == len(names)


def test_another_api_key_of_the_account_gets_the_same_answer(client: Client) -> None:
    """The scope is the account and environment, so a program may change its key meanwhile."""
    other = client.with_key(client.new_key("write")["key"])
    first = client.post("/v1/apps", {"name": "x"}, Idempotency_Key="handed-over")
    again = other.post("/v1/apps", {"name": "x"}, Idempotency_Key="handed-over")

    assert (first.body, True) == (again.body, _is_replay(again))


def test_get_and_patch_take_no_notice_of_the_header(client: Client) -> None:
    """Only POST operations have idempotency keys."""
    slug = client.new_app()["slug"]
    path, headers = f"/v1/apps/{slug}", {"Idempotency_Key": "ignored"}
    for name in ("one", "two"):
        client.call("PATCH", path, {"name": name}, **headers).require(200)

    assert "two" == client.get(path, **headers).json["name"]


# Time


def test_a_record_is_kept_for_24_hours(lab: Lab) -> None:
    """One second before the end it replays, afterwards the key is free."""
    client = lab.client
    slug = client.new_app()["slug"]
    path = f"/v1/apps/{slug}/trigger"
    routes: list[tuple[str, Document]] = [("/v1/apps", {"name": "x"}), (path, _MESSAGE)]
    firsts = [client.post(place, body, Idempotency_Key="day") for place, body in routes]
    client.advance("PT23H59M50S")
    replays = [client.post(place, body, Idempotency_Key="day") for place, body in routes]
    client.advance("PT11S")
    others = [client.post(place, body, Idempotency_Key="day") for place, body in routes]

    assert [first.body for first in firsts] == [replay.body for replay in replays]
    assert [False, False] == [_is_replay(other) for other in others]
    assert [201, 202] == [other.status for other in others]


# Concurrency


def test_fifty_at_once_make_one_message(client: Client) -> None:
    """Repeats of a trigger that come while the first runs wait for it and answer the same."""
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, NOWHERE, retry_policy={"preset": "none"})
    path = f"/v1/apps/{slug}/trigger"
    barrier = threading.Barrier(50)

    def send(_: int) -> Answer:
        barrier.wait(60)
        return client.post(path, _MESSAGE, Idempotency_Key="fifty")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    messages = client.get(f"/v1/apps/{slug}/messages?include_total=true").json
    deliveries = client.get(f"/v1/apps/{slug}/deliveries?include_total=true").json

    assert {202} == {answer.status for answer in answers}
    assert 1 == len({answer.body for answer in answers})
    assert 49 == sum(_is_replay(answer) for answer in answers)
    assert (1, 1) == (messages["total_count"], deliveries["total_count"])


def test_fifty_at_once_make_one_app(client: Client) -> None:
    """The record of any other operation is written in the transaction that it guards."""
    barrier = threading.Barrier(50)

    def send(_: int) -> Answer:
        barrier.wait(60)
        return client.post("/v1/apps", {"name": "One of fifty"}, Idempotency_Key="fifty-apps")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))

    assert ({201}, 1) == ({a.status for a in answers}, len({a.json["id"] for a in answers}))


def test_fifty_at_once_with_two_bodies(client: Client) -> None:
    """One body wins; every request with the other one is told so."""
    slug = client.new_app()["slug"]
    barrier = threading.Barrier(50)

    def send(number: int) -> Answer:
        barrier.wait(60)
        body = {"event_name": "a.b", "payload": {"n": number % 2}}
        return client.post(f"/v1/apps/{slug}/trigger", body, Idempotency_Key="two-bodies")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))

    assert [25, 25] == [sum(a.status == status for a in answers) for status in (202, 422)]
    assert 1 == client.get(f"/v1/apps/{slug}/messages?include_total=true").json["total_count"]


def test_an_operation_that_still_runs_is_not_run_twice(lab: Lab, receiver: StartReceiver) -> None:
    """A test event is under way: 409 with Retry-After; once it has ended, its answer again."""
    let_go = threading.Event()

    def slowly(peer: Any) -> None:
        read_request(peer)
        let_go.wait(60)
        peer.sendall(OK)

    slow = receiver(slowly)
    client = lab.client
    slug = client.new_app()["slug"]
    path = f"/v1/apps/{slug}/endpoints/{client.new_endpoint(slug, slow.url())['id']}/test"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.post, path, {}, Idempotency_Key="slow")
        eventually(lambda: slow.connections == 1)
        meanwhile = client.post(path, {}, Idempotency_Key="slow")
        other_body = client.post(path, {"event_name": "x"}, Idempotency_Key="slow")
        let_go.set()
        first = running.result(60)
    again = client.post(path, {}, Idempotency_Key="slow")

    assert (409, "idempotency_in_progress") == (meanwhile.status, meanwhile.code)
    assert int(meanwhile.headers["retry-after"]) >= 1
    assert (422, "idempotency_key_reused") == (other_body.status, other_body.code)
    assert (200, first.body, True) == (first.status, again.body, _is_replay(again))
    assert 1 == slow.connections


def test_the_record_of_a_request_that_died_ends_after_a_minute(
    lab: Lab, receiver: StartReceiver
) -> None:
    """A request that never came to an end does not hold its key for a day."""
    client = lab.client
    slug = client.new_app()["slug"]
    good = receiver(answering(OK))
    path = f"/v1/apps/{slug}/endpoints/{client.new_endpoint(slug, good.url())['id']}/test"
    client.post(path, {}, Idempotency_Key="died").require(200)
    lab.database.write(  # what a kill between the two transactions leaves behind
        lambda tx: tx.exec_driver_sql(
            "UPDATE idempotency_records SET status = NULL, response_sealed = NULL,"
            " expires_at = started_at + 60000"
        )
    )
    client.advance("PT50S")
    early = client.post(path, {}, Idempotency_Key="died")
    client.advance("PT11S")
    late = client.post(path, {}, Idempotency_Key="died")

    assert [409, 200] == [early.status, late.status]


# Secrets


def test_stored_answers_are_encrypted(lab: Lab) -> None:
    """A secret that was shown once is replayed, and still nowhere on the disk."""
    client = lab.client
    slug = client.new_app()["slug"]
    shown = [
        _again(client, "/v1/apps", {"name": "x"}, "s1"),
        _again(client, f"/v1/apps/{slug}/endpoints", {"url": NOWHERE}, "s2"),
        _again(client, f"/v1/apps/{slug}/rotate-secret", {}, "s3"),
        _again(client, "/v1/api-keys", {"name": "x", "scopes": ["read"]}, "s4"),
    ]
    secrets = [first.json.get("signing_secret") or first.json["key"] for first, _ in shown]
    on_disk = lab.files()

    assert [first.body for first, _ in shown] == [again.body for _, again in shown]
    assert [] == [secret for secret in secrets if secret.encode() in on_disk]
    assert [] == [secret for secret in secrets if secret[-20:].encode() in on_disk]


def _is_replay(answer: Answer) -> bool:
    assert answer.headers.get("idempotency-replayed", "true") == "true"
    return "idempotency-replayed" in answer.headers
