"""How programs use the clients, for the type checkers of `make check`; nothing runs it.

Each `type: ignore` marks a mistake that must be one: were it none, the checkers would complain
about an ignore that is not needed.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import assert_type

import httpx

from hookwright import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncHookwright,
    AsyncPage,
    DefaultAioHttpClient,
    DefaultHttpxClient,
    FieldError,
    Hooks,
    Hookwright,
    RateLimitError,
    RawResponse,
    RequestInfo,
    ResponseInfo,
    SyncPage,
)
from hookwright.models import App, AppCreated


def blocking(client: Hookwright) -> None:
    """Raw answers know what they parse to, and take the arguments of the method itself."""
    raw = client.apps.with_raw_response.get("shop", timeout=3)
    assert_type(raw, RawResponse[App])
    assert_type(raw.parse(), App)
    assert_type(raw.headers, Mapping[str, str])
    assert_type(raw.request_id, str | None)
    assert_type(client.apps.with_raw_response.create(name="Shop").parse(), AppCreated)
    assert_type(client.apps.with_raw_response.delete("shop").parse(), None)
    page = client.apps.with_raw_response.list(limit=2)
    assert_type(page, RawResponse[SyncPage[App]])
    for app in page.parse():
        assert_type(app, App)
    client.apps.with_raw_response.get()  # type: ignore[call-arg]
    client.apps.with_raw_response.list(limit="2")  # type: ignore[arg-type]
    assert_type(client.with_options(api_key="hw_live_x", timeout=None), Hookwright)
    assert_type((client.base_url, client.is_closed), tuple[str, bool])


async def not_blocking(client: AsyncHookwright) -> None:
    """The async twin: all of them are awaited."""
    assert_type((await client.apps.with_raw_response.get("shop")).parse(), App)
    page = await client.apps.with_raw_response.list(limit=2)
    assert_type(page, RawResponse[AsyncPage[App]])
    async for app in page.parse():
        assert_type(app, App)
    await client.apps.with_raw_response.get(1)  # type: ignore[arg-type]


def failures(client: Hookwright) -> None:
    """What each error offers."""
    try:
        client.apps.get("shop")
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except APIStatusError as error:
        assert_type(error.errors, tuple[FieldError, ...])
        assert_type(error.code, str | None)
    except APIConnectionError as error:
        error.status_code  # type: ignore[attr-defined]  # noqa: B018
    except APIError as error:
        assert_type(error.request_id, str | None)


def before(request: RequestInfo) -> None:
    """A hook reads, and writes nothing."""
    assert_type(request.attempt, int)
    request.attempt = 2  # type: ignore[misc]
    request.headers["x"] = "y"  # type: ignore[index]


def after(response: ResponseInfo) -> None:
    """An outcome is an answer or an error."""
    assert_type(response.status_code, int | None)
    assert_type(response.error, APIConnectionError | None)
    assert_type(response.retry_in, float | None)


async def clients() -> None:
    """Every option of the constructors."""
    hooks = Hooks(request=before, response=after)
    Hookwright(hooks=hooks, proxy="http://proxy.example.com:3128", verify="/etc/ssl/own.pem")
    Hookwright(verify=ssl.create_default_context(), app_info="shop/2.1")
    Hookwright(http_client=DefaultHttpxClient(limits=httpx.Limits(max_connections=5)))
    AsyncHookwright(http_client="aiohttp")
    AsyncHookwright(http_client=DefaultAioHttpClient())
    AsyncHookwright(http_client="requests")  # type: ignore[arg-type]
    Hookwright(http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    Hookwright(hooks={"request": before})  # type: ignore[arg-type]
    Hooks(request=after)  # type: ignore[arg-type]
