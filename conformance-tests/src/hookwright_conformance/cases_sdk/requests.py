"""What stands in requests beside the arguments: headers, keys, text, paths, the base URL."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from hookwright_conformance.errors import Unmet, require, require_equal
from hookwright_conformance.sdk.api import page, reply
from hookwright_conformance.sdk.case import case
from hookwright_conformance.sdk.world import SdkWorld, query_of

_TEXT = 'Zoë 🪝 "quoted" \\ / \u2028 </script> 漢字'


@case(
    id="sdk-requests.key-and-accept",
    requirement="SDK-2",
    profile="sdk-core",
    kills=["keeps-the-key-to-itself"],
)
def key_and_accept(world: SdkWorld) -> None:
    """A GET, a POST and a DELETE carry the client's key and take JSON."""
    world.client(max_retries=0)
    for operation in ("apps.list", "trigger.send", "apps.delete"):
        one = world.example(operation)
        world.script(reply(one.status, one.value))
        world.call_example(one)
        request = world.only_request()
        sent = request.values("authorization")
        require_equal([f"Bearer {world.key}"], sent, f"Authorization of {operation}")
        accepted = request.header("accept") or ""
        takes = any(media in accepted for media in ("application/json", "application/*", "*/*"))
        require(takes, f"Accept of {operation}", "application/json among it", repr(accepted))


@case(
    id="sdk-requests.user-agent",
    requirement="SDK-10",
    profile="sdk-core",
    kills=["says-nothing-of-itself"],
)
def user_agent(world: SdkWorld) -> None:
    """The User-Agent has a product with the version that the driver tells."""
    world.client(max_retries=0)
    world.script(page([]))
    world.call("apps.list")
    agent = world.only_request().header("user-agent") or ""
    products = [part for part in agent.split() if part.endswith(f"/{world.claim.version}")]
    require(bool(products), "User-Agent", f"a product …/{world.claim.version}", repr(agent))


@case(
    id="sdk-requests.null-is-not-absent",
    requirement="SDK-3",
    profile="sdk-core",
    kills=["leaves-out-nulls"],
)
def null_is_not_absent(world: SdkWorld) -> None:
    """A member that is null is sent as null, and those that were not given are not sent."""
    one = world.example("endpoints.update")
    body = {"description": None, "retry_policy": None, "active": False}
    world.client(max_retries=0)
    world.script(reply(200, one.value))
    world.call_example(one, body=body)
    world.require_same(body, json.loads(world.only_request().body), "body of endpoints.update")


@case(
    id="sdk-requests.text-arrives-as-it-was",
    requirement="SDK-3",
    profile="sdk-core",
    kills=["knows-no-script-but-latin"],
)
def text_arrives(world: SdkWorld) -> None:
    """Any script, escapes and line separators arrive in a body as they were given."""
    one = world.example("trigger.send")
    body: dict[str, Any] = {
        "event_name": "case.event",
        "payload": {_TEXT: [_TEXT, 1, 0.5, True, None, {}, []]},
    }
    world.client(max_retries=0)
    world.script(reply(one.status, one.value))
    world.call_example(one, body=body)
    try:
        sent = json.loads(world.only_request().body.decode("utf-8"))
    except ValueError as error:
        raise Unmet("body of trigger.send", "JSON in UTF-8", error) from error
    world.require_same(body, sent, "body of trigger.send")


@case(
    id="sdk-requests.query-values-are-escaped",
    requirement="SDK-1",
    profile="sdk-core",
    kills=["writes-queries-as-they-are"],
)
def query_values(world: SdkWorld) -> None:
    """Characters that mean something in a URL arrive in a query as they were given."""
    value = "a b&c=d+e%20?#/é"
    world.client(max_retries=0)
    world.script(page([]))
    world.call("messages.list", path={"app_slug": "my-app"}, query={"tag": value})
    require_equal([("tag", value)], query_of(world.only_request()), "query of messages.list")


@case(
    id="sdk-requests.path-arguments-stay-segments",
    requirement="SDK-7",
    profile="sdk-core",
    kills=["writes-paths-as-they-are"],
)
def path_arguments(world: SdkWorld) -> None:
    """No path argument leads to another operation."""
    one = world.example("endpoints.get")
    world.client(max_retries=0)
    for value in ("a/b", "a?b", "a#b", "a%2Fb", "a b", "é", "../../api-keys", "..", ".", ""):
        world.script(reply(200, one.value))
        answer = world.ask(
            "call",
            operation="endpoints.get",
            path={"app_slug": "my-app", "endpoint_id": value},
        )
        what = f"endpoint_id {value!r}"
        if answer.result is None:
            world.error_of("usage", what, answer)
            world.require_requests(0)
            continue
        target = world.only_request().target
        begin, _, segment = target.rpartition("/")
        require_equal("/v1/apps/my-app/endpoints", begin, f"path before {what} in {target}")
        decodes = unquote(segment) == value and value not in (".", "..", "") and "?" not in segment
        require(decodes, what, "an escaped segment of the path, or an error `usage`", target)


@case(
    id="sdk-requests.base-url-with-a-path",
    requirement="SDK-8",
    profile="sdk-core",
    kills=["forgets-the-path-of-the-base-url"],
)
def base_url_with_a_path(world: SdkWorld) -> None:
    """A path and slashes at the end of the base URL do no harm."""
    for path, expected in (
        ("", "/v1/apps"),
        ("/", "/v1/apps"),
        ("/hooks/eu/", "/hooks/eu/v1/apps"),
    ):
        world.client(base_url=world.api.base_url() + path, max_retries=0)
        world.script(page([]))
        world.call("apps.list")
        target = world.only_request().target.partition("?")[0]
        require_equal(expected, target, f"request with a base URL that ends in {path!r}")


@case(
    id="sdk-requests.unusable-clients-are-refused",
    requirement="SDK-9",
    profile="sdk-core",
    kills=["takes-any-key"],
)
def unusable_clients(world: SdkWorld) -> None:
    """Keys that no header carries and URLs that lead nowhere are errors before anything is sent."""
    wrong: list[dict[str, Any]] = [
        {"api_key": ""},
        {"api_key": "hw_test_a\r\nX-Injected: 1"},
        {"api_key": "hw_test_ключ"},
        {"base_url": "hooks.example.com"},
        {"base_url": "ftp://hooks.example.com"},
    ]
    for options in wrong:
        world.script(page([]))
        usual = {"base_url": world.api.base_url(), "api_key": world.key}
        answer = world.ask("client", None, **{**usual, **options})
        if answer.error is None:
            answer = world.ask("call", operation="apps.list")
        world.error_of("usage", f"a client with {options}", answer)
        world.require_requests(0)


@case(
    id="sdk-keys.every-keyed-operation",
    requirement="SDK-11",
    profile="sdk-core",
    kills=["sends-no-idempotency-key", "has-one-idempotency-key"],
)
def every_keyed_operation(world: SdkWorld) -> None:
    """Each operation that declares an Idempotency-Key sends one of its own, unasked."""
    world.client(max_retries=0)
    seen: set[str] = set()
    for one in world.examples():
        if not one.is_keyed:
            continue
        world.script(reply(one.status, one.value))
        world.call_example(one)
        keys = world.only_request().values("idempotency-key")
        fits = len(keys) == 1 and re.fullmatch(r"[\x21-\x7e]{1,255}", keys[0]) is not None
        require(fits, f"Idempotency-Key of {one.operation.id}", "1 to 255 visible characters", keys)
        require(keys[0] not in seen, f"Idempotency-Key of {one.operation.id}", "a fresh one", keys)
        seen.update(keys)


@case(
    id="sdk-keys.a-given-key-is-sent",
    requirement="SDK-11",
    profile="sdk-core",
    kills=["prefers-its-own-keys"],
)
def given_key(world: SdkWorld) -> None:
    """The caller's Idempotency-Key goes out as it is."""
    one = world.example("trigger.send")
    world.client(max_retries=0)
    world.script(reply(one.status, one.value))
    world.call_example(one, idempotency_key="order-4711/paid")
    sent = world.only_request().values("idempotency-key")
    require_equal(["order-4711/paid"], sent, "Idempotency-Key")
