"""Endpoints and deliveries: when each is due, what is sent, what comes of it.

Everything runs in one event loop and waits for nothing but time and the network: no locks.
"""

# ruff: noqa: INP001 - a folder to copy and start, not a package

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hmac
import itertools
import random
import secrets
import time
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from api import LIMITS, SCHEMAS, Document, read
from yarl import URL

PRESETS: Document = SCHEMAS["RetryPreset"]["x-presets"]
REASONS: dict[type[Exception], str] = {
    TimeoutError: "timeout",
    aiohttp.ClientConnectorDNSError: "dns_error",
    aiohttp.ClientSSLError: "tls_error",
    aiohttp.ClientConnectorError: "connect_error",
    aiohttp.ServerDisconnectedError: "connection_reset",
    OSError: "connection_reset",
    Exception: "protocol_error",
}
"""Why an attempt has no answer; the first that fits counts."""
ANSWERS = {2: None, 3: "http_3xx", 4: "http_4xx", 5: "http_5xx"}
LAST = ("last_status_code", "last_failure_reason", "latency_ms")
post = partial(
    aiohttp.request, "POST", allow_redirects=False, skip_auto_headers=("Accept", "Accept-Encoding")
)
_ids = itertools.count(time.time_ns())


def written(ahead: float = 0) -> str:
    """The time in so many seconds, as the API writes it."""
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def made(prefix: str, schema: str, /, **known: object) -> Document:
    """What a new thing shows. Its id is beyond all before; what is not known is null."""
    known |= {"id": f"{prefix}_{next(_ids):026}", "created_at": written(), "updated_at": written()}
    return {name: known.get(name) for name in SCHEMAS[schema]["required"]}


@dataclass(eq=False)
class Thing:
    """What belongs to an app. `row` is what the API shows of it, unless `shown` says more."""

    row: Document
    app: Document

    @property
    def shown(self) -> Document:
        return self.row


@dataclass(eq=False)
class Message(Thing):
    payload: str
    deliveries: list[Delivery] = field(default_factory=list["Delivery"])

    @property
    def body(self) -> bytes:
        """What every attempt carries, the payload as it came (WIRE-2, WIRE-3)."""
        name, at = self.row["event_name"], self.row["created_at"]
        return f'{{"type":"{name}","timestamp":"{at}","data":{self.payload}}}'.encode()

    def send_to(self, endpoint: Endpoint) -> None:
        """Begin a delivery."""
        about = {name: self.row[name] for name in ("app_slug", "event_name")}
        about |= {"message_id": self.row["id"], "endpoint_id": endpoint.row["id"]}
        about |= {"attempt_count": 0, "max_attempts": endpoint.policy()["max_attempts"]}
        row = made("del", "Delivery", **about)
        delivery = Delivery(row, self.app, self, endpoint)
        self.deliveries.append(delivery)
        endpoint.deliveries.append(delivery)
        delivery.plan()


@dataclass(eq=False)
class Endpoint(Thing):
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    headers: dict[str, str] = field(default_factory=dict[str, str])
    deliveries: list[Delivery] = field(default_factory=list["Delivery"])
    dead_letters: int = 0  # in a row
    failing_since: str = ""
    deleted: bool = False

    @property
    def shown(self) -> Document:
        health = self.row["health"]
        failures: int = health["consecutive_failures"]
        label = "failing" if failures >= 5 else "degraded" if failures else "healthy"
        health |= {"state": label if self.row["active"] else "disabled"}  # HEALTH-1
        return self.row | {"headers": dict.fromkeys(self.headers, "***"), "health": health.copy()}

    def having(self, *statuses: str) -> list[Delivery]:
        return [each for each in self.deliveries if each.row["status"] in statuses]

    @property
    def is_busy(self) -> bool:
        """Whether as much is sent to it as may be at a time (DELIVERY-7)."""
        most: int = self.row["max_concurrency"]
        return len(self.having("sending")) >= most

    def switch(self, reason: str | None) -> None:
        """Disable it for a reason, and what waits is held; or enable it, and what is held goes."""
        at = written() if reason else None
        self.row |= {"active": not reason, "disabled_reason": reason, "disabled_at": at}
        if not reason:
            self.dead_letters = 0
            self.row["health"] |= {"consecutive_failures": 0, "first_failure_at": None}
        for delivery in self.having("pending" if reason else "held"):
            delivery.plan()

    def policy(self) -> Document:
        """Its retry policy, or its app's, with all that it leaves open."""
        own: Document = self.row["retry_policy"] or self.app["retry_policy"] or {}
        preset: Document = PRESETS[own.get("preset", "default")]
        base: Document = {"jitter": 0.1} if "delays_seconds" in own else preset
        policy: Document = {"retry_client_errors": False, **base, **own}
        waits: list[float] = policy["delays_seconds"]
        return policy | {"max_attempts": policy.get("max_attempts", len(waits) + 1) if waits else 1}

    async def send(self, message: Message, number: int = 1) -> Document:
        """One signed request, to what the endpoint is now (WIRE-7); the attempt that it was."""
        at, began = str(int(time.time())), time.monotonic()
        signed = f"{message.row['id']}.{at}.".encode() + message.body
        signature = base64.b64encode(hmac.digest(self.key, signed, "sha256")).decode()
        headers = {
            "User-Agent": "Hookwright/0 (miniature)",
            "Content-Type": "application/json",
            "webhook-id": message.row["id"],
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{signature}",
        }
        masked, kept = headers | dict.fromkeys(self.headers, "***"), b""
        attempt = made("att", "Attempt", number=number, request_headers=masked)
        try:
            url, sent = URL(self.row["url"], encoded=True), headers | self.headers
            timeout = asyncio.timeout(self.row["timeout_seconds"])
            async with timeout, post(url, data=message.body, headers=sent) as answer:
                kept = await read(answer.content, LIMITS["answer_bytes"])
            text = kept[:4096].decode("utf-8", "replace").replace("\0", "\ufffd")
            attempt |= {"status_code": answer.status, "response_body": text}
            attempt["failure_reason"] = ANSWERS.get(answer.status // 100, "protocol_error")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reasons = (REASONS[kind] for kind in REASONS if isinstance(error, kind))
            attempt["failure_reason"] = next(reasons)
        return attempt | {
            "status": "failed" if attempt["failure_reason"] else "succeeded",
            "latency_ms": round((time.monotonic() - began) * 1000),
            "response_body_truncated": len(kept) > 4096,
        }


@dataclass(eq=False)
class Delivery(Thing):
    """A message on its way to one endpoint, in a task while it waits or is sent."""

    message: Message
    endpoint: Endpoint
    attempts: list[Document] = field(default_factory=list[Document])
    task: asyncio.Task[None] | None = None

    @property
    def shown(self) -> Document:
        return self.row | {"endpoint_url": self.endpoint.row["url"]}

    def plan(self, wait: float = 0) -> None:
        """Send it in so many seconds, unless its endpoint is disabled or deleted."""
        if self.task and self.row["status"] == "pending":
            self.task.cancel()
        self.row |= {"status": "held", "next_attempt_at": None}
        if self.endpoint.deleted:
            self.end("cancelled", "endpoint_deleted")
        elif self.endpoint.row["active"]:
            self.row |= {"status": "pending", "next_attempt_at": written(wait)}
            self.task = asyncio.create_task(self._attempt(time.monotonic() + wait))

    def end(self, status: str, why: str | None = None) -> None:
        self.row |= {"status": status, "cancel_reason": why, "completed_at": written()}
        if not why:
            row = self.endpoint.dead_letters + 1
            self.endpoint.dead_letters = row if status == "dead_letter" else 0

    async def _attempt(self, due: float) -> None:
        while time.monotonic() < due or self.endpoint.is_busy:  # noqa: ASYNC110 - no event
            await asyncio.sleep(max(0.01, due - time.monotonic()))
        self.row |= {"status": "sending", "next_attempt_at": None}
        attempt = await self.endpoint.send(self.message, len(self.attempts) + 1)
        self.attempts.append(attempt)
        shown = {name: attempt[name.removeprefix("last_")] for name in LAST}
        self.row |= shown | {"attempt_count": attempt["number"]}
        self._follow(attempt["status_code"] or 0, attempt["failure_reason"])

    def _follow(self, status: int, reason: str | None) -> None:
        """What follows from an attempt, for the delivery and for its endpoint."""
        endpoint, policy, now = self.endpoint, self.endpoint.policy(), written()
        health, final = endpoint.row["health"], 400 <= status < 500
        final = final and status not in (408, 409, 425, 429) and not policy["retry_client_errors"]
        if reason is None:
            health |= {"consecutive_failures": 0, "first_failure_at": None, "last_success_at": now}
            return self.end("delivered")
        since = health["first_failure_at"] or now
        if since == now or health["last_failure_at"] < written(-2 * 86_400):  # HEALTH-5
            endpoint.failing_since = now
        health |= {"first_failure_at": since, "last_failure_at": now}
        health["consecutive_failures"] += 1
        if status == 410 or final:
            self.end("failed")
        elif len(self.attempts) >= policy["max_attempts"]:
            self.end("dead_letter")
        else:
            wait = policy["delays_seconds"][: len(self.attempts)][-1]
            self.plan(wait * (1 + policy["jitter"] * random.random()))  # noqa: S311
        if status == 410:
            endpoint.switch("gone")
        elif endpoint.dead_letters >= 20 or endpoint.failing_since <= written(-5 * 86_400):
            endpoint.switch("failing")
        return None
