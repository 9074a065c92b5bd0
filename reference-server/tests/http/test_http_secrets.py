"""Secrets stay in: no answer, no log line and no byte on the disk holds one."""

from __future__ import annotations

import base64
import logging
import secrets

import pytest
from http_lab import OPERATIONS, Client, Lab, contract_operation
from http_live import LiveServer
from http_receivers import Mailbox, status

NOWHERE = "http://127.0.0.1:1/hook"


def _own_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _everything(client: Client, slug: str) -> list[bytes]:
    """What every GET of the contract answers about the app."""
    endpoint = client.get(f"/v1/apps/{slug}/endpoints").json["data"][0]["id"]
    delivery = client.get(f"/v1/apps/{slug}/deliveries").json["data"][0]
    values = {
        "app_slug": slug,
        "endpoint_id": endpoint,
        "delivery_id": delivery["id"],
        "message_id": delivery["message_id"],
    }
    bodies: list[bytes] = []
    for operation in OPERATIONS:
        if operation.method != "GET":
            continue
        path = operation.rule
        for name, value in values.items():
            path = path.replace(f"<{name}>", value)
        query = "?limit=100" if "limit" in operation.query_names else ""
        answer = client.get(path + query)
        assert answer.status == 200, (path, contract_operation(operation)["summary"])
        bodies.append(answer.body)
    return bodies


def _leaks(canaries: list[str], places: bytes) -> list[str]:
    """Canaries that are there as text or in base64."""
    return [
        canary
        for canary in canaries
        if canary.encode() in places or base64.b64encode(canary.encode())[:-4] in places
    ]


def _use(client: Client, url: str) -> tuple[str, list[str], list[str]]:
    """Do everything that takes or makes a secret; the app, what was shown, what was given."""
    app = client.new_app(name="Secrets")
    slug = app["slug"]
    given = [f"canary-{secrets.token_hex(12)}" for _ in range(3)]
    own = _own_secret()
    endpoint = client.new_endpoint(
        slug,
        url,
        headers={"X-Canary": given[0], "Authorization": f"Bearer {given[1]}"},
        signing={"secret": own},
        retry_policy={"preset": "none"},
    )
    path = f"/v1/apps/{slug}/endpoints/{endpoint['id']}"
    client.patch(path, {"headers": {"X-Later": given[2]}}).require(200)
    shown = [
        app["signing_secret"],
        own,
        client.post(f"{path}/rotate-secret", {}, Idempotency_Key="r1").json["signing_secret"],
        client.post(f"/v1/apps/{slug}/rotate-secret", {}).json["signing_secret"],
    ]
    key = client.new_key("read")
    rotated = client.post(f"/v1/api-keys/{key['id']}/rotate", {"overlap_seconds": 60}).json
    shown += [key["key"], rotated["key"]]
    client.post(f"{path}/test", {}, Idempotency_Key="t1").require(200)
    client.finished(client.trigger(slug)["delivery_ids"][0])
    # Mistakes: secrets where they do not belong, in bodies, headers, paths and queries.
    client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "headers": {"Host": given[0]}})
    client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "headers": {"X": given[0] + "\n"}})
    client.post(f"/v1/apps/{slug}/endpoints", {"url": NOWHERE, "signing": {"secret": own[:-5]}})
    client.with_key(key["key"][:-1] + "0").get("/v1/apps")
    return slug, shown, given


def test_secrets_are_nowhere(
    lab: Lab,
    mailbox: tuple[Mailbox, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Answers, logs at DEBUG and all database files, WAL included, hold no secret."""
    box, url = mailbox
    box.reply = status(500, body=b"oops")
    with caplog.at_level(logging.DEBUG):
        slug, shown, given = _use(lab.client, url)
    answers = b"\n".join(_everything(lab.client, slug))
    logs = (caplog.text + "".join(capfd.readouterr())).encode()
    on_disk = lab.files()
    lab.server.stop()
    stopped = lab.files()

    assert 2 == len(box.received)
    assert [] == _leaks([*shown, *given], answers)
    assert [] == _leaks([*shown, *given], logs)
    assert [] == _leaks([*shown, *given], on_disk)
    assert [] == _leaks([*shown, *given], stopped)
    raw = [base64.b64decode(s.removeprefix("whsec_")) for s in shown if s.startswith("whsec_")]
    assert not any(key in on_disk for key in raw)


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
