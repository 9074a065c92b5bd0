"""Who may do what: every operation of the contract, asked by everybody who may not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from http_lab import PRIVATE_OPERATIONS, Answer, Client, Document, Lab, Template, open_lab
from http_world import UNKNOWN, Tenant, Things, make_things, request, settle

from hookwright_server.domain.contract import SCOPES
from hookwright_server.http.edge.operations import Operation

# Nobody listens there: port 1 of loopback answers with a reset.
NOWHERE = "http://127.0.0.1:1/hook"
_BOUND_MAY_NOT = {
    "apps.create",
    "apps.get_or_create",
    "apps.delete",
    "api_keys.list",
    "api_keys.create",
    "api_keys.rotate",
    "api_keys.delete",
}
_WITH_APP = [operation for operation in PRIVATE_OPERATIONS if operation.app_scoped]
_LISTS = [operation for operation in PRIVATE_OPERATIONS if "cursor" in operation.query_names]
_VOLATILE = ("x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit")

_OTHERS = ("other account", "other environment", "key of another app")
_FOREIGN = [
    pytest.param(operation, other, id=f"{other}-{operation.operation_id}")
    for operation in _WITH_APP
    for other in _OTHERS
    # It creates the caller's own app of that name: test_the_same_slug_elsewhere_is_another_app.
    if operation.operation_id != "apps.get_or_create" or other == "key of another app"
]

every_operation = pytest.mark.parametrize(
    "operation", PRIVATE_OPERATIONS, ids=lambda operation: operation.operation_id
)
every_list = pytest.mark.parametrize(
    "operation", _LISTS, ids=lambda operation: operation.operation_id
)


@dataclass(frozen=True)
class World:
    """The victim, everybody else with a valid key, and keys that must not open anything."""

    lab: Lab
    victim: Tenant
    others: dict[str, Tenant]
    by_scope: dict[str, Client]
    dead_keys: dict[str, str | None]


@pytest.fixture(scope="module")
def world(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two accounts, two environments, bound keys, and keys that are no longer valid."""
    with open_lab(*template, tmp_path_factory.mktemp("world")) as lab:
        yield _world(lab)


def _world(lab: Lab) -> World:
    owner = lab.client
    dead = _dead_keys(lab)
    victim = settle(owner, NOWHERE, slug="victims-app")
    bound_things = settle(owner, NOWHERE, slug="other-app")
    bound = owner.with_key(owner.new_key("admin", app_slug="other-app")["key"])
    others = {
        "other account": settle(owner.with_key(lab.stranger.live_key), NOWHERE),
        "other environment": settle(owner.with_key(lab.owner.test_key), NOWHERE),
        "key of another app": Tenant(bound, bound_things.things, bound_things.cursors),
    }
    by_scope: dict[str, Client] = {
        scope: owner.with_key(owner.new_key(scope)["key"]) for scope in SCOPES if scope != "admin"
    }
    return World(lab, victim, others, by_scope, dead)


def _dead_keys(lab: Lab) -> dict[str, str | None]:
    owner = lab.client
    revoked = owner.new_key("admin")
    owner.delete(f"/v1/api-keys/{revoked['id']}").require(204)
    rotated = owner.new_key("admin")
    owner.post(f"/v1/api-keys/{rotated['id']}/rotate").require(200)
    overlapped = owner.new_key("admin")
    owner.post(f"/v1/api-keys/{overlapped['id']}/rotate", {"overlap_seconds": 60}).require(200)
    expired = owner.new_key("admin", expires_at="2200-01-01T00:00:00Z")
    orphan_app = owner.new_app()["slug"]
    orphan = owner.new_key("admin", app_slug=orphan_app)
    owner.delete(f"/v1/apps/{orphan_app}").require(204)
    while owner.advance("P9999D")["now"] < "2200":
        pass
    flipped = revoked["key"][:-1] + ("A" if revoked["key"][-1] != "A" else "B")
    return {
        "none": None,
        "garbage": "hw_live_nonsense",
        "not ascii": "hw_live_\u00fc",
        "wrong checksum": flipped,
        "revoked": revoked["key"],
        "rotated away": rotated["key"],
        "overlap has ended": overlapped["key"],
        "expired": expired["key"],
        "its app is deleted": orphan["key"],
    }


@every_operation
def test_an_entitled_key_is_served(world: World, operation: Operation) -> None:
    """The matrix below is not empty: with the right key each operation succeeds."""
    owner = world.victim.client
    things = make_things(owner, NOWHERE)

    assert request(owner, operation, things.path(operation), NOWHERE).status < 300


@every_operation
def test_without_a_valid_key_nothing_is_served(world: World, operation: Operation) -> None:
    """No key, garbage, revoked, rotated away, expired: 401 and nothing changes."""
    before = world.lab.snapshot()
    path = world.victim.things.path(operation)

    for kind, key in world.dead_keys.items():
        answer = request(world.lab.client.with_key(key), operation, path, NOWHERE)

        assert (kind, 401, "unauthorized") == (kind, answer.status, answer.code)
        assert "Bearer" == answer.headers["www-authenticate"]
    assert before == world.lab.snapshot()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "bearer\thw_live_x",
        "Bearer hw_live_x, Bearer y",
        "\x00",
    ],
)
def test_a_malformed_authorization_header_is_refused(world: World, header: str) -> None:
    """Other schemes, empty values and lists are 401."""
    answer = world.lab.client.with_key(None).send("GET", "/v1/apps", {"Authorization": header})

    assert (401, "unauthorized") == (answer.status, answer.code)


@every_operation
def test_a_lower_scope_is_refused(world: World, operation: Operation) -> None:
    """Each scope but the operation's own is 403, with a known and an unknown resource alike."""
    before = world.lab.snapshot()
    lower = {scope: each for scope, each in world.by_scope.items() if scope != operation.scope}

    for scope, client in lower.items():
        answers = [
            request(client, operation, things.path(operation), NOWHERE)
            for things in (world.victim.things, UNKNOWN)
        ]

        assert (scope, 403, "forbidden") == (scope, answers[0].status, answers[0].code)
        assert _told(answers[1], UNKNOWN) == _told(answers[0], world.victim.things)
        assert "x-ratelimit-limit" in answers[0].headers
    assert before == world.lab.snapshot()


@pytest.mark.parametrize(("operation", "other"), _FOREIGN)
def test_what_is_foreign_reads_as_unknown(world: World, operation: Operation, other: str) -> None:
    """Foreign names in a path give the very answer of names that nobody has."""
    caller = world.others[other]
    before = world.lab.snapshot()

    def ask(things: Things, **instead: str) -> Answer:
        return request(caller.client, operation, things.path(operation, **instead), NOWHERE)

    # The foreign app; foreign things under an app of the caller's; and under all of them.
    for instead in ({}, {"app_slug": caller.things.app_slug}, {"app_slug": "-"}):
        if instead and operation.rule.count("<") == 1:
            continue
        foreign, unknown = ask(world.victim.things, **instead), ask(UNKNOWN, **instead)

        assert _told(unknown, UNKNOWN) == _told(foreign, world.victim.things)
        expected = 403 if foreign.status == 403 else 404
        assert expected == foreign.status
        bound_may_not = other == "key of another app" and operation.operation_id in _BOUND_MAY_NOT
        assert bound_may_not == (foreign.status == 403)
    assert before == world.lab.snapshot()


@pytest.mark.parametrize("operation_id", ["api_keys.rotate", "api_keys.delete"])
@pytest.mark.parametrize("other", _OTHERS)
def test_foreign_keys_read_as_unknown(world: World, operation_id: str, other: str) -> None:
    """API keys of another account or environment cannot be rotated or revoked."""
    operation = next(o for o in PRIVATE_OPERATIONS if o.operation_id == operation_id)
    before = world.lab.snapshot()
    client = world.others[other].client
    foreign = request(client, operation, world.victim.things.path(operation), NOWHERE)
    unknown = request(client, operation, UNKNOWN.path(operation), NOWHERE)

    assert _told(unknown, UNKNOWN) == _told(foreign, world.victim.things)
    assert (403 if other == "key of another app" else 404) == foreign.status
    assert before == world.lab.snapshot()


@pytest.mark.parametrize("operation_id", sorted(_BOUND_MAY_NOT))
def test_a_bound_key_may_not_touch_the_account(world: World, operation_id: str) -> None:
    """What concerns the account is 403 for a bound key, even about its own app."""
    operation = next(o for o in PRIVATE_OPERATIONS if o.operation_id == operation_id)
    caller = world.others["key of another app"]
    before = world.lab.snapshot()
    answer = request(caller.client, operation, caller.things.path(operation), NOWHERE)

    assert (403, "forbidden") == (answer.status, answer.code)
    assert before == world.lab.snapshot()


@pytest.mark.parametrize("other", ["other account", "other environment"])
def test_the_same_slug_elsewhere_is_another_app(world: World, other: str) -> None:
    """A slug that is taken by others is free, and provisioning it does not touch theirs."""
    theirs = world.victim.client.get("/v1/apps/victims-app").json
    client = world.others[other].client
    mine = client.put("/v1/apps/victims-app", {"name": "Mine"}).require(200)

    assert (True, True) == (mine["created"], mine["id"] != theirs["id"])
    assert theirs == world.victim.client.get("/v1/apps/victims-app").json
    client.delete("/v1/apps/victims-app").require(204)
    assert theirs == world.victim.client.get("/v1/apps/victims-app").json


@every_list
def test_lists_hold_nothing_foreign(world: World, operation: Operation) -> None:
    """Every name of the victim's is absent from everything that others can list."""
    secret_names = set(world.victim.things.names())

    for tenant in world.others.values():
        for slug in (tenant.things.app_slug, "-"):
            path = tenant.things.path(operation, app_slug=slug)
            answer = tenant.client.get(f"{path}?limit=100&include_total=true")
            if answer.status == 403 or (slug == "-" and answer.status == 404):
                continue

            answer.require(200)
            found = {name for name in secret_names if name.encode() in answer.body}
            assert set() == found
            assert len(answer.json["data"]) == answer.json["total_count"]


@every_list
def test_a_cursor_of_another_tenant_is_refused(world: World, operation: Operation) -> None:
    """A cursor opens only for whom it was made."""
    cursor = world.victim.cursors[operation.operation_id]

    for tenant in world.others.values():
        answer = tenant.client.get(f"{tenant.things.path(operation)}?limit=1&cursor={cursor}")
        if operation.operation_id in _BOUND_MAY_NOT and answer.status == 403:
            continue

        assert (400, [("query/cursor", "cursor")]) == (answer.status, answer.faults)


def _filter_by(name: str) -> Callable[[Tenant, Things], Answer]:
    def ask(caller: Tenant, things: Things) -> Answer:
        value = getattr(things, name)
        return caller.client.get(f"/v1/apps/-/deliveries?{name}={value}&include_total=true")

    return ask


def _trigger_to(caller: Tenant, things: Things) -> Answer:
    body: Document = {"event_name": "a.b", "payload": {}, "endpoint_ids": [things.endpoint_id]}
    return caller.client.post(f"/v1/apps/{caller.things.app_slug}/trigger", body)


def _key_for(caller: Tenant, things: Things) -> Answer:
    body = {"name": "k", "scopes": ["read"], "app_slug": things.app_slug}
    return caller.client.post("/v1/api-keys", body)


_REFERENCES = {
    "query endpoint_id": (_filter_by("endpoint_id"), 200),
    "query message_id": (_filter_by("message_id"), 200),
    "body endpoint_ids": (_trigger_to, 422),
    "body app_slug": (_key_for, 422),
}


@pytest.mark.parametrize("other", _OTHERS)
@pytest.mark.parametrize("place", _REFERENCES)
def test_foreign_references_read_as_unknown(world: World, place: str, other: str) -> None:
    """Foreign ids in a query or a body give the very answer of ids that nobody has."""
    ask, expected = _REFERENCES[place]
    caller = world.others[other]
    before = world.lab.snapshot()
    foreign, unknown = ask(caller, world.victim.things), ask(caller, UNKNOWN)

    assert _told(unknown, UNKNOWN) == _told(foreign, world.victim.things)
    assert foreign.status in (expected, 403)
    assert before == world.lab.snapshot()


def test_stored_answers_are_not_shared(world: World) -> None:
    """The same idempotency key, body and path never replay what another tenant was told."""
    victim, headers = world.victim, {"Idempotency_Key": "shared-by-accident"}
    path = f"/v1/apps/{victim.things.app_slug}/rotate-secret"
    secret = victim.client.post(path, {}, **headers).require(200)["signing_secret"]

    for tenant in world.others.values():
        answer = tenant.client.post(path, {}, **headers)

        assert 404 == answer.status
        assert "idempotency-replayed" not in answer.headers
        assert secret.encode() not in answer.body


def test_bound_keys_do_not_share_answers_under_the_dash(world: World) -> None:
    """`-` names another app for each bound key, so their stored answers are apart."""
    owner = world.victim.client
    keys = [
        owner.with_key(owner.new_key("write", app_slug=slug)["key"])
        for slug in ("victims-app", "other-app")
    ]
    first, second = (
        key.post("/v1/apps/-/rotate-secret", {}, Idempotency_Key="dash").require(200)
        for key in keys
    )

    assert first["signing_secret"] != second["signing_secret"]


def test_a_live_key_makes_test_keys_but_not_the_other_way_round(world: World) -> None:
    """A test key cannot climb into the live environment."""
    body = {"name": "k", "scopes": ["read"]}
    live, test = world.victim.client, world.others["other environment"].client
    made = live.post("/v1/api-keys", {**body, "environment": "test"}).require(201)
    climbing = test.post("/v1/api-keys", {**body, "environment": "live"})

    assert "test" == made["environment"]
    assert made["key"].startswith("hw_test_")
    assert 403 == climbing.status


def test_a_key_cannot_pass_for_the_other_environment(world: World) -> None:
    """The environment in a key's text is covered by what is stored, not believed."""
    forged = world.lab.owner.test_key.replace("hw_test_", "hw_live_")

    assert 401 == world.lab.client.with_key(forged).get("/v1/apps").status


def test_the_dash_is_no_app_without_a_bound_key(world: World) -> None:
    """On operations about one app `-` names nothing for a key that is not bound."""
    client = world.victim.client
    answers = [
        client.get("/v1/apps/-"),
        client.patch("/v1/apps/-", {}),
        client.delete("/v1/apps/-"),
        client.post("/v1/apps/-/trigger", {"event_name": "a", "payload": {}}),
        client.post("/v1/apps/-/rotate-secret", {}),
        client.post("/v1/apps/-/endpoints", {"url": NOWHERE}),
    ]

    assert [404] * 6 == [answer.status for answer in answers]
    assert 400 == client.put("/v1/apps/-", {}).status


def test_a_key_of_a_deleted_app_is_dead(world: World) -> None:
    """Even when its slug is used again."""
    client = world.victim.client
    slug = client.new_app()["slug"]
    key = client.with_key(client.new_key("read", app_slug=slug)["key"])
    before = key.get(f"/v1/apps/{slug}").status
    client.delete(f"/v1/apps/{slug}").require(204)
    client.new_app(slug=slug)

    assert [200, 401] == [before, key.get(f"/v1/apps/{slug}").status]


def _told(answer: Answer, things: Things) -> tuple[int, dict[str, str], bytes]:
    """The answer without its request id and the names that the caller had sent."""
    text = answer.body.replace(answer.headers["x-request-id"].encode(), b"<request>")
    for number, name in enumerate(things.names()):
        text = text.replace(name.encode(), b"<%d>" % number)
    headers = {name: value for name, value in answer.headers.items() if name not in _VOLATILE}
    headers.pop("content-length", None)
    assert not re.search(rb"Traceback|/src/", text)
    return answer.status, headers, text
