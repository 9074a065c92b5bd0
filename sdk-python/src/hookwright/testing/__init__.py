"""
Help for your tests: a pytest plugin that starts a real server, and receivers to deliver to.

Install `hookwright[testing]`, and ask for what you need; there is nothing to configure:

    >>> from hookwright import Hookwright
    >>> from hookwright.testing import RecordingReceiver
    >>> def test_an_order_is_announced(
    ...     hookwright_client: Hookwright, webhook_receiver: RecordingReceiver
    ... ) -> None:
    ...     webhook_receiver.answers(500, 204)
    ...     hookwright_client.trigger.send(
    ...         webhook_receiver.app_slug, event_name="order.created", payload={"id": 7}
    ...     )
    ...     assert webhook_receiver.wait_for("order.created").data == {"id": 7}

`hookwright.testing.plugin` lists the fixtures. `sign_request` makes signed requests, good and
broken ones, for tests of a handler without any server.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hookwright.testing.clock import HookwrightClock
    from hookwright.testing.listener import Answer
    from hookwright.testing.received import ReceivedEvent, ReceivedRequest
    from hookwright.testing.receiver import NewReceiver, RecordingReceiver
    from hookwright.testing.server import HookwrightServer, ServerFailed
    from hookwright.testing.signing import BROKEN, SECRET, Broken, SignedRequest, sign_request

__all__ = [
    "BROKEN",
    "SECRET",
    "Answer",
    "Broken",
    "HookwrightClock",
    "HookwrightServer",
    "NewReceiver",
    "ReceivedEvent",
    "ReceivedRequest",
    "RecordingReceiver",
    "ServerFailed",
    "SignedRequest",
    "sign_request",
]

_HOMES = {
    "BROKEN": "signing",
    "SECRET": "signing",
    "Answer": "listener",
    "Broken": "signing",
    "HookwrightClock": "clock",
    "HookwrightServer": "server",
    "NewReceiver": "receiver",
    "ReceivedEvent": "received",
    "ReceivedRequest": "received",
    "ServerFailed": "server",
    "SignedRequest": "signing",
    "RecordingReceiver": "receiver",
    "sign_request": "signing",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
