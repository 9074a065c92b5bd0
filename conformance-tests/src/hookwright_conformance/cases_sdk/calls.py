"""Every operation of the contract: what is sent for it, and what becomes of the answer."""

from __future__ import annotations

import json

from hookwright_conformance.errors import Unmet, require_equal
from hookwright_conformance.received import Received
from hookwright_conformance.sdk.api import reply
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.examples import Example
from hookwright_conformance.sdk.world import SdkWorld

_SENT = ("ends-paths-with-a-slash",)
_DECODED = ("forgets-the-last-member",)


def _sends(world: SdkWorld, namespace: str) -> None:
    """Make every documented request of a namespace, with every parameter that it has."""
    world.client(max_retries=0)
    for one in world.examples(namespace):
        world.script(reply(one.status, one.value))
        world.call_example(one)
        request = world.only_request()
        world.require_path(one, request)
        _require_body(world, one, request)


def _require_body(world: SdkWorld, one: Example, request: Received) -> None:
    what = f"body of {one.operation.id}"
    if one.body is None:
        require_equal(b"", request.body, what)
        return
    media = (request.header("content-type") or "").partition(";")[0].strip().lower()
    require_equal("application/json", media, f"Content-Type of {one.operation.id}")
    try:
        sent = json.loads(request.body)
    except ValueError as error:
        raise Unmet(what, "JSON", repr(request.body[:200])) from error
    world.require_same(one.body, sent, what)


def _decodes(world: SdkWorld, namespace: str) -> None:
    """Give the documented answer to every request of a namespace."""
    world.client(max_retries=0)
    for one in world.examples(namespace):
        world.script(reply(one.status, one.value))
        given = world.call_example(one)
        world.require_same(one.value, given, f"what {one.operation.id} returns ({one.name})")


@case(id="sdk-calls.analytics", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def analytics(world: SdkWorld) -> None:
    """Operations of `analytics` are sent as documented."""
    _sends(world, "analytics")


@case(id="sdk-calls.api-keys", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def api_keys(world: SdkWorld) -> None:
    """Operations of `api_keys` are sent as documented."""
    _sends(world, "api_keys")


@case(id="sdk-calls.apps", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def apps(world: SdkWorld) -> None:
    """Operations of `apps` are sent as documented."""
    _sends(world, "apps")


@case(
    id="sdk-calls.deliveries",
    requirement="SDK-1",
    profile="sdk-core",
    kills=(*_SENT, "joins-values-with-commas"),
)
def deliveries(world: SdkWorld) -> None:
    """Operations of `deliveries` are sent as documented."""
    _sends(world, "deliveries")


@case(
    id="sdk-calls.endpoints",
    requirement="SDK-1",
    profile="sdk-core",
    kills=(*_SENT, "joins-values-with-commas"),
)
def endpoints(world: SdkWorld) -> None:
    """Operations of `endpoints` are sent as documented."""
    _sends(world, "endpoints")


@case(id="sdk-calls.event-types", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def event_types(world: SdkWorld) -> None:
    """Operations of `event_types` are sent as documented."""
    _sends(world, "event_types")


@case(id="sdk-calls.messages", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def messages(world: SdkWorld) -> None:
    """Operations of `messages` are sent as documented."""
    _sends(world, "messages")


@case(id="sdk-calls.transformations", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def transformations(world: SdkWorld) -> None:
    """Operations of `transformations` are sent as documented."""
    _sends(world, "transformations")


@case(id="sdk-calls.trigger", requirement="SDK-1", profile="sdk-core", kills=_SENT)
def trigger(world: SdkWorld) -> None:
    """Operations of `trigger` are sent as documented."""
    _sends(world, "trigger")


@case(id="sdk-answers.analytics", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def analytics_answers(world: SdkWorld) -> None:
    """Documented answers of `analytics` are decoded whole."""
    _decodes(world, "analytics")


@case(id="sdk-answers.api-keys", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def api_keys_answers(world: SdkWorld) -> None:
    """Documented answers of `api_keys` are decoded whole."""
    _decodes(world, "api_keys")


@case(id="sdk-answers.apps", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def apps_answers(world: SdkWorld) -> None:
    """Documented answers of `apps` are decoded whole."""
    _decodes(world, "apps")


@case(id="sdk-answers.deliveries", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def deliveries_answers(world: SdkWorld) -> None:
    """Documented answers of `deliveries` are decoded whole."""
    _decodes(world, "deliveries")


@case(id="sdk-answers.endpoints", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def endpoints_answers(world: SdkWorld) -> None:
    """Documented answers of `endpoints` are decoded whole."""
    _decodes(world, "endpoints")


@case(id="sdk-answers.event-types", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def event_types_answers(world: SdkWorld) -> None:
    """Documented answers of `event_types` are decoded whole."""
    _decodes(world, "event_types")


@case(id="sdk-answers.messages", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def messages_answers(world: SdkWorld) -> None:
    """Documented answers of `messages` are decoded whole."""
    _decodes(world, "messages")


@case(id="sdk-answers.transformations", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def transformations_answers(world: SdkWorld) -> None:
    """Documented answers of `transformations` are decoded whole."""
    _decodes(world, "transformations")


@case(id="sdk-answers.trigger", requirement="SDK-4", profile="sdk-core", kills=_DECODED)
def trigger_answers(world: SdkWorld) -> None:
    """Documented answers of `trigger` are decoded whole."""
    _decodes(world, "trigger")
