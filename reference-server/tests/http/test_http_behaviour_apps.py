"""Apps: slugs, provisioning, merge patches, deletion, switching off, their own rate."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from http_lab import Client, Document, Lab, eventually
from http_sink import ONCE, Open, reply

_FIELDS = ("description", "retry_policy", "rate_limit_per_second", "metadata")


# Slugs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Payments Service", "payments-service"),
        ("Crème Brûlée & Söhne", "creme-brulee-sohne"),
        ("  --Über--  ", "uber"),
        ("Straße 7", "strasse-7"),
        ("支払い", "app"),
        ("🎉", "app"),
        ("ﬁnance", "finance"),
        ("X" * 200, "x" * 63),
        ("a" * 62 + " b", "a" * 62),
    ],
)
def test_a_slug_is_made_from_the_name(lab: Lab, name: str, expected: str) -> None:
    """Accents go, other characters become hyphens, and the app answers under its slug."""
    app = lab.client.new_app(name=name)

    assert expected == app["slug"]
    assert app["id"] == lab.client.get(f"/v1/apps/{expected}").require(200)["id"]


def test_apps_of_one_name_get_slugs_of_their_own(lab: Lab) -> None:
    """Nine are numbered, later ones get a random tail; a deleted app's slug is free again."""
    slugs = [lab.client.new_app(name="Same Name")["slug"] for _ in range(11)]

    assert ["same-name", *(f"same-name-{number}" for number in range(2, 10))] == slugs[:9]
    assert all(re.fullmatch(r"same-name-[a-z2-7]{8}", slug) for slug in slugs[9:])
    assert 11 == len(set(slugs))
    lab.client.delete("/v1/apps/same-name-3").require(204)
    assert "same-name-3" == lab.client.new_app(name="Same Name")["slug"]


def test_a_long_name_leaves_room_for_its_tail(lab: Lab) -> None:
    """The second app of a name that fills the slug still gets a valid slug."""
    slugs = [lab.client.new_app(name="y" * 100)["slug"] for _ in range(10)]

    assert 10 == len(set(slugs))
    assert {63} == {len(slug) for slug in slugs}


def test_a_wanted_slug_is_never_altered(client: Client) -> None:
    """A slug that is taken is 409, whoever chose it first and however."""
    client.new_app(slug="wanted")
    again = client.post("/v1/apps", {"name": "Other", "slug": "wanted"})

    assert (409, "slug_taken") == (again.status, again.code)
    assert [("/slug", "slug_taken")] == again.faults


# get_or_create


def test_provisioning_creates_once(client: Client) -> None:
    """The first PUT creates and shows the secret; every later one returns the app unchanged."""
    body = {"name": "Billing", "description": "d", "metadata": {"a": 1}, "rate_limit_per_second": 9}
    first = client.put("/v1/apps/billing", body).require(200)
    again = client.put("/v1/apps/billing", body).require(200)
    other = client.put("/v1/apps/billing", {"name": "Another name", "metadata": {}}).require(200)

    assert body == {name: first[name] for name in body}
    assert (True, "whsec_") == (first["created"], first["signing_secret"][:6])
    assert {**first, "created": False, "signing_secret": None} == again == other


def test_a_provisioned_app_is_called_by_its_slug(client: Client) -> None:
    """Without a name the slug is the name."""
    made = client.put("/v1/apps/nameless", {}).require(200)

    assert ("nameless", "nameless", True) == (made["name"], made["slug"], made["active"])


@pytest.mark.parametrize(
    "slug", ["-", "-a", "UPPER", "under_score", "a" * 64, "%20", "a.b", "%C3%BC"]
)
def test_provisioning_needs_a_slug(client: Client, slug: str) -> None:
    """What is no slug is 400 and creates nothing."""
    before = client.get("/v1/apps?include_total=true").json["total_count"]
    answer = client.put(f"/v1/apps/{slug}", {})

    assert (400, "validation_error") == (answer.status, answer.code)
    assert before == client.get("/v1/apps?include_total=true").json["total_count"]


# Merge patches


def test_absent_keeps_and_null_clears(client: Client) -> None:
    """A patch changes what it names; null clears what may be null."""
    full: Document = {
        "description": "what it is for",
        "retry_policy": ONCE,
        "rate_limit_per_second": 5,
        "metadata": {"a": 1},
    }
    app = client.new_app(**full)
    path = f"/v1/apps/{app['slug']}"
    renamed = client.patch(path, {"name": "Renamed"}).require(200)
    cleared = client.patch(path, dict.fromkeys(_FIELDS[:3])).require(200)

    assert {"name": "Renamed", **full} == {name: renamed[name] for name in ("name", *_FIELDS)}
    assert [None, None, None, {"a": 1}] == [cleared[name] for name in _FIELDS]
    assert cleared == client.get(path).json
    assert app["updated_at"] <= renamed["updated_at"] <= cleared["updated_at"]
    assert app["created_at"] == cleared["created_at"]


@pytest.mark.parametrize(
    "body", [{"name": None}, {"active": None}, {"metadata": None}, {"slug": "x"}]
)
def test_what_is_not_nullable_cannot_be_cleared(client: Client, body: Document) -> None:
    """Null where the field has no null is 400, and so is a field that cannot change."""
    path = f"/v1/apps/{client.new_app(metadata={'a': 1})['slug']}"
    before = client.get(path).json
    answer = client.patch(path, body)

    assert (400, "validation_error") == (answer.status, answer.code)
    assert before == client.get(path).json


# RFC 7396 appendix A, as far as both sides are objects.
@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": [None]}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
    ],
)
def test_metadata_is_merged(
    client: Client, before: Document, patch: Document, after: Document
) -> None:
    """Members of metadata follow RFC 7396, for apps and endpoints alike."""
    app = client.new_app(metadata=before)
    endpoint = client.new_endpoint(app["slug"], "http://127.0.0.1:1/", metadata=before)
    app_path = f"/v1/apps/{app['slug']}"

    for path in (app_path, f"{app_path}/endpoints/{endpoint['id']}"):
        assert before == client.get(path).require(200)["metadata"]
        assert after == client.patch(path, {"metadata": patch}).require(200)["metadata"]
        assert after == client.get(path).require(200)["metadata"]


def test_metadata_is_limited_after_the_merge(client: Client) -> None:
    """Many small patches do not grow metadata beyond its limit; the refused one changes nothing."""
    path = f"/v1/apps/{client.new_app(metadata={'a': 'x' * 5000})['slug']}"
    before = client.get(path).json
    answer = client.patch(path, {"metadata": {"b": "x" * 5000}})

    assert (413, "payload_too_large") == (answer.status, answer.code)
    assert before == client.get(path).json
    client.patch(path, {"metadata": {"a": None, "b": "x" * 5000}}).require(200)


# Deletion


def test_history_outlives_the_app(lab: Lab, sink: Open) -> None:
    """After a delete messages and deliveries are read under `-`; what was pending is cancelled."""
    client, receiver = lab.client, sink(reply(200), reply(500))
    slug = client.new_app(slug="shop")["slug"]
    endpoint = client.new_endpoint(slug, receiver.url)
    done = client.trigger(slug, {"n": 1})
    client.finished(done["delivery_ids"][0], "delivered")
    open_ = client.trigger(slug, {"n": 2})
    receiver.wait_for(2)
    client.finished(open_["delivery_ids"][0], "pending")
    held_by = client.new_endpoint(slug, receiver.url, active=False, events=["held.event"])
    held = client.trigger(slug, event_name="held.event", endpoint_ids=[held_by["id"]])
    client.delete(f"/v1/apps/{slug}").require(204)

    assert 404 == client.delete(f"/v1/apps/{slug}").status
    for path in ("", "/messages", "/deliveries", "/endpoints", f"/endpoints/{endpoint['id']}"):
        assert (404, "not_found") == ((a := client.get(f"/v1/apps/{slug}{path}")).status, a.code)
    message = client.get(f"/v1/apps/-/messages/{done['message_id']}").require(200)
    assert ({"n": 1}, "shop") == (message["payload"], message["app_slug"])
    assert "delivered" == client.delivery(done["delivery_ids"][0])["status"]
    assert 1 == len(client.attempts(done["delivery_ids"][0]))
    for sent in (open_, held):
        cancelled = client.delivery(sent["delivery_ids"][0])
        assert ("cancelled", "endpoint_deleted") == (
            cancelled["status"],
            cancelled["cancel_reason"],
        )
        assert (None, True) == (cancelled["next_attempt_at"], cancelled["completed_at"] is not None)
    listed = client.get("/v1/apps/-/deliveries?status=cancelled&include_total=true").json
    assert 2 == listed["total_count"]
    client.advance("P2D")
    assert 2 == len(receiver.got)
    assert "cancelled" == client.delivery(open_["delivery_ids"][0])["status"]


def test_a_slug_is_reused_without_the_past(lab: Lab, sink: Open) -> None:
    """A new app under an old slug has its own secret and sees nothing of the old one's rows."""
    client, receiver = lab.client, sink()
    old = client.new_app(slug="reused")
    client.new_endpoint("reused", receiver.url)
    sent = client.trigger("reused")
    client.finished(sent["delivery_ids"][0])
    bound = client.with_key(client.new_key("admin", app_slug="reused")["key"])
    client.delete("/v1/apps/reused").require(204)
    new = client.new_app(slug="reused")

    assert old["id"] != new["id"]
    assert old["signing_secret"] != new["signing_secret"]
    for collection in ("endpoints", "messages", "deliveries"):
        path = f"/v1/apps/reused/{collection}?include_total=true"
        assert ([], 0) == ((page := client.get(path).json)["data"], page["total_count"])
    for path in (f"messages/{sent['message_id']}", f"deliveries/{sent['delivery_ids'][0]}"):
        assert 404 == client.get(f"/v1/apps/reused/{path}").status
        assert 200 == client.get(f"/v1/apps/-/{path}").status
    retry = client.post(f"/v1/apps/reused/deliveries/{sent['delivery_ids'][0]}/retry")
    assert 404 == retry.status
    assert 401 == bound.get("/v1/apps/reused").status
    assert 0 == client.trigger("reused")["endpoint_count"]
    assert 1 == len(receiver.got)


def test_an_attempt_under_way_finishes_after_the_delete(lab: Lab, sink: Open) -> None:
    """Deleting while sending: that attempt is recorded, none follows."""
    client = lab.client
    for answer, expected in ((reply(200), "delivered"), (reply(500), "cancelled")):
        receiver = sink(answer)
        slug = client.new_app()["slug"]
        client.new_endpoint(slug, receiver.url)
        receiver.hold()
        delivery_id = client.trigger(slug)["delivery_ids"][0]
        receiver.wait_for(1)
        client.delete(f"/v1/apps/{slug}").require(204)
        receiver.let_go()

        assert 1 == client.finished(delivery_id, expected)["attempt_count"]
        client.advance("P1D")
        assert (1, expected) == (len(receiver.got), client.delivery(delivery_id)["status"])


# Switching off


def test_an_inactive_app_accepts_nothing_but_delivers(lab: Lab, sink: Open) -> None:
    """`active: false` refuses new events at once; what was accepted still goes out."""
    client, receiver = lab.client, sink(reply(500), reply(200))
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, receiver.url)
    accepted = client.trigger(slug)
    client.patch(f"/v1/apps/{slug}", {"active": False}).require(200)
    before = lab.snapshot("deliveries", "attempts", "endpoints")
    refused = client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a.b", "payload": {}})

    assert (409, "app_inactive") == (refused.status, refused.code)
    assert before == lab.snapshot("deliveries", "attempts", "endpoints")
    receiver.wait_for(1)
    client.advance("PT10S")
    assert "delivered" == client.finished(accepted["delivery_ids"][0])["status"]
    client.patch(f"/v1/apps/{slug}", {"active": True}).require(200)
    client.finished(client.trigger(slug)["delivery_ids"][0], "delivered")
    assert 3 == len(receiver.got)


def test_an_app_can_be_made_inactive(client: Client) -> None:
    """`active: false` at creation."""
    slug = client.new_app(active=False)["slug"]
    answer = client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a.b", "payload": {}})

    assert (409, "app_inactive") == (answer.status, answer.code)


# Rates


def test_an_apps_own_rate_is_kept(lab: Lab) -> None:
    """Beyond `rate_limit_per_second`: 429 with Retry-After; a second later it goes on."""
    client = lab.client
    slug = client.new_app(rate_limit_per_second=2)["slug"]
    calm = client.new_app()["slug"]
    client.advance("PT0.001S")
    answers = [
        client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a.b", "payload": {}})
        for _ in range(3)
    ]

    assert [202, 202, 429] == [answer.status for answer in answers]
    assert ("rate_limited", "1") == (answers[2].code, answers[2].headers["retry-after"])
    assert ["1", "0", "0"] == [answer.headers["x-ratelimit-remaining"] for answer in answers]
    assert {"2"} == {answer.headers["x-ratelimit-limit"] for answer in answers}
    client.trigger(calm)
    client.get(f"/v1/apps/{slug}").require(200)
    client.advance("PT1S")
    client.trigger(slug)
    assert 3 == client.get(f"/v1/apps/{slug}/messages?include_total=true").json["total_count"]


def test_a_new_rate_counts_at_once(lab: Lab) -> None:
    """Lowering, raising and clearing the rate is felt by the next event."""
    client = lab.client
    slug = client.new_app()["slug"]
    client.trigger(slug)

    for rate, expected in ((1, "1"), (50, "50"), (None, "10000000")):
        client.patch(f"/v1/apps/{slug}", {"rate_limit_per_second": rate}).require(200)
        client.advance("PT2S")
        body: Document = {"event_name": "a.b", "payload": {}}
        answer = client.post(f"/v1/apps/{slug}/trigger", body)

        assert (202, expected) == (answer.status, answer.headers["x-ratelimit-limit"])


def test_apps_share_the_accounts_rate_only_as_a_default(
    new_lab: Callable[..., Lab], sink: Open
) -> None:
    """The account's rate counts each app by itself, over all of its keys."""
    lab = new_lab(messages_per_second=2)
    client = lab.client
    other_key = client.with_key(client.new_key("trigger")["key"])
    first, second = (client.new_app()["slug"] for _ in range(2))
    body: Document = {"event_name": "a.b", "payload": {}}
    answers = [
        sender.post(f"/v1/apps/{slug}/trigger", body).status
        for slug in (first, second)
        for sender in (client, other_key, client)
    ]

    assert [202, 202, 429] * 2 == answers


def test_rotating_an_apps_secret_shows_it_once(client: Client) -> None:
    """Rotation answers a new secret and until when the old one signs; nothing else shows it."""
    app = client.new_app()
    path = f"/v1/apps/{app['slug']}"
    rotated = client.post(f"{path}/rotate-secret", {"overlap_seconds": 60}).require(200)
    at_once = client.post(f"{path}/rotate-secret", {"overlap_seconds": 0}).require(200)
    secrets = {app["signing_secret"], rotated["signing_secret"], at_once["signing_secret"]}

    assert 3 == len(secrets)
    assert (True, None) == (bool(rotated["previous_valid_until"]), at_once["previous_valid_until"])
    for answer in (client.get(path), client.get("/v1/apps?limit=100"), client.put(path, {})):
        assert not [secret for secret in secrets if secret.encode() in answer.body]


def test_the_unknown_app_is_not_found_by_any_operation(client: Client) -> None:
    """GET, PATCH, DELETE and rotation of an app that nobody has are 404."""
    answers = [
        client.get("/v1/apps/nobody"),
        client.patch("/v1/apps/nobody", {"name": "x"}),
        client.delete("/v1/apps/nobody"),
        client.post("/v1/apps/nobody/rotate-secret", {}),
        client.post("/v1/apps/nobody/trigger", {"event_name": "a", "payload": {}}),
    ]

    assert [(404, "not_found")] * 5 == [(answer.status, answer.code) for answer in answers]


def test_the_fan_out_follows_changes_at_once(lab: Lab, sink: Open) -> None:
    """An event goes to the endpoints as they are when it is accepted, whatever was cached."""
    client, receiver = lab.client, sink()
    slug = client.new_app()["slug"]

    assert 0 == client.trigger(slug)["endpoint_count"]
    one = client.new_endpoint(slug, receiver.url)
    assert 1 == client.trigger(slug)["endpoint_count"]
    client.patch(f"/v1/apps/{slug}/endpoints/{one['id']}", {"events": ["other.*"]}).require(200)
    assert (0, 1) == ((sent := client.trigger(slug))["endpoint_count"], sent["filtered_count"])
    client.delete(f"/v1/apps/{slug}/endpoints/{one['id']}").require(204)
    assert (0, 0) == ((sent := client.trigger(slug))["endpoint_count"], sent["filtered_count"])
    client.delete(f"/v1/apps/{slug}").require(204)
    answer = client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a.b", "payload": {}})
    assert 404 == answer.status
    eventually(lambda: len(receiver.got) == 1)
