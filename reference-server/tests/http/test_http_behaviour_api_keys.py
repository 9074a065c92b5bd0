"""API keys: scopes, bound keys, expiry, rotation, revocation, and what is kept of them."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from http_lab import Client, Document, Lab
from http_sink import parsed

NOWHERE = "http://127.0.0.1:1/hook"
_LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def holder(client: Client, key: Document) -> Client:
    """Whoever has this key."""
    return client.with_key(key["key"])


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["read"], {"read"}),
        (["write"], {"write"}),
        (["trigger"], {"trigger"}),
        (["read", "trigger"], {"read", "trigger"}),
        (["admin"], {"read", "write", "trigger", "admin"}),
    ],
)
def test_a_key_may_do_what_its_scopes_say(
    client: Client, slug: str, scopes: list[str], may: set[str]
) -> None:
    """Each scope opens its own operations; `admin` opens all."""
    caller = holder(client, client.new_key(*scopes))
    asked = {
        "read": caller.get(f"/v1/apps/{slug}"),
        "write": caller.patch(f"/v1/apps/{slug}", {"name": "n"}),
        "trigger": caller.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}}),
        "admin": caller.get("/v1/api-keys"),
    }

    assert may == {scope for scope, answer in asked.items() if answer.status < 300}
    refused = [answer for scope, answer in asked.items() if scope not in may]
    assert {(403, "forbidden")} >= {(answer.status, answer.code) for answer in refused}


def test_a_new_key_is_described_but_for_its_text(client: Client, slug: str) -> None:
    """Create answers the text once; the list has everything else."""
    made = client.new_key("read", "write", name="ci", app_slug=slug, expires_at=_LATER)
    text = made.pop("key")
    listed = client.get("/v1/api-keys?limit=1").require(200)

    assert [made] == listed["data"]
    assert ("ci", ["read", "write"], slug, "live", "2999-01-01T00:00:00.000Z") == tuple(
        made[name] for name in ("name", "scopes", "app_slug", "environment", "expires_at")
    )
    assert text.startswith("hw_live_")
    assert made["id"].removeprefix("key_") in text
    assert text not in client.get("/v1/api-keys?limit=100").body.decode()


def test_a_bound_key_sees_its_app_alone(lab: Lab) -> None:
    """Lists hold its app only, `-` names it, others read as unknown."""
    client = lab.client
    mine, other = (client.new_app()["slug"] for _ in range(2))
    for slug in (mine, other):
        client.new_endpoint(slug, NOWHERE, active=False)
        client.trigger(slug)
    bound = holder(client, client.new_key("admin", app_slug=mine))

    assert [mine] == [row["slug"] for row in bound.get("/v1/apps").require(200)["data"]]
    assert mine == bound.get("/v1/apps/-").require(200)["slug"]
    for collection in ("endpoints", "messages", "deliveries"):
        under_dash = bound.get(f"/v1/apps/-/{collection}?include_total=true").require(200)
        under_slug = bound.get(f"/v1/apps/{mine}/{collection}?include_total=true").require(200)
        assert under_slug == under_dash
        assert ({mine}, 1) == (
            {row["app_slug"] for row in under_dash["data"]},
            under_dash["total_count"],
        )
        assert 404 == bound.get(f"/v1/apps/{other}/{collection}").status
    assert 1 == bound.trigger("-")["endpoint_count"]
    made = bound.new_endpoint("-", NOWHERE)
    assert mine == made["app_slug"]
    assert "Renamed" == bound.patch("/v1/apps/-", {"name": "Renamed"}).require(200)["name"]
    assert "Renamed" == client.get(f"/v1/apps/{mine}").json["name"]
    for refused in (
        bound.get("/v1/api-keys"),
        bound.post("/v1/apps", {"name": "x"}),
        bound.delete(f"/v1/apps/{mine}"),
    ):
        assert (403, "forbidden") == (refused.status, refused.code)


def test_a_key_is_bound_to_an_app_that_exists(client: Client) -> None:
    """An unknown app is 422, and one of the other environment is unknown."""
    test_key = client.new_key("admin", environment="test")
    tester = holder(client, test_key)
    in_test = tester.new_app()["slug"]
    for slug in ("nobody", in_test):
        body = {"name": "k", "scopes": ["read"], "app_slug": slug}
        answer = client.post("/v1/api-keys", body)

        assert (422, "unknown_app") == (answer.status, answer.code)
        assert [("/app_slug", "unknown_app")] == answer.faults
    bound = client.new_key("read", environment="test", app_slug=in_test)
    assert in_test == holder(client, bound).get("/v1/apps/-").require(200)["slug"]


def test_a_key_expires(lab: Lab) -> None:
    """Valid up to its instant, refused from it on."""
    client = lab.client
    at = parsed(client.advance("PT0S")["now"]) + timedelta(minutes=10)
    key = client.new_key("read", expires_at=at.isoformat(timespec="milliseconds"))
    client.advance("PT9M40S")

    assert 200 == holder(client, key).get("/v1/apps").status
    client.advance("PT21S")
    answer = holder(client, key).get("/v1/apps")
    assert (401, "unauthorized") == (answer.status, answer.code)
    assert key["id"] in {row["id"] for row in client.get("/v1/api-keys").json["data"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "tomorrow"},
        {"expires_at": None},
        {"expires_at": "9999-12-31T23:59:59-01:00"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": ["read", "read"]},
        {"scopes": "read"},
        {"name": ""},
        {"name": "x" * 201},
        {"environment": "production"},
        {"app_slug": "-"},
        {"key": "hw_live_x"},
    ],
    ids=repr,
)
def test_a_malformed_key_is_refused(client: Client, fields: Document) -> None:
    """400, and no key is made."""
    before = client.get("/v1/api-keys?include_total=true").json["total_count"]
    answer = client.post("/v1/api-keys", {"name": "k", "scopes": ["read"], **fields})

    assert (400, "validation_error") == (answer.status, answer.code)
    assert before == client.get("/v1/api-keys?include_total=true").json["total_count"]


def test_a_rotation_without_overlap_ends_the_old_text(client: Client) -> None:
    """The new text works, the old one not, from the very next request."""
    key = client.new_key("read")
    old = holder(client, key)
    old.get("/v1/apps").require(200)
    rotated = client.post(f"/v1/api-keys/{key['id']}/rotate").require(200)
    new = holder(client, rotated)

    assert (401, 200) == (old.get("/v1/apps").status, new.get("/v1/apps").status)
    assert rotated["previous_valid_until"] is None
    kept = {name: key[name] for name in key if name != "key"}
    assert kept == {name: rotated[name] for name in kept}


def test_a_rotation_with_overlap_lets_both_in_for_a_while(lab: Lab) -> None:
    """Old and new until the overlap ends; a second rotation keeps only the last two apart."""
    client = lab.client
    key = client.new_key("read")
    path = f"/v1/api-keys/{key['id']}/rotate"
    second = client.post(path, {"overlap_seconds": 600}).require(200)
    client.advance("PT590S")

    def statuses(*keys: Document) -> list[int]:
        return [holder(client, one).get("/v1/apps").status for one in keys]

    assert [200, 200] == statuses(key, second)
    client.advance("PT10S")
    assert [401, 200] == statuses(key, second)
    third = client.post(path, {"overlap_seconds": 600}).require(200)
    fourth = client.post(path, {"overlap_seconds": 600}).require(200)
    assert [401, 401, 200, 200] == statuses(key, second, third, fourth)
    fifth = client.post(path, {"overlap_seconds": 0}).require(200)
    assert [401, 401, 200] == statuses(third, fourth, fifth)


def test_a_key_may_rotate_itself(client: Client) -> None:
    """An admin key without a binding rotates its own text."""
    key = client.new_key("admin")
    rotated = holder(client, key).post(f"/v1/api-keys/{key['id']}/rotate").require(200)

    assert 401 == holder(client, key).get("/v1/apps").status
    assert 200 == holder(client, rotated).get("/v1/apps").status


def test_a_rotated_key_keeps_its_bounds(lab: Lab) -> None:
    """Rotation changes neither scopes nor binding nor expiry."""
    client = lab.client
    slug = client.new_app()["slug"]
    key = client.new_key("read", app_slug=slug, expires_at="2999-01-01T00:00:00Z")
    rotated = client.post(f"/v1/api-keys/{key['id']}/rotate").require(200)
    caller = holder(client, rotated)

    assert slug == caller.get("/v1/apps/-").require(200)["slug"]
    assert 403 == caller.patch("/v1/apps/-", {"name": "x"}).status
    assert key["expires_at"] == rotated["expires_at"]


def test_a_revoked_key_is_refused_at_once(client: Client) -> None:
    """The request after the delete is 401, however warm the key was; a second delete is 404."""
    key = client.new_key("admin")
    caller = holder(client, key)
    for _ in range(3):
        caller.get("/v1/apps").require(200)
    client.delete(f"/v1/api-keys/{key['id']}").require(204)

    assert (401, "unauthorized") == ((answer := caller.get("/v1/apps")).status, answer.code)
    assert 404 == client.delete(f"/v1/api-keys/{key['id']}").status
    assert 404 == client.post(f"/v1/api-keys/{key['id']}/rotate").status
    listed = client.get("/v1/api-keys?limit=100").json["data"]
    assert key["id"] not in {row["id"] for row in listed}


def test_only_hashes_of_keys_are_kept(lab: Lab) -> None:
    """No key text, nor its random part, lies on the disk; a hash of it does."""
    client = lab.client
    key = client.new_key("read")
    rotated = client.post(f"/v1/api-keys/{key['id']}/rotate", {"overlap_seconds": 600}).json
    files = lab.files()

    for text in (key["key"], rotated["key"], lab.owner.live_key, lab.owner.test_key):
        assert text.encode() not in files
        random_part = text.rpartition("_")[2][26:]
        assert random_part.encode() not in files
        assert hashlib.sha256(text.encode()).digest() in files


def test_deleting_an_app_revokes_its_keys(client: Client) -> None:
    """A key that was bound to a deleted app is refused and no longer listed."""
    slug = client.new_app()["slug"]
    key = client.new_key("read", app_slug=slug)
    holder(client, key).get("/v1/apps/-").require(200)
    client.delete(f"/v1/apps/{slug}").require(204)
    client.put(f"/v1/apps/{slug}", {}).require(200)
    listed = client.get("/v1/api-keys?limit=100").json["data"]

    assert 401 == holder(client, key).get("/v1/apps/-").status
    assert key["id"] not in {row["id"] for row in listed}


def test_a_second_rotation_ends_the_first_overlap(client: Client) -> None:
    """Two texts are valid at most: the newest and the one before it."""
    key = client.new_key("read")
    texts = [key["key"]]
    for _ in range(2):
        rotated = client.post(f"/v1/api-keys/{key['id']}/rotate", {"overlap_seconds": 3600})
        texts.append(rotated.require(200)["key"])

    assert [401, 200, 200] == [
        holder(client, {"key": text}).get("/v1/apps").status for text in texts
    ]
