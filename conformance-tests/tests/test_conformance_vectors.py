"""vectors/*.json: complete, as openssl computes them, and judged as the oracle judges them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from hookwright_conformance import oracle, requirements
from hookwright_conformance.cli import VECTORS
from hookwright_conformance.spec import Spec

Vector = dict[str, Any]
REASONS = {
    "signature": {
        "missing_header",
        "invalid_timestamp",
        "too_old",
        "too_new",
        "no_matching_signature",
        "invalid_secret",
    },
    "wire": {"missing_header", "no_matching_signature", "too_old", "too_new"},
    "decode": {"not_utf8", "not_json", "not_an_object", "no_type", "no_timestamp", "no_data"},
    "retry": {"done", "permanent_status", "gone", "attempts_used", "not_repeatable"},
}
SENTENCE = re.compile(r"\b[A-Z]+-\d+\b")


def read(name: str) -> list[Vector]:
    """The vectors of a file."""
    text = (files("hookwright_conformance") / "vectors" / f"{name}.json").read_text("utf-8")
    found: list[Vector] = json.loads(text)["vectors"]
    return found


ALL = {name: read(name) for name in VECTORS}


@pytest.mark.parametrize("name", VECTORS)
def test_each_vector_says_what_follows_and_where_it_comes_from(name: str) -> None:
    """A name of its own, a verdict, a reason for every refusal, a source or a command."""
    vectors = ALL[name]
    refused = [each for each in vectors if each["verdict"] in ("refused", "final")]

    assert len(vectors) == len({each["name"] for each in vectors})
    assert {"valid", "refused"} == {each["verdict"] for each in vectors} or name == "retry"
    assert all(each["reason"] for each in refused)
    assert all(each["reason"] is None for each in vectors if each not in refused)
    assert REASONS[name] == {each["reason"] for each in refused}
    for each in vectors:
        assert ("computed" in each) != ("published" in each), each["name"]
        assert each.get("computed") or each["published"]["source"], each["name"]


def test_openssl_computes_them_again() -> None:
    """Every command, run anew, prints what stands beside it."""
    computed = {
        made["command"]: made["value"].removeprefix(made["prefix"])
        for vectors in ALL.values()
        for each in vectors
        for made in each.get("computed", ())
    }

    def run(command: str) -> str:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        return done.stdout

    with ThreadPoolExecutor(4) as pool:
        again = dict(zip(computed, pool.map(run, computed), strict=True))

    assert len(computed) > 30
    assert computed == again


def test_valid_vectors_hold_what_was_computed() -> None:
    """A signature in the headers is one of those that openssl made."""
    for name in ("signature", "decode"):
        for each in ALL[name]:
            if each["verdict"] == "valid" and "computed" in each:
                given = each["headers"]["webhook-signature"].split(" ")

                assert any(made["value"] in given for made in each["computed"]), each["name"]


@pytest.mark.parametrize(
    "vector",
    [each for each in ALL["signature"] if "published" in each],
    ids=lambda v: str(v["name"]),
)
def test_published_signatures_are_what_the_standards_library_makes(vector: Vector) -> None:
    """It signs as is published; what is published as wrong it does not."""
    headers, body = vector["headers"], base64.b64decode(vector["body_base64"]).decode()
    at = dt.datetime.fromtimestamp(int(headers["webhook-timestamp"]), dt.UTC)
    made = Webhook(vector["secrets"][0]).sign(headers["webhook-id"], at, body)

    assert (vector["verdict"] == "valid") == (made in headers["webhook-signature"].split(" "))


@pytest.mark.parametrize("vector", ALL["wire"], ids=lambda vector: str(vector["name"]))
def test_requests_are_judged_as_stated(vector: Vector) -> None:
    """Read off the wire, verdict and reason are the oracle's."""
    head, _, content = base64.b64decode(vector["request_base64"]).partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.lower(): value.strip(" ") for name, value in pairs}
    if "transfer-encoding" in headers:
        size, _, rest = content.partition(b"\r\n")
        content = rest[: int(size, 16)]
    else:
        assert len(content) == int(headers["content-length"])
    verdict = oracle.verify(vector["secrets"], headers, content, vector["now"])

    assert first == "POST /hooks HTTP/1.1"
    assert (vector["verdict"] == "valid", vector["reason"]) == (verdict.valid, verdict.reason)
    if verdict.valid:
        assert base64.b64decode(vector["sent_base64"]) == content


@pytest.mark.parametrize("vector", ALL["decode"], ids=lambda vector: str(vector["name"]))
def test_bodies_are_signed_and_mean_what_is_stated(vector: Vector) -> None:
    """Each is genuine; a sound one holds the event's members, its data as it is told."""
    body = base64.b64decode(vector["body_base64"])

    assert oracle.verify(vector["secrets"], vector["headers"], body, vector["now"]).valid
    if vector["verdict"] == "valid":
        event = vector["event"]
        parsed = json.loads(body)
        assert event["data_json"].encode() in body
        assert (event["type"], event["timestamp"]) == (parsed["type"], parsed["timestamp"])
        assert json.loads(event["data_json"]) == parsed["data"]


def test_retries_rest_on_sentences_and_codes_that_exist() -> None:
    """A source names sentences of docs/behaviour, codes of the contract, or an RFC."""
    listed, codes = requirements.load().by_id, set(Spec.load().error_codes)
    for each in ALL["retry"]:
        source = each["published"]["source"]
        named = set(SENTENCE.findall(source))

        assert named <= set(listed), each["name"]
        assert named or "rfc-editor.org" in source or "ErrorCode" in source, each["name"]
        assert (each["outcome"].get("code") or "validation_error") in codes, each["name"]
