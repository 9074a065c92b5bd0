"""What a server says about whether it can work."""

from __future__ import annotations

import pytest

from hookwright_server.errors import Refusal
from hookwright_server.services.readiness import Readiness


def _yes() -> bool:
    return True


def _no() -> bool:
    return False


def _broken() -> bool:
    raise OSError("unreachable")


def test_every_part_is_told() -> None:
    """Needed and helpful parts are named; a helpful one may fail, in whatever way."""
    readiness = Readiness({"database": _yes}, {"redis": _broken, "worker": _no, "queue": _yes})

    parts = readiness.require()

    assert {"database": True, "redis": False, "worker": False, "queue": True} == parts


def test_missing_parts_are_named() -> None:
    """All needed parts that do not work are named, and no other."""
    readiness = Readiness({"database": _broken, "migrations": _no, "engine": _yes}, {"redis": _no})

    with pytest.raises(Refusal, match=r"missing: database, migrations\. ") as refusal:
        readiness.require()

    assert ("unavailable", 1) == (refusal.value.code, refusal.value.retry_after_s)


def test_a_stopping_server_is_not_ready() -> None:
    """A server that is about to stop says so, whatever works."""
    readiness = Readiness({"database": _yes}, is_stopping=_yes)

    with pytest.raises(Refusal, match="the server is stopping") as refusal:
        readiness.require()

    assert "unavailable" == refusal.value.code
