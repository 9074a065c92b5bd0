"""What differs between two recordings of the same story, or must not be shown, made the same."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

HOST = "http://hookwright.test"
INSTANT = "2026-11-21T09:00:00.000Z"
_EPOCH = "1795251600"
_NO_SECRET = base64.b64encode(b"0" * 32).decode()
_NO_KEY = "0000"
NO_SECRETS = frozenset({_NO_SECRET, _NO_KEY})
"""What stands behind the prefix of what was a secret or a key."""
_SIGNATURE = base64.b64encode(b"0" * 64).decode()
_KEPT_HEADERS = frozenset({"content-type", "x-request-id"})
_MEASURED = re.compile(r"latency_ms$|^(avg|p50|p95|p99)_ms$")

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"http://127\.0\.0\.1:\d+", HOST),
        (r"\b(whsec|whsk|whpk)_[0-9A-Za-z+/=]+", rf"\1_{_NO_SECRET}"),
        (r"\bhw_(live|test)_[0-9A-Za-z]+", rf"hw_\1_{_NO_KEY}"),
        (r"\b(v1a?),[0-9A-Za-z+/=]{40,}", rf"\1,{_SIGNATURE}"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", INSTANT),
        (r"\bHookwright/[\w.]+", "Hookwright/0"),
        (r"^req_\w+$", "req_0"),
    )
)
_ID = re.compile(r"\b([a-z]{2,4})_([0-9A-HJKMNP-TV-Z]{26})\b")


class Scrubber:
    """Counts ids in the order in which they appear: the first endpoint is `ep_…0001`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._ids: dict[str, str] = {}

    def request(self, request: Any) -> Any:
        """A request of vcrpy: where it went by name and number, the body that is documented."""
        request.uri = self.text(request.uri)
        request.headers = {
            name: value for name, value in request.headers.items() if name == "content-type"
        }
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """A response of vcrpy."""
        content: bytes = response["body"]["string"]
        body = self.document(json.loads(content)) if content else None
        headers: Mapping[str, list[str]] = response["headers"]
        return {
            "status": response["status"],
            "headers": {
                name: [self.text(value) for value in values]
                for name, values in sorted(headers.items())
                if name in _KEPT_HEADERS
            },
            "body": {"string": json.dumps(body, ensure_ascii=False) if content else ""},
        }

    def document(self, value: Any, name: str = "") -> Any:
        """Parsed JSON, with everything in it made the same."""
        match value:
            case dict():
                members: dict[str, Any] = {**value}
                return {key: self.document(member, key) for key, member in members.items()}
            case [*items]:
                return [self.document(item, name) for item in items]
            case str():
                return self._string(name, value)
            case int() | float() if _MEASURED.search(name):
                return 1
            case _:
                return value

    def text(self, text: str) -> str:
        """Text, with everything in it made the same."""
        for pattern, instead in _RULES:
            text = pattern.sub(instead, text)
        return self._numbered(text)

    def _string(self, name: str, text: str) -> str:
        if name == "webhook-timestamp":
            return _EPOCH
        if name == "next_cursor":
            return "cursor"
        return self.text(text)

    def _numbered(self, text: str) -> str:
        return _ID.sub(lambda found: self._number(found[0], found[1]), text)

    def _number(self, given: str, prefix: str) -> str:
        if given not in self._ids:
            self._counts[prefix] += 1
            self._ids[given] = f"{prefix}_{self._counts[prefix]:026d}"
        return self._ids[given]
