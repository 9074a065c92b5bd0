"""Secrets: canaries wherever one is taken, then a search through all that is told or kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from egress_lab import OK, Receiver, answering
from http_lab import Answer, Client, Document
from http_live import LiveServer, serve_live
from http_sink import ONCE

_HEADER = "canary-header-value-7f3a"
_SECOND_HEADER = "canary-second-value-91cc"
_REFUSED_HEADER = "canary-r\u00e9fused-value-55"
_LONG_HEADER = "canary-long-value" + "x" * 2100
_OWN_SECRET = "whsec_" + base64.b64encode(b"canary own signing secret 01").decode()
_MALFORMED_SECRET = "whsec_canary-malformed-secret"
_FAILURE = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Story:
    """Every secret by a name, and every answer by the name of what was asked."""

    server: LiveServer
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    answers: list[tuple[str, Answer]] = field(default_factory=list[tuple[str, Answer]])

    def keep(self, name: str, answer: Answer) -> Answer:
        """Remember an answer under the name of what was asked."""
        self.answers.append((name, answer))
        return answer

    def learn(self, name: str, document: Document, member: str) -> str:
        """Take a secret that an answer shows, which is the newest one."""
        secret: str = document[member]
        self.secrets[name] = secret
        return secret


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A server that logs everything, and every way to hand it a secret."""
    good, bad = Receiver(answering(OK)), Receiver(answering(_FAILURE))
    good.start()
    bad.start()
    try:
        with serve_live(tmp_path_factory.mktemp("secrets")) as server:
            story = Story(server, {"live key": server.live_key, "test key": server.test_key})
            _tell(story, good.url(), bad.url())
            yield story
    finally:
        good.stop()
        bad.stop()


def _tell(story: Story, good: str, bad: str) -> None:
    client = story.server.client
    path = "/v1/apps/canary"
    app = story.keep("apps.create", client.post("/v1/apps", {"name": "c", "slug": "canary"}))
    story.learn("app secret", app.json, "signing_secret")
    endpoint = _endpoints(story, client, path, good)
    _deliveries(story, client, path, endpoint, bad)
    _rotations(story, client, path, endpoint)
    _refusals(story, client, path, endpoint)
    for place in (
        "/v1/apps",
        "/v1/api-keys",
        path,
        f"{path}/endpoints",
        f"{path}/messages",
        f"{path}/deliveries",
        endpoint,
    ):
        story.keep(f"GET {place}", client.get(place))


def _endpoints(story: Story, client: Client, path: str, good: str) -> str:
    body: dict[str, Any] = {
        "url": good,
        "headers": {"Authorization": f"Bearer {_HEADER}"},
        "signing": {"secret": _OWN_SECRET},
    }
    story.secrets |= {"header": _HEADER, "own secret": _OWN_SECRET}
    key = {"Idempotency_Key": "canary-create"}
    made = story.keep("endpoints.create", client.post(f"{path}/endpoints", body, **key))
    story.keep("endpoints.create", client.post(f"{path}/endpoints", body, **key))
    endpoint = f"{path}/endpoints/{made.require(201)['id']}"
    story.secrets["second header"] = _SECOND_HEADER
    patch = {"headers": {"X-Second": _SECOND_HEADER}}
    story.keep("endpoints.update", client.patch(endpoint, patch)).require(200)
    story.keep("endpoints.test", client.post(f"{endpoint}/test")).require(200)
    story.keep("endpoints.disable", client.post(f"{endpoint}/disable")).require(200)
    story.keep("endpoints.enable", client.post(f"{endpoint}/enable")).require(200)
    other = story.keep("endpoints.create", client.post(f"{path}/endpoints", {"url": good}))
    story.learn("random secret", other.require(201), "signing_secret")
    return endpoint


def _deliveries(story: Story, client: Client, path: str, endpoint: str, bad: str) -> None:
    for url in (None, bad):
        if url is not None:
            patch = {"url": url, "retry_policy": ONCE}
            story.keep("endpoints.update", client.patch(endpoint, patch)).require(200)
        sent = client.trigger("canary", {"public": 1})
        for delivery in sent["delivery_ids"]:
            client.finished(delivery)
            attempts = client.get(f"{path}/deliveries/{delivery}/attempts")
            story.keep("deliveries.list_attempts", attempts)
            story.keep("deliveries.retry", client.post(f"{path}/deliveries/{delivery}/retry"))
        story.keep("messages.get", client.get(f"{path}/messages/{sent['message_id']}"))


def _rotations(story: Story, client: Client, path: str, endpoint: str) -> None:
    headers = {"Idempotency_Key": "canary-rotate"}
    for name, place in (("rotated endpoint secret", endpoint), ("rotated app secret", path)):
        for _ in range(2):
            answer = client.post(f"{place}/rotate-secret", {}, **headers)
            story.learn(name, story.keep("rotate_secret", answer).require(200), "signing_secret")
    made = story.keep(
        "api_keys.create", client.post("/v1/api-keys", {"name": "k", "scopes": ["read"]})
    )
    story.learn("made key", made.require(201), "key")
    for name, body in (("rotated key", {"overlap_seconds": 60}), ("second rotated key", {})):
        rotated = client.post(
            f"/v1/api-keys/{made.json['id']}/rotate", body, Idempotency_Key=name.replace(" ", "-")
        )
        story.learn(name, story.keep("api_keys.rotate", rotated).require(200), "key")
    reader = client.with_key(story.secrets["second rotated key"])
    story.keep("apps.list", reader.get("/v1/apps")).require(200)
    story.keep("forbidden", reader.post("/v1/apps", {"name": "x"})).require(403)


def _refusals(story: Story, client: Client, path: str, endpoint: str) -> None:
    """Values that break a rule: the problem names the rule, not the value."""
    story.secrets |= {
        "refused header": _REFUSED_HEADER,
        "long header": _LONG_HEADER,
        "malformed secret": _MALFORMED_SECRET,
    }
    for headers in (
        {"X-A": _REFUSED_HEADER},
        {"X-A": _LONG_HEADER},
        {"X-A": [_HEADER]},
        {"X-A": {"a": _HEADER}},
        {"Cookie": _HEADER},
        {"X-A\n": _HEADER},
        {"X-A": _HEADER, "x-a": _HEADER},
        [_HEADER],
        _HEADER,
        {"X-A": None, "x-a": _HEADER, "Host": _HEADER},
    ):
        body = {"url": "https://example.com/", "headers": headers}
        story.keep("refused", client.post(f"{path}/endpoints", body)).require(400, 422)
        story.keep("refused", client.patch(endpoint, {"headers": headers})).require(400, 422)
    for signing in (
        {"secret": _MALFORMED_SECRET},
        {"secret": [_OWN_SECRET]},
        {"source": _OWN_SECRET},
        {"secrets": _OWN_SECRET},
        {"secret": _OWN_SECRET * 4},
        _OWN_SECRET,
    ):
        body = {"url": "https://example.com/", "signing": signing}
        story.keep("refused", client.post(f"{path}/endpoints", body)).require(400, 422)
    for listed in ([_HEADER], [{"secret": _OWN_SECRET}], [{"headers": {"X-A": _HEADER}}]):
        story.keep("refused", client.patch(endpoint, listed)).require(400)
    cut = json.dumps({"headers": {"X-A": _HEADER}}).encode()[:-2]
    story.keep("refused", client.send("PATCH", endpoint, {"Content-Type": "application/json"}, cut))
    typo = story.server.live_key[:-1] + "!"
    story.secrets["mistyped key"] = typo
    story.keep("refused", client.with_key(typo).get("/v1/apps")).require(401)
    story.keep("refused", client.with_key(story.secrets["made key"]).get("/v1/apps?x=1"))


def _found(secrets: dict[str, str], text: bytes) -> list[str]:
    return [name for name, secret in secrets.items() if any(f in text for f in _forms(secret))]


def _forms(secret: str) -> set[bytes]:
    """A secret as it may be written: plain, escaped for JSON, and what its base64 holds."""
    plain = secret.encode()
    forms = {plain, json.dumps(secret)[1:-1].encode(), base64.b64encode(plain)}
    if secret.startswith("whsec_") and secret != _MALFORMED_SECRET:
        forms.add(base64.b64decode(secret.removeprefix("whsec_")))
        forms.add(secret.removeprefix("whsec_").encode())
    return forms


_SHOWING = {
    "apps.create": {"app secret"},
    "endpoints.create": {"own secret", "random secret"},
    "rotate_secret": {"rotated endpoint secret", "rotated app secret"},
    "api_keys.create": {"made key"},
    "api_keys.rotate": {"rotated key", "second rotated key"},
}


def test_answers_show_secrets_once(story: Story) -> None:
    """A secret is in the answer that makes it (and its replay), header values in none."""
    wrong = [
        (name, answer.status, found)
        for name, answer in story.answers
        if (found := set(_found(story.secrets, answer.body)) - _SHOWING.get(name, set()))
    ]

    assert [] == wrong
    assert len(story.answers) > 60
    told = [set(_found(story.secrets, answer.body)) for _, answer in story.answers]
    assert set().union(*_SHOWING.values()) == set().union(*told)


def test_response_headers_hold_no_secret(story: Story) -> None:
    """Not in any header either."""
    everything = json.dumps([answer.headers for _, answer in story.answers]).encode()

    assert [] == _found(story.secrets, everything)


def test_the_log_holds_no_secret(story: Story) -> None:
    """At the level DEBUG, over successes, refusals and failures."""
    log = story.server.log.encode()

    assert b"DEBUG" in log
    assert b"outcome=http_5xx" in log
    assert [] == _found(story.secrets, log)


def test_the_disk_holds_no_secret(story: Story) -> None:
    """Database, write-ahead log, idempotency records: everything but the key file is sealed."""
    files = {
        path.name: path.read_bytes()
        for path in story.server.folder.iterdir()
        if path.is_file() and not path.name.endswith((".keys", "stderr"))
    }
    records = story.server.snapshot()["idempotency_records"]

    assert {"hookwright.db", "hookwright.db-wal"} <= files.keys()
    assert len(records) >= 5
    assert {} == {
        name: found for name, data in files.items() if (found := _found(story.secrets, data))
    }
    assert [] == _found(story.secrets, repr(story.server.snapshot()).encode())


def test_the_search_finds_what_is_there(story: Story) -> None:
    """The control: what is not secret is found on the disk, so the files are the right ones."""
    names = ("hookwright.db", "hookwright.db-wal")
    data = b"".join((story.server.folder / name).read_bytes() for name in names)

    assert b'{"public": 1}' in data
    assert b"X-Second" in data
    mode = (story.server.folder / "hookwright.db.keys").stat().st_mode
    assert 0o600 == mode & 0o777
