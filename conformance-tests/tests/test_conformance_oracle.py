"""The independent signature check against vectors computed with openssl."""

from __future__ import annotations

import ast
import base64
import datetime as dt
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest
from standardwebhooks.webhooks import Webhook

import hookwright_conformance
from hookwright_conformance import oracle
from hookwright_conformance.cases.signing import require_genuine
from hookwright_conformance.errors import Unmet
from hookwright_conformance.received import Received

DOCUMENT: dict[str, Any] = json.loads(
    (files("hookwright_conformance") / "vectors" / "signature.json").read_text(encoding="utf-8")
)
VECTORS: list[dict[str, Any]] = DOCUMENT["vectors"]
PACKAGE = Path(hookwright_conformance.__file__).parent


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_judges_every_vector_as_stated(vector: dict[str, Any]) -> None:
    """Verdict and reason are those that openssl's signatures lead to."""
    body = base64.b64decode(vector["body_base64"])
    verdict = oracle.verify(vector["secrets"], vector["headers"], body, vector["now"])

    assert (vector["verdict"] == "valid", vector["reason"]) == (verdict.valid, verdict.reason)


def test_every_refusal_reason_has_a_vector() -> None:
    """No reason stands without an example, and the command that made them is recorded."""
    reasons = {vector["reason"] for vector in VECTORS} - {None}

    assert set(get_args(oracle.Reason)) == reasons
    assert "openssl dgst -sha256" in DOCUMENT["command"]


def test_agrees_with_the_reference_library() -> None:
    """Standard Webhooks' own Python library makes the same signature."""
    secret, body = "whsec_" + base64.b64encode(bytes(32)).decode(), "naïve {}"
    at = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)

    expected = Webhook(secret).sign("msg_1", at, body)
    assert expected == oracle.signature(secret, "msg_1", int(at.timestamp()), body.encode())


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_signature_with_a_second_header_is_not_genuine(name: str) -> None:
    """Of two headers of a name each receiver takes another, or neither."""
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    headers = (
        ("webhook-id", "msg_1"),
        ("Webhook-Timestamp", "1767225600"),
        ("webhook-signature", oracle.signature(secret, "msg_1", 1_767_225_600, b"{}")),
    )
    request = Received(1, 1, "http", "POST", "/", headers, b"", 0.0, b"{}", wall=1_767_225_600.0)
    require_genuine(request, secret)
    request.headers = (*headers, (name.upper(), dict(headers).get(name, "1767225600")))

    with pytest.raises(Unmet, match=f"headers {name} of request 1: expected 1, got 2"):
        require_genuine(request, secret)


def test_the_suite_imports_neither_server_nor_sdk() -> None:
    """A mistake that they share with it could not be seen."""
    imported: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])

    assert set() == imported & {"hookwright", "hookwright_server", "hookwright_codegen"}
