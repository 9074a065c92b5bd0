"""Cases for a server's edge generated from the shop; run by test_codegen_functional.py."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

# The package is made when the test runs, so no type checker knows it.
contract: Any = import_module("hookwright_server.domain.contract")
gate: Any = import_module("hookwright_server.http.edge.gate")
operations: Any = import_module("hookwright_server.http.edge.operations")
params: Any = import_module("hookwright_server.http.edge.params")
requests: Any = import_module("hookwright_server.http.edge.requests")
responses: Any = import_module("hookwright_server.http.edge.responses")
routes: Any = import_module("hookwright_server.http.edge.routes")
errors: Any = import_module("hookwright_server.http.edge.errors")


def found(problems: Any) -> list[tuple[str, str]]:
    """Pointers and codes alone."""
    return [(each.pointer, each.code) for each in problems]


def refused(parse: Any, path: dict[str, str], query: dict[str, list[str]]) -> list[tuple[str, str]]:
    """What a parser finds wrong."""
    with pytest.raises(errors.ParamError) as caught:
        parse(path, query)
    return found(caught.value.errors)


def test_parameters_are_typed() -> None:
    """Integers, booleans and instants are values; what is absent takes its default."""
    parsed = params.parse_shops_list(
        {}, {"limit": ["7"], "open": ["false"], "after": ["2026-11-21T09:00:00.0005+01:00"]}
    )

    assert (7, None, 1_795_248_000_001, False) == (
        parsed.limit,
        parsed.cursor,
        parsed.after,
        parsed.open,
    )
    assert 20 == params.parse_shops_list({}, {}).limit


def test_repeated_parameters_are_tuples() -> None:
    """A list parameter may be given several times, in order; absent it is empty."""
    path = {"app_slug": "one"}

    assert ("open", "stuck") == params.parse_doors_list(path, {"state": ["open", "stuck"]}).state
    assert () == params.parse_doors_list(path, {}).state


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": ["101"]}, ("query/limit", "maximum")),
        ({"limit": ["0"]}, ("query/limit", "minimum")),
        ({"limit": ["1.0"]}, ("query/limit", "type")),
        ({"limit": ["+1"]}, ("query/limit", "type")),
        ({"limit": [" 1"]}, ("query/limit", "type")),
        ({"limit": ["\N{ARABIC-INDIC DIGIT ONE}"]}, ("query/limit", "type")),
        ({"limit": ["9" * 5000]}, ("query/limit", "type")),
        ({"limit": ["1", "2"]}, ("query/limit", "repeated_parameter")),
        ({"open": ["1"]}, ("query/open", "type")),
        ({"open": ["True"]}, ("query/open", "type")),
        ({"after": ["2026-11-21T09:00:00"]}, ("query/after", "format")),
        ({"after": ["2026-11-21"]}, ("query/after", "format")),
        ({"after": ["0001-01-01T00:00:00+23:59"]}, ("query/after", "format")),
        ({"cursor": ["a\x00b"]}, ("query/cursor", "nul")),
        ({"colour": ["red"]}, ("query/colour", "unknown_parameter")),
    ],
)
def test_bad_queries_are_refused(query: dict[str, list[str]], expected: tuple[str, str]) -> None:
    """Every parameter that breaks the contract is named with the rule that it breaks."""
    assert [expected] == refused(params.parse_shops_list, {}, query)


def test_all_parameter_errors_come_together() -> None:
    """One answer names everything that is wrong."""
    problems = refused(
        params.parse_doors_list, {"app_slug": "x" * 64}, {"limit": ["x"], "state": ["ajar"]}
    )

    assert {("path/app_slug", "maxLength"), ("query/limit", "type"), ("query/state/0", "enum")} == (
        set(problems)
    )


def test_an_operation_without_parameters_refuses_all() -> None:
    """Unknown query parameters are an error everywhere."""
    operation = operations.BY_ID["health.live"]

    assert operation.parse_params({}, {}) is None
    assert [("query/a", "unknown_parameter")] == refused(operation.parse_params, {}, {"a": ["1"]})


@pytest.mark.parametrize(
    ("operation", "body", "expected"),
    [
        ("shops.create", {}, [("/name", "required")]),
        ("shops.create", [], [("", "type")]),
        ("shops.create", {"name": "a", "nmae": 1}, [("/nmae", "additionalProperties")]),
        ("shops.create", {"name": "a", "rate_limit": "3"}, [("/rate_limit", "type")]),
        ("shops.create", {"name": "a", "rate_limit": True}, [("/rate_limit", "type")]),
        ("shops.create", {"name": "a", "rate_limit": 0}, [("/rate_limit", "minimum")]),
        ("shops.create", {"name": "a", "rate_limit": 3.0}, []),
        ("shops.create", {"name": "a", "slug": "A/b"}, [("/slug", "pattern")]),
        ("shops.create", {"name": "a", "emails": ["e", "e"]}, [("/emails", "uniqueItems")]),
        ("shops.create", {"name": "a", "retry": {"jitter": 2}}, [("/retry/jitter", "maximum")]),
        ("shops.update", {"closed_at": "2026-01-01 00:00:00Z"}, [("/closed_at", "format")]),
        ("shops.update", {"retry": {"preset": "x"}}, [("/retry/preset", "enum")]),
        ("shops.update", {"retry": None, "closed_at": None}, []),
        ("shops.update", {}, [("", "minProperties")]),
        (
            "doors.create",
            {"url": "https://a", "auth": {"kind": "basic"}},
            [("/auth/user", "required")],
        ),
        ("doors.create", {"url": "https://a", "auth": {"kind": "x"}}, [("/auth", "oneOf")]),
        ("doors.create", {"url": "https://a", "headers": {"a/b": 1}}, [("/headers/a~1b", "type")]),
    ],
)
def test_the_gate_names_what_is_wrong(
    operation: str, body: object, expected: list[tuple[str, str]]
) -> None:
    """The gate is the contract: pointers into the body, and the keyword that was broken."""
    assert expected == found(gate.body_errors(operation, body))


def test_messages_name_value_rule_and_next_step() -> None:
    """A message is a sentence that a person can act on."""
    (error,) = gate.body_errors("doors.create", {"url": "https://a", "timeout_seconds": 31})

    assert "31 is more than 30; send at most 30. How long a door may take." == error.message


def test_private_values_do_not_come_back() -> None:
    """What a caller sent as a header's value is not repeated in a message."""
    (error,) = gate.body_errors(
        "doors.create", {"url": "https://a", "headers": {"Authorization": "Bearer x" * 200}}
    )

    assert "Bearer" not in error.message


def test_error_lists_are_short() -> None:
    """A body with a thousand mistakes gets a list that fits an answer."""
    body = {"name": "a", **{f"field{number}": 1 for number in range(1000)}}

    assert 20 == len(gate.body_errors("shops.create", body))


def test_responses_are_judged_by_status() -> None:
    """Success and error bodies have their schemas; an undocumented status is an error."""
    problem = {"type": "t", "title": "t", "status": 404, "code": "not_found", "request_id": "r"}

    assert [] == gate.response_errors("health.live", 200, {"status": "ok"})
    assert [("/status", "enum")] == found(gate.response_errors("health.live", 200, {"status": "?"}))
    assert [] == gate.response_errors("shops.delete", 204, None)
    assert [] == gate.response_errors("shops.get", 404, problem)
    assert [("", "status")] == found(gate.response_errors("shops.get", 418, problem))


def test_idempotency_keys_are_judged() -> None:
    """The header has its schema too."""
    assert [] == gate.idempotency_key_errors("shops.create", "k")
    assert [("header/idempotency-key", "maxLength")] == found(
        gate.idempotency_key_errors("shops.create", "k" * 256)
    )


def test_request_models_tell_absent_from_null() -> None:
    """A merge patch needs both; defaults are those of the contract."""
    patch = requests.ShopUpdate.model_validate({"description": None})

    assert {"description"} == patch.model_fields_set
    assert 15 == requests.DoorCreate.model_validate({"url": "u"}).timeout_seconds
    assert (
        "HTTP://Example.com"
        == requests.DoorCreate.model_validate({"url": "HTTP://Example.com"}).url
    )


def test_a_member_may_be_called_like_a_keyword() -> None:
    """Python's name has an underscore, JSON's has none."""
    policy = requests.RetryPolicy.model_validate({"from": "other"})

    assert "other" == policy.from_
    assert {"from": "other"} == policy.model_dump(exclude_unset=True, by_alias=True)
    assert "from" in responses.RetryPolicy.__annotations__


def test_the_table_says_what_the_dispatcher_needs() -> None:
    """Scope, success, idempotency, body and error codes come from the contract."""
    create, live = operations.BY_ID["doors.create"], operations.BY_ID["health.live"]

    assert ("/v1/apps/<app_slug>/doors", "POST", 201, "write", True, True, True) == (
        create.rule,
        create.method,
        create.success_status,
        create.scope,
        create.idempotent,
        create.app_scoped,
        create.has_body and create.body_required,
    )
    assert (400, 422) == create.error_statuses
    assert ("validation_error", "url_not_allowed") == create.error_codes
    assert (True, None, None, False) == (
        live.public,
        live.scope,
        live.request_model,
        live.idempotent,
    )


def test_routes_reach_their_handlers() -> None:
    """Flask's rules lead through the dispatcher to the bound handler, with what it takes."""
    calls: list[tuple[Any, ...]] = []

    def dispatch(operation: Any, call: Any, path: dict[str, str]) -> tuple[str, int]:
        parsed = operation.parse_params(path, {})
        body = operation.request_model.model_validate({"name": "a"}) if operation.has_body else None
        call("context", parsed, body)
        return "", operation.success_status

    def handler(*arguments: Any) -> None:
        calls.append(arguments)

    shops = SimpleNamespace(create=handler, get=handler)
    app = Flask("shop")
    routes.register(app, SimpleNamespace(shops=shops), dispatch)
    client = app.test_client()

    assert 201 == client.post("/v1/shops").status_code
    assert 200 == client.get("/v1/shops/one").status_code
    assert ("context", requests.ShopCreate(name="a")) == calls[0]
    assert ("context", params.ShopsGetParams(shop_slug="one")) == calls[1]
    assert 405 == client.put("/v1/shops").status_code


def test_constants_come_from_the_contract() -> None:
    """Errors, presets, enums, defaults and bounds stand in one module."""
    assert (409, "The slug is taken") == (
        contract.ERRORS["slug_taken"].status,
        contract.ERRORS["slug_taken"].title,
    )
    assert ((5, 30, 120), 0.1, 4) == (
        contract.RETRY_PRESETS["default"].delays_seconds,
        contract.RETRY_PRESETS["default"].jitter,
        contract.RETRY_PRESETS["default"].max_attempts,
    )
    assert ("open", "closed", "stuck") == contract.DOOR_STATES
    assert 15 == contract.DoorCreateDefaults.timeout_seconds
    assert 30 == contract.DoorCreateBounds.timeout_seconds_maximum
    assert (20, 100) == (contract.ParameterDefaults.limit, contract.ParameterBounds.limit_maximum)
