"""JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

JsonObject = Mapping[str, object]


def merge(target: JsonObject, patch: JsonObject) -> dict[str, object]:
    """`target` after `patch`: null removes a member, an object is merged, the rest replaces."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            before = merged.get(name)
            inside: JsonObject = cast("JsonObject", before) if isinstance(before, Mapping) else {}
            merged[name] = merge(inside, cast("JsonObject", value))
        else:
            merged[name] = value
    return merged
