"""The vectors of the conformance suite, judged by the SDK."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from sdk_harness import NOW, answer

from hookwright._core.call import UNSET, Call
from hookwright.errors import (
    APIConnectionError,
    APIStatusError,
    HookwrightError,
    InvalidHeaderError,
    InvalidPayloadError,
    InvalidSecretError,
    MissingHeaderError,
    SignatureMismatchError,
    TimestampOutOfToleranceError,
)
from hookwright.webhooks import Webhook

if TYPE_CHECKING:
    from sdk_harness import Driver, ScriptedApi

Vector = dict[str, Any]
_KINDS: dict[str, tuple[type[HookwrightError], ...]] = {
    "missing_header": (MissingHeaderError,),
    "invalid_timestamp": (InvalidHeaderError,),
    "too_old": (TimestampOutOfToleranceError,),
    "too_new": (TimestampOutOfToleranceError,),
    # What is no base64 cannot match either; the SDK says so.
    "no_matching_signature": (SignatureMismatchError, InvalidHeaderError),
    "invalid_secret": (InvalidSecretError,),
}


def vectors(name: str) -> list[Vector]:
    """The vectors of a file."""
    text = (files("hookwright_conformance") / "vectors" / f"{name}.json").read_text("utf-8")
    found: list[Vector] = json.loads(text)["vectors"]
    return found


def named(vector: Vector) -> str:
    """What a test of it is called."""
    return str(vector["name"])


def refusal_of(vector: Vector, body: bytes, headers: Any) -> HookwrightError | None:
    """What the SDK has against the signature."""
    try:
        Webhook(vector["secrets"], clock=lambda: vector["now"]).verify(body, headers)
    except InvalidPayloadError:
        return None  # signed rightly; that the body is no JSON is another matter
    except HookwrightError as error:
        return error
    return None


@pytest.mark.parametrize("vector", vectors("signature"), ids=named)
def test_verdict(vector: Vector) -> None:
    """What openssl signed verifies; everything else is refused for the reason that is stated."""
    refusal = refusal_of(vector, base64.b64decode(vector["body_base64"]), vector["headers"])

    assert ("valid" == vector["verdict"]) is (refusal is None)
    assert refusal is None or isinstance(refusal, _KINDS[vector["reason"]])


@pytest.mark.parametrize("vector", vectors("wire"), ids=named)
def test_request_off_the_wire(vector: Vector) -> None:
    """Whole requests, as a server hands their headers and body on."""
    head, _, body = base64.b64decode(vector["request_base64"]).partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")[1:]
    headers = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
    if "transfer-encoding" in {name.lower() for name, _ in headers}:
        size, _, rest = body.partition(b"\r\n")
        body = rest[: int(size, 16)]
    refusal = refusal_of(vector, body, headers)

    assert ("valid" == vector["verdict"]) is (refusal is None)
    assert refusal is None or isinstance(refusal, _KINDS[vector["reason"]])


@pytest.mark.parametrize("vector", vectors("decode"), ids=named)
def test_body(vector: Vector) -> None:
    """A sound body is the event that is stated; any other is no event."""
    webhook = Webhook(vector["secrets"], clock=lambda: vector["now"])
    body = base64.b64decode(vector["body_base64"])
    told: tuple[str, Any] | None = None
    try:
        event = webhook.unwrap(body, vector["headers"])
        told = (event.type, event.data)
    except InvalidPayloadError:
        pass

    expected = vector.get("event")
    assert (expected and (expected["type"], json.loads(expected["data_json"]))) == told


@pytest.mark.parametrize(
    "vector", [each for each in vectors("retry") if each["of"] == "call"], ids=named
)
def test_call_is_tried_again(vector: Vector, driver: Driver, api: ScriptedApi) -> None:
    """As often, and not before, as is stated."""
    outcome = vector["outcome"]
    first = b"" if "no_answer" in outcome else reply(outcome, vector["now"])
    api.steps += [first, answer(b'{"name": "x"}')]
    call = Call(
        "a.b",
        vector["method"],
        "/v1/a",
        lambda document: document,
        body={} if vector["method"] == "POST" else UNSET,
        idempotent=vector["has_idempotency_key"],
    )
    with suppress(APIStatusError, APIConnectionError):
        driver.request(call)

    assert ("retry" == vector["verdict"]) is (len(api.requests) == 2)
    if vector["verdict"] == "retry":
        assert (vector["not_before_seconds"] or 0) <= driver.sleeps[0] < NOW


def reply(outcome: Vector, now: float) -> bytes:
    """This answer; a date in it is as far from the driver's time as it was from `now`."""
    headers: dict[str, str] = dict(outcome["headers"])
    wait = headers.get("retry-after", "")
    if wait.endswith("GMT"):
        moved = parsedate_to_datetime(wait).timestamp() - now + NOW
        headers["retry-after"] = formatdate(moved, usegmt=True)
    body = b'{"name": "x"}' if outcome["code"] is None else json.dumps(outcome).encode()
    status: int = outcome["status"]
    return answer(body, status=status, chunked=False, **headers)
