"""How programs use the generated code, for the type checkers of `make check`; nothing runs it.

Each `type: ignore` marks a mistake that must be one: were it none, the checkers would complain
about an ignore that is not needed.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_type

from hookwright import AsyncHookwright, AsyncPage, Hookwright, SyncPage, Unset
from hookwright.models import App, AppCreated, Delivery, RetryPolicy
from hookwright_server.http.context import Context
from hookwright_server.http.edge import params, responses
from hookwright_server.http.edge.handlers import ApiKeysHandlers, HealthHandlers


def blocking(client: Hookwright) -> None:
    """Results are models, lists are pages of them."""
    created = client.apps.create(name="Payments", retry_policy={"preset": "linear"})
    assert_type(created, AppCreated)
    assert_type(created.created_at, datetime)
    assert_type(created.retry_policy, RetryPolicy | None)
    assert_type(client.apps.list(), SyncPage[App])
    for delivery in client.deliveries.list("payments", status=["failed", "unsuccessful"]):
        assert_type(delivery, Delivery)
        assert_type(delivery.next_attempt_at, datetime | None)
        if delivery.status == "a status of next year":
            print(delivery.extra)  # noqa: T201 - reachable: enums are open in what servers send
    first = client.deliveries.list("payments")
    assert_type(first.next_page(), SyncPage[Delivery])
    for page in first.iter_pages():
        assert_type(page.data, list[Delivery])
    renamed = created.evolve(name="Bills", description=None)
    assert_type(renamed, AppCreated)
    assert_type(AppCreated.from_json(renamed.to_json()), AppCreated)
    assert_type(AppCreated.from_dict(renamed.to_dict()), AppCreated)
    policy = RetryPolicy(preset="default")
    assert_type(policy.max_attempts, int | Unset)
    client.apps.update("payments", retry_policy=policy)
    client.apps.update("payments", retry_policy=None)


async def not_blocking(client: AsyncHookwright) -> None:
    """The async twin: pages can be awaited or iterated."""
    assert_type(await client.apps.get("payments"), App)
    first = await client.apps.list(limit=2)
    assert_type(first.data, list[App])
    assert_type(await first.next_page(), AsyncPage[App])
    async for page in client.apps.list().iter_pages():
        assert_type(page, AsyncPage[App])
    async for app in client.apps.list():
        assert_type(app, App)


def mistakes(client: Hookwright) -> None:
    """What the contract refuses, the checkers refuse."""
    client.apps.create()  # type: ignore[call-arg]
    client.apps.create(nmae="x")  # type: ignore[call-arg]
    client.apps.list(limit="2")  # type: ignore[arg-type]
    client.apps.update("payments", name=None)  # type: ignore[arg-type]
    client.deliveries.list("payments", status=["exploded"])  # type: ignore[list-item]
    app = client.apps.get("payments")
    app.evolve(nmae="x")  # type: ignore[call-arg]
    app.evolve(name=None)  # type: ignore[arg-type]
    client.health  # type: ignore[attr-defined]  # noqa: B018


@dataclass
class Health:
    """A complete handler."""

    def live(self, context: Context) -> responses.Liveness:
        return {"status": "ok"}

    def ready(self, context: Context) -> responses.Readiness:
        return {"status": "ready", "checks": {"database": "ok"}}


@dataclass
class Incomplete:
    """A handler that lacks an operation."""

    def live(self, context: Context) -> responses.Liveness:
        return {"status": "fine"}  # type: ignore[typeddict-item]


@dataclass
class Mistaken:
    """A handler that takes the parameters of another operation."""

    def delete(self, context: Context, params: params.AppsDeleteParams) -> None:
        return None


def handlers() -> None:
    """A handler that is missing or wrong is a type error."""
    complete: HealthHandlers = Health()
    incomplete: HealthHandlers = Incomplete()  # type: ignore[assignment]
    mistaken: ApiKeysHandlers = Mistaken()  # type: ignore[assignment]
    del complete, incomplete, mistaken
