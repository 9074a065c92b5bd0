"""Egress: the bypass corpus through saving, testing and delivering, and nothing is dialled.

The corpus comes with the address that each host would resolve to; here every name does.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import bypass_corpus
import pytest
import sqlalchemy as sa
from egress_lab import OK, Receiver, answering
from http_lab import Client, Document, Lab, eventually, open_lab
from http_sink import ONCE

from hookwright_server import wiring
from hookwright_server.delivery import http1
from hookwright_server.domain.egress_policy import EgressPolicy
from hookwright_server.domain.target_url import UrlNotAllowed
from hookwright_server.ids import Ids
from hookwright_server.services.accounts import NewAccount
from hookwright_server.store.tables import apps, deliveries, endpoints

_PUBLIC = "https://hooks.example.com/in"
_PUBLIC_ADDRESS = "93.184.216.34"
_REBOUND = "rebound.example.com"
_PORTLESS = re.compile(r"(https?://(?:[^/:\[\]@?#]+|\[[^\]/]+\]))(/.*)?", re.DOTALL)


@dataclass
class Network:
    """What names resolve to, and everything that was dialled."""

    addresses: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    dialled: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    async def resolve(self, host: str, account_id: str) -> tuple[str, ...]:
        """The addresses of `host`; those that were told in parts come one after the other."""
        found = self.addresses.get(host)
        if not found:
            raise OSError(f"no such host: {host}")
        answer = found[0] if len(found) == 1 else found.pop(0)
        return tuple(answer.split(","))

    def close(self) -> None:
        """What the sender expects of a resolver."""

    async def dial(
        self, loop: asyncio.AbstractEventLoop, address: str, port: int, connect_by: float
    ) -> socket.socket:
        """Keep the address. Loopback is then really called, so that the canaries would tell."""
        self.dialled.append((address, port))
        if not address.startswith(("127.", "::1")):
            raise OSError("this network ends here")
        return await _really_dial(loop, address, port, connect_by)


_really_dial = http1.connected_socket


@dataclass(frozen=True)
class Case:
    """One URL of the corpus, with a host of its own where it is a name."""

    url: str
    saved: bool  # whether the URL alone gives no reason to refuse it


@dataclass(frozen=True)
class Fence:
    """A server that may not send to this machine, and canaries on it."""

    lab: Lab
    network: Network
    canaries: tuple[Receiver, ...]
    cases: tuple[Case, ...]

    def assert_untouched(self) -> None:
        """Nothing was dialled, nobody came."""
        assert [] == self.network.dialled
        assert [0, 0] == [canary.connections for canary in self.canaries]


@pytest.fixture(scope="module")
def canaries() -> Iterator[tuple[Receiver, ...]]:
    """Listeners on both loopback addresses, on one port."""
    first = Receiver(answering(OK))
    first.start()
    second = Receiver(answering(OK), address="::1", port=first.port)
    second.start()
    yield first, second
    first.stop()
    second.stop()


@pytest.fixture(scope="module")
def fence(
    template: tuple[Any, tuple[NewAccount, NewAccount]],
    canaries: tuple[Receiver, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fence]:
    """The server with this network, without an allowance for private addresses."""
    network = Network({"hooks.example.com": [_PUBLIC_ADDRESS]})
    cases = _cases(network, canaries[0].port)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "ThreadResolver", lambda: network)
        patch.setattr(http1, "connected_socket", network.dial)
        folder = tmp_path_factory.mktemp("fence")
        with open_lab(
            *template, folder, allow_private_networks=False, validate_responses=0.0
        ) as lab:
            yield Fence(lab, network, canaries, cases)


@pytest.fixture(autouse=True)
def nothing_is_dialled(fence: Fence) -> Iterator[None]:
    """Whatever a test did, no forbidden address was dialled."""
    fence.network.dialled.clear()
    yield
    assert {_PUBLIC_ADDRESS} >= {address for address, _ in fence.network.dialled}
    assert [0, 0] == [canary.connections for canary in fence.canaries]


def _cases(network: Network, port: int) -> tuple[Case, ...]:
    policy = EgressPolicy(allow_http=True)
    urls: dict[str, str] = {}
    for number, (url, address) in enumerate(bypass_corpus.forbidden()):
        own = url.replace(_REBOUND, f"n{number}.{_REBOUND}")
        urls[own] = address
        if found := _PORTLESS.fullmatch(own):
            urls[f"{found[1]}:{port}{found[2] or '/'}"] = address
    return tuple(
        Case(url, _is_saved(policy, network, url, address)) for url, address in urls.items()
    )


def _is_saved(policy: EgressPolicy, network: Network, url: str, address: str) -> bool:
    try:
        target = policy.vet(url)
    except UrlNotAllowed:
        return False
    assert not target.is_ip_literal, url
    network.addresses.setdefault(target.host, [address])
    return True


# Saving


def test_a_forbidden_url_cannot_be_saved(fence: Fence) -> None:
    """Create and update refuse every case that can be told from the URL, with the reason."""
    client = fence.lab.client
    slug = client.new_app()["slug"]
    path = f"/v1/apps/{slug}/endpoints"
    kept = client.new_endpoint(slug, _PUBLIC)
    refused = [case.url for case in fence.cases if not case.saved]
    wrong: list[object] = []
    for url in refused:
        for answer in (
            client.post(path, {"url": url}),
            client.patch(f"{path}/{kept['id']}", {"url": url}),
        ):
            told = (answer.status, answer.code)
            # Before any rule about URLs: texts have no NUL, and a URL at most 2 KiB.
            expected = (
                (400, "validation_error")
                if "\0" in url or len(url) > 2048
                else (422, "url_not_allowed")
            )
            if told != expected or (told[0] == 422 and answer.faults[0][0] != "/url"):
                wrong.append((url, told))

    assert len(refused) > 900
    assert [] == wrong
    assert _PUBLIC == client.get(f"{path}/{kept['id']}").json["url"]
    assert 1 == client.get(f"{path}?include_total=true").json["total_count"]
    fence.assert_untouched()


def test_names_are_judged_when_they_are_called(fence: Fence) -> None:
    """A name that resolves to a forbidden address can be saved, tested and published to in vain."""
    client = fence.lab.client
    slug = client.new_app(retry_policy=ONCE)["slug"]
    names = [case.url for case in fence.cases if case.saved]
    for url in names:
        client.new_endpoint(slug, url)
    rows = _outcomes(fence.lab, client, slug)

    assert len(names) > 100
    assert [("dead_letter", "blocked_address")] * len(names) == rows
    fence.assert_untouched()


def test_public_urls_can_be_saved(fence: Fence) -> None:
    """The control list: none is refused by mistake."""
    client = fence.lab.client
    path = f"/v1/apps/{client.new_app()['slug']}/endpoints"
    urls = [url for url, _ in bypass_corpus.public()][::9]
    refused = [url for url in urls if client.post(path, {"url": url}).status != 201]

    assert len(urls) > 100
    assert [] == refused


def test_a_refusal_repeats_no_password(fence: Fence) -> None:
    """Credentials in a URL are refused, and not told again."""
    client = fence.lab.client
    body = {"url": "https://user:canary-password@example.com/"}
    answer = client.post(f"/v1/apps/{client.new_app()['slug']}/endpoints", body)

    assert [("/url", "userinfo_not_allowed")] == answer.faults
    assert b"canary-password" not in answer.body


# Sending, with rows that the API would not have written


def test_no_delivery_goes_to_a_forbidden_url(fence: Fence) -> None:
    """Every case as the URL of an endpoint, behind the API's back: each attempt is refused."""
    lab, client = fence.lab, fence.lab.client
    slug = client.new_app(retry_policy=ONCE)["slug"]
    made = client.new_endpoint(slug, _PUBLIC, signing={"source": "app"})
    urls = [case.url for case in fence.cases]
    lab.database.write(lambda tx: _smuggle(tx, made["id"], urls))
    rows = _outcomes(lab, client, slug)

    assert len(rows) == len(urls) > 1000
    assert {("dead_letter", "blocked_address")} == set(rows)
    fence.assert_untouched()


def test_no_test_event_goes_to_a_forbidden_url(fence: Fence) -> None:
    """A sample of the corpus through `endpoints.test`: it answers that nothing was sent."""
    lab, client = fence.lab, fence.lab.client
    made = client.new_endpoint(client.new_app()["slug"], _PUBLIC)
    sample = [case.url for case in fence.cases][::11]
    found: set[object] = set()
    for url in sample:
        lab.database.write(_moving(made["id"], url))
        path = f"/v1/apps/{made['app_slug']}/endpoints/{made['id']}/test"
        result = client.post(path).require(200)
        found.add((result["success"], result["failure_reason"], result["response_body"]))

    assert len(sample) > 100
    assert {(False, "blocked_address", None)} == found
    fence.assert_untouched()


# Names that change


@pytest.mark.parametrize(
    "answers", ["127.0.0.1", "::1", f"{_PUBLIC_ADDRESS},127.0.0.1", "10.0.0.1," + _PUBLIC_ADDRESS]
)
def test_one_forbidden_answer_is_enough(fence: Fence, answers: str) -> None:
    """If any address of a name is refused, none is called."""
    host = f"mixed-{len(answers)}.example.com"
    fence.network.addresses[host] = [answers]
    row = _deliver_to(fence.lab.client, f"http://{host}:{fence.canaries[0].port}/")

    assert ("dead_letter", "blocked_address") == (row["status"], row["last_failure_reason"])
    fence.assert_untouched()


def test_a_name_is_judged_on_every_attempt(fence: Fence) -> None:
    """A name that turns to this machine between two attempts is refused the second time."""
    fence.network.addresses["turning.example.com"] = [_PUBLIC_ADDRESS, "127.0.0.1"]
    url = f"http://turning.example.com:{fence.canaries[0].port}/"
    row = _deliver_to(fence.lab.client, url, retry_policy={"delays_seconds": [0], "jitter": 0})
    attempts = fence.lab.client.attempts(row["id"])

    assert ["connect_error", "blocked_address"] == [each["failure_reason"] for each in attempts]
    assert [(_PUBLIC_ADDRESS, fence.canaries[0].port)] == fence.network.dialled


def test_the_address_that_was_judged_is_dialled(fence: Fence) -> None:
    """The control: a public name is called at its address, so the record above tells something."""
    row = _deliver_to(fence.lab.client, _PUBLIC)

    assert ("dead_letter", "connect_error") == (row["status"], row["last_failure_reason"])
    assert [(_PUBLIC_ADDRESS, 443)] == fence.network.dialled


def test_a_name_without_an_address_is_a_dns_error(fence: Fence) -> None:
    """Nothing to call is told as such."""
    row = _deliver_to(fence.lab.client, "https://nowhere.example.com/")

    assert "dns_error" == row["last_failure_reason"]
    fence.assert_untouched()


def _deliver_to(client: Client, url: str, **fields: Any) -> Document:
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, url, **{"retry_policy": ONCE, **fields})
    return client.finished(client.trigger(slug)["delivery_ids"][0])


def _moving(endpoint_id: str, url: str) -> Callable[[sa.Connection], None]:
    def work(tx: sa.Connection) -> None:
        tx.execute(endpoints.update().where(endpoints.c.id == endpoint_id).values(url=url))

    return work


def _smuggle(tx: sa.Connection, endpoint_id: str, urls: list[str]) -> None:
    """Endpoints like this one for all `urls`, which itself is taken away."""
    row = tx.execute(sa.select(endpoints).where(endpoints.c.id == endpoint_id)).mappings().one()
    ids = Ids()
    rows = [{**row, "id": ids.new("ep", row["created_at"]), "url": url} for url in urls]
    tx.execute(endpoints.insert(), rows)
    tx.execute(endpoints.delete().where(endpoints.c.id == endpoint_id))
    version = apps.c.subscriptions_version + 1
    tx.execute(
        apps.update().where(apps.c.id == row["app_id"]).values(subscriptions_version=version)
    )


def _outcomes(lab: Lab, client: Client, slug: str) -> list[tuple[str, str | None]]:
    """Publish one event and wait until every delivery of it has ended."""
    message_id = client.trigger(slug)["message_id"]
    select = sa.select(deliveries.c.status, deliveries.c.last_failure_reason).where(
        deliveries.c.message_id == message_id
    )

    def read() -> list[tuple[str, str | None]]:
        return lab.database.read(lambda tx: [(row[0], row[1]) for row in tx.execute(select)])

    rows: list[tuple[str, str | None]] = eventually(
        read, lambda rows: all(status not in ("pending", "sending") for status, _ in rows)
    )
    return rows
