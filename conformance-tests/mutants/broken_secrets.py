"""Mutants of secrets and of what an attempt remembers of settings and bodies."""

# ruff: noqa: INP001 - launch.py puts this folder on the path
# What replaces a method sees what the method sees.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import replace as changed

from replacing import replace

from hookwright_server.delivery import prepare
from hookwright_server.domain import signing
from hookwright_server.domain.signing_keys import Scheme, generate_secret
from hookwright_server.services.secrets import Rotated, Secrets
from hookwright_server.store.claims import Target
from hookwright_server.store.database import Connection
from hookwright_server.store.realm import Realm
from hookwright_server.store.targets import Targets

_HOUR_S = 3_600


def _overlap_becomes(change: Callable[[int], int]) -> None:
    rotate = Secrets.rotate

    def rotate_otherwise(
        self: Secrets,
        tx: Connection,
        realm: Realm,
        app_id: str,
        endpoint_id: str | None,
        overlap_seconds: int,
        scheme: Scheme = "v1",
    ) -> Rotated:
        other = change(overlap_seconds)
        done = rotate(self, tx, realm, app_id, endpoint_id, other, scheme)
        return done if overlap_seconds else changed(done, previous_valid_until=None)

    replace(Secrets, "rotate", rotate_otherwise)


def forgets_the_old_secret() -> None:
    """A rotation has no overlap, whatever was asked for."""
    _overlap_becomes(lambda _: 0)


def old_secrets_sign_for_an_hour() -> None:
    """Also where no overlap was asked for."""
    _overlap_becomes(lambda seconds: seconds or _HOUR_S)


def rotates_no_app_secret() -> None:
    """The new secret of an app is shown, and never signs."""
    rotate = Secrets.rotate

    def shown_only(
        self: Secrets,
        tx: Connection,
        realm: Realm,
        app_id: str,
        endpoint_id: str | None,
        overlap_seconds: int,
        scheme: Scheme = "v1",
    ) -> Rotated:
        if endpoint_id is None:
            return Rotated(generate_secret(self._random_bytes, scheme), None)
        return rotate(self, tx, realm, app_id, endpoint_id, overlap_seconds, scheme)

    replace(Secrets, "rotate", shown_only)


def ignores_given_secrets() -> None:
    """A secret of the caller's own is taken, and a random one signs."""
    create = Secrets.create

    def of_its_own(
        self: Secrets,
        tx: Connection,
        realm: Realm,
        app_id: str,
        endpoint_id: str | None,
        given: str | None = None,
        scheme: Scheme = "v1",
    ) -> str:
        del given
        return create(self, tx, realm, app_id, endpoint_id, None, scheme)

    replace(Secrets, "create", of_its_own)


def numbers_the_bodies() -> None:
    """No two attempts have the same body: its timestamp moves on."""
    build, numbers = signing.build_body, itertools.count()

    def numbered(event_name: str, accepted_at: int, data: bytes) -> bytes:
        return build(event_name, accepted_at + next(numbers), data)

    replace(prepare, "build_body", numbered)


def remembers_endpoints_as_they_were() -> None:
    """Every attempt goes by the settings of the first."""
    of, first = Targets.of, dict[str, Target]()

    def as_it_was(
        self: Targets, connection: Connection, ids: Collection[str], now_ms: int
    ) -> dict[str, Target]:
        return {
            id_: first.setdefault(id_, now)
            for id_, now in of(self, connection, ids, now_ms).items()
        }

    replace(Targets, "of", as_it_was)
