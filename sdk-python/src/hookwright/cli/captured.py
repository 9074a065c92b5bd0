"""A request that somebody wrote down: as HTTP, or headers and body apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class Headers:
    """Pairs in the order of the request; a name may come twice."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = list(pairs)

    def items(self) -> list[tuple[str, str]]:
        return self.pairs

    def values(self, name: str) -> list[str]:
        """What is given under `name`, in any case."""
        return [value.strip() for key, value in self.pairs if key.lower() == name]


@dataclass(frozen=True)
class Captured:
    """What is to be checked."""

    headers: Headers
    body: bytes


def split_request(content: bytes) -> Captured:
    """A whole request: an optional request line, headers, an empty line, the body."""
    parts = _END_OF_HEAD.split(content, maxsplit=1)
    if len(parts) == 1:
        raise click.BadParameter("there is no empty line between headers and body.")
    head, body = parts
    lines = head.decode("latin-1").splitlines()
    if lines and re.match(r"[A-Z]+ \S+ HTTP/", lines[0]):
        del lines[0]
    return Captured(Headers(_pairs(lines)), body)


def read_headers(content: bytes) -> Headers:
    """Headers in a file: an object of JSON, or lines `name: value`."""
    text = content.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return Headers(_pairs(text.splitlines()))
    try:
        parsed: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"the headers are neither lines nor JSON: {error}.") from None
    members = cast("dict[str, object]", parsed)
    return Headers(
        (name, str(value))
        for name, given in members.items()
        for value in (cast("list[object]", given) if isinstance(given, list) else [given])
    )


def _pairs(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise click.BadParameter(f"{line[:60]!r} is not a header like `webhook-id: msg_…`.")
        yield name.strip(), value.strip()
