"""One Idempotency-Key per logical call, the same over all its retries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from hookwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hookwright._core.call import Call

HEADER: Final = "idempotency-key"


def new_key() -> str:
    """A fresh key. Not uuid4: importing uuid costs more than a whole request."""
    return f"auto-{os.urandom(16).hex()}"


def key_for(call: Call[Any], headers: Mapping[str, str], make: Callable[[], str]) -> str | None:
    """The key that the caller gave, as an option or as a header, or a new one where it counts."""
    given = call.options.idempotency_key
    if given is not None:
        return _checked(given)
    if HEADER in headers:
        return _checked(headers[HEADER])
    return make() if call.idempotent else None


def _checked(key: object) -> str:
    if not isinstance(key, str) or not (
        key and key.isascii() and key.isprintable() and " " not in key
    ):
        raise UsageError(f"an idempotency key is visible ASCII without spaces, not {key!r:.100}")
    return key
