"""Every documented request through the SDK, in an order in which each can be what it shows."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hookwright import Hookwright
from hookwright.testing import HookwrightClock

_SPEC = Path(__file__).resolve().parent.parent / "openapi.yaml"
_METHODS = ("get", "post", "put", "patch", "delete")
_APP = "payments"
_PATIENCE_S = 60.0
_LOOK_S = 0.02

Record = Callable[[str], AbstractContextManager[object]]
"""What a cassette of this name is recorded, or played, in."""


@dataclass(frozen=True)
class Example:
    """One documented request; `name` is None where none is shown because there is no body."""

    operation_id: str
    name: str | None
    path: str
    body: Mapping[str, Any]

    @property
    def cassette(self) -> str:
        return f"{self.operation_id}.{self.name}" if self.name else self.operation_id

    @cached_property
    def names_in_path(self) -> tuple[str, ...]:
        return tuple(re.findall(r"{(\w+)}", self.path))

    def call(self, client: Hookwright, **arguments: Any) -> Any:
        """Do it by the SDK's method of the same name."""
        namespace, _, method = self.operation_id.partition(".")
        return getattr(getattr(client, namespace), method)(**arguments, **self.body)


def read_examples() -> dict[str, Example]:
    """Every request that the contract shows and the SDK can make, by the name of its cassette."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    spec = yaml.load(_SPEC.read_text(), Loader=loader)  # noqa: S506 - both are safe
    absent = {tag["name"] for tag in spec["tags"] if not tag.get("x-sdk", {}).get("generate", True)}
    found: dict[str, Example] = {}
    for path, item in spec["paths"].items():
        for operation in (item[method] for method in _METHODS if method in item):
            if absent.isdisjoint(operation["tags"]):
                for example in _examples_of(path, operation):
                    found[example.cassette] = example
    return found


def _examples_of(path: str, operation: Mapping[str, Any]) -> list[Example]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    shown: Mapping[str, Any] = content.get("examples", {})
    # As JSON has it: the YAML reader makes dates of what looks like one.
    bodies = {name: json.loads(json.dumps(each["value"])) for name, each in shown.items()}
    made = [Example(operation["operationId"], name, path, body) for name, body in bodies.items()]
    return made or [Example(operation["operationId"], None, path, {})]


@dataclass(frozen=True)
class Teller:
    """Tells the story to a server; `good` and `bad` are URLs of receivers."""

    client: Hookwright
    clock: HookwrightClock
    good: str
    bad: str
    record: Record

    @cached_property
    def examples(self) -> dict[str, Example]:
        return read_examples()

    def tell(self, cassette: str, **arguments: Any) -> Any:
        """Do one documented request and record it."""
        example = self.examples.pop(cassette)
        if "app_slug" in example.names_in_path:
            arguments.setdefault("app_slug", _APP)
        with self.record(cassette):
            return example.call(self.client, **arguments)

    def tell_all(self) -> None:
        """Do all of them. Raises LookupError when the contract shows one that is not here."""
        # Analytics count by days: at whatever time the story is told, each thing has its day.
        now = self.clock.now()
        begin = (now + timedelta(days=1)).replace(hour=0, minute=0, second=5)
        self.clock.advance(seconds=(begin - now).total_seconds())
        self._apps()
        endpoint_id = self._endpoints()
        self._deliveries(endpoint_id)
        self.tell("endpoints.delete", endpoint_id=endpoint_id)
        self._event_types()
        self.tell("apps.update.default")
        self.tell("apps.delete")
        self._keys()
        if self.examples:
            raise LookupError(f"{__file__} does not tell of {', '.join(self.examples)}")

    def _apps(self) -> None:
        self.tell("apps.create.default")
        self.tell("apps.list")
        self.tell("apps.get")
        self.tell("apps.get_or_create.default")
        self.tell("apps.rotate_secret.default")
        self.tell("apps.rotate_secret.ed25519")

    def _endpoints(self) -> str:
        for name in ("smallest", "own_schedule", "ed25519", "rate_limited", "selective"):
            made = self.tell(f"endpoints.create.{name}")
            if name == "ed25519":
                self.tell("endpoints.get_secret_public_key", endpoint_id=made.id)
            self.client.endpoints.delete(_APP, made.id)
        endpoint_id: str = self.tell("endpoints.create.default").id
        for cassette in ("list", "get", "disable", "enable.default"):
            named = {} if cassette == "list" else {"endpoint_id": endpoint_id}
            self.tell(f"endpoints.{cassette}", **named)
        self.tell("endpoints.rotate_secret.default", endpoint_id=endpoint_id)
        self.tell("endpoints.update.default", endpoint_id=endpoint_id)
        return endpoint_id

    def _deliveries(self, endpoint_id: str) -> None:
        self.client.endpoints.update(
            _APP, endpoint_id, url=self.good, headers={"X-Api-Key": "key-of-the-receiver"}
        )
        self.tell("endpoints.test.default", endpoint_id=endpoint_id)
        sent = self.tell("trigger.send.default")
        self._settle()
        self.tell("messages.list")
        self.tell("messages.get", message_id=sent.message_id)
        delivery = {"delivery_id": sent.delivery_ids[0]}
        self.tell("deliveries.list")
        self.tell("deliveries.get", **delivery)
        self.tell("deliveries.list_attempts", **delivery)
        self.tell("endpoints.list_deliveries", endpoint_id=endpoint_id)
        self.tell("trigger.send.with_context")
        self.tell("transformations.preview.default")
        self.tell("trigger.send_batch.default")
        self.tell("trigger.send.in_order")
        self._settle()
        self.tell("endpoints.stats", endpoint_id=endpoint_id)
        self.client.endpoints.update(_APP, endpoint_id, url=self.bad)
        failing = self._publish()
        self.clock.advance(days=4)
        self._settle()
        self._analytics()
        self.tell("deliveries.retry", delivery_id=failing)
        self._settle()
        self._steer(delivery, sent.message_id)

    def _analytics(self) -> None:
        self.tell("analytics.overview")
        self.tell("analytics.stats")
        self.tell("analytics.summary")
        # By days: 170 points of hours would tell nothing more.
        self.tell("analytics.timeseries", interval="1d")
        self.tell("analytics.timeline", period="7d", interval="1d")

    def _steer(self, delivery: dict[str, str], message_id: str) -> None:
        self.tell("deliveries.replay", **delivery)
        waiting = self._publish()
        self._until(lambda: self.client.deliveries.get(_APP, waiting).last_status_code == 500)
        self.tell("deliveries.cancel", delivery_id=waiting)
        self.tell("deliveries.create_replay.by_range")
        self.tell("deliveries.create_replay.dry_run")
        task = {"replay_id": self.tell("deliveries.create_replay.by_ids").id}
        self._until(lambda: all(each.status == "completed" for each in self._replays()))
        self.tell("deliveries.list_replays")
        self.tell("deliveries.get_replay", **task)
        self.tell("deliveries.cancel_replay", **task)
        self.tell("messages.cancel", message_id=message_id)
        self.tell("messages.expunge", message_id=message_id)

    def _event_types(self) -> None:
        event_type = {"event_type_id": self.tell("event_types.create.default").id}
        self.tell("event_types.list")
        self.tell("event_types.get", **event_type)
        self.tell("event_types.update.default", **event_type)
        self.tell("event_types.delete", **event_type)

    def _keys(self) -> None:
        key = {"key_id": self.tell("api_keys.create.default").id}
        self.tell("api_keys.list")
        self.tell("api_keys.rotate.default", **key)
        self.tell("api_keys.delete", **key)

    def _publish(self) -> str:
        sent = self.client.trigger.send(_APP, event_name="invoice.paid", payload={})
        return sent.delivery_ids[0]

    def _replays(self) -> list[Any]:
        return list(self.client.deliveries.list_replays(_APP))

    def _settle(self) -> None:
        """Wait until nothing is due or under way."""
        self.clock.advance(seconds=0)
        self._until(lambda: not self.client.deliveries.list(_APP, status=["sending"]).data)

    def _until(self, holds: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + _PATIENCE_S
        while not holds():
            if time.monotonic() > give_up_at:
                raise TimeoutError("the story does not go on")
            time.sleep(_LOOK_S)
