"""Deliveries: what became of each message at each endpoint."""

from __future__ import annotations

from hookwright_server.errors import Refusal, not_found
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, app_filter
from hookwright_server.store import apps, deliveries, endpoints
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import AttemptRow, DeliveryFilter, DeliveryRow
from hookwright_server.store.pages import PageQuery, RowPage

_RETRYABLE = frozenset({"failed", "dead_letter"})


class Deliveries:
    """The service of the tag `deliveries`. Every method runs inside the caller's transaction."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def page(
        self, tx: Connection, principal: Principal, wanted: DeliveryFilter, query: PageQuery
    ) -> RowPage[DeliveryRow]:
        """Deliveries that fit `wanted`."""
        return deliveries.page(tx, principal.realm, wanted, query)

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, delivery_id: str
    ) -> DeliveryRow:
        """One delivery, or not_found."""
        app_id = app_filter(tx, principal, app_slug)
        row = deliveries.find(tx, principal.realm, app_id, delivery_id)
        if row is None:
            raise not_found("delivery", delivery_id)
        return row

    def attempts(
        self,
        tx: Connection,
        principal: Principal,
        app_slug: str,
        delivery_id: str,
        query: PageQuery,
    ) -> RowPage[AttemptRow]:
        """The attempts of one delivery, or not_found."""
        row = self.get(tx, principal, app_slug, delivery_id)
        return deliveries.attempts_page(tx, row.id, query)

    def retry(
        self, tx: Connection, principal: Principal, app_slug: str, delivery_id: str
    ) -> DeliveryRow:
        """Send a failed or dead-lettered delivery again, on a fresh schedule."""
        row = self.get(tx, principal, app_slug, delivery_id)
        if row.status not in _RETRYABLE:
            raise Refusal(
                "delivery_not_retryable",
                f"The delivery is {row.status!r}; only 'failed' and 'dead_letter' can be retried.",
            )
        endpoint = endpoints.find(tx, principal.realm, row.app_id, row.endpoint_id)
        app = apps.find_by_id(tx, principal.realm, row.app_id)
        if endpoint is None or app is None:
            raise Refusal(
                "endpoint_deleted",
                "The delivery's endpoint was deleted, so there is nowhere to send it. "
                "Publish the event again.",
            )
        policy = self._parts.policy(endpoint.retry_policy, app.retry_policy)
        last = row.attempt_count + policy.max_attempts
        deliveries.restart(tx, row.id, last, self._parts.clock.now_ms())
        return self.get(tx, principal, app_slug, delivery_id)
