"""The judge of responses: what it accepts and what it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hookwright_conformance.errors import TargetError
from hookwright_conformance.spec import Spec

SPEC = Spec.load()
HEADERS = [("X-Request-Id", "r"), ("Content-Type", "application/json; charset=utf-8")]
PROBLEM: dict[str, Any] = {
    "type": "urn:hookwright:error:not_found",
    "title": "No such thing",
    "status": 404,
    "detail": "x",
    "code": "not_found",
    "request_id": "r",
    "errors": [],
}
PROBLEM_HEADERS = [("x-request-id", "r"), ("content-type", "application/problem+json")]


def faults(
    operation: str | None, status: int, headers: list[tuple[str, str]], body: Any
) -> list[str]:
    """The judge's findings on a JSON body."""
    found = SPEC.operations[operation] if operation else None
    return SPEC.faults(found, status, headers, json.dumps(body).encode())


def test_a_documented_response_has_no_faults() -> None:
    """Status, media type, headers and schema fit."""
    assert [] == faults("health.live", 200, HEADERS, {"status": "ok", "new": 1})
    assert [] == faults("apps.get", 404, PROBLEM_HEADERS, PROBLEM)
    assert [] == faults(None, 404, PROBLEM_HEADERS, PROBLEM)


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (200, HEADERS[1:], {"status": "ok"}, "X-Request-Id is missing"),
        (200, HEADERS, {"status": "fine"}, "body /status"),
        (200, PROBLEM_HEADERS, {"status": "ok"}, "instead of application/json"),
        (204, HEADERS, {"status": "ok"}, "status 204 is not documented for health.live"),
        (400, PROBLEM_HEADERS, {**PROBLEM, "code": "oops"}, "body /code"),
    ],
)
def test_each_fault_is_named(
    status: int, headers: list[tuple[str, str]], body: Any, says: str
) -> None:
    """The finding says what is wrong and where."""
    assert says in "; ".join(faults("health.live", status, headers, body))


@pytest.mark.parametrize(
    ("operation", "name", "value", "fits"),
    [
        ("apps.get", "X-RateLimit-Limit", "100", True),
        ("apps.get", "x-ratelimit-limit", "many", False),
        ("apps.get", "X-RateLimit-Reset", "1.5", False),
        ("apps.get", "X-RateLimit-Reset", "+1", False),
        ("apps.create", "Idempotency-Replayed", "true", True),
        ("apps.create", "Idempotency-Replayed", "yes", False),
    ],
)
def test_headers_have_the_values_of_their_schemas(
    operation: str, name: str, value: str, fits: bool
) -> None:
    """Presence is not enough."""
    status = {"apps.get": 200, "apps.create": 201}[operation]
    found = faults(operation, status, [*HEADERS, (name, value)], {})
    told = [fault for fault in found if fault.lower().startswith(f"the header {name.lower()}: ")]

    assert fits == (not told), found


@pytest.mark.parametrize(
    ("value", "faults_told"),
    [("1", 0), ("Sun, 22 Nov 2026 10:00:05 GMT", 0), ("-1", 1), ("soon", 1)],
)
def test_retry_after_has_the_forms_of_http(value: str, faults_told: int) -> None:
    """Seconds, as documented, or what a proxy makes of them."""
    problem = {**PROBLEM, "status": 429, "code": "rate_limited"}
    found = faults("apps.get", 429, [*PROBLEM_HEADERS, ("Retry-After", value)], problem)

    assert faults_told == len(found), found


def test_html_and_broken_json_are_faults() -> None:
    """A body that is not JSON is found, whatever it calls itself."""
    operation = SPEC.operations["health.live"]

    assert SPEC.faults(operation, 200, HEADERS, b"<h1>")[0].startswith("the body is not JSON")
    html = [("X-Request-Id", "r"), ("Content-Type", "text/html")]
    assert "text/html" in SPEC.faults(None, 404, html, b"<h1>")[0]


def test_a_body_where_none_is_documented_is_a_fault() -> None:
    """204 means empty."""
    operation = SPEC.operations["apps.delete"]

    assert [] == SPEC.faults(operation, 204, HEADERS[:1], b"")
    assert ["a body of 2 bytes where none is documented"] == SPEC.faults(
        operation, 204, HEADERS[:1], b"{}"
    )


def test_path_arguments_are_quoted() -> None:
    """An odd id stays one segment."""
    operation = SPEC.operations["deliveries.get"]

    assert "/v1/apps/a%2Fb/deliveries/%00%C3%A9" == operation.target(("a/b", "\0é"))
    with pytest.raises(ValueError, match="takes 2 path arguments"):
        operation.target(("a",))


@pytest.mark.parametrize("text", [b"", b"text", b"openapi: 3.1.0\n", b"\xe9"])
def test_what_is_no_contract_is_named(tmp_path: Path, text: bytes) -> None:
    """A file that was given, and cannot be read as openapi.yaml."""
    path = tmp_path / "openapi.yaml"
    path.write_bytes(text)
    with pytest.raises(TargetError, match=r"openapi\.yaml is no contract"):
        Spec.load(path)


@pytest.mark.parametrize(
    ("operation", "status", "code", "found"),
    [
        (None, 404, "not_found", []),
        (None, 400, "not_found", ["the code not_found belongs to the status 404"]),
        ("apps.get", 404, "not_found", []),
        ("apps.create", 409, "slug_taken", []),
        ("apps.create", 409, "idempotency_in_progress", []),
        (
            "apps.update",
            409,
            "idempotency_in_progress",
            ["the code idempotency_in_progress is not documented for apps.update"],
        ),
        (
            "trigger.send",
            409,
            "slug_taken",
            ["the code slug_taken is not documented for trigger.send"],
        ),
    ],
)
def test_a_code_belongs_to_its_status_and_its_operation(
    operation: str | None, status: int, code: str, found: list[str]
) -> None:
    """Where several codes share a status, the contract names an operation's own."""
    asked = SPEC.operations[operation] if operation else None

    assert found == SPEC.faults_of_code(asked, status, code)
