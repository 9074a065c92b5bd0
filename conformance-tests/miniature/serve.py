"""A server of Hookwright's API in one process and in memory: an example for implementers.

    HOOKWRIGHT_API_KEY=hw_live_… HOOKWRIGHT_OTHER_API_KEY=hw_live_… python3 serve.py --port 8080

Each key is that of an account; one that is not set is made up. It needs openapi.yaml in a folder
above it, aiohttp, jsonschema-rs and PyYAML. It calls any address that an endpoint names and forgets
everything when it ends, nothing before: do not run it for others.
"""

# ruff: noqa: INP001 - a folder to copy and start, not a package

from __future__ import annotations

import argparse
import asyncio
import base64
import datetime as dt
import hmac
import json
import os
import re
import secrets
import sys
from collections.abc import Iterable
from typing import TypeVar

from api import SCHEMAS, Api, Call, Document, Problem
from deliveries import Delivery, Endpoint, Message, Thing, made, written

Kind = TypeVar("Kind", bound=Thing)
KEYS = ("HOOKWRIGHT_API_KEY", "HOOKWRIGHT_OTHER_API_KEY")
ERAS = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
PAGING = {"limit", "offset", "cursor", "include_total"}
RESERVED = re.compile(
    "(?i)(content|webhook|proxy|sec|if)-.*|host|user-agent|cookie|connection|keep-alive|te|trailer"
    "|transfer-encoding|upgrade|expect|date|via|forwarded|accept-encoding|range|trace.*|baggage"
)


class Account:
    """What one API key sees, and the operations on it, each named like its operationId."""

    def __init__(self) -> None:
        self.apps: dict[str, Document] = {}
        self.things: list[Thing] = []
        self._seal = secrets.token_bytes(32)

    async def health_live(self, _: Call) -> Document:
        return {"status": "ok"}

    async def health_ready(self, _: Call) -> Document:
        return {"status": "ready", "checks": {}}

    async def apps_list(self, call: Call) -> Document:
        return self._page(call, [*self.apps.values()])

    async def apps_get(self, call: Call) -> Document:
        return self._app(call)

    async def apps_create(self, call: Call) -> Document:
        plain = re.sub("[^a-z0-9]+", "-", call.body["name"].lower())[:50]
        slug: str = call.body.get("slug", f"{plain}-{secrets.token_hex(4)}".strip("-"))
        if slug in self.apps:
            raise Problem("slug_taken", f"there is an app {slug}: take another slug")
        about: Document = {"active": True, "metadata": {}, **call.body, "slug": slug}
        app = self.apps[slug] = made("app", "App", **about)
        return app | {"created": True, "signing_secret": _secret(secrets.token_bytes(32))}

    async def apps_get_or_create(self, call: Call) -> Document:
        slug = call.path["app_slug"]
        if slug in self.apps:
            return self.apps[slug] | {"created": False, "signing_secret": None}
        call.body.update({"name": slug} | call.body, slug=slug)
        return await self.apps_create(call)

    async def apps_update(self, call: Call) -> Document:
        self._app(call).update(call.body, updated_at=written())
        return self._app(call)

    async def apps_delete(self, call: Call) -> str:
        app = self._app(call)
        self._remove(self._all(call, Endpoint))
        del self.apps[app["slug"]]
        return ""

    async def endpoints_list(self, call: Call) -> Document:
        return self._page(call, _shown(self._all(call, Endpoint)))

    async def endpoints_create(self, call: Call) -> Document:
        app, health = self._app(call), dict.fromkeys(SCHEMAS["EndpointHealth"]["required"])
        about: Document = {"app_slug": app["slug"], "metadata": {}, "active": True}
        about |= {"health": health | {"consecutive_failures": 0}}
        signing = {"source": "endpoint", "scheme": "v1"}
        row = made("ep", "Endpoint", **about, signing=signing, url=call.body["url"])
        endpoint = Endpoint(row, app)
        self._change(endpoint, call.body)
        self.things.append(endpoint)
        return endpoint.shown | {"signing_secret": _secret(endpoint.key)}

    async def endpoints_get(self, call: Call) -> Document:
        return self._one(call, Endpoint).shown

    async def endpoints_update(self, call: Call) -> Document:
        return self._change(self._one(call, Endpoint), call.body)

    async def endpoints_delete(self, call: Call) -> str:
        self._remove([self._one(call, Endpoint)])
        return ""

    async def endpoints_enable(self, call: Call) -> Document:
        endpoint = self._one(call, Endpoint)
        for delivery in endpoint.having("held") if not call.body["release"] else ():
            delivery.end("cancelled", "not_released")
        endpoint.switch(None)
        return endpoint.shown

    async def endpoints_disable(self, call: Call) -> Document:
        return self._change(self._one(call, Endpoint), {"active": False})

    async def endpoints_test(self, call: Call) -> Document:
        endpoint, name = self._one(call, Endpoint), call.body["event_name"]
        message = Message(made("msg", "Message", event_name=name), endpoint.app, call.payload)
        url, attempt = endpoint.row["url"], await endpoint.send(message)
        sent = {"headers": attempt["request_headers"], "body": message.body.decode()}
        return attempt | {"success": not attempt["failure_reason"], "request": {"url": url, **sent}}

    async def trigger_send(self, call: Call) -> Document:
        app, name = self._app(call), call.body["event_name"]
        if not app["active"]:
            raise Problem("app_inactive", "the app takes no events until it is active again")
        own = {each.row["id"]: each for each in self._all(call, Endpoint)}
        wanted = call.body.get("endpoint_ids", own)
        if unknown := [each for each in wanted if each not in own]:
            raise Problem("unknown_endpoint", f"not of this app: {unknown[:3]}", "/endpoint_ids")
        chosen = [own[each] for each in wanted if _receives(own[each].row, name)]
        counts = {"endpoint_count": len(chosen), "filtered_count": len(wanted) - len(chosen)}
        about: Document = {"app_slug": app["slug"], "tags": [], **call.body, **counts}
        message = Message(made("msg", "Message", **about), app, call.payload)
        for endpoint in chosen:
            message.send_to(endpoint)
        self.things += [message, *message.deliveries]
        ids = [each.row["id"] for each in message.deliveries]
        accepted = {"message_id": message.row["id"], "event_name": name, "delivery_ids": ids}
        return {**accepted, **counts, "dry_run": False}

    async def messages_list(self, call: Call) -> Document:
        return self._page(call, _shown(self._all(call, Message)))

    async def messages_get(self, call: Call) -> str:
        message = self._one(call, Message)
        text = json.dumps(message.shown | {"deliveries": _shown(message.deliveries[:100])})
        return f'{text[:-1]}, "payload": {message.payload}}}'  # as it came

    async def deliveries_list(self, call: Call) -> Document:
        if "unsuccessful" in call.query.get("status", ()):
            call.query["status"] += ["failed", "dead_letter"]
        return self._page(call, _shown(self._all(call, Delivery)))

    async def endpoints_list_deliveries(self, call: Call) -> Document:
        self._one(call, Endpoint)  # or there is none
        return await self.deliveries_list(call)

    async def deliveries_get(self, call: Call) -> Document:
        return self._one(call, Delivery).shown

    async def deliveries_list_attempts(self, call: Call) -> Document:
        return self._page(call, self._one(call, Delivery).attempts)

    def _app(self, call: Call) -> Document:
        slug = call.path["app_slug"]
        if slug not in self.apps:
            raise Problem("not_found", f"there is no app {slug}")
        return self.apps[slug]

    def _all(self, call: Call, kind: type[Kind]) -> list[Kind]:
        """All of a kind in the app of the path; with `-` in all apps."""
        app = None if call.path["app_slug"] == "-" else self._app(call)
        found = [each for each in self.things if isinstance(each, kind)]
        return [each for each in found if app is None or each.app is app]

    def _one(self, call: Call, kind: type[Kind]) -> Kind:
        """That which the path names last."""
        *_, name = call.path.values()
        for each in self._all(call, kind):
            if each.row["id"] == name:
                return each
        raise Problem("not_found", f"there is no {name} here")

    def _change(self, endpoint: Endpoint, patch: Document) -> Document:
        """An endpoint after a merge patch. Raises Problem, and then nothing has changed."""
        given: Document | None = patch.pop("headers", {})
        merged: Document = {} if given is None else endpoint.headers | given
        headers = {name: value for name, value in merged.items() if value is not None}
        url: str = patch.get("url") or endpoint.row["url"]
        if not re.match("(?i)https?://[^/?#]", url):
            raise Problem("url_not_allowed", "send an http or https URL", "/url")
        if reserved := [name for name in headers if RESERVED.fullmatch(name)]:
            raise Problem("header_not_allowed", f"the server sets {reserved} itself", "/headers")
        active = patch.pop("active", endpoint.row["active"])
        endpoint.headers = headers
        endpoint.row |= patch | {"updated_at": written()}
        if active != endpoint.row["active"]:
            endpoint.switch(None if active else "manual")
        return endpoint.shown

    def _remove(self, endpoints: list[Endpoint]) -> None:
        """What waits is cancelled; what was delivered stays readable (HEALTH-6)."""
        for endpoint in endpoints:
            self.things.remove(endpoint)
            endpoint.deleted = True
            for delivery in endpoint.having("pending", "held"):
                delivery.plan()

    def _page(self, call: Call, rows: list[Document]) -> Document:
        """One page, newest first: ids grow, and a cursor is the last id of a page, sealed."""
        query, offset = call.query, call.query.get("offset", 0)
        wanted = {name: query[name] for name in query.keys() - PAGING} | call.path
        wanted.pop("app_slug", None)
        rows = [row for row in reversed(rows) if _fits(row, wanted)]
        total = {"total_count": len(rows)} if query["include_total"] else {}

        def cursor(last: str) -> str:
            text = f"{last} {call.url} {sorted(wanted.items())}".encode()
            return f"{last}.{hmac.new(self._seal, text, 'sha256').hexdigest()}"

        if given := query.get("cursor"):
            last = given.partition(".")[0]
            if "offset" in query or given != cursor(last):
                raise Problem("validation_error", "of another list, or not alone", "query/cursor")
            rows = [row for row in rows if row["id"] < last]
        page = rows[offset : offset + query["limit"]]
        following = cursor(page[-1]["id"]) if len(rows) > offset + len(page) else None
        return {"data": page, "has_more": bool(following), "next_cursor": following, **total}


def _fits(row: Document, wanted: Document) -> bool:
    """Whether a row has what is wanted of it, as far as it knows; of several values any."""
    known = row | row.get("health", {})
    if "events" in row and "event_name" in wanted and not _receives(row, wanted["event_name"]):
        return False
    begin, end = _moment(wanted.get("after", ERAS[0])), _moment(wanted.get("before", ERAS[1]))
    same = [
        known[name] in value if isinstance(value, list) else known[name] == value
        for name, value in wanted.items()
        if name in known
    ]
    return all(same) and begin <= _moment(row["created_at"]) < end


def _shown(things: Iterable[Thing]) -> list[Document]:
    return [each.shown for each in things]


def _receives(endpoint: Document, event: str) -> bool:
    """Whether it subscribes to an event, by name, prefix or `*` (DELIVERY-3)."""
    prefixes = {f"{event[:at]}.*" for at, letter in enumerate(event) if letter == "."}
    return not {"*", event, *prefixes}.isdisjoint(endpoint["events"])


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text.upper())
    except ValueError:
        raise Problem("validation_error", f"there is no time {text}", "query") from None


def _secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


async def main(port: int, *, announce: bool) -> None:
    """Serve until the process is ended, or with `announce` until standard input is."""
    keys = {name: os.environ.get(name) or f"hw_live_{secrets.token_hex(20)}" for name in KEYS}
    listener = await Api({key: Account() for key in keys.values()}).listen("127.0.0.1", port)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    told = json.dumps({"base_url": url, "environment": keys}) if announce else f"listening on {url}"
    sys.stdout.write(f"{told}\n")
    sys.stdout.flush()
    await (asyncio.to_thread(sys.stdin.read) if announce else listener.serve_forever())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=8080, help="0: any free one")
    parser.add_argument("--json", action="store_true", help="say address and keys, for programs")
    options = parser.parse_args()
    asyncio.run(main(options.port, announce=options.json))
