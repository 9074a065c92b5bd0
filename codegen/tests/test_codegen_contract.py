"""What a contract must be before anything is generated from it, and what is understood of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hookwright_codegen import ir, parser
from hookwright_codegen.build import build
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.load import load
from hookwright_codegen.targets.python_sdk.backend import render as python_sdk

Document = dict[str, Any]
Written = Callable[[Mapping[str, Any]], Path]
Place = tuple[str, ...]

OPERATIONAL = "sdk-python/src/hookwright/_generated/operational.py"
GONE = object()
LIST = ("paths", "/v1/shops", "get")
SCHEMAS = ("components", "schemas")


def spoil(document: Document, place: Place, value: object) -> None:
    """Put a value at a place of a document, or take out what is there."""
    container: Any = document
    for step in place[:-1]:
        container = container[step]
    if isinstance(container, list):
        container.append(value)  # pyright: ignore[reportUnknownMemberType] - it is plain JSON
    elif value is GONE:
        del container[place[-1]]
    else:
        container[place[-1]] = value


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("openapi",), "3.0.3", "must be 3.1"),
        ((*LIST, "operationId"), "listShops", "not `namespace.method`"),
        ((*LIST, "operationId"), "shops.create", "used twice"),
        ((*LIST, "tags"), ["doors"], "`tags` must be"),
        (("tags",), [], "is not described"),
        ((*LIST, "responses", "206"), {}, "2 success responses"),
        ((*LIST, "x"), {"$ref": "other.yaml#/a"}, "bundle the parts"),
    ],
)
def test_a_contract_that_breaks_a_convention_is_refused(
    shop_document: Document, written: Written, place: Place, value: object, reason: str
) -> None:
    """The text names the place, the value and the rule."""
    spoil(shop_document, place, value)

    with pytest.raises(GenerationError, match=reason):
        load(written(shop_document))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML would silently keep the last; the line is named."""
    path = tmp_path / "twice.yaml"
    path.write_text("openapi: 3.1.0\npaths:\n  /a: {}\n  /a: {}\n", encoding="utf-8")

    with pytest.raises(GenerationError, match=r"line 3: `/a` stands twice"):
        load(path)


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "a: !!python/object:os.system {}"])
def test_what_is_no_contract_is_refused(tmp_path: Path, text: str) -> None:
    """Broken YAML, other values and YAML's own tags are errors with a text."""
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(GenerationError):
        load(path)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (
            (*LIST, "responses", "200", "content"),
            {"image/png": {"schema": {"type": "string"}}},
            "Unsupported content_type image/png",
        ),
        ((*SCHEMAS, "Shop", "allOf"), [{"$ref": "#/components/schemas/Nowhere"}], "Nowhere"),
        ((*SCHEMAS, "Door", "properties", "x"), {"$ref": "#/components/schemas/No"}, "Door|No"),
    ],
)
def test_a_warning_of_the_parser_fails(
    shop_document: Document, written: Written, place: Place, value: object, reason: str
) -> None:
    """The parser would leave the operation out and go on; we do not."""
    spoil(shop_document, place, value)

    with pytest.raises(GenerationError, match=reason):
        build(load(written(shop_document)))


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (
            (*SCHEMAS, "Door", "properties", "kind"),
            {"type": "string", "enum": ["a", "b"]},
            "is defined inline",
        ),
        (
            (*SCHEMAS, "Door", "properties", "spot"),
            {"type": "object", "properties": {"x": {"type": "integer"}}},
            "is defined inline",
        ),
        ((*SCHEMAS, "TokenAuth", "properties", "kind"), GONE, "no `const` property"),
        ((*SCHEMAS, "Door", "properties", "camelCase"), {}, "not snake_case"),
        (("components", "parameters", "limit", "in"), "header", "header parameter `limit`"),
        (("components", "parameters", "limit", "explode"), False, "type or style"),
        (
            (*LIST, "parameters", "end"),
            {"name": "deep", "in": "query", "schema": {"type": "object"}},
            "parameter `deep` has a type or style",
        ),
        ((*SCHEMAS, "ShopPage", "properties", "data"), GONE, "needs a response with"),
        ((*SCHEMAS, "TokenAuth", "properties", "token", "x-secret"), GONE, "`token` a secret"),
        (
            (*SCHEMAS, "DoorState", "x-deprecated-values"),
            {"ajar": "Use `open`."},
            "DoorState: `ajar` is deprecated, but not in its `enum`",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused(
    shop_document: Document, written: Written, place: Place, value: object, reason: str
) -> None:
    """A construct that would become bad code is an error that says what to change."""
    spoil(shop_document, place, value)

    with pytest.raises(GenerationError, match=reason):
        build(load(written(shop_document)))


def test_another_version_of_the_parser_is_refused(
    shop_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its internals move in patch releases."""
    monkeypatch.setattr(parser, "PARSER_VERSION", "0.0.0")

    with pytest.raises(GenerationError, match=r"0\.0\.0 is required"):
        build(load(shop_path))


@pytest.fixture(scope="module")
def shop(shop_path: Path) -> ir.Api:
    """The shop, understood."""
    return build(load(shop_path))


def field(shop: ir.Api, model: str, name: str) -> ir.Field:
    """One field of one model."""
    return next(each for each in shop.models[model].fields if each.name == name)


def test_all_of_is_merged(shop: ir.Api) -> None:
    """A model has the fields of all its parts, and keeps its own name."""
    names = [each.name for each in shop.models["ShopCreated"].fields]

    assert ("id", "signing_secret") == (names[0], names[-1])
    assert "A shop." == shop.models["Shop"].description


def test_types_are_resolved(shop: ir.Api) -> None:
    """References, nullables, maps, lists and tagged unions become types of ours."""
    string, null = ir.Scalar(ir.Kind.STRING), ir.NULL
    auth = ir.Union((ir.ModelRef("BasicAuth"), ir.ModelRef("TokenAuth")), "kind")

    assert ir.Union((string, null)) == field(shop, "Shop", "description").type
    assert ir.MapOf(ir.ANY) == field(shop, "Trigger", "payload").type
    assert ir.ListOf(auth) == field(shop, "Door", "spare_auths").type
    assert ir.EnumRef("DoorState") == field(shop, "Door", "state").type
    assert ir.Const("token") == field(shop, "TokenAuth", "kind").type


def test_webhooks_are_events_with_models(shop_document: Document, written: Written) -> None:
    """A webhook stands by its event's type for the model of its `data`, which the SDK gets."""
    data = {"$ref": "#/components/schemas/Shop"}
    content = {"application/json": {"schema": {"properties": {"data": data}}}}
    hook = {"post": {"requestBody": {"content": content}, "responses": {}}}
    spoil(shop_document, ("webhooks",), {"shop.opened": hook})

    api = build(load(written(shop_document)))

    assert {"shop.opened": "Shop"} == api.webhooks
    assert "'shop.opened': Shop.from_dict" in python_sdk(api).files[OPERATIONAL]


def test_what_the_parser_drops_is_joined(shop: ir.Api) -> None:
    """Descriptions, bounds, defaults and extensions come from the document itself."""
    timeout = field(shop, "DoorCreate", "timeout_seconds")
    operations = {each.id: each for each in shop.operations}

    assert ("How long a door may take.", 15) == (timeout.description, timeout.default)
    assert {"minimum": 1, "maximum": 30} == timeout.bounds
    assert {"minLength": 1, "maxLength": 100} == field(shop, "ShopUpdate", "name").bounds
    assert {"minimum": 1, "maximum": 100000} == field(shop, "ShopUpdate", "rate_limit").bounds
    assert operations["doors.knock"].deprecated
    assert field(shop, "Shop", "rate_limit").deprecated
    assert ["open"] == [
        each.name for each in operations["shops.list"].query_params if each.deprecated
    ]
    assert {"stuck": "Use `closed`."} == shop.enums["DoorState"].deprecated
    assert field(shop, "TokenAuth", "token").secret
    assert (True, None) == (operations["health.live"].public, operations["health.live"].scope)
    assert ("slug_taken",) == operations["shops.create"].errors[1].codes


def test_shared_statuses_list_only_the_codes_of_the_operation(
    shop_document: Document, written: Written
) -> None:
    """Where several codes share a status, `x-error-codes` says which an operation answers."""
    codes = shop_document["components"]["schemas"]["ErrorCode"]
    for code in ("idempotency_in_progress", "busy"):
        codes["enum"].append(code)
        codes["x-errors"][code] = {"status": 409, "title": code}
    spoil(shop_document, ("paths", "/v1/shops", "post", "x-error-codes"), ["slug_taken"])

    create = next(
        each for each in build(load(written(shop_document))).operations if each.id == "shops.create"
    )

    assert ("slug_taken", "idempotency_in_progress") == create.errors[1].codes
