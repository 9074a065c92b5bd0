"""The keys that seal secrets at rest: from the environment, or from a file made at first start."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from hookwright_server.domain.vault import (
    Vault,
    VaultError,
    generate_key,
    parse_keys,
    vault_from_text,
)
from hookwright_server.randomness import drawn_ahead
from hookwright_server.settings import Settings
from hookwright_server.store import keyring, sealed
from hookwright_server.store.database import Connection, Database

_PROBE = b"hookwright"
_RESEALED_AT_ONCE = 500


class KeyProblem(Exception):
    """The keys are missing or do not open this database; `str()` says what to do."""


def load_vault(settings: Settings) -> Vault:
    """The vault of `settings`; raises KeyProblem."""
    source = "HOOKWRIGHT_ENCRYPTION_KEYS" if settings.encryption_keys else str(settings.key_file)
    try:
        return vault_from_text(_text(settings), drawn_ahead)
    except (VaultError, OSError) as error:
        raise KeyProblem(f"{source}: {error}") from error


def create_key_file(settings: Settings, database: Database) -> None:
    """Make the key file unless there is one, or the environment holds the keys.

    Raises KeyProblem when the database was used with keys before: a fresh one would not open
    anything.
    """
    key_file = settings.key_file
    if settings.encryption_keys or key_file is None or key_file.exists():
        return
    if database.read(keyring.probes):
        raise KeyProblem(
            f"{key_file} is missing, and without it the secrets in "
            f"{settings.database} cannot be read. Restore it, or set HOOKWRIGHT_ENCRYPTION_KEYS."
        )
    _write_durably(key_file, generate_key("k1") + "\n")


def check_keys(database: Database, vault: Vault) -> None:
    """Find out at start, not at the first delivery, that a key is not this database's."""

    def work(tx: Connection) -> None:
        for key_id, probe in keyring.probes(tx).items():
            if key_id not in vault.key_ids:
                raise KeyProblem(
                    f"The database holds secrets sealed under the key {key_id!r}, which is not "
                    "among the keys given. To retire it, start `serve` (on Postgres: run "
                    "`migrate`) once with both, the new one first: everything is then sealed anew."
                )
            try:
                vault.open(probe, _sealed_as(key_id))
            except VaultError as error:
                raise KeyProblem(
                    f"The encryption key {key_id!r} is not the one this database was made with. "
                    "Restore the key file or HOOKWRIGHT_ENCRYPTION_KEYS."
                ) from error
        if vault.current not in keyring.probes(tx):
            keyring.insert(tx, vault.current, vault.seal(_PROBE, _sealed_as(vault.current)))

    database.write(work)


def reseal(database: Database, vault: Vault) -> None:
    """Seal everything under the current key, so that older keys can be retired."""
    resealed = _RESEALED_AT_ONCE
    while resealed == _RESEALED_AT_ONCE:  # another process may go on sealing under an older one
        resealed = database.write(
            lambda tx: sealed.reseal_some(tx, vault.header, vault.rotate, _RESEALED_AT_ONCE)
        )
    database.write(lambda tx: keyring.retire_others(tx, vault.current))


def cursor_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that seal page cursors, derived from the sealing keys, the current one first."""
    keys = parse_keys(_text(settings))
    return tuple(hmac.digest(key, b"cursors", "sha256") for key in keys.values())


def _write_durably(path: Path, text: str) -> None:
    """A whole file or none, even when the power fails: what it seals is as durable."""
    unfinished = path.with_name(path.name + ".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(settings: Settings) -> str:
    if settings.encryption_keys:
        return settings.encryption_keys
    if settings.key_file is None:
        raise KeyProblem("HOOKWRIGHT_ENCRYPTION_KEYS must be set when the database is Postgres")
    return settings.key_file.read_text().strip()


def _sealed_as(key_id: str) -> str:
    return f"keyring:{key_id}"
