"""Tenants with one of everything, and a request of every operation about what they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from http_lab import JSON, NO_HEADERS, Answer, Client, Document, Headers, path_of, request_examples

from hookwright_server.http.edge.operations import OPERATIONS, Operation
from hookwright_server.ids import Ids

_SCHEDULE: Document = {"delays_seconds": [], "jitter": 0}
_LISTS = tuple(operation for operation in OPERATIONS if "cursor" in operation.query_names)
_ids = Ids()


@dataclass(frozen=True)
class Things:
    """Names of one of everything."""

    app_slug: str
    endpoint_id: str
    message_id: str
    delivery_id: str
    key_id: str
    event_type_id: str
    replay_id: str

    def path(self, operation: Operation, **instead: str) -> str:
        """The operation's path with these names."""
        return path_of(operation, **{**self.__dict__, **instead})

    def names(self) -> tuple[str, ...]:
        return tuple(self.__dict__.values())


UNKNOWN = Things(
    app_slug="no-such-app",
    endpoint_id=_ids.new("ep", 1),
    message_id=_ids.new("msg", 1),
    delivery_id=_ids.new("del", 1),
    key_id=_ids.new("key", 1),
    event_type_id=_ids.new("ety", 1),
    replay_id=_ids.new("rpl", 1),
)


@dataclass(frozen=True)
class Tenant:
    """Whoever holds `client`'s key, and what they have."""

    client: Client
    things: Things
    cursors: dict[str, str]
    """A valid cursor for the list of each operation."""


def settle(client: Client, url: str, **app: Any) -> Tenant:
    """Make one of everything; its delivery ends as dead_letter at `url`, where nobody listens."""
    things = make_things(client, url, **app)
    second = client.new_endpoint(things.app_slug, url, retry_policy=_SCHEDULE)
    both = [things.endpoint_id, second["id"]]
    for delivery_id in client.trigger(things.app_slug, endpoint_ids=both)["delivery_ids"]:
        client.finished(delivery_id)
    client.post(f"/v1/apps/{things.app_slug}/deliveries/{things.delivery_id}/retry").require(200)
    client.finished(things.delivery_id)
    client.new_app()
    client.new_key("read")
    client.new_event_type(things.app_slug)
    new_replay(client, things.app_slug)
    cursors = {
        operation.operation_id: client.get(f"{things.path(operation)}?limit=1").require(200)[
            "next_cursor"
        ]
        for operation in _LISTS
    }
    assert all(cursors.values()), cursors
    return Tenant(client, things, cursors)


def make_things(client: Client, url: str, **app: Any) -> Things:
    """One of everything, with a delivery that can be retried."""
    slug = client.new_app(**app)["slug"]
    signing = {"scheme": "v1a"}  # it has a public key to ask for
    endpoint = client.new_endpoint(slug, url, retry_policy=_SCHEDULE, signing=signing)
    sent = client.trigger(slug)
    client.finished(sent["delivery_ids"][0], "dead_letter")
    key = client.new_key("read")
    return Things(
        app_slug=slug,
        endpoint_id=endpoint["id"],
        message_id=sent["message_id"],
        delivery_id=sent["delivery_ids"][0],
        key_id=key["id"],
        event_type_id=client.new_event_type(slug)["id"],
        replay_id=new_replay(client, slug),
    )


def new_replay(client: Client, slug: str) -> str:
    """A replay task that has ended."""
    body: Document = {"delivery_ids": [_ids.new("del", 1)]}
    task: Document = client.post(f"/v1/apps/{slug}/replays", body).require(202)
    client.post(f"/v1/apps/{slug}/replays/{task['id']}/cancel").require(200)
    replay_id: str = task["id"]
    return replay_id


def example_of(operation: Operation, url: str) -> Any:
    """The first request body that the contract shows, sent to `url` where it names one."""
    if not operation.has_body:
        return None
    nothing: Document = {}
    body: Document = {**next(iter(request_examples(operation).values()), nothing)}
    if "url" in body:
        body["url"] = url
    return body


def request(
    client: Client,
    operation: Operation,
    path: str,
    url: str,
    headers: Headers = NO_HEADERS,
) -> Answer:
    """Ask for `operation` at `path` with a body that the contract shows."""
    body = example_of(operation, url)
    if operation.operation_id == "apps.create":
        body.pop("slug")
    if operation.operation_id == "event_types.create":
        key = headers.get("Idempotency-Key")
        body["name"] = f"made_{key}" if key else _ids.new("ety", 1)
    if operation.operation_id == "api_keys.create":
        body.pop("app_slug", None)
        body.pop("expires_at", None)
    if body is None:
        return client.send(operation.method, path, headers)
    named = {name.replace("-", "_"): value for name, value in {**JSON, **headers}.items()}
    return client.call(operation.method, path, body, **named)
