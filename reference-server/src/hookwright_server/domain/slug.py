"""Slugs: the names of apps in URLs, `[a-z0-9][a-z0-9-]{0,62}`."""

from __future__ import annotations

import base64
import re
import unicodedata
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_LENGTH = 63
SYSTEM = "_system"
"""Names the app to which the platform itself publishes; nobody can choose it for another."""

_FORM = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_OTHER = re.compile(r"[^a-z0-9]+")
_NUMBERED = range(2, 10)
_TAIL_BYTES = 5


def is_slug(text: str) -> bool:
    """Whether `text` is a slug."""
    return _FORM.fullmatch(text) is not None


def from_name(name: str, fallback: str = "app") -> str:
    """A slug that resembles `name`: accents are dropped, all else becomes hyphens.

    `fallback` (a slug) stands in when no letter or digit of ASCII is left.
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    hyphened = _OTHER.sub("-", plain.lower()).strip("-")
    return hyphened[:MAX_LENGTH].rstrip("-") or fallback


def candidates(slug: str, random_bytes: Callable[[int], bytes]) -> Iterator[str]:
    """Slugs to try until one is free: `slug`, `slug-2` to `slug-9`, then random tails, endlessly.

    Eight random characters make the next try free for certain, however many apps share a name.
    """
    yield slug
    for number in _NUMBERED:
        yield with_suffix(slug, str(number))
    for size in repeat(_TAIL_BYTES):
        yield with_suffix(slug, base64.b32encode(random_bytes(size)).decode("ascii").lower())


def with_suffix(slug: str, suffix: str) -> str:
    """`slug-suffix`, with `slug` cut so that the whole stays a slug."""
    return f"{slug[: MAX_LENGTH - 1 - len(suffix)].rstrip('-')}-{suffix}"
