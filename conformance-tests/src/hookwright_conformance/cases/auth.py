"""Keys, scopes, accounts and environments."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hookwright_conformance.case import case
from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.route import HttpRoute, Response
from hookwright_conformance.target import Credential
from hookwright_conformance.world import Document, World

BAD_AUTHORISATION = ("Bearer", "Bearer x", "Basic eDp5", "Bearer hw_live_" + "0" * 40, "hw_live_x")


@case(
    id="auth.no-valid-key-no-answer",
    requirement="AUTH-1",
    profile="core",
    kills=["lets-anybody-in"],
)
def no_valid_key_no_answer(world: World) -> None:
    """Absent, malformed and unknown keys are 401 with WWW-Authenticate."""
    nobody = world.api.using(None)
    responses = [nobody.call("apps.list")]
    responses += [
        nobody.call("apps.list", headers={"Authorization": value}) for value in BAD_AUTHORISATION
    ]

    for response in responses:
        require_equal((401, "unauthorized"), (response.status, response.code), "status and code")
        scheme = response.header("www-authenticate") or ""
        require(scheme.startswith("Bearer"), "WWW-Authenticate", "Bearer", scheme)


@case(
    id="auth.scopes-limit-a-key",
    requirement="AUTH-2",
    profile="account",
    kills=["grants-every-scope"],
)
def scopes_limit_a_key(world: World) -> None:
    """A reader cannot write or trigger, a trigger key cannot read, neither manages keys."""
    app = world.app()
    reader, trigger = (world.api.using(world.key([scope])[0]) for scope in ("read", "trigger"))
    event: Document = {"event_name": "a", "payload": {}}
    trigger.call("trigger.send", app, expect=202, body=event)
    reader.call("apps.get", app, expect=200)
    refused = [
        reader.call("trigger.send", app, body=event),
        reader.call("apps.update", app, body={"name": "x"}),
        reader.call("api_keys.list"),
        trigger.call("apps.get", app),
        trigger.call("api_keys.create", body={"name": "x", "scopes": ["admin"]}),
    ]

    for response in refused:
        require_equal((403, "forbidden"), (response.status, response.code), "status and code")


def _answers(api: HttpRoute, app: str, ids: dict[str, str]) -> dict[str, Response]:
    """Every way to reach an app and what belongs to it, by id."""
    event: Document = {"event_name": "a", "payload": {}}
    return {
        "apps.get": api.call("apps.get", app),
        "apps.update": api.call("apps.update", app, body={"name": "stolen"}),
        "apps.delete": api.call("apps.delete", app),
        "apps.rotate_secret": api.call("apps.rotate_secret", app),
        "endpoints.list": api.call("endpoints.list", app),
        "endpoints.get": api.call("endpoints.get", app, ids["endpoint"]),
        "endpoints.delete": api.call("endpoints.delete", app, ids["endpoint"]),
        "trigger.send": api.call("trigger.send", app, body=event),
        "messages.get": api.call("messages.get", app, ids["message"]),
        "deliveries.get": api.call("deliveries.get", app, ids["delivery"]),
        "deliveries.list_attempts": api.call("deliveries.list_attempts", app, ids["delivery"]),
        "deliveries.retry": api.call("deliveries.retry", app, ids["delivery"]),
    }


def _bare(response: Response, app: str, ids: dict[str, str]) -> tuple[int, Any]:
    """A response without what names the thing that was asked for."""
    text = response.body.decode()
    for name in (app, *ids.values()):
        text = text.replace(name, "")
    text = text.replace(response.header("x-request-id") or "", "")
    return response.status, json.loads(text) if text else None


def _require_sealed(world: World, stranger: Credential) -> None:
    """What one key made is, for the other, exactly as if it did not exist."""
    app, hook, event = world.app(), world.hook(), f"case.{world.token()}"
    endpoint = world.endpoint(app, hook, events=[event])
    accepted = world.publish(app, event_name=event)
    delivery = accepted["delivery_ids"][0]
    world.finished(app, delivery, "delivered")
    ids = {"endpoint": endpoint["id"], "message": accepted["message_id"], "delivery": delivery}
    unknown = {name: value[:-6] + "ZZZZZZ" for name, value in ids.items()}
    nowhere = app[:-6] + "zzzzzz"
    other = world.api.using(stranger)
    foreign, absent = _answers(other, app, ids), _answers(other, nowhere, unknown)

    for name, response in foreign.items():
        require_equal(404, response.status, f"{name} on a foreign thing")
        expected, actual = _bare(absent[name], nowhere, unknown), _bare(response, app, ids)
        require_equal(expected, actual, f"{name}: foreign against unknown")
    own = other.call("apps.create", expect=201, body={"name": "x", "slug": world.slug()}).json()
    world.afterwards(partial(other.call, "apps.delete", own["slug"]))
    for name, value in ids.items():
        operation = {"endpoint": "endpoints.get", "message": "messages.get"}.get(
            name, "deliveries.get"
        )
        response = other.call(operation, own["slug"], value)
        require_equal(404, response.status, f"{operation} of a foreign id under an own app")
    for operation in ("endpoints.list", "messages.list", "deliveries.list"):
        listed = other.call(operation, "-", expect=200, query={"event_name": event})
        leaked = [value for value in ids.values() if value.encode() in listed.body]
        require_equal([], leaked, f"foreign ids in {operation}")
    apps = other.call("apps.list", expect=200, query={"limit": 100})
    require(f'"{app}"'.encode() not in apps.body, "apps.list", "no foreign app", app)
    world.api.call("apps.get", app, expect=200)


@case(
    id="auth.accounts-are-sealed",
    requirement="AUTH-3",
    profile="core",
    kills=["leaks-foreign-rows"],
)
def accounts_are_sealed(world: World) -> None:
    """Another account's key finds nothing, and cannot tell foreign from unknown."""
    stranger = world.target.other_account
    if stranger is None:
        what = "credentials in target.yaml"
        raise Unmet(what, "other_account: the key of a second account", "only one account")
    _require_sealed(world, stranger)


@case(
    id="auth.environments-are-sealed",
    requirement="AUTH-4",
    profile="account",
    kills=["leaks-foreign-rows"],
)
def environments_are_sealed(world: World) -> None:
    """A test key of the same account finds nothing that is live."""
    tester, created = world.key(["admin"], environment="test")
    require_equal("test", created["environment"], "environment of the key")
    require(tester.key.startswith("hw_test_"), "text of a test key", "hw_test_…", tester.key[:8])
    _require_sealed(world, tester)


@case(
    id="auth.bound-key-sees-its-app-only",
    requirement="AUTH-5",
    profile="account",
    kills=["forgets-what-a-key-is-bound-to"],
)
def bound_key_sees_its_app_only(world: World) -> None:
    """A key bound to an app reads that app (also as -), no other, and no account-wide operation."""
    mine, other = world.app(), world.app()
    hook = world.hook()
    foreign = world.endpoint(other, hook)
    bound, _ = world.key(["admin"], app_slug=mine)
    api = world.api.using(bound)

    for slug in (mine, "-"):
        require_equal(mine, api.call("apps.get", slug, expect=200).json()["slug"], "slug")
    require_equal(404, api.call("apps.get", other).status, "apps.get of another app")
    require_equal(404, api.call("endpoints.get", mine, foreign["id"]).status, "foreign endpoint")
    event: Document = {"event_name": "a", "payload": {}}
    require_equal(404, api.call("trigger.send", other, body=event).status, "trigger.send")
    listed = api.call("apps.list", expect=200).json()["data"]
    require_equal([mine], [one["slug"] for one in listed], "apps.list")
    require_equal(403, api.call("api_keys.list").status, "api_keys.list")
    require_equal(403, api.call("apps.create", body={"name": "x"}).status, "apps.create")
    to_nothing = {"name": "x", "scopes": ["read"], "app_slug": world.slug()}
    refused = world.api.call("api_keys.create", expect=422, body=to_nothing)
    require_equal("unknown_app", refused.code, "code for a key bound to no app")


@case(
    id="auth.key-text-is-shown-once",
    requirement="AUTH-6",
    profile="account",
    kills=["shows-keys-again"],
)
def key_text_is_shown_once(world: World) -> None:
    """The list of keys does not contain a key's text."""
    credential, created = world.key(["read"])
    listed = world.api.call("api_keys.list", expect=200, query={"limit": 100})

    require(created["id"].encode() in listed.body, "api_keys.list", "the new key", "nothing")
    require(credential.key.encode() not in listed.body, "api_keys.list", "no text", "the text")


@case(
    id="auth.rotation-ends-the-old-key",
    requirement="AUTH-7",
    profile="account",
    kills=["old-keys-stay-for-an-hour"],
)
def rotation_ends_the_old_key(world: World) -> None:
    """Without overlap the old text is refused at once; with it both work."""
    for overlap, status in ((0, 401), (3600, 200)):
        old, created = world.key(["read"])
        body = {"overlap_seconds": overlap}
        rotated = world.api.call("api_keys.rotate", created["id"], expect=200, body=body).json()
        new = Credential("KEY_MADE_BY_THE_CASE", rotated["key"])
        world.api.using(new).call("apps.list", expect=200)
        after = world.api.using(old).call("apps.list").status
        require_equal(status, after, f"status with the old text, overlap {overlap}")


@case(
    id="auth.deleted-key-is-refused",
    requirement="AUTH-7",
    profile="account",
    kills=["revokes-no-key"],
)
def deleted_key_is_refused(world: World) -> None:
    """A deleted key is 401 from the next request on."""
    deleted, created = world.key(["read"])
    world.api.using(deleted).call("apps.list", expect=200)
    world.api.call("api_keys.delete", created["id"], expect=204)
    response = world.api.using(deleted).call("apps.list")

    require_equal((401, "unauthorized"), (response.status, response.code), "status and code")


@case(
    id="auth.test-key-makes-no-live-key",
    requirement="AUTH-8",
    profile="account",
    kills=["test-keys-make-live-ones"],
)
def test_key_makes_no_live_key(world: World) -> None:
    """A test key that asks for a live one is 403."""
    tester, _ = world.key(["admin"], environment="test")
    body = {"name": "x", "scopes": ["read"], "environment": "live"}
    response = world.api.using(tester).call("api_keys.create", body=body)

    require_equal((403, "forbidden"), (response.status, response.code), "status and code")
