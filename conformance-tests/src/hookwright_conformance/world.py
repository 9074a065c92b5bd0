"""What a case works with: fresh names, a receiver, the API, and ways to wait."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from hookwright_conformance.answers import Answer
from hookwright_conformance.errors import Unmet
from hookwright_conformance.receiver import Hook, Receiver
from hookwright_conformance.route import HttpRoute
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import Credential, Target
from hookwright_conformance.timeline import Timeline

Document = dict[str, Any]

QUICK: Document = {"delays_seconds": [0.2, 0.3], "jitter": 0}
"""A schedule of three attempts that a case can wait for."""

PATIENT_S = 30
"""A timeout, in seconds, that is too short for no answer, however busy the machine is."""

FINAL = ("delivered", "failed", "dead_letter", "cancelled")
_POLL = 0.25
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class World:
    """One case's view of the target. Every name it makes is new, so cases may run side by side."""

    def __init__(self, name: str, target: Target, spec: Spec, receiver: Receiver) -> None:
        self.target = target
        self.spec = spec
        self.receiver = receiver
        self.timeline = Timeline()
        self.api = HttpRoute(
            target.base_url, target.account, spec, self.timeline, target.timing.request_timeout
        )
        self._name = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
        self._removals: list[Callable[[], object]] = []

    def token(self) -> str:
        """A string that nobody has used before."""
        return secrets.token_hex(6)

    def slug(self) -> str:
        """A slug that no app has."""
        return f"{self._name}-{self.token()}"

    def app(self, **fields: Any) -> str:
        """Create an app and return its slug."""
        return str(self.create_app(**fields)["slug"])

    def create_app(self, **fields: Any) -> Document:
        """Create an app; it is deleted when the case is over."""
        slug = self.slug()
        created = self.api.call(
            "apps.create", expect=201, body={"name": slug, "slug": slug, **fields}
        ).json()
        self.afterwards(partial(self.api.call, "apps.delete", slug))
        return dict(created)

    def hook(self, *answers: Answer) -> Hook:
        """A new path on the receiver; the last answer is repeated, none means 200."""
        hook = self.receiver.path(self._name, *answers)
        self.timeline.hooks.append(hook)
        return hook

    def later(self, seconds: float) -> str:
        """The instant so many seconds from now, by the target's clock."""
        at = self._now() + dt.timedelta(seconds=seconds)
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"

    def wait_until(self, at: str) -> None:
        """Return once it is that instant by the target's clock."""
        while (left := (instant(at) - self._now()).total_seconds()) > 0:
            time.sleep(left)

    def tick(self) -> None:
        """Return once the target's clock shows another millisecond: what is made from now on is
        newer than all that was made before."""
        before, deadline = self._now(), time.monotonic() + self.patience
        while self._now() <= before:
            if time.monotonic() > deadline:
                raise Unmet("the target's clock", f"later than {before}", "the same")

    def ahead(self) -> float:
        """By how many seconds, at most, the target's clock is ahead of ours."""
        before = time.time()
        return self._now().timestamp() - before

    def _now(self) -> dt.datetime:
        """The target's time: that of a resource which it has just made."""
        return instant(str(self.create_app()["created_at"]))

    def windows(self, seconds: float) -> Iterator[float]:
        """How long something is to last in which a case must have looked: `seconds`, and twice as
        long each time that was too short, until the target may not take longer."""
        while True:
            yield seconds
            if seconds >= self.patience:
                return
            seconds *= 2

    def endpoint(self, app: str, hook: Hook, **fields: Any) -> Document:
        """Create an endpoint for a hook; `QUICK` schedule unless told otherwise, and so long a
        timeout that no answer of a busy machine comes too late for it."""
        body = {"url": hook.url, "retry_policy": QUICK, "timeout_seconds": PATIENT_S, **fields}
        return dict(self.api.call("endpoints.create", app, expect=201, body=body).json())

    def publish(self, app: str, payload: Any = None, **fields: Any) -> Document:
        """Publish an event (`case.event` unless told otherwise) and return the 202's body."""
        body: Document = {"event_name": "case.event", "payload": payload or {}, **fields}
        return dict(self.api.call("trigger.send", app, expect=202, body=body).json())

    def publish_to(self, count: int, app: str, payload: Any = None, **fields: Any) -> list[str]:
        """Publish an event that goes to `count` endpoints; its deliveries. Raises Unmet when there
        are more or fewer: what is not there would be judged by nobody."""
        sent = [str(one) for one in self.publish(app, payload, **fields)["delivery_ids"]]
        if len(sent) != count:
            raise Unmet("delivery_ids of the event", f"{count}, one for each endpoint", len(sent))
        return sent

    def publish_raw(self, app: str, payload: bytes) -> Document:
        """Publish an event whose payload is exactly these bytes."""
        raw = b'{"event_name":"case.event","payload":' + payload + b"}"
        return dict(self.api.call("trigger.send", app, expect=202, raw=raw).json())

    def publish_together(self, app: str, *payloads: Document, **fields: Any) -> list[str]:
        """Publish events of which none is sent before all are accepted; the first delivery of
        each."""
        events = [{"event_name": "case.event", "payload": one, **fields} for one in payloads]
        body = {"events": events}
        answer = self.api.call("trigger.send_batch", app, expect=202, body=body).json()
        return [str(one["delivery_ids"][0]) for one in answer["results"]]

    def deliveries_to(self, app: str, accepted: Document, *endpoints: Document) -> list[str]:
        """A message's deliveries to these endpoints, in their order: `delivery_ids` has none."""
        found = [self.delivery(app, delivery_id) for delivery_id in accepted["delivery_ids"]]
        ids = {one["endpoint_id"]: str(one["id"]) for one in found}
        return [ids[endpoint["id"]] for endpoint in endpoints]

    def delivery(self, app: str, delivery_id: str) -> Document:
        """The present state of a delivery."""
        return dict(self.api.call("deliveries.get", app, delivery_id, expect=200).json())

    def attempts(self, app: str, delivery_id: str) -> list[Document]:
        """All attempts of a delivery, first one first."""
        page = self.api.call("deliveries.list_attempts", app, delivery_id, expect=200).json()
        return list(reversed(page["data"]))

    def delivery_once(
        self,
        app: str,
        delivery_id: str,
        ready: Callable[[Document], bool],
        wanted: str,
        within: float | None = None,
    ) -> Document:
        """The delivery as soon as it is `ready`. Raises Unmet after `within` seconds plus slack."""
        patience = self.target.timing.delivery if within is None else within
        deadline = time.monotonic() + patience + self.slack
        while True:
            found = self.delivery(app, delivery_id)
            if ready(found):
                return found
            if time.monotonic() > deadline:
                seen = f"{found['status']} after {found['attempt_count']} attempt(s)"
                raise Unmet(f"delivery {delivery_id}", wanted, seen)
            time.sleep(_POLL)

    def finished(
        self, app: str, delivery_id: str, status: str, within: float | None = None
    ) -> Document:
        """The delivery once it has ended, which must be with `status`; `within` as above."""
        found = self.delivery_once(
            app, delivery_id, lambda now: now["status"] in FINAL, f"status {status}", within
        )
        if found["status"] != status:
            raise Unmet(f"final status of {delivery_id}", status, found["status"])
        return found

    def attempted(self, app: str, delivery_id: str, count: int) -> Document:
        """The delivery once `count` attempts of it are recorded."""
        return self.delivery_once(
            app, delivery_id, lambda now: now["attempt_count"] >= count, f"{count} attempts"
        )

    def key(
        self, scopes: Sequence[str], api: HttpRoute | None = None, **fields: Any
    ) -> tuple[Credential, Document]:
        """Create an API key; also returns the response's body. A key for `test` has the scope
        `admin`: with it it is revoked when the case is over."""
        body = {"name": self.slug(), "scopes": list(scopes), **fields}
        created = (api or self.api).call("api_keys.create", expect=201, body=body).json()
        made = Credential("KEY_MADE_BY_THE_CASE", created["key"])
        # A live key does not reach what is of the environment `test`.
        owner = self.api.using(made) if created["environment"] == "test" else self.api
        self.afterwards(partial(owner.call, "api_keys.delete", created["id"]))
        return made, created

    @property
    def slack(self) -> float:
        """Seconds that the target asks for on top of every upper bound."""
        return self.target.timing.slack

    @property
    def patience(self) -> float:
        """For how many seconds a case waits for an attempt that is due."""
        return self.target.timing.delivery + self.target.timing.slack

    def afterwards(self, remove: Callable[[], object]) -> None:
        """Have something removed when the case is over: what was made last goes first."""
        self._removals.append(remove)

    def close(self) -> None:
        """Delete what the case created, so that nothing is sent once it is over. Raises Unmet;
        the rest is deleted all the same."""
        with ExitStack() as stack:
            for remove in self._removals:
                stack.callback(remove)


def instant(text: str) -> dt.datetime:
    """A time of the API. Raises Unmet unless it is RFC 3339, UTC, milliseconds, `Z`."""
    if not _INSTANT.fullmatch(text):
        raise Unmet("an instant", "RFC 3339 in UTC with milliseconds and Z", text)
    return dt.datetime.fromisoformat(text)
