"""Lists are the same on every back end: what fits, in which order, how many."""

from __future__ import annotations

import pytest
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.store import api_keys, apps, deliveries, endpoints, messages, tables
from hookwright_server.store.deliveries import DeliveryFilter
from hookwright_server.store.endpoints import EndpointFilter
from hookwright_server.store.messages import MessageFilter
from hookwright_server.store.pages import PageQuery
from hookwright_server.store.realm import Realm

REALM = Realm(ACCOUNT, ENVIRONMENT)


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        ((), 4),
        (("held",), 1),
        (("cancelled",), 1),
        (("unsuccessful",), 1),
        (("pending", "unsuccessful"), 2),
        (("delivered",), 0),
    ],
)
def test_deliveries_by_status(lab: StoreLab, statuses: tuple[str, ...], found: int) -> None:
    """What reads as held or cancelled is found as such."""
    app_id = lab.app()
    ids = [lab.deliver(app_id, lab.endpoint(app_id)) for _ in range(4)]
    rows = {row["id"]: row["endpoint_id"] for row in lab.rows(tables.deliveries)}
    lab.update(tables.endpoints, rows[ids[1]], active=False)
    lab.update(tables.endpoints, rows[ids[2]], deleted_at=7, active=False)
    lab.update(tables.deliveries, ids[3], status="dead_letter", completed_at=9)
    wanted = DeliveryFilter(app_id=app_id, statuses=statuses, event_name="order.created", after=0)

    page = lab.database.read(
        lambda c: deliveries.page(c, REALM, wanted, PageQuery(9, include_total=True), lab.clock.now)
    )

    assert (found, found) == (len(page.rows), page.total)


def test_pages_go_from_new_to_old(lab: StoreLab) -> None:
    """Ids are compared by their bytes, whatever the language of the database."""
    app_id = lab.app()
    for name in ("10", "Z", "a", "B", "_"):
        lab.update(tables.apps, lab.app(), id=f"app_{name}")
    first = lab.database.read(lambda c: apps.page(c, REALM, PageQuery(3)))
    second = lab.database.read(lambda c: apps.page(c, REALM, PageQuery(9, first.next_id)))

    shown = [row.id for row in (*first.rows, *second.rows)]
    assert sorted([app_id, "app_10", "app_Z", "app_a", "app_B", "app__"], reverse=True) == shown


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (EndpointFilter(), 3),
        (EndpointFilter(active=True), 2),
        (EndpointFilter(state="disabled"), 1),
        (EndpointFilter(state="healthy"), 1),
        (EndpointFilter(state="degraded"), 1),
        (EndpointFilter(state="failing"), 0),
        (EndpointFilter(event_name="order.created"), 2),
    ],
)
def test_endpoints_by_state_and_event(lab: StoreLab, wanted: EndpointFilter, found: int) -> None:
    """Filters of endpoints mean the same everywhere."""
    app_id = lab.app()
    lab.endpoint(app_id)
    lab.endpoint(app_id, active=False)
    lab.endpoint(app_id, consecutive_failures=1, events='["invoice.*"]')

    page = lab.database.read(lambda c: endpoints.page(c, REALM, wanted, PageQuery(9)))

    assert found == len(page.rows)


def test_messages_and_keys(lab: StoreLab) -> None:
    """Bytes come back as bytes, and a limit of time is a limit of ids."""
    app_id = lab.app()
    acceptance = lab.acceptance(app_id, [], payload={"n": 1})
    lab.database.accept(acceptance)
    within = MessageFilter(app_id=app_id, after=lab.clock.now, before=lab.clock.now + 1)
    later = MessageFilter(after=lab.clock.now + 1)

    def ids(wanted: MessageFilter) -> list[str]:
        page = lab.database.read(lambda c: messages.page(c, REALM, wanted, PageQuery(9)))
        return [row.id for row in page.rows]

    found = lab.database.read(lambda c: messages.find(c, REALM, None, acceptance.message.id))

    assert ([acceptance.message.id], []) == (ids(within), ids(later))
    assert found is not None
    assert b'{"n": 1}' == found[1]
    assert () == lab.database.read(lambda c: api_keys.page(c, REALM, PageQuery(9))).rows
