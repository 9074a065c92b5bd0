"""Deliveries that wait, are being sent or were cancelled, found among many that have ended.

What waits or is being sent has indexes by endpoint, which claims need: an index in the order of
lists would cost each delivery a tenth of what writing it costs. So those of all endpoints are
gathered; where they are more than a page looks at, the caller walks past what does not fit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from hookwright_server.store import pages
from hookwright_server.store.database import Connection
from hookwright_server.store.pages import Look, Looked, Span
from hookwright_server.store.realm import Realm
from hookwright_server.store.tables import deliveries, endpoints

STORED = {
    "pending": {"pending"},
    "held": {"pending"},
    "sending": {"sending"},
    "cancelled": {"cancelled", "pending"},
}
"""Each status that such a delivery reads as, and how it may be stored."""

_d = deliveries.c
# Literals: only then do planners see that the partial indexes serve. The order is that of these.
_GATHERED = {
    "pending": (_d.status == sa.literal_column("'pending'"), _d.next_attempt_at),
    "sending": (_d.status == sa.literal_column("'sending'"), _d.lease_session),
}
_CANCELLED = _d.status == sa.literal_column("'cancelled'")


def look(
    realm: Realm,
    of: Sequence[sa.ColumnElement[bool]],
    statuses: Collection[str],
    otherwise: sa.Select[str],
) -> Look:
    """How to look for these `statuses` of STORED at the endpoints `of`, conditions on their rows.

    `otherwise` walks all deliveries of the place.
    """
    stored = {each for status in statuses for each in STORED[status]}
    of_realm = Realm(realm.account_id, realm.environment)
    cancelled = sa.select(_d.id).where(of_realm.owns(deliveries), _CANCELLED)

    def find(tx: Connection, span: Span) -> Looked:
        ids: list[str] = []
        for status in sorted(stored & _GATHERED.keys()):
            ids += tx.execute(_gathered(tx, status, of)).scalars()
            if len(ids) > pages.LOOKED_AT:
                return pages.in_order(otherwise, _d.id)(tx, span)
        if "cancelled" not in stored:
            return Looked(None, ids)
        end = pages.in_order(cancelled, _d.id)(tx, span).end
        shown = span if end is None else Span(end, span.below)
        ids += tx.execute(cancelled.where(*shown.of(_d.id))).scalars()
        return Looked(end, ids)

    return find


def _gathered(tx: Connection, status: str, of: Sequence[sa.ColumnElement[bool]]) -> sa.Select[str]:
    """The ids of the deliveries in a status, one more than is of use at most."""
    condition, order = _GATHERED[status]
    most = pages.LOOKED_AT + 1
    at_endpoint = sa.select(_d.id).where(_d.endpoint_id == endpoints.c.id, condition)
    if tx.dialect.name == "postgresql":
        each = at_endpoint.order_by(order).limit(most).correlate(endpoints).lateral()
        return (
            sa.select(each.c.id).select_from(endpoints.join(each, sa.true())).where(*of).limit(most)
        )
    return at_endpoint.select_from(endpoints, deliveries).where(*of).limit(most)
