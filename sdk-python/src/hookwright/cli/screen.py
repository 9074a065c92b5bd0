"""What the command prints: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDE: Final = 10_000  # what goes into a pipe or a file is never cut

STYLES: Final = {
    "delivered": "green",
    "healthy": "green",
    "ok": "green",
    "yes": "green",
    "pending": "yellow",
    "sending": "yellow",
    "held": "yellow",
    "degraded": "yellow",
    "note": "yellow",
    "failed": "red",
    "dead_letter": "red",
    "failing": "red",
    "disabled": "red",
    "wrong": "red",
}
"""Colours of words that stand alone in a column."""


def plain(value: object) -> str:
    """Text that cannot steer the terminal: what comes from a server or a file is not ours."""
    text = "-" if value is None else str(value)
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def instant(value: datetime | None) -> str:
    """An instant for people, in UTC to the second."""
    return "-" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table without frames."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.upper(), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def show_fields(fields: Sequence[tuple[str, object]]) -> None:
    """One thing: a line for each of its fields."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, _cell(value))
    console().print(table)


def show_json(document: Any, *, in_one_line: bool = False) -> None:
    """JSON, in one line where more may follow."""
    text = json.dumps(document, ensure_ascii=False, indent=None if in_one_line else 2)
    # A lone surrogate, which JSON may hold and UTF-8 may not, is escaped as JSON does it.
    click.echo(text.encode("utf-8", "backslashreplace"))


def say(text: str, *, err: bool = False) -> None:
    """One line."""
    click.echo(plain(text), err=err)


def console() -> Console:
    """Standard output; colours only where it is a terminal and NO_COLOR is not set."""
    width = None if sys.stdout.isatty() else _WIDE
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: object) -> Text:
    if isinstance(value, datetime):
        return Text(instant(value))
    if isinstance(value, bool):
        value = yes_or_no(value)
    text = plain(value)
    return Text(text, style=STYLES.get(text, ""))
