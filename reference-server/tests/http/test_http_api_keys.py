"""API keys: what they may do, when they end, and that their text is kept nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from http_lab import Client, Lab

from hookwright_server.domain.contract import SCOPES

NOWHERE = "http://127.0.0.1:1/hook"
_EVENT = {"event_name": "a", "payload": {}}


def _statuses(client: Client, slug: str) -> tuple[int, int, int, int]:
    """Of reading, writing, publishing and administering."""
    return (
        client.get(f"/v1/apps/{slug}").status,
        client.patch(f"/v1/apps/{slug}", {}).status,
        client.post(f"/v1/apps/{slug}/trigger", _EVENT).status,
        client.get("/v1/api-keys").status,
    )


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (("read",), (200, 403, 403, 403)),
        (("write",), (403, 200, 403, 403)),
        (("trigger",), (403, 403, 202, 403)),
        (("read", "trigger"), (200, 403, 202, 403)),
        (("admin",), (200, 200, 202, 200)),
    ],
)
def test_scopes(
    client: Client, scopes: tuple[str, ...], expected: tuple[int, int, int, int]
) -> None:
    """Each scope opens its operations and no other; `admin` opens all."""
    slug = client.new_app()["slug"]
    made = client.new_key(*scopes)

    assert list(scopes) == made["scopes"]
    assert expected == _statuses(client.with_key(made["key"]), slug)


def test_a_bound_key_sees_its_app_alone(lab: Lab) -> None:
    """By name and by `-`, on every list and on every operation of the app."""
    client = lab.client
    mine, other = (client.new_app()["slug"] for _ in range(2))
    for slug in (mine, other):
        client.new_endpoint(slug, NOWHERE, active=False)
        client.trigger(slug)
    made = client.new_key("read", "write", "trigger", app_slug=mine)
    bound = client.with_key(made["key"])

    assert mine == made["app_slug"]
    assert [mine] == [row["slug"] for row in bound.get("/v1/apps").json["data"]]
    for kind in ("endpoints", "messages", "deliveries"):
        rows = bound.get(f"/v1/apps/-/{kind}").json["data"]
        assert (kind, [mine]) == (kind, [row["app_slug"] for row in rows])
        assert rows == bound.get(f"/v1/apps/{mine}/{kind}").json["data"]
        assert 404 == bound.get(f"/v1/apps/{other}/{kind}").status
    for slug in (mine, "-"):
        assert mine == bound.get(f"/v1/apps/{slug}").json["slug"]
        assert mine == bound.patch(f"/v1/apps/{slug}", {}).json["slug"]
        bound.post(f"/v1/apps/{slug}/trigger", _EVENT).require(202)
        bound.post(f"/v1/apps/{slug}/rotate-secret", {}).require(200)
        made_endpoint = bound.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE}).require(201)
        bound.get(f"/v1/apps/{slug}/endpoints/{made_endpoint['id']}").require(200)
    assert (404, 404) == _statuses(bound, other)[:2]


def test_the_dash_is_no_app_without_a_bound_key(client: Client) -> None:
    """On operations about one app `-` names nothing for a key that is not bound."""
    answers = [
        client.get("/v1/apps/-"),
        client.patch("/v1/apps/-", {}),
        client.delete("/v1/apps/-"),
        client.post("/v1/apps/-/trigger", _EVENT),
        client.post("/v1/apps/-/rotate-secret", {}),
        client.post("/v1/apps/-/endpoints", {"url": NOWHERE}),
    ]

    assert [404] * 6 == [answer.status for answer in answers]
    assert 400 == client.put("/v1/apps/-", {}).status


def test_a_key_expires_on_the_millisecond(lab: Lab) -> None:
    """Valid until `expires_at`, refused from then on."""
    client = lab.client
    at = datetime.now(UTC) + timedelta(hours=1)
    made = client.new_key("read", expires_at=at.isoformat())
    key = client.with_key(made["key"])
    before = key.get("/v1/apps").status
    client.advance("PT59M")
    still = key.get("/v1/apps").status
    client.advance("PT1M1S")

    assert made["expires_at"] == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert [200, 200, 401] == [before, still, key.get("/v1/apps").status]


def test_rotation_overlaps(lab: Lab) -> None:
    """Both texts are good until the overlap ends; the key keeps its id, scopes and binding."""
    client = lab.client
    slug = client.new_app()["slug"]
    old = client.new_key("read", "write", app_slug=slug)
    new = client.post(f"/v1/api-keys/{old['id']}/rotate", {"overlap_seconds": 600}).require(200)
    holders = [client.with_key(key["key"]) for key in (old, new)]
    during = [holder.get("/v1/apps").status for holder in holders]
    client.advance("PT9M55S")
    still = [holder.get("/v1/apps").status for holder in holders]
    client.advance("PT6S")
    after = [holder.get("/v1/apps").status for holder in holders]

    kept = {name: old[name] for name in ("id", "name", "scopes", "app_slug", "created_at")}
    assert kept == {name: new[name] for name in kept}
    assert ([200, 200], [200, 200], [401, 200]) == (during, still, after)
    assert new["previous_valid_until"] is not None


def test_rotation_ends_the_old_text_at_once(client: Client) -> None:
    """Without an overlap; a second rotation ends the first one's overlap too."""
    made = client.new_key("read")
    path = f"/v1/api-keys/{made['id']}/rotate"
    second = client.post(path).require(200)
    third = client.post(path, {"overlap_seconds": 600}).require(200)
    fourth = client.post(path, {"overlap_seconds": 0}).require(200)
    texts = [each["key"] for each in (made, second, third, fourth)]

    assert 4 == len(set(texts))
    assert [401, 401, 401, 200] == [
        client.with_key(text).get("/v1/apps").status for text in texts
    ]
    assert None is fourth["previous_valid_until"]


def test_a_key_may_rotate_and_revoke_itself(client: Client) -> None:
    """It is refused from the next request on."""
    made = client.new_key("admin")
    itself = client.with_key(made["key"])
    renewed = itself.post(f"/v1/api-keys/{made['id']}/rotate").require(200)
    again = client.with_key(renewed["key"])
    again.delete(f"/v1/api-keys/{made['id']}").require(204)

    assert [401, 401] == [holder.get("/v1/apps").status for holder in (itself, again)]
    assert 404 == client.delete(f"/v1/api-keys/{made['id']}").status
    assert 404 == client.post(f"/v1/api-keys/{made['id']}/rotate").status


def test_lists_show_keys_without_their_text(client: Client) -> None:
    """Newest first, of this environment, without revoked ones."""
    made = [client.new_key("read", name=f"key {number}") for number in range(3)]
    client.delete(f"/v1/api-keys/{made[1]['id']}").require(204)
    other = client.new_key("read", environment="test")
    answer = client.get("/v1/api-keys?limit=100")
    ids = [row["id"] for row in answer.json["data"]]

    assert [made[2]["id"], made[0]["id"]] == ids[:2]
    assert not {made[1]["id"], other["id"]} & set(ids)
    assert not any(each["key"].encode() in answer.body for each in made)
    assert "key" not in answer.json["data"][0]


def test_a_key_of_a_deleted_app_is_dead(client: Client) -> None:
    """Even when its slug is used again."""
    slug = client.new_app()["slug"]
    key = client.with_key(client.new_key("read", app_slug=slug)["key"])
    before = key.get(f"/v1/apps/{slug}").status
    client.delete(f"/v1/apps/{slug}").require(204)
    client.new_app(slug=slug)

    assert [200, 401] == [before, key.get(f"/v1/apps/{slug}").status]


@pytest.mark.parametrize("scopes", [[], ["read", "read"], ["root"], ["READ"], "read", [1]])
def test_bad_scopes_are_refused(client: Client, scopes: object) -> None:
    """At least one, each once, and only those that there are."""
    assert 400 == client.post("/v1/api-keys", {"name": "x", "scopes": scopes}).status


def test_all_scopes_can_be_given(client: Client) -> None:
    """The list of the contract."""
    assert list(SCOPES) == client.new_key(*SCOPES)["scopes"]
