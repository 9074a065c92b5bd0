"""Payloads that a parser on the way would change, and the largest that is taken."""

from __future__ import annotations

from http_lab import JSON, Client

from hookwright_server.domain.contract import Limits

_LARGE = b'{"long":"%b"}'

PAYLOADS = {
    "empty": b"{}",
    "unicode": (
        '{"name":"Zoë 🪝","escaped":"\\u00e9\\ud83e\\ude9d","ключ":"값","line":"\u2028"}'
    ).encode(),
    "key order": b'{"b":1,"a":{"z":1,"y":2},"B":3,"aa":[2,1],"10":4,"9":5}',
    "number precision": b'{"a":1.0,"b":12345678901234567890.10,"c":1e3,"d":-0,"e":0.1e-7}',
    "white space": b'{ "a" :\t1,\n "b": [ ],\r\n "c":" \\/ \\" " }',
    "large": _LARGE % (b"x" * (Limits.payload_bytes - len(_LARGE % b""))),
}


def publish(client: Client, app_slug: str, payload: bytes) -> None:
    """Publish `order.paid` with exactly these bytes, and wait until it is delivered."""
    body = b'{"event_name":"order.paid","payload":%b}' % payload
    sent = client.send("POST", f"/v1/apps/{app_slug}/trigger", JSON, body)
    client.finished(sent.require(202)["delivery_ids"][0], "delivered")
