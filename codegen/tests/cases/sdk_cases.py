"""Cases for an SDK generated from the shop; run by test_codegen_functional.py in a process."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from threading import Thread
from typing import Any, get_args

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
    assert "signing_secret=***" in repr(created)


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

    client.doors.list("one", limit=2, state=["open", "closed"])
    with pytest.warns(DeprecationWarning, match="`open`"):
        client.shops.list(open=True, after=datetime(2026, 1, 1, tzinfo=UTC))

    assert "/v1/apps/one/doors?limit=2&state=open&state=closed" == peer.asked[0][1]
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


PAGE: dict[str, Any] = {"data": [], "has_more": False, "next_cursor": None}
OLD_RETRY = models.RetryPolicy(preset="none", from_="two")
OLD_CALLS: list[tuple[str, str, object, Callable[[Any], Any]]] = [
    (
        "an operation",
        "doors.knock is deprecated: Superseded by `trigger.send`.",
        DOOR,
        lambda client: client.doors.knock("one", "door_1"),
    ),
    (
        "an argument",
        "the argument `open` of shops.list is deprecated: Only open (or only closed) shops.",
        PAGE,
        lambda client: client.shops.list(open=True),
    ),
    (
        "a value of a list",
        "the value `stuck` of DoorState is deprecated: Use `closed`.",
        PAGE,
        lambda client: client.doors.list("one", state=["stuck", "open", "stuck"]),
    ),
    (
        "a value",
        "the value `stuck` of DoorState is deprecated: Use `closed`.",
        DOOR,
        lambda client: client.doors.create("one", url="https://a", state="stuck"),
    ),
    (
        "a member of a model",
        "`from` of RetryPolicy is deprecated: Where it was copied from.",
        SHOP,
        lambda client: client.shops.update("one", retry=OLD_RETRY),
    ),
    (
        "a member of a mapping",
        "`from` of RetryPolicy is deprecated: Where it was copied from.",
        SHOP,
        lambda client: client.shops.update("one", retry={"from": "two"}),
    ),
]


def at(caught: list[warnings.WarningMessage]) -> list[tuple[str, str, int]]:
    """What was warned of, where."""
    return [(str(each.message), each.filename, each.lineno) for each in caught]


@pytest.mark.parametrize(
    ("message", "answer", "call"), [each[1:] for each in OLD_CALLS], ids=[c[0] for c in OLD_CALLS]
)
def test_what_is_deprecated_warns_once(
    peer: Peer, client: Any, message: str, answer: object, call: Callable[[Any], Any]
) -> None:
    """The one warning of a call names what is old and stands at the line of the caller."""
    peer.answers.append((200, answer))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(client)

    assert [(message, __file__, call.__code__.co_firstlineno)] == at(caught)


@pytest.mark.parametrize(
    ("message", "answer", "call"), [each[1:] for each in OLD_CALLS], ids=[c[0] for c in OLD_CALLS]
)
def test_what_is_deprecated_warns_when_a_task_is_made(
    peer: Peer, message: str, answer: object, call: Callable[[Any], Any]
) -> None:
    """The async client warns where the call stands, also when something else runs it."""
    peer.answers.append((200, answer))

    async def calls() -> None:
        async with hookwright.AsyncHookwright("hw_test_key", base_url=peer.url) as client:
            pending = call(client)
            # A page is no coroutine, but can be awaited in one.
            await asyncio.wait_for(pending, 30)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(calls())

    assert [(message, __file__, call.__code__.co_firstlineno)] == at(caught)


def test_reading_a_deprecated_field_warns() -> None:
    """Receiving it, comparing, copying, setting and sending it back do not."""
    shop = models.Shop.from_dict({**SHOP, "retry": {"from": "two"}})
    assert {**SHOP, "retry": {"from": "two"}} == shop.to_dict()
    assert shop == pickle.loads(pickle.dumps(shop)) == shop.evolve(rate_limit=5)
    assert "rate_limit=5" in repr(shop)

    with pytest.warns(DeprecationWarning, match="`rate_limit` of Shop is deprecated: A") as caught:
        limit = shop.rate_limit
    with pytest.warns(DeprecationWarning, match="`from` of RetryPolicy") as inner:
        origin = shop.retry.from_
    shop.rate_limit = 6

    assert (5, "two", 6) == (limit, origin, shop.to_dict()["rate_limit"])
    assert [__file__, __file__] == [caught[0].filename, inner[0].filename]


def test_deprecations_are_told_to_type_checkers() -> None:
    """The decorator keeps name, text and signature of what it marks."""
    resources: Any = import_module("hookwright._generated.resources.doors")

    for kind in (resources.Doors, resources.AsyncDoors):
        assert "knock" == kind.knock.__name__
        assert "Deprecated." in kind.knock.__doc__
        assert "times" in inspect.signature(kind.knock).parameters


@pytest.mark.parametrize(
    "malformed",
    [{}, [], None, {**SHOP, "id": 5}, {**SHOP, "created_at": "soon"}, {**SHOP, "created_at": 5}],
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


@pytest.mark.parametrize(
    "auth", [{"kind": "mtls", "cert": {"deep": [1, None]}}, {}, {"kind": None}, {"kind": ["basic"]}]
)
def test_unknown_variants_survive_anywhere(auth: dict[str, Any]) -> None:
    """Alone, in lists, without a tag or with an odd one: a dict tells that it is unknown."""
    data = {**DOOR, "auth": auth, "spare_auths": [auth, {"kind": "basic", "user": "u", "x": 1}]}

    door = models.Door.from_dict(data)

    assert isinstance(door.auth, dict)
    assert [dict, models.BasicAuth] == [type(each) for each in door.spare_auths]
    assert door.state in get_args(models.DoorState)
    assert data == models.Door.from_json(door.to_json()).to_dict()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"description": 5}, "description is of type int, not str"),
        ({"active": 1}, "active is of type int, not bool"),
        ({"rate_limit": True}, "rate_limit is of type bool, not int"),
        ({"rate_limit": 5.5}, "rate_limit is of type float, not int"),
        ({"metadata": []}, "metadata is of type list, not dict"),
        ({"retry": {"preset": "none", "jitter": "0.5"}}, "jitter is of type str, not float or int"),
    ],
)
def test_values_of_another_type_are_usage_errors(changed: dict[str, Any], message: str) -> None:
    """A value that has not the documented type is named, and not kept to fail later."""
    with pytest.raises(hookwright.UsageError, match=message):
        models.Shop.from_dict({**SHOP, **changed})


def test_numbers_in_another_form_are_taken() -> None:
    """JSON knows no integers: 5.0 is one, and 1 is a number."""
    shop = models.Shop.from_dict(
        {**SHOP, "rate_limit": 5.0, "retry": {"preset": "none", "jitter": 1}}
    )

    limit = shop.to_dict()["rate_limit"]
    assert (5, int, 1) == (limit, type(limit), shop.retry.jitter)


def test_instants_keep_microseconds() -> None:
    """An instant of any offset and precision is the same instant when it is sent back."""
    door = models.Door.from_dict({**DOOR, "created_at": "2026-11-21T11:00:00.000001+02:00"})

    assert "2026-11-21T09:00:00.000001Z" == door.to_dict()["created_at"]


def test_models_are_values() -> None:
    """They compare by content, evolve into changed copies, and have no hash as they can change."""
    shop = models.Shop.from_dict(SHOP)
    two = shop.evolve(slug="two", closed_at=None)

    assert (SHOP, {**SHOP, "slug": "two", "closed_at": None}) == (shop.to_dict(), two.to_dict())
    assert two != shop
    assert shop == two.evolve(slug="one", closed_at=hookwright.UNSET)
    with pytest.raises(TypeError, match="unhashable"):
        hash(shop)
    with pytest.raises(hookwright.UsageError, match="Shop has no 'nmae'; its fields: id, slug"):
        shop.evolve(nmae="x")


def test_models_are_json() -> None:
    """Text in and out, with the very same data."""
    door = models.Door.from_dict({**DOOR, "brand_new": "ü"})

    assert {**DOOR, "brand_new": "ü"} == json.loads(door.to_json())
    assert (
        door
        == models.Door.from_json(door.to_json())
        == models.Door.from_json(door.to_json().encode())
    )


def test_a_repr_is_readable() -> None:
    """Set fields by name; secrets hidden, what is unknown by its names alone."""
    token = models.TokenAuth.from_dict({"kind": "token", "token": "s3cret", "pin": "s3cret"})

    assert "TokenAuth(kind='token', token=***, extra=['pin'])" == repr(token)
    assert "BasicAuth(kind='basic', user='u')" == repr(models.BasicAuth(kind="basic", user="u"))
    assert "s3cret" in token.to_json()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "Door is made from a JSON object, not null"),
        ([1], "Door is made from a JSON object, not list"),
        ({}, "Door needs the member 'id'"),
        ({**DOOR, "auth": 5}, "Door is malformed: AttributeError"),
        ({**DOOR, "auth": {"kind": "basic"}}, "BasicAuth needs the member 'user'"),
        ({**DOOR, "created_at": "soon"}, "Door is malformed: ValueError: .*'soon'"),
        ({**DOOR, "opened_at": 5}, "Door is malformed: TypeError: opened_at is of type int"),
        ({**DOOR, "opened_at": ""}, "Door is malformed: TypeError: opened_at is of type str"),
        ({**DOOR, "id": 5}, "Door is malformed: TypeError: id is of type int, not str"),
        ({**DOOR, "state": None}, "state is of type NoneType, not str"),
        ({**DOOR, "events": None}, "events is of type NoneType, not list"),
        ({**DOOR, "events": ["*", 5]}, "an item of events is of type int, not str"),
        ({**DOOR, "headers": 5}, "headers is of type int, not dict"),
        ({**DOOR, "headers": {"a": None}}, "a member of headers is of type NoneType, not str"),
    ],
)
def test_malformed_data_is_a_usage_error(data: Any, message: str) -> None:
    """What a user hands in and is no such object is named, with the model that it is not."""
    with pytest.raises(hookwright.UsageError, match=message):
        models.Door.from_dict(data)


@pytest.mark.parametrize("text", ["{", b"\xff", None])
def test_text_that_is_no_json_is_a_usage_error(text: Any) -> None:
    """The same for text."""
    with pytest.raises(hookwright.UsageError, match="Door cannot be read from this"):
        models.Door.from_json(text)


def test_values_that_json_cannot_carry_are_usage_errors(peer: Peer, client: Any) -> None:
    """Given to a model or to a call, before anything is sent."""
    door = models.Door.from_dict(DOOR)

    for wrong in (door.evolve(headers={"a": object()}), door.evolve(headers={"a": float("nan")})):
        with pytest.raises(hookwright.UsageError):
            wrong.to_json()
    calls: list[Callable[[], object]] = [
        lambda: client.shops.get(door),
        lambda: client.shops.list(limit=object()),
        lambda: client.shops.list(after=datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the case
        lambda: client.trigger.send("one", event_name="a.b", payload={1: 2}),
        lambda: client.trigger.send("one", event_name="a.b", payload={"a": {1, object()}}),
        lambda: client.trigger.send("one", event_name=b"a.b", payload={}),
    ]
    for call in calls:
        with pytest.raises(hookwright.UsageError):
            call()
    assert [] == peer.asked


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


def test_a_namespace_imports_itself_alone() -> None:
    """The first use of a namespace loads its module and the models that it gives, nothing else."""
    script = (
        "import sys, hookwright\n"
        "client = hookwright.Hookwright('k', base_url='http://127.0.0.1')\n"
        "assert client.trigger is client.trigger\n"
        "print(*sorted(m.rpartition('.')[2] for m in sys.modules if '_generated.' in m))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "models namespaces resources trigger triggered values" == done.stdout.strip()


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
        "Pattern: `^[a-z0-9][a-z0-9-]{0,62}$`.",
        "`slug_taken`",
        ">>> created = client.shops.create(",
        '...         "opened": {"year": 1999, "by": ["ann", "bob"]},',
    ):
        assert part in text
    assert ">>> created = await client.shops.create(" in resources.AsyncShops.create.__doc__


def test_examples_give_names_and_values() -> None:
    """Ids of things that exist are names, instants are datetimes, lists are loops."""
    trigger: Any = import_module("hookwright._generated.resources.trigger")
    shops: Any = import_module("hookwright._generated.resources.shops")

    for part in (
        ">>> triggered = client.trigger.send(",
        '...     "my-app",',
        '...     payload={"n": 1},',
        "...     door_ids=[door_id],",
    ):
        assert part in trigger.Trigger.send.__doc__
    assert "closed_at=datetime(2026, 11, 21, 9, 0, 0, 500000, tzinfo=UTC)," in (
        shops.Shops.update.__doc__
    )
    assert "from datetime import UTC, datetime" in shops.Shops.update.__doc__
    assert ">>> async for shop in client.shops.list():" in shops.AsyncShops.list.__doc__
