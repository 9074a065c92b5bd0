"""Where deliveries may not go, nothing goes: by create, by update, by a test event."""

from __future__ import annotations

import re
from collections.abc import Iterator

import bypass_corpus
import pytest
from conftest import Template
from egress_lab import OK, Receiver, answering
from http_lab import Lab, open_lab

from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.domain.contract import ERRORS

_PORTLESS = re.compile(r"(http://[^/:\[\]@?#]+)(/.*)")


@pytest.fixture(scope="module")
def canary() -> Iterator[Receiver]:
    """Listens on loopback; nothing may connect to it."""
    receiver = Receiver(answering(OK))
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def strict_lab(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server that may speak http, but to the public network only."""
    with open_lab(
        *template, tmp_path_factory.mktemp("strict"), allow_private_networks=False
    ) as lab:
        yield lab


def _urls(canary: Receiver) -> list[str]:
    """The corpus, and every case without a port once more at the canary's."""
    urls = {url for url, _ in bypass_corpus.forbidden()}
    aimed = {
        f"{found[1]}:{canary.port}{found[2]}" for url in urls if (found := _PORTLESS.fullmatch(url))
    }
    assert len(aimed) > 100
    return sorted(urls | aimed)


def test_no_forbidden_url_is_connected_to(
    strict_lab: Lab, canary: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most are refused when they are saved; the others connect to nothing when they are tried."""
    dialled: list[object] = []

    async def dial(_self: object, *arguments: object, **_options: object) -> None:
        dialled.append(arguments)
        raise AssertionError("dialled")

    monkeypatch.setattr(HttpClient, "post", dial)
    client = strict_lab.client
    slug = client.new_app()["slug"]
    path = f"/v1/apps/{slug}/endpoints"
    kept = client.new_endpoint(slug, "https://example.com/")["id"]
    accepted: list[str] = []
    for number, url in enumerate(_urls(canary)):
        created = client.post(path, {"url": url})
        if number % 3 == 0:
            updated = client.patch(f"{path}/{kept}", {"url": url})
            assert {200: 201}.get(updated.status, updated.status) == created.status, url
        if created.status == 201:
            accepted.append(url)
            result = client.post(f"{path}/{created.json['id']}/test").require(200)
            assert result["failure_reason"] in {"blocked_address", "dns_error"}, (url, result)
            assert result["status_code"] is result["response_body"] is None
        elif created.status != 400:  # the schema refuses what is no text of 1 to 2048 characters
            assert "url_not_allowed" == created.code
            assert ("/url", ERRORS[created.code].status) == (created.faults[0][0], created.status)

    assert ([], 0) == (dialled, canary.connections)
    assert len(accepted) < 100, accepted


def test_a_url_that_became_forbidden_is_not_connected_to(
    strict_lab: Lab, canary: Receiver
) -> None:
    """Rules are applied again when a request goes out: rows may be older than the rules."""
    client = strict_lab.client
    slug = client.new_app()["slug"]
    endpoint = client.new_endpoint(
        slug, "https://example.com/", retry_policy={"preset": "none"}
    )["id"]
    for url in [url for url in _urls(canary) if "\0" not in url][::12]:
        strict_lab.database.write(
            lambda tx, url=url: tx.exec_driver_sql(
                "UPDATE endpoints SET url = ? WHERE id = ?", (url, endpoint)
            )
        )
        result = client.post(f"/v1/apps/{slug}/endpoints/{endpoint}/test").require(200)

        assert result["failure_reason"] in {"blocked_address", "dns_error"}, (url, result)
        assert result["response_body"] is None
    delivery = client.finished(client.trigger(slug)["delivery_ids"][0])
    assert "blocked_address" == delivery["last_failure_reason"]
    assert 0 == canary.connections


def test_public_urls_are_accepted(strict_lab: Lab) -> None:
    """The control list: none is refused by mistake."""
    client = strict_lab.client
    slug = client.new_app()["slug"]
    urls = [url for url, _ in bypass_corpus.public()][::7]
    refused = [
        url
        for url in urls
        if client.post(f"/v1/apps/{slug}/endpoints", {"url": url}).status != 201
    ]

    assert [] == refused


def test_a_refusal_tells_the_reason_but_no_password(strict_lab: Lab) -> None:
    """Credentials in a URL are refused, and not repeated."""
    client = strict_lab.client
    slug = client.new_app()["slug"]
    url = "https://user:canary-password@example.com/"
    answer = client.post(f"/v1/apps/{slug}/endpoints", {"url": url})

    assert (422, "/url") == (answer.status, answer.faults[0][0])
    assert b"canary-password" not in answer.body
