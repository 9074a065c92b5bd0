"""Values on the command line: JSON in place, in a file or from standard input, times, pairs."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import click


def read_bytes(place: str) -> bytes:
    """The content of a file; `-` is standard input."""
    try:
        return sys.stdin.buffer.read() if place == "-" else Path(place).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise click.BadParameter(f"{place!r} cannot be read: {reason}.") from None


class JsonValue(click.ParamType[Any]):
    """JSON text, `@file`, or `-` for standard input."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        text: str | bytes = value
        if value == "-" or value.startswith("@"):
            text = read_bytes(value.removeprefix("@"))
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            self.fail(
                f"that is not JSON: {error}. Quote it for the shell, or give @file.", param, ctx
            )


class JsonObject(JsonValue):
    """The same, and an object."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        parsed = super().convert(value, param, ctx)
        if not isinstance(parsed, dict):
            self.fail(f"a JSON object is needed, not {json.dumps(parsed)[:60]}", param, ctx)
        return cast("dict[str, Any]", parsed)


class Instant(click.ParamType[Any]):
    """A time with its offset from UTC."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time like 2026-11-21T09:00:00Z", param, ctx)
        if parsed.tzinfo is None:
            self.fail(f"{value!r} has no offset from UTC: append Z or +01:00", param, ctx)
        return parsed


class Pair(click.ParamType[Any]):
    """`NAME=VALUE`, or with another mark between them."""

    def __init__(self, mark: str = "=", *, json_value: bool = False) -> None:
        self.name = f"name{mark}value"
        self._mark = mark
        self._json_value = json_value

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType] - what this returned before
        name, mark, text = str(value).partition(self._mark)
        if not mark or not name.strip():
            self.fail(f"{value!r} is not NAME{self._mark}VALUE", param, ctx)
        if self._json_value:
            return name, JsonValue().convert(text, param, ctx)
        return name.strip(), text.strip()
