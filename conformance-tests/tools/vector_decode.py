"""vectors/decode.json: what the body of a genuine webhook means, and which bodies mean nothing."""

# ruff: noqa: INP001 - make_vectors.py stands beside it

from __future__ import annotations

import base64

import vector_openssl as openssl
from vector_signature import ID, NOW, SECRET, Vector

ABOUT = (
    "What a webhook whose signature is right tells: `event` (type, timestamp, and data as the JSON "
    "text `data_json`), or `refused` with a `reason`: its body is no event. Each is signed, so "
    "that it can be given to a receiver as it stands. The form is that of docs/behaviour/wire.md, "
    "WIRE-2."
)
AT = "2026-01-01T00:00:00.000Z"


def vectors() -> list[Vector]:
    """All entries."""
    return [*_events(), *_refusals()]


def _events() -> list[Vector]:
    return [
        _event("an event", "invoice.paid", b'{"total":4200}'),
        _event("empty data", "a", b"{}"),
        _event("members in another order", "a", b'{"n":1}', order="dta"),
        _event("white space", "a", b'{ "n" : [ 1 , 2 ] }', space=b"\r\n\t "),
        _event("an unknown member", "a", b'{"n":1}', more=b',"version":2'),
        _event("non-ASCII text and escapes", "a", '{"name":"Zoë 🪝 \\u00e9"}'.encode()),
        _event("an integer beyond a double", "a", b'{"n":12345678901234567890}'),
        _event("null, true and empty text", "a", b'{"a":null,"b":true,"c":""}'),
        _event("an unknown event name", "thing.of_tomorrow", b"{}"),
    ]


def _refusals() -> list[Vector]:
    time = f'"timestamp":"{AT}"'.encode()
    return [
        _vector("not UTF-8", b'{"type":"a",%b,"data":{"n":"\xff"}}' % time, "not_utf8"),
        _vector("UTF-16", '{"type":"a","data":{}}'.encode("utf-16"), "not_utf8"),
        _vector("nothing", b"", "not_json"),
        _vector("a cut body", b'{"type":"a",%b,"data":{' % time, "not_json"),
        _vector("text behind it", b'{"type":"a",%b,"data":{}} x' % time, "not_json"),
        _vector("NaN", b'{"type":"a",%b,"data":{"n":NaN}}' % time, "not_json"),
        _vector("a form", b"type=a&data=1", "not_json"),
        _vector("a list", b'[{"type":"a"}]', "not_an_object"),
        _vector("null", b"null", "not_an_object"),
        _vector("no type", b'{%b,"data":{}}' % time, "no_type"),
        _vector("a type that is a number", b'{"type":1,%b,"data":{}}' % time, "no_type"),
        _vector("no timestamp", b'{"type":"a","data":{}}', "no_timestamp"),
        _vector(
            "a timestamp without an offset",
            b'{"type":"a","timestamp":"2026-01-01T00:00:00","data":{}}',
            "no_timestamp",
        ),
        _vector("no data", b'{"type":"a",%b}' % time, "no_data"),
        _vector("data that is a list", b'{"type":"a",%b,"data":[]}' % time, "no_data"),
    ]


def _event(
    name: str, type_: str, data: bytes, *, order: str = "tad", space: bytes = b"", more: bytes = b""
) -> Vector:
    members = {
        "t": b'"type":%b"%b"' % (space, type_.encode()),
        "a": b'"timestamp":%b"%b"' % (space, AT.encode()),
        "d": b'"data":%b%b' % (space, data),
    }
    body = b"{" + space + (b"," + space).join(members[each] for each in order) + more + b"}"
    event = {"type": type_, "timestamp": AT, "data_json": data.decode()}
    return {**_vector(name, body, None), "event": event}


def _vector(name: str, body: bytes, reason: str | None) -> Vector:
    made = openssl.v1(SECRET, ID, NOW, body)
    return {
        "name": name,
        "secrets": [SECRET],
        "now": NOW,
        "headers": {
            "webhook-id": ID,
            "webhook-timestamp": str(NOW),
            "webhook-signature": made.value,
        },
        "body_base64": base64.b64encode(body).decode(),
        "verdict": "valid" if reason is None else "refused",
        "reason": reason,
        "computed": [made.document()],
    }
