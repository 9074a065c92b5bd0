"""Event types: the catalogue, its schemas, and what they mean for whoever publishes."""

from __future__ import annotations

from typing import Any

import pytest
from http_lab import JSON, Answer, Client, Document, Lab

from hookwright_server.domain.contract import Limits
from hookwright_server.domain.event_schema import EventSchema
from hookwright_server.services import catalogue
from hookwright_server.store import event_types

INVOICE: Document = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "total": {"type": "integer", "minimum": 0}},
}
NAME = "invoice.paid"


@pytest.fixture
def slug(client: Client) -> str:
    """An app on the module's server."""
    slug: str = client.new_app()["slug"]
    return slug


def path(slug: str, event_type: Document | None = None) -> str:
    """The path of the catalogue or of one event type."""
    return f"/v1/apps/{slug}/event-types" + (f"/{event_type['id']}" if event_type else "")


def publish(client: Client, slug: str, payload: object, name: str = NAME, **headers: str) -> Answer:
    """Publish an event of the type that most of these tests have."""
    body: Document = {"event_name": name, "payload": payload}
    return client.post(f"/v1/apps/{slug}/trigger", body, **headers)


def names(client: Client, slug: str, query: str = "") -> list[str]:
    """The names that the list shows, newest first."""
    return [row["name"] for row in client.get(path(slug) + query).require(200)["data"]]


# The catalogue


def test_an_event_type_has_the_defaults_of_the_contract(client: Client, slug: str) -> None:
    """A name is enough; what was left out is null."""
    made = client.new_event_type(slug, NAME)

    expected: Document = {
        "app_slug": slug,
        "name": NAME,
        "description": None,
        "group": None,
        "schema": None,
        "example_payload": None,
        "archived": False,
    }
    assert expected == {name: made[name] for name in expected}
    assert made["created_at"] == made["updated_at"]
    assert made == client.get(path(slug, made)).require(200)


def test_what_was_sent_is_shown(client: Client, slug: str) -> None:
    """Schema and example come back as they were, order and numbers included."""
    schema = {"z": 1.0, "properties": {"b": {"enum": [1, 1.5, "é"]}, "a": {}}, "$comment": "x"}
    example: Document = {"z": [], "b": 1.5, "a": {"é": None}}
    sent = {"description": "d", "group": "g", "schema": schema, "example_payload": example}
    made = client.new_event_type(slug, NAME, **sent)

    assert repr(sent) == repr({name: made[name] for name in sent})


def test_a_patch_keeps_what_it_does_not_name(client: Client, slug: str) -> None:
    """Null clears, a schema is replaced whole, the name stays."""
    made = client.new_event_type(
        slug, NAME, schema=INVOICE, example_payload={"id": "x"}, description="d", group="g"
    )
    after = client.patch(path(slug, made), {"schema": {"minProperties": 1}, "group": None})

    changed = {
        "schema": {"minProperties": 1},
        "group": None,
        "updated_at": after.json["updated_at"],
    }
    assert {**made, **changed} == after.require(200)
    assert [("/name", "additionalProperties")] == client.patch(
        path(slug, made), {"name": "b"}
    ).faults


def test_a_name_is_given_once(client: Client, slug: str) -> None:
    """Also that of an archived event type; another app's catalogue has names of its own."""
    made = client.new_event_type(slug, NAME)
    client.delete(path(slug, made)).require(204)
    again = client.post(path(slug), {"name": NAME})

    assert (409, "event_type_exists", [("/name", "event_type_exists")]) == (
        again.status,
        again.code,
        again.faults,
    )
    client.new_event_type(client.new_app()["slug"], NAME)


def test_deleting_archives(client: Client, slug: str) -> None:
    """It leaves the list, can be read, is not deleted twice, and comes back by an update."""
    made, other = client.new_event_type(slug, NAME), client.new_event_type(slug, "b")
    client.delete(path(slug, made)).require(204)

    assert ["b"] == names(client, slug)
    assert ["b", NAME] == names(client, slug, "?include_archived=true")
    assert (404, True) == (
        client.delete(path(slug, made)).status,
        client.get(path(slug, made)).require(200)["archived"],
    )
    client.patch(path(slug, made), {"archived": False}).require(200)
    client.patch(path(slug, other), {"archived": True}).require(200)
    assert [NAME] == names(client, slug)


def test_the_catalogues_of_all_apps_are_listed(lab: Lab) -> None:
    """`-` is every app that the key may see; a deleted app's catalogue is gone."""
    slugs = [lab.client.new_app()["slug"] for _ in range(3)]
    for number, slug in enumerate(slugs):
        lab.client.new_event_type(slug, f"type_{number}")
    lab.client.delete(f"/v1/apps/{slugs[1]}").require(204)
    bound = lab.client.with_key(lab.client.new_key("read", app_slug=slugs[0])["key"])

    assert ["type_2", "type_0"] == names(lab.client, "-")
    assert ["type_0"] == names(bound, "-")


# What may be saved


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "strin"}, ("/schema/type", "anyOf")),
        ({"$ref": "https://example.com/s.json"}, ("/schema/$ref", "remote_reference")),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, ("/schema/properties/a/pattern", "regex")),
        ({"allOf": [{"$ref": "#"}]}, ("/schema/allOf/0", "endless_reference")),
        ({"items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}, ("/schema", "too_costly")),
    ],
)
def test_a_schema_is_judged_when_it_is_saved(
    client: Client, slug: str, schema: Document, fault: object
) -> None:
    """400 on create and on update, and nothing has changed."""
    made = client.new_event_type(slug, "a", schema=INVOICE)
    answers = [
        client.post(path(slug), {"name": "b", "schema": schema}),
        client.patch(path(slug, made), {"schema": schema}),
    ]

    for answer in answers:
        assert (400, "validation_error", [fault]) == (answer.status, answer.code, answer.faults)
    assert [made] == client.get(path(slug)).require(200)["data"]


def test_an_example_fits_its_schema(client: Client, slug: str) -> None:
    """Whichever of the two is sent, they are judged together."""
    wrong: Document = {"schema": INVOICE, "example_payload": {"id": 1}}
    made = client.new_event_type(slug, "a", schema=INVOICE, example_payload={"id": "x"})
    answers = [
        client.post(path(slug), {"name": "b", **wrong}),
        client.patch(path(slug, made), {"example_payload": {"id": 1}}),
        client.patch(path(slug, made), {"schema": {"properties": {"id": {"type": "integer"}}}}),
    ]

    for answer in answers:
        assert (422, "payload_schema_mismatch") == (answer.status, answer.code)
        assert [("/example_payload/id", "type")] == answer.faults
    assert [made] == client.get(path(slug)).require(200)["data"]
    client.patch(path(slug, made), {"schema": None, "example_payload": {"id": 1}}).require(200)


@pytest.mark.parametrize(
    ("member", "most"),
    [("schema", Limits.event_schema_bytes), ("example_payload", Limits.example_payload_bytes)],
)
def test_sizes_are_bounded(client: Client, slug: str, member: str, most: int) -> None:
    """413 above so many bytes of compact JSON, however it was written."""
    envelope = len(b'{"title":""}')
    large: dict[str, Any] = {"title": "é" * ((most - envelope) // 2) + "x" * (most % 2)}
    made = client.new_event_type(slug, None, **{member: large})
    larger = {"title": large["title"] + "x"}

    assert large == made[member]
    assert [("/" + member, "max_bytes")] == client.post(
        path(slug), {"name": "a", member: larger}
    ).faults
    assert 413 == client.patch(path(slug, made), {member: larger}).status


def test_what_takes_too_long_to_judge_is_refused(client: Client, slug: str) -> None:
    """413 for a payload that is too large for its schema, as an example too; small ones pass."""
    schema = {"properties": {"a": {"items": {"not": {"enum": [n + 0.5 for n in range(300)]}}}}}
    made = client.new_event_type(slug, NAME, schema=schema, example_payload={"a": [1]})
    large: Document = {"a": [1] * 5_000}
    body: Document = {"event_name": NAME, "payload": large}
    answers = [
        (client.post(f"/v1/apps/{slug}/trigger", body), "/payload"),
        (client.patch(path(slug, made), {"example_payload": large}), "/example_payload"),
    ]

    for answer, pointer in answers:
        seen = (answer.status, answer.code, answer.faults)
        assert (413, "payload_too_large", [(pointer, "too_costly")]) == seen
    client.post(f"/v1/apps/{slug}/trigger", {**body, "payload": {"a": [1]}}).require(202)


# Publishing


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({}, ("/payload/id", "required")),
        ({"id": 7}, ("/payload/id", "type")),
        ({"id": "x", "total": -1}, ("/payload/total", "minimum")),
        ({"id": "x", "total": 1.5}, ("/payload/total", "type")),
    ],
)
def test_a_payload_that_breaks_its_schema_is_refused(
    client: Client, slug: str, payload: object, fault: object
) -> None:
    """422 points at the value, nothing is stored, and other names are not concerned."""
    client.new_event_type(slug, NAME, schema=INVOICE)
    answer = publish(client, slug, payload)

    assert (422, "payload_schema_mismatch", [fault]) == (answer.status, answer.code, answer.faults)
    assert [] == client.get(f"/v1/apps/{slug}/messages").require(200)["data"]
    publish(client, slug, payload, "invoice.voided").require(202)
    publish(client, slug, {"id": "x", "total": 1, "more": None}).require(202)


@pytest.mark.parametrize(
    ("rule", "payload", "status"),
    [
        ({"type": "integer"}, b'{"n":123456789012345678901234567890}', 202),
        ({"type": "integer"}, b'{"n":1.0}', 202),
        ({"const": 123456789012345678901234567890}, b'{"n":123456789012345678901234567890}', 400),
        ({"maximum": 10}, b'{"n":1e400}', 422),
        ({"minimum": 10}, b'{"n":1e400}', 202),
        ({"const": "é"}, b'{"n":"\\u00e9"}', 202),
        ({"multipleOf": 0.01}, b'{"n":19.99}', 202),
    ],
)
def test_the_payload_is_judged_as_it_was_received(
    client: Client, slug: str, rule: Document, payload: bytes, status: int
) -> None:
    """Numbers of any size are judged; a schema itself holds none beyond 2^53."""
    sent = client.post(path(slug), {"name": NAME, "schema": {"properties": {"n": rule}}})
    body = b'{"event_name":"invoice.paid","payload":' + payload + b"}"
    answer = client.send("POST", f"/v1/apps/{slug}/trigger", JSON, body)

    assert status == (answer.status if sent.status == 201 else sent.status)


def test_a_problem_does_not_show_the_payload(client: Client, slug: str) -> None:
    """Problems end in logs; what the payload holds does not."""
    client.new_event_type(slug, NAME, schema={"properties": {"card": {"pattern": "^x"}}})

    assert b"4242424242" not in publish(client, slug, {"card": "4242424242"}).body


def test_a_registered_app_takes_its_catalogue_only(client: Client) -> None:
    """Unknown and archived names are 422; with the policy `open` they pass, without a schema."""
    slug = client.new_app(event_type_policy="registered")["slug"]
    made = client.new_event_type(slug, NAME, schema=INVOICE)
    unknown = publish(client, slug, {}, "invoice.other")
    publish(client, slug, {"id": "x"}).require(202)
    client.delete(path(slug, made)).require(204)
    archived = publish(client, slug, {"id": "x"})

    for answer in (unknown, archived):
        assert (422, "unknown_event_type") == (answer.status, answer.code)
        assert [("/event_name", "unknown_event_type")] == answer.faults
    client.patch(f"/v1/apps/{slug}", {"event_type_policy": "open"}).require(200)
    publish(client, slug, {}, "invoice.other").require(202)
    publish(client, slug, {}).require(202)


def test_the_policy_is_open_unless_it_is_said(client: Client) -> None:
    """Created and provisioned alike, and a patch of something else keeps it."""
    made = client.new_app()
    provisioned = client.put(
        f"/v1/apps/p-{made['slug']}", {"event_type_policy": "registered"}
    ).require(200)
    patched = client.patch(f"/v1/apps/{provisioned['slug']}", {"description": "d"}).require(200)

    assert ["open", "registered", "registered"] == [
        app["event_type_policy"] for app in (made, provisioned, patched)
    ]


def test_changes_take_effect_with_the_next_event(client: Client, slug: str) -> None:
    """What a publisher remembers of an app is never older than what was answered to a change."""
    statuses = [publish(client, slug, {}).status]
    made = client.new_event_type(slug, NAME, schema=INVOICE)
    statuses.append(publish(client, slug, {}).status)
    for patch in ({"schema": None}, {"schema": INVOICE}, {"archived": True}, {"archived": False}):
        client.patch(path(slug, made), patch).require(200)
        statuses.append(publish(client, slug, {}).status)
    client.delete(path(slug, made)).require(204)
    statuses.append(publish(client, slug, {}).status)
    client.patch(f"/v1/apps/{slug}", {"event_type_policy": "registered"}).require(200)
    statuses.append(publish(client, slug, {}).status)

    assert [202, 422, 202, 422, 202, 422, 202, 422] == statuses


def test_a_refusal_is_kept_under_its_key(client: Client, slug: str) -> None:
    """The repeat of a refused event is refused as it was, though the schema takes it now."""
    made = client.new_event_type(slug, NAME, schema=INVOICE)
    first = publish(client, slug, {}, Idempotency_Key="k")
    client.delete(path(slug, made)).require(204)
    again = publish(client, slug, {}, Idempotency_Key="k")

    assert (422, 422, "true") == (
        first.status,
        again.status,
        again.headers["idempotency-replayed"],
    )
    assert first.faults == again.faults


# What it costs


def test_an_app_without_event_types_pays_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its catalogue nor a schema is looked for."""
    slug = lab.client.new_app()["slug"]

    def fail(*_: object) -> None:
        raise AssertionError("it was looked for")

    for name in ("in_force", "schema"):
        monkeypatch.setattr(event_types, name, fail)

    publish(lab.client, slug, {}).require(202)


def test_a_schema_is_compiled_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked, and for two event types that have the same."""
    compiled: list[object] = []

    def compile_schema(schema: Document) -> EventSchema:
        compiled.append(schema)
        return EventSchema(schema)

    monkeypatch.setattr(catalogue, "EventSchema", compile_schema)
    slug = lab.client.new_app()["slug"]
    for name in ("a", "b"):
        lab.client.new_event_type(slug, name, schema=INVOICE)
    for name in ("a", "b", "a"):
        publish(lab.client, slug, {"id": "x"}, name).require(202)
        publish(lab.client, slug, {}, name)

    assert [INVOICE] == compiled


def test_a_schema_that_changes_meanwhile_is_read_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue is old when the schema that it names is gone: the event is planned again."""
    slug = lab.client.new_app()["slug"]
    lab.client.new_event_type(slug, NAME, schema=INVOICE)
    read = event_types.schema
    seen: list[str] = []

    def gone_at_first(tx: Any, event_type_id: str, digest: str) -> Document | None:
        seen.append(digest)
        return None if len(seen) == 1 else read(tx, event_type_id, digest)

    monkeypatch.setattr(event_types, "schema", gone_at_first)

    assert 422 == publish(lab.client, slug, {}).status
    assert 2 == len(seen)
