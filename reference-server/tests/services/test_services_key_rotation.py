"""Sealing keys: rotated by starting once with both, refused when one is missing."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from hookwright_server.clock import SystemClock
from hookwright_server.domain.vault import Vault, VaultError, generate_key, vault_from_text
from hookwright_server.ids import Ids
from hookwright_server.keys import KeyProblem, check_keys, cursor_keys, reseal
from hookwright_server.services.secrets import Secrets, sealed_as
from hookwright_server.settings import Settings
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import signing_secrets as table
from hookwright_server.wiring import open_database

OLD = generate_key("old")
NEW = generate_key("new")
REALM = Realm("acc_1", "live")


def _make_secrets(database: Database, vault: Vault, count: int) -> list[str]:
    service = Secrets(SystemClock(), Ids(), lambda size: b"s" * size, vault)
    return database.write(
        lambda tx: [service.create(tx, REALM, "app_1", f"ep_{n}") for n in range(count)]
    )


def _open_all(tx: Connection, vault: Vault) -> list[str]:
    rows = tx.execute(table.select().order_by(table.c.id)).all()
    return [vault.open(row.sealed, sealed_as(row.id)).decode() for row in rows]


def test_one_start_with_both_keys_retires_the_old_one(tmp_path: Path) -> None:
    """After it the new key alone opens everything, and the old one is not asked for."""
    with open_database(Settings(database=tmp_path / "h.db")) as database:
        old, both, new = (vault_from_text(text) for text in (OLD, f"{NEW},{OLD}", NEW))
        check_keys(database, old)
        made = _make_secrets(database, old, 3)
        check_keys(database, both)
        reseal(database, both)
        check_keys(database, new)
        opened = database.read(lambda tx: _open_all(tx, new))

    assert made == opened


def test_processes_of_neighbouring_rounds_open_what_the_other_seals(tmp_path: Path) -> None:
    """Many processes change keys in rounds: old, old+new, new+old, new."""
    with open_database(Settings(database=tmp_path / "h.db")) as database:
        rounds = [vault_from_text(text) for text in (OLD, f"{OLD},{NEW}", f"{NEW},{OLD}", NEW)]
        opened: list[list[str]] = []
        for this, following in pairwise(rounds):
            if following is rounds[-1]:
                reseal(database, this)
            check_keys(database, this)
            check_keys(database, following)
            _make_secrets(database, this, 1)
            _make_secrets(database, following, 1)
            opened += [database.read(partial(_open_all, vault=v)) for v in (this, following)]

    assert opened[0::2] == opened[1::2]
    assert [2, 4, 6] == [len(texts) for texts in opened[0::2]]


def test_a_missing_key_refuses_the_start(tmp_path: Path) -> None:
    """Without the key that something is sealed under, the check names it and the way out."""
    with open_database(Settings(database=tmp_path / "h.db")) as database:
        check_keys(database, vault_from_text(OLD))
        with pytest.raises(KeyProblem, match=r"'old'.*once with both"):
            check_keys(database, vault_from_text(NEW))


def test_resealing_is_bound_to_the_row(tmp_path: Path) -> None:
    """A secret sealed anew still opens in its own row only."""
    with open_database(Settings(database=tmp_path / "h.db")) as database:
        both = vault_from_text(f"{NEW},{OLD}")
        check_keys(database, vault_from_text(OLD))
        _make_secrets(database, vault_from_text(OLD), 1)
        reseal(database, both)
        row = database.read(lambda tx: tx.execute(table.select()).one())

        assert row.sealed.startswith(both.header)
        with pytest.raises(VaultError):
            both.open(row.sealed, sealed_as("sec_other"))


def test_cursors_outlive_a_rotation(tmp_path: Path) -> None:
    """The keys of cursors depend on the sealing keys, not on how the setting is written."""
    place = tmp_path / "h.db"
    before = cursor_keys(Settings(database=place, encryption_keys=OLD))
    after = cursor_keys(Settings(database=place, encryption_keys=f"{NEW}, {OLD}"))

    assert before[0] == after[1]
    assert 2 == len(set(after))
