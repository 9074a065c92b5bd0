"""Where a test's database lies: a new file, or a new database of this worker's Postgres.

Other suites use it too: `params=BACK_ENDS` in a fixture, `new_place(request, request.param,
prepare)` inside, and what comes back goes to HOOKWRIGHT_DATABASE or `open_database`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hookwright_server.store.migrations import migrate
from hookwright_server.store.opening import open_database

if TYPE_CHECKING:
    from service_fixtures import NewDatabase

BACK_ENDS = (
    pytest.param("sqlite"),
    pytest.param("postgres", marks=pytest.mark.needs_service("postgres")),
)

Prepare = Callable[[str], None]

_templates: dict[Prepare, Path] = {}


def migrated(place: str) -> None:
    """Make the tables."""
    database = open_database(place)
    migrate(database.engine)
    database.close()


def new_place(request: pytest.FixtureRequest, back_end: str, prepare: Prepare) -> str:
    """The place of a new database that begins with what `prepare` did to an empty one.

    `prepare` runs once for each back end and worker; what it is given is a place too.
    """
    if back_end == "postgres":
        new_database: NewDatabase = request.getfixturevalue("new_database")
        return new_database(prepare)
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    if prepare not in _templates:
        template = factory.mktemp("template") / "hookwright.db"
        prepare(str(template))
        _templates[prepare] = template
    place = factory.mktemp("store") / "hookwright.db"
    shutil.copy(_templates[prepare], place)
    return str(place)
