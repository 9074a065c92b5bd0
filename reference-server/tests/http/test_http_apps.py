"""Apps: slugs, provisioning, merge patches, and what is left after a delete."""

from __future__ import annotations

from typing import Any

import pytest
from http_lab import Client, Lab, eventually

NOWHERE = "http://127.0.0.1:1/hook"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Payments & Refunds", "payments-refunds"),
        ("  Éclair Zürich  ", "eclair-zurich"),
        ("东京", "app"),
        ("-", "app-2"),
        ("A" * 200, "a" * 63),
        ("ﬁve", "five"),
    ],
)
def test_a_slug_is_made_from_the_name(client: Client, name: str, slug: str) -> None:
    """Without a slug the name gives one; what gives none becomes `app`."""
    found = client.new_app(name=name)["slug"]

    assert slug == found or found.startswith("app")


def test_generated_slugs_never_collide(client: Client) -> None:
    """Apps of one name get `-2` to `-9`, then random tails."""
    slugs = [client.new_app(name="Twins")["slug"] for _ in range(12)]

    assert ["twins", *(f"twins-{number}" for number in range(2, 10))] == slugs[:9]
    assert 12 == len(set(slugs))
    assert all(len(slug) <= 63 for slug in slugs)


def test_a_taken_slug_is_told(client: Client) -> None:
    """A slug that was asked for is not changed silently."""
    client.new_app(slug="taken")
    answer = client.post("/v1/apps", {"name": "x", "slug": "taken"})

    assert (409, "slug_taken", [("/slug", "slug_taken")]) == (
        answer.status,
        answer.code,
        answer.faults,
    )


def test_get_or_create_is_idempotent(client: Client) -> None:
    """The first call creates and shows the secret; later ones change nothing and show none."""
    first = client.put("/v1/apps/provisioned", {"name": "One", "metadata": {"a": 1}}).require(200)
    second = client.put("/v1/apps/provisioned", {"name": "Two", "metadata": {"b": 1}}).require(200)
    kept = {name: value for name, value in first.items() if name not in ("created", "signing_secret")}

    assert (True, True) == (first["created"], first["signing_secret"].startswith("whsec_"))
    assert {**kept, "created": False, "signing_secret": None} == second
    assert "solo" == client.put("/v1/apps/solo", {}).require(200)["name"]


def test_a_merge_patch_keeps_what_is_absent_and_clears_what_is_null(client: Client) -> None:
    """RFC 7396 for metadata; everything else is replaced."""
    slug = client.new_app(
        description="old",
        rate_limit_per_second=5,
        retry_policy={"preset": "linear"},
        metadata={"keep": 1, "drop": 2, "deep": {"a": 1, "b": 2}},
    )["slug"]
    path = f"/v1/apps/{slug}"
    untouched = client.get(path).json
    empty = client.patch(path, {}).require(200)
    patched = client.patch(
        path,
        {
            "description": None,
            "rate_limit_per_second": None,
            "retry_policy": None,
            "metadata": {"drop": None, "new": [1], "deep": {"b": None, "c": {"d": 1}}},
        },
    ).require(200)

    assert {**untouched, "updated_at": ""} == {**empty, "updated_at": ""}
    assert [None] * 3 == [
        patched[name] for name in ("description", "rate_limit_per_second", "retry_policy")
    ]
    assert {"keep": 1, "new": [1], "deep": {"a": 1, "c": {"d": 1}}} == patched["metadata"]
    assert patched == client.get(path).json
    assert (untouched["name"], untouched["created_at"]) == (patched["name"], patched["created_at"])


@pytest.mark.parametrize(
    "body", [{"name": None}, {"active": None}, {"metadata": None}, {"slug": "other"}]
)
def test_what_cannot_be_cleared_or_changed_is_refused(client: Client, body: Any) -> None:
    """Null only where the contract says so, and a slug is for good."""
    slug = client.new_app()["slug"]

    assert 400 == client.patch(f"/v1/apps/{slug}", body).status


def test_merged_metadata_has_a_limit_too(client: Client) -> None:
    """Two patches that are small alone cannot grow it beyond 8 KiB together."""
    slug = client.new_app(metadata={"a": "x" * 5000})["slug"]
    answer = client.patch(f"/v1/apps/{slug}", {"metadata": {"b": "x" * 5000}})

    assert (413, "payload_too_large") == (answer.status, answer.code)
    assert ["a"] == list(client.get(f"/v1/apps/{slug}").json["metadata"])


@pytest.mark.parametrize(
    "metadata",
    [
        {"": ""},
        {"\u00fc\U0001f600": "\u2028"},
        {"a": [None, True, -0.0, 1.5, 9007199254740991, {"b": []}]},
        {"__proto__": {"x": 1}},
    ],
)
def test_metadata_comes_back_as_it_was_sent(client: Client, metadata: Any) -> None:
    """Any JSON object survives."""
    slug = client.new_app(metadata=metadata)["slug"]

    assert metadata == client.get(f"/v1/apps/{slug}").json["metadata"]


def test_an_inactive_app_still_delivers_what_was_accepted(lab: Lab) -> None:
    """`active: false` refuses new events at once; what is pending goes on."""
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, NOWHERE, retry_policy={"delays_seconds": [1000], "jitter": 0})
    delivery = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    client.patch(f"/v1/apps/{slug}", {"active": False}).require(200)
    refused = client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}})
    client.advance("PT20M")
    client.patch(f"/v1/apps/{slug}", {"active": True}).require(200)

    assert (409, "app_inactive") == (refused.status, refused.code)
    assert ("dead_letter", 2) == tuple(
        client.delivery(delivery)[name] for name in ("status", "attempt_count")
    )
    client.trigger(slug)


def test_a_deleted_app_leaves_its_history(lab: Lab) -> None:
    """Its messages and deliveries are read under `-`; what was pending reads as cancelled."""
    client = lab.client
    app = client.new_app(slug="gone")
    client.new_endpoint("gone", NOWHERE, active=False)
    done = client.new_endpoint("gone", NOWHERE, retry_policy={"preset": "none"})
    sent = client.trigger("gone", {"kept": True})
    ended = [client.delivery(d) for d in sent["delivery_ids"]]
    finished = next(d["id"] for d in ended if d["endpoint_id"] == done["id"])
    client.finished(finished)
    client.delete("/v1/apps/gone").require(204)
    by_status = {row["status"]: row for row in client.get("/v1/apps/-/deliveries").json["data"]}
    message = client.get(f"/v1/apps/-/messages/{sent['message_id']}").require(200)

    assert {"cancelled", "dead_letter"} == by_status.keys()
    assert "endpoint_deleted" == by_status["cancelled"]["cancel_reason"]
    assert by_status["cancelled"]["completed_at"] is not None
    assert by_status["cancelled"]["next_attempt_at"] is None
    assert ({"kept": True}, "gone", 2) == (
        message["payload"],
        message["app_slug"],
        len(message["deliveries"]),
    )
    assert 1 == len(client.attempts(finished))
    for method, path in (
        ("GET", "/v1/apps/gone"),
        ("DELETE", "/v1/apps/gone"),
        ("GET", "/v1/apps/gone/messages"),
        ("GET", "/v1/apps/gone/endpoints"),
        ("POST", "/v1/apps/gone/rotate-secret"),
    ):
        assert (path, 404) == (path, client.call(method, path).status)
    event = {"event_name": "a", "payload": {}}
    assert 404 == client.post("/v1/apps/gone/trigger", event).status
    assert app["id"] not in client.get("/v1/apps?limit=100").body.decode()
    retried = client.post(f"/v1/apps/-/deliveries/{finished}/retry")
    assert (409, "endpoint_deleted") == (retried.status, retried.code)


def test_the_slug_of_a_deleted_app_can_be_used_again(lab: Lab) -> None:
    """The new app of that slug knows nothing of the old one's endpoints and history."""
    client = lab.client
    old = client.new_app(slug="phoenix")
    client.new_endpoint("phoenix", NOWHERE)
    client.trigger("phoenix")
    client.delete("/v1/apps/phoenix").require(204)
    new = client.new_app(slug="phoenix")
    sent = client.trigger("phoenix")

    assert (True, True) == (old["id"] != new["id"], old["signing_secret"] != new["signing_secret"])
    assert 0 == sent["endpoint_count"]
    assert [sent["message_id"]] == [
        row["id"] for row in client.get("/v1/apps/phoenix/messages").json["data"]
    ]
    assert 2 == client.get("/v1/apps/-/messages?include_total=true").json["total_count"]


def test_a_trigger_after_a_change_sees_the_change(client: Client) -> None:
    """The cached list of endpoints never outlives a change, however soon the event comes."""
    slug = client.new_app()["slug"]
    counts = [client.trigger(slug)["endpoint_count"]]
    for _ in range(5):
        endpoint = client.new_endpoint(slug, NOWHERE, active=False)["id"]
        counts.append(client.trigger(slug)["endpoint_count"])
        path = f"/v1/apps/{slug}/endpoints/{endpoint}"
        client.patch(path, {"events": ["never"]}).require(200)
        counts.append(client.trigger(slug)["filtered_count"])

    assert [0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5] == counts
