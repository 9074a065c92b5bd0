"""Signing as the client sees it, over a socket."""

from __future__ import annotations

import datetime as dt
import json

from sdk_harness import ScriptedApi

from hookwright import Hookwright


def _answer(document: object) -> bytes:
    body = json.dumps(document).encode()
    head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_public_keys(api: ScriptedApi) -> None:
    """get_secret_public_key gives the current key and the retiring ones with their ends."""
    retiring = {"public_key": "whpk_b2xk", "valid_until": "2026-11-22T09:00:00.000Z"}
    api.steps = [_answer({"public_key": "whpk_bmV3", "retiring": [retiring]})]
    with Hookwright(api_key="hw_test_key", base_url=api.base_url) as client:
        keys = client.endpoints.get_secret_public_key("payments", "ep_1")

    assert "/v1/apps/payments/endpoints/ep_1/public-key" == api.requests[0].target
    assert "whpk_bmV3" == keys.public_key
    assert [("whpk_b2xk", dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC))] == [
        (key.public_key, key.valid_until) for key in keys.retiring
    ]


def test_rotating_an_apps_ed25519_key(api: ScriptedApi) -> None:
    """rotate_secret of an app takes the scheme and sends nothing that was not given."""
    api.steps = [_answer({"signing_secret": "whsk_bmV3", "previous_valid_until": None})]
    with Hookwright(api_key="hw_test_key", base_url=api.base_url) as client:
        rotated = client.apps.rotate_secret("payments", scheme="v1a")

    assert {"scheme": "v1a"} == json.loads(api.requests[0].body)
    assert ("whsk_bmV3", None) == (rotated.signing_secret, rotated.previous_valid_until)
