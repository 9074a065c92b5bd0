"""Targets are kept between claims, and never longer than they are true."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.store import apps, endpoints, tables
from hookwright_server.store.claims import Target
from hookwright_server.store.database import Connection
from hookwright_server.store.endpoints import EndpointRow
from hookwright_server.store.realm import Realm
from hookwright_server.store.targets import Targets


def _of(lab: StoreLab, targets: Targets, endpoint_id: str) -> Target:
    found = lab.database.read(lambda c: targets.of(c, [endpoint_id], lab.clock.now))[endpoint_id]
    targets.keep()
    return found


def _secrets(target: Target) -> list[str]:
    return [secret.id for secret in target.secrets]


def test_a_change_of_the_app_s_endpoints_is_seen(lab: StoreLab) -> None:
    """Whoever changes what a delivery needs says so, and the next claim reads it."""
    targets = Targets()
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id, url="http://127.0.0.1:9/before")
    before = _of(lab, targets, endpoint_id)
    lab.update(tables.endpoints, endpoint_id, url="http://127.0.0.1:9/after")
    lab.database.write(lambda c: apps.bump_subscriptions(c, app_id))

    after = _of(lab, targets, endpoint_id)

    assert ("http://127.0.0.1:9/before", "http://127.0.0.1:9/after") == (before.url, after.url)


def test_nothing_is_read_while_nothing_changes(lab: StoreLab) -> None:
    """The very same target serves the next claim."""
    targets = Targets()
    endpoint_id = lab.endpoint(lab.app())

    assert _of(lab, targets, endpoint_id) is _of(lab, targets, endpoint_id)


def test_what_was_rolled_back_is_not_kept(lab: StoreLab) -> None:
    """A change that is undone, and another one after it, may have the same version."""
    targets = Targets()
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id, url="http://127.0.0.1:9/")

    def refused(connection: Connection) -> None:
        apps.bump_subscriptions(connection, app_id)
        connection.execute(sa.update(tables.endpoints).values(url="http://127.0.0.1:9/refused"))
        targets.of(connection, [endpoint_id], lab.clock.now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lab.database.write(refused)
    lab.database.write(lambda c: apps.bump_subscriptions(c, app_id))

    assert "http://127.0.0.1:9/" == _of(lab, targets, endpoint_id).url


def test_what_is_kept_grows_old(lab: StoreLab) -> None:
    """After half a minute it is read again, whatever the version says."""
    targets = Targets()
    endpoint_id = lab.endpoint(lab.app())
    before = _of(lab, targets, endpoint_id)
    lab.clock.now += 30_000

    assert before is not _of(lab, targets, endpoint_id)


def test_an_overlap_ends_by_itself(lab: StoreLab) -> None:
    """A secret stops to sign at the instant at which it expires, without any change."""
    targets = Targets()
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id)
    current = lab.secret(app_id, endpoint_id)
    old = lab.secret(app_id, endpoint_id, expires_at=lab.clock.now + 1_000)

    during = _of(lab, targets, endpoint_id)
    lab.clock.now += 1_000
    afterwards = _of(lab, targets, endpoint_id)

    assert ([current, old], [current]) == (_secrets(during), _secrets(afterwards))


def test_the_app_s_secrets_stop_to_sign_beside_the_endpoint_s(lab: StoreLab) -> None:
    """After a switch of the source both sign, until the time for that is over."""
    targets = Targets()
    app_id = lab.app()
    endpoint_id = lab.endpoint(app_id, both_sources_until=lab.clock.now + 500)
    own, shared = lab.secret(app_id, endpoint_id), lab.secret(app_id, None)

    during = _of(lab, targets, endpoint_id)
    lab.clock.now += 500
    afterwards = _of(lab, targets, endpoint_id)

    assert ([own, shared], [own]) == (_secrets(during), _secrets(afterwards))


def test_a_transformation_belongs_to_the_target(lab: StoreLab) -> None:
    """As it is stored; an endpoint without one has none."""
    app_id = lab.app()
    document = '{"mappings": [{"from": "payload.a", "to": "b"}]}'
    with_one, without = lab.endpoint(app_id, transformation=document), lab.endpoint(app_id)

    assert [document, None] == [
        _of(lab, Targets(), each).transformation for each in (with_one, without)
    ]


def test_what_an_endpoint_wants_comes_back(lab: StoreLab) -> None:
    """Rules and transformation are read as they were written, and can be taken away."""
    endpoint_id = lab.endpoint(app_id := lab.app())
    realm = Realm(ACCOUNT, ENVIRONMENT)

    def changed(**columns: Any) -> EndpointRow | None:
        def change(connection: Connection) -> EndpointRow | None:
            row = endpoints.find(connection, realm, app_id, endpoint_id)
            assert row is not None
            endpoints.update(connection, replace(row, **columns))
            return endpoints.find(connection, realm, app_id, endpoint_id)

        return lab.database.write(change)

    rules = {"payload.a": {"$in": [1, 1.5, "\u00e9", None, True]}}
    mappings = {"mappings": [{"from": "payload", "to": "a"}]}
    full, cleared = (
        changed(filter_rules=rules, transformation=mappings),
        changed(filter_rules=None, transformation=None),
    )

    assert full is not None
    assert cleared is not None
    assert (rules, mappings) == (full.filter_rules, full.transformation)
    assert (None, None) == (cleared.filter_rules, cleared.transformation)
