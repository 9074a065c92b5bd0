"""Checks of the headers that a caller adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from hookwright.errors import UsageError

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
# These decide where a request goes and where it ends; they are the transport's.
_RESERVED: Final = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)


def checked_headers(given: object) -> dict[str, str]:
    """The caller's headers with lower-case names. UsageError when one cannot be sent."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        # The message does not show them: one may be a secret.
        raise UsageError(
            "extra headers are a mapping of names to values, like {'x-trace': '7'}, not "
            f"{type(given).__name__}"
        )
    items = cast("Mapping[object, object]", given).items()
    return {_checked_name(name): _checked_value(name, value) for name, value in items}


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"not a header name: {name!r:.100}")
    lowered = name.lower()
    if lowered in _RESERVED:
        raise UsageError(f"the header {lowered} cannot be set; it belongs to the connection")
    return lowered


def _checked_value(name: object, value: object) -> str:
    # The message does not show the value: it may be a secret.
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise UsageError(f"the value of the header {name} must be text of visible ASCII")
    return value
