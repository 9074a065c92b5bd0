"""Mutants of operational events: who is told, and about whom."""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from collections.abc import Sequence

from replacing import replace

from hookwright_server.delivery import system_events
from hookwright_server.delivery.system_events import Happening, SystemEvents
from hookwright_server.domain.filters import Fields
from hookwright_server.store.database import Connection
from hookwright_server.store.system_app import Listener


def tells_nobody_what_happens() -> None:
    """The app `_system` stays empty."""

    def publish(self: SystemEvents, tx: Connection, happenings: Sequence[Happening]) -> bool:
        del self, tx, happenings
        return False

    replace(SystemEvents, "publish", publish)


def tells_about_itself() -> None:
    """What becomes of the endpoints of `_system` is published there too."""

    def always(app_slug: str) -> bool:
        del app_slug
        return True

    replace(system_events, "_concerns_others", always)


def tells_everything_to_everybody() -> None:
    """Filters of the endpoints of `_system` are not asked."""

    def always(listener: Listener, fields: Fields) -> bool:
        del listener, fields
        return True

    replace(system_events, "_passes", always)
