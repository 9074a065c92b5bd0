"""
The pytest plugin of `hookwright[testing]`. Nothing is imported or started before a test asks.

* `hookwright_server`: the server, one for each process of the test run; its environment variables
  HOOKWRIGHT_BASE_URL and HOOKWRIGHT_API_KEY are set while the test runs
* `hookwright_client`, `hookwright_async_client`: clients of it
* `hookwright_app`: an app of this test's own
* `webhook_receiver`: receives all events of that app; `new_webhook_receiver` makes others
* `hookwright_clock`: moves the clock of a server that only tests with this fixture use
* `signed_request`: makes signed requests, good and broken ones; needs no server
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hookwright.client import AsyncHookwright, Hookwright
    from hookwright.models import AppCreated
    from hookwright.testing.clock import HookwrightClock
    from hookwright.testing.pool import ServerPool
    from hookwright.testing.receiver import NewReceiver, RecordingReceiver
    from hookwright.testing.server import HookwrightServer
    from hookwright.testing.signing import SignedRequest

_CLOCK = "hookwright_clock"
_LONGEST_NAME = 200


@pytest.fixture(scope="session")
def _hookwright_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerPool]:
    from hookwright.testing.pool import ServerPool

    pool = ServerPool(tmp_path_factory)
    yield pool
    pool.close()


@pytest.fixture
def hookwright_server(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _hookwright_servers: ServerPool,
) -> HookwrightServer:
    """The reference server on a free port, started once for all tests of this process."""
    server = _hookwright_servers.get(clock_can_move=_CLOCK in request.fixturenames)
    monkeypatch.setenv("HOOKWRIGHT_BASE_URL", server.url)
    monkeypatch.setenv("HOOKWRIGHT_API_KEY", server.api_key)
    return server


@pytest.fixture
def hookwright_clock(hookwright_server: HookwrightServer) -> HookwrightClock:
    """The server's clock, to be moved forward: `hookwright_clock.advance(hours=1)`."""
    from hookwright.testing.clock import HookwrightClock

    return HookwrightClock(hookwright_server)


@pytest.fixture
def hookwright_client(hookwright_server: HookwrightServer) -> Iterator[Hookwright]:
    """A client of the server; its key may do everything."""
    from hookwright import Hookwright
    from hookwright._core.transport import loopback_client

    with loopback_client() as http_client:
        yield Hookwright(
            hookwright_server.api_key, base_url=hookwright_server.url, http_client=http_client
        )


@pytest.fixture
def hookwright_async_client(hookwright_server: HookwrightServer) -> AsyncHookwright:
    """The same for asyncio, in whatever event loop the test runs. It leaves nothing to close."""
    from hookwright import AsyncHookwright
    from hookwright._core.transport import loopback_async_client

    return AsyncHookwright(
        hookwright_server.api_key,
        base_url=hookwright_server.url,
        http_client=loopback_async_client(),
    )


@pytest.fixture
def hookwright_app(
    request: pytest.FixtureRequest, hookwright_client: Hookwright
) -> Iterator[AppCreated]:
    """A new app without endpoints; deleted after the test, so that nothing goes on being sent."""
    import uuid

    from hookwright import APIError

    app = hookwright_client.apps.create(
        name=request.node.name[:_LONGEST_NAME], slug=f"test-{uuid.uuid4().hex[:12]}"
    )
    yield app
    with suppress(APIError):  # the test may have deleted it, or killed the server
        hookwright_client.with_options(max_retries=0).apps.delete(app.slug)


@pytest.fixture
def new_webhook_receiver(
    request: pytest.FixtureRequest, hookwright_client: Hookwright, hookwright_app: AppCreated
) -> Iterator[NewReceiver]:
    """Makes receivers: `new_webhook_receiver(["order.*"], max_concurrency=1)`."""
    from hookwright.testing.receiver import RecordingReceiver

    clock: dict[str, Callable[[], float]] = {}
    if _CLOCK in request.fixturenames:
        clock["clock"] = request.getfixturevalue(_CLOCK).time
    with ExitStack() as stack:

        def make(events: Sequence[str] = ("*",), **fields: Any) -> RecordingReceiver:
            receiver = RecordingReceiver(hookwright_client, hookwright_app, **clock)
            stack.callback(receiver.close)
            if events:
                receiver.subscribe(events, **fields)
            return receiver

        yield make


@pytest.fixture
def webhook_receiver(new_webhook_receiver: NewReceiver) -> RecordingReceiver:
    """A receiver with an endpoint for all events of `hookwright_app`."""
    return new_webhook_receiver()


@pytest.fixture
def signed_request() -> Callable[..., SignedRequest]:
    """`hookwright.testing.sign_request`: `signed_request("order.created", {"id": 7})`."""
    from hookwright.testing.signing import sign_request

    return sign_request
