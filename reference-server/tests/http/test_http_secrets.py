"""Secrets stay in: what only refusals, standard output and file modes could tell."""

from __future__ import annotations

import base64

from http_lab import Client
from http_live import LiveServer

NOWHERE = "http://127.0.0.1:1/hook"


def _leaks(canaries: list[str], places: bytes) -> list[str]:
    """Canaries that are there as text or in base64."""
    return [
        canary
        for canary in canaries
        if canary.encode() in places or base64.b64encode(canary.encode())[:-4] in places
    ]


def test_problems_do_not_repeat_secrets(client: Client) -> None:
    """What is refused may be a secret: answers name the place and the rule."""
    slug = client.new_app()["slug"]
    path = f"/v1/apps/{slug}/endpoints"
    bodies = [
        {"url": NOWHERE, "headers": {"Cookie": "canary"}},
        {"url": NOWHERE, "headers": {"X": "canary\r\n"}},
        {"url": NOWHERE, "headers": {"X": ["canary"]}},
        {"url": NOWHERE, "headers": "canary"},
        {"url": NOWHERE, "signing": {"secret": "whsec_canary"}},
        {"url": NOWHERE, "signing": {"secret": ["canary"]}},
        {"url": "https://user:canary@example.com/"},
    ]
    answers = [client.post(path, body) for body in bodies]
    answers.append(client.with_key("hw_live_canary").get("/v1/apps"))
    answers.append(client.get("/v1/apps", Authorization="Basic canary"))

    assert {400, 401, 422} == {answer.status for answer in answers}
    assert [] == [answer.body for answer in answers if b"canary" in answer.body]


def test_the_server_prints_its_keys_once_and_logs_none(live: LiveServer) -> None:
    """The first start shows them on standard output; the log and the disk know nothing."""
    files = b"\0".join(
        path.read_bytes()
        for path in live.folder.iterdir()
        if path.is_file() and not path.name.endswith(".keys")
    )

    assert [] == _leaks([live.live_key, live.test_key], live.log.encode())
    assert [] == _leaks([live.live_key, live.test_key], files)


def test_files_are_for_their_owner_alone(live: LiveServer) -> None:
    """The database, its WAL and the keys are not readable by others."""
    modes = {
        path.name: path.stat().st_mode & 0o077
        for path in live.folder.iterdir()
        if path.name.startswith("hookwright.db")
    }

    assert "hookwright.db.keys" in modes
    assert {0} == set(modes.values())
