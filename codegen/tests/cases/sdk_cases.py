"""Cases for an SDK generated from the shop; run by test_codegen_functional.py in a process."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from threading import Thread
from typing import Any

import pytest

# The package is made when the test runs, so no type checker knows it.
hookwright: Any = import_module("hookwright")
models: Any = import_module("hookwright.models")

SHOP = {
    "id": "shop_1",
    "slug": "one",
    "name": "One",
    "description": None,
    "active": True,
    "rate_limit": 5,
    "retry": {"preset": "none", "jitter": 0.5},
    "metadata": {"deep": {"er": [1, None]}},
    "created_at": "2026-11-21T09:00:00.120Z",
}
DOOR = {
    "id": "door_1",
    "url": "https://example.com",
    "state": "open",
    "auth": {"kind": "token", "token": "t", "until": "2027-01-01T00:00:00.000Z"},
    "spare_auths": [{"kind": "basic", "user": "u"}],
    "events": ["*"],
    "headers": {"a": "b"},
    "opened_at": ["2026-11-21T09:00:00.000Z"],
    "created_at": "2026-11-21T09:00:00.000Z",
}
TRIGGERED = {"message_id": "msg_1", "delivery_ids": ["del_1"]}


@dataclass
class Peer:
    """A server that answers what it was told and keeps what it was asked."""

    url: str
    answers: list[tuple[int, object]] = field(default_factory=list[tuple[int, object]])
    asked: list[tuple[str, str, Any, dict[str, str]]] = field(
        default_factory=list[tuple[str, str, Any, dict[str, str]]]
    )


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer on a real socket."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            known.asked.append((self.command, self.path, body, headers))
            status, value = known.answers.pop(0)
            raw = b"" if status == 204 else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            if status != 204:
                self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Peer(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def client(peer: Peer) -> Iterator[Any]:
    """A blocking client of the peer."""
    with hookwright.Hookwright("hw_test_key", base_url=peer.url) as made:
        yield made


def test_create_sends_only_what_was_given(peer: Peer, client: Any) -> None:
    """Arguments become the body; what is not given is not sent, None is sent as null."""
    peer.answers.append((201, {**SHOP, "signing_secret": "s"}))

    created = client.shops.create(
        name="One", description=None, retry=models.RetryPolicy(preset="none"), idempotency_key="k"
    )

    method, path, body, headers = peer.asked[0]
    assert ("POST", "/v1/shops") == (method, path)
    assert {"name": "One", "description": None, "retry": {"preset": "none"}} == body
    assert "k" == headers["idempotency-key"]
    assert "s" == created.signing_secret
    assert "signing_secret" not in repr(created)


def test_a_post_without_a_key_gets_a_random_one(peer: Peer, client: Any) -> None:
    """Operations that declare Idempotency-Key carry one; others do not."""
    peer.answers += [(202, TRIGGERED), (200, SHOP)]

    client.trigger.send("one", event_name="a.b", payload={"n": 1})
    client.shops.update("one", name="Two")

    assert "idempotency-key" in peer.asked[0][3]
    assert "idempotency-key" not in peer.asked[1][3]


def test_paths_are_quoted(peer: Peer, client: Any) -> None:
    """A path parameter is one segment, whatever it holds."""
    peer.answers.append((200, SHOP))

    client.shops.get("a/b ü")

    assert "/v1/shops/a%2Fb%20%C3%BC" == peer.asked[0][1]


def test_queries_are_encoded(peer: Peer, client: Any) -> None:
    """Lists repeat their name, booleans are lower case, instants are UTC."""
    peer.answers += [(200, {"data": [], "has_more": False, "next_cursor": None})] * 2

    client.doors.list("one", limit=2, state=["open", "stuck"])
    client.shops.list(open=True, after=datetime(2026, 1, 1, tzinfo=UTC))

    assert "/v1/apps/one/doors?limit=2&state=open&state=stuck" == peer.asked[0][1]
    assert "/v1/shops?after=2026-01-01T00%3A00%3A00.000Z&open=true" == peer.asked[1][1]


def test_pages_are_followed(peer: Peer, client: Any) -> None:
    """A loop over a list fetches all its pages; items are models."""
    peer.answers += [
        (200, {"data": [SHOP], "has_more": True, "next_cursor": "c1"}),
        (200, {"data": [{**SHOP, "slug": "two"}], "has_more": False, "next_cursor": None}),
    ]

    slugs = [shop.slug for shop in client.shops.list()]

    assert ["one", "two"] == slugs
    assert "/v1/shops?cursor=c1" == peer.asked[1][1]


def test_the_async_client_is_the_same(peer: Peer) -> None:
    """Every namespace has an async twin; its lists can be awaited and iterated."""
    page = (200, {"data": [SHOP], "has_more": False, "next_cursor": None})
    peer.answers += [(200, SHOP), page, page, (204, None)]

    async def calls() -> list[str]:
        async with hookwright.AsyncHookwright("hw_test_key", base_url=peer.url) as client:
            shop = await client.shops.get("one")
            first = await client.shops.list()
            items = [item async for item in client.shops.list()]
            await client.shops.delete("one")
            return [shop.slug, first.data[0].slug, items[0].slug]

    assert ["one", "one", "one"] == asyncio.run(calls())


def test_delete_gives_none(peer: Peer, client: Any) -> None:
    """An operation that answers 204 gives None."""
    peer.answers.append((204, None))

    assert client.shops.delete("one") is None


def test_deprecated_operations_warn(peer: Peer, client: Any) -> None:
    """A deprecated operation warns at the line of the caller."""
    peer.answers.append((200, DOOR))

    with pytest.warns(DeprecationWarning, match=r"doors\.knock is deprecated") as caught:
        client.doors.knock("one", "door_1", times=2)

    assert __file__ == caught[0].filename


@pytest.mark.parametrize(
    "malformed", [{}, [], None, {**SHOP, "created_at": "soon"}, {**SHOP, "created_at": 5}]
)
def test_a_malformed_body_is_an_api_error(peer: Peer, client: Any, malformed: object) -> None:
    """What is not the documented object becomes APIResponseError, never a bare KeyError."""
    peer.answers.append((200, malformed))

    with pytest.raises(hookwright.APIResponseError):
        client.shops.get("one")


@pytest.mark.parametrize(("name", "data"), [("Shop", SHOP), ("Door", DOOR)])
def test_models_round_trip(name: str, data: dict[str, Any]) -> None:
    """A model gives back the JSON it was made from, instants included."""
    assert data == getattr(models, name).from_dict(data).to_dict()


def test_what_is_unknown_is_kept() -> None:
    """Unknown fields, enum values and union variants survive a round trip."""
    data = {**DOOR, "state": "exploding", "auth": {"kind": "mtls", "cert": 1}, "brand_new": [1]}

    door = models.Door.from_dict(data)

    assert ("exploding", {"kind": "mtls", "cert": 1}) == (door.state, door.auth)
    assert {"brand_new": [1]} == door.extra
    assert data == door.to_dict()


def test_values_are_typed() -> None:
    """Instants are aware datetimes, unions are dispatched on their tag, nullables are None."""
    door = models.Door.from_dict(DOOR)
    shop = models.Shop.from_dict({**SHOP, "retry": None, "closed_at": None})

    assert datetime(2027, 1, 1, tzinfo=UTC) == door.auth.until
    assert models.BasicAuth(kind="basic", user="u") == door.spare_auths[0]
    assert datetime(2026, 11, 21, 9, tzinfo=UTC) == door.opened_at[0]
    assert (None, None) == (shop.retry, shop.closed_at)


def test_an_absent_field_stays_absent() -> None:
    """UNSET is not None, and survives pickle and deepcopy as the same object."""
    shop = models.Shop.from_dict(SHOP)

    for each in (shop, pickle.loads(pickle.dumps(shop)), copy.deepcopy(shop), copy.copy(shop)):
        assert each == shop
        assert each.closed_at is hookwright.UNSET
        assert "closed_at" not in each.to_dict()


def test_models_have_no_dict() -> None:
    """Models are slotted: a misspelt attribute is an error."""
    with pytest.raises(AttributeError):
        models.Shop.from_dict(SHOP).nmae = "x"


def test_importing_the_client_imports_no_model() -> None:
    """Models and resources load when they are used, each by itself."""
    script = (
        "import sys, hookwright, hookwright.client\n"
        "from hookwright import models\n"
        "before = [m for m in sys.modules if '_generated.models.' in m or '.resources' in m]\n"
        "models.RetryPolicy\n"
        "print(before, [m for m in sys.modules if '_generated.models.' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "[] ['hookwright._generated.models.retry_policy']" == done.stdout.strip()


def test_tags_outside_the_sdk_are_absent(client: Any) -> None:
    """A tag with `generate: false` has no namespace."""
    assert not hasattr(client, "health")


def test_docstrings_carry_the_contract() -> None:
    """A method's docstring has its text, bounds, defaults and errors."""
    resources: Any = import_module("hookwright._generated.resources.shops")
    text: str = resources.Shops.create.__doc__

    for part in (
        "The secret is shown once.",
        "1 to 100 characters",
        "Default: `true`",
        "`slug_taken`",
    ):
        assert part in text
