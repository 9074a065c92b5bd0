"""Writes the table of docs/settings.md from the descriptions of the server's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from hookwright_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
BEGIN = "<!-- Made from settings.py of the server by tools/settings_table.py. -->\n"
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_NUMBERS: tuple[object, ...] = (int, float)


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def updated(page: str) -> str:
    """`page` with a fresh table: what follows the mark is ours."""
    return page.partition(BEGIN)[0] + BEGIN + table()


def table() -> str:
    """A row for every setting."""
    return "".join(f"{line}\n" for line in _lines())


def variable(name: str) -> str:
    """The environment variable of the setting `name`."""
    return f"HOOKWRIGHT_{name.upper()}"


def _lines() -> Iterator[str]:
    yield ""
    yield "| variable | default | values | meaning |"
    yield "|---|---|---|---|"
    for name, setting in Settings.model_fields.items():
        cells = [f"`{variable(name)}`", _default(setting), _values(setting), _meaning(setting)]
        yield f"| {' | '.join(cells)} |"


def _default(setting: FieldInfo) -> str:
    default = setting.default
    if default in ("", None, ()):
        return ""
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{shown}`"


def _values(setting: FieldInfo) -> str:
    kind: object = setting.annotation
    if kind is bool:
        return "`true`, `false`"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if kind in _NUMBERS:
        return ", ".join(_bounds(setting))
    return ""


def _bounds(setting: FieldInfo) -> Iterator[str]:
    for constraint in setting.metadata:
        for name, sign in _BOUNDS.items():
            bound = getattr(constraint, name, None)
            if bound is not None:
                yield f"{sign} {bound}"


def _meaning(setting: FieldInfo) -> str:
    return re.sub(r"\s+", " ", setting.description or "").replace("|", "\\|")


if __name__ == "__main__":
    main()
