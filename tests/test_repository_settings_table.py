"""The table of docs/settings.md is that of the server's settings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hookwright_server.settings import Settings

TOOL = Path(__file__).resolve().parent.parent / "tools" / "settings_table.py"
_SPEC = importlib.util.spec_from_file_location("settings_table", TOOL)
assert _SPEC is not None
assert _SPEC.loader is not None
settings_table = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(settings_table)


def test_the_page_is_up_to_date() -> None:
    """`python tools/settings_table.py` would change nothing."""
    page = settings_table.PAGE.read_text(encoding="utf-8")

    assert settings_table.updated(page) == page


def test_every_setting_is_explained() -> None:
    """Each setting has a row of four cells, and the last one says what it means."""
    rows = [line.split(" | ") for line in settings_table.table().splitlines()[3:]]

    assert len(Settings.model_fields) == len(rows)
    assert {4} == {len(row) for row in rows}
    assert [] == [row[0] for row in rows if len(row[3]) < 15]


def test_values_are_told() -> None:
    """Choices and bounds stand beside the default."""
    table = settings_table.table()

    assert "| `HOOKWRIGHT_PORT` | `8080` | ≥ 0, ≤ 65535 | " in table
    assert "| `HOOKWRIGHT_ALLOW_HTTP` | `false` | `true`, `false` | " in table
    assert "| `HOOKWRIGHT_LOG_STYLE` | `text` | `text`, `json` | " in table
