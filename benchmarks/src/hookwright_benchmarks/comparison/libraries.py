"""How each library is used, in its own terms. Imports a library only where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_KEY = "sk_test_a_key_of_nobody"
_UNHEARD_OF = "brand_new"
_STAMP = "2026-11-21T09:00:00.000Z"


@dataclass(frozen=True)
class Library:
    """One library: its client, one read, one write, a list of two pages, a value it cannot know.

    The bodies are what its real server would answer. `value` reads the value back from a result.
    """

    name: str
    requirement: str
    module: str
    client: Callable[[str], Any]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    ids: Callable[[Any], list[str]]
    value: Callable[[Any], Any]
    read_unheard_of: Callable[[Any], Any]
    one: dict[str, Any]
    pages: tuple[dict[str, Any], dict[str, Any]]
    unheard_of: dict[str, Any]


def _hookwright() -> Library:
    app: dict[str, Any] = {
        "id": "app_01K9ZQ4T7M3N8R2V6X1B5C0D9E",
        "slug": "shop",
        "name": "Shop",
        "description": None,
        "active": True,
        "retry_policy": None,
        "rate_limit_per_second": None,
        "retention_days": 30,
        "metadata": {},
        "created_at": _STAMP,
        "updated_at": _STAMP,
        "event_type_policy": "open",
        "signing_secret": None,
    }

    def page(slug: str, cursor: str | None) -> dict[str, Any]:
        return {
            "data": [{**app, "slug": slug}],
            "has_more": cursor is not None,
            "next_cursor": cursor,
        }

    def client(url: str) -> Any:
        return import_module("hookwright").Hookwright(_KEY, base_url=url)

    return Library(
        name="hookwright",
        requirement="./sdk-python",
        module="hookwright",
        client=client,
        read=lambda c: c.apps.get("shop"),
        write=lambda c: c.apps.create(name="Shop"),
        ids=lambda c: [each.slug for each in c.apps.list()],
        value=lambda found: found.event_type_policy,
        read_unheard_of=lambda c: c.apps.get("shop"),
        one=app,
        pages=(page("a", "more"), page("b", None)),
        unheard_of={**app, "event_type_policy": _UNHEARD_OF},
    )


def _openai() -> Library:
    file = {
        "id": "file_a",
        "object": "file",
        "bytes": 1,
        "created_at": 1,
        "filename": "a",
        "purpose": "batch",
        "status": "processed",
    }

    def page(name: str, *, more: bool) -> dict[str, Any]:
        return {"object": "list", "data": [{**file, "id": name}], "has_more": more}

    def client(url: str) -> Any:
        return import_module("openai").OpenAI(api_key=_KEY, base_url=f"{url}/v1")

    return Library(
        name="openai",
        requirement="openai",
        module="openai",
        client=client,
        read=lambda c: c.files.retrieve("file_a"),
        write=lambda c: c.moderations.create(input="text"),
        ids=lambda c: [each.id for each in c.files.list()],
        value=lambda found: found.purpose,
        read_unheard_of=lambda c: c.files.retrieve("file_a"),
        one=file,
        pages=(page("a", more=True), page("b", more=False)),
        unheard_of={**file, "purpose": _UNHEARD_OF},
    )


def _stripe() -> Library:
    intent = {"id": "pi_1", "object": "payment_intent", "amount": 1, "status": "succeeded"}

    def page(name: str, *, more: bool) -> dict[str, Any]:
        data = [{"id": name, "object": "customer"}]
        return {"object": "list", "url": "/v1/customers", "has_more": more, "data": data}

    def client(url: str) -> Any:
        # Without the number it would try nothing again, as the others do unasked.
        make = import_module("stripe").StripeClient
        return make(_KEY, base_addresses={"api": url}, max_network_retries=2)

    return Library(
        name="stripe",
        requirement="stripe",
        module="stripe",
        client=client,
        read=lambda c: c.v1.payment_intents.retrieve("pi_1"),
        write=lambda c: c.v1.customers.create(params={}),
        ids=lambda c: [each.id for each in c.v1.customers.list().auto_paging_iter()],
        value=lambda found: found.status,
        read_unheard_of=lambda c: c.v1.payment_intents.retrieve("pi_1"),
        one=intent,
        pages=(page("a", more=True), page("b", more=False)),
        unheard_of={**intent, "status": _UNHEARD_OF},
    )


def _svix() -> Library:
    app: dict[str, Any] = {
        "id": "app_a",
        "name": "Shop",
        "createdAt": _STAMP,
        "updatedAt": _STAMP,
        "metadata": {},
    }
    task: dict[str, Any] = {
        "id": "qtask_1",
        "status": "finished",
        "task": "endpoint.replay",
        "data": {},
    }
    stamped = {**task, "updatedAt": _STAMP}

    def page(name: str, *, more: bool) -> dict[str, Any]:
        data = [{**app, "id": name}]
        return {"data": data, "done": not more, "iterator": name, "prevIterator": None}

    def client(url: str) -> Any:
        api = import_module("svix.api")
        return api.Svix(_KEY, api.SvixOptions(server_url=url))

    return Library(
        name="svix",
        requirement="svix",
        module="svix.api",
        client=client,
        read=lambda c: c.application.get("app_a"),
        write=lambda c: c.application.create(import_module("svix.api").ApplicationIn(name="Shop")),
        ids=lambda c: [each.id for each in c.application.list()],
        value=lambda found: found.status,
        read_unheard_of=lambda c: c.background_task.get("qtask_1"),
        one=app,
        pages=(page("a", more=True), page("b", more=False)),
        unheard_of={**stamped, "status": _UNHEARD_OF},
    )


LIBRARIES = {each.name: each for each in (_hookwright(), _openai(), _stripe(), _svix())}
