"""Deliveries: what became of each message at each endpoint."""

from __future__ import annotations

from hookwright_server.domain import instants
from hookwright_server.domain.retry_policy import RetryPolicy
from hookwright_server.errors import Refusal, not_found
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal, app_filter
from hookwright_server.store import apps, cancelling, deliveries, endpoints, messages, replays
from hookwright_server.store.database import Connection
from hookwright_server.store.deliveries import AttemptRow, DeliveryFilter, DeliveryRow
from hookwright_server.store.pages import PageQuery, RowPage
from hookwright_server.store.replays import NewReplay

_RETRYABLE = frozenset({"failed", "dead_letter"})
_ENDED = _RETRYABLE | {"delivered", "cancelled"}


class Deliveries:
    """The service of the tag `deliveries`. Every method runs inside the caller's transaction."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def page(
        self, tx: Connection, principal: Principal, wanted: DeliveryFilter, query: PageQuery
    ) -> RowPage[DeliveryRow]:
        """Deliveries that fit `wanted`."""
        return deliveries.page(tx, principal.realm, wanted, query, self._parts.clock.now_ms())

    def get(
        self, tx: Connection, principal: Principal, app_slug: str, delivery_id: str
    ) -> DeliveryRow:
        """One delivery, or not_found."""
        app_id = app_filter(tx, principal, app_slug)
        now_ms = self._parts.clock.now_ms()
        row = deliveries.find(tx, principal.realm, app_id, delivery_id, now_ms)
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
        now_ms = self._parts.clock.now_ms()
        if row.expires_at is not None and row.expires_at <= now_ms:
            raise Refusal(
                "delivery_not_retryable",
                f"The message expired at {instants.render(row.expires_at)}. "
                "Replay the delivery to send it all the same.",
            )
        last = row.attempt_count + self._require_sendable(tx, principal, row).max_attempts
        deliveries.restart(tx, row.id, last, now_ms)
        return self.get(tx, principal, app_slug, delivery_id)

    def cancel(
        self, tx: Connection, principal: Principal, app_slug: str, delivery_id: str
    ) -> DeliveryRow:
        """Cancel what waits; of what is being sent, every later attempt. The rest stays."""
        cancelling.hold(tx, delivery_id)
        row = self.get(tx, principal, app_slug, delivery_id)
        if row.status in ("pending", "held"):
            cancelling.cancel(tx, [row.id], self._parts.clock.now_ms())
        elif row.status == "sending":
            cancelling.stop(tx, [row.id])
        return self.get(tx, principal, app_slug, delivery_id)

    def replay(
        self, tx: Connection, principal: Principal, app_slug: str, delivery_id: str
    ) -> DeliveryRow:
        """A new delivery of the message of one that has ended, to the same endpoint."""
        row = self.get(tx, principal, app_slug, delivery_id)
        if row.status not in _ENDED:
            raise Refusal(
                "delivery_not_replayable",
                f"The delivery is {row.status!r}; it can be replayed once it has ended. "
                "Cancel it, or wait.",
            )
        policy = self._require_sendable(tx, principal, row)
        now_ms = self._parts.clock.now_ms()
        new = NewReplay(
            id=self._parts.ids.new("del", now_ms),
            replay_of=row.id,
            account_id=principal.account_id,
            environment=principal.environment,
            app_id=row.app_id,
            message_id=row.message_id,
            endpoint_id=row.endpoint_id,
            event_name=row.event_name,
            max_attempts=policy.max_attempts,
            created_at=now_ms,
        )
        replays.insert(tx, [new])
        return self.get(tx, principal, app_slug, new.id)

    def _require_sendable(
        self, tx: Connection, principal: Principal, row: DeliveryRow
    ) -> RetryPolicy:
        """The policy in force, if there is still something to send and somewhere to send it."""
        endpoint = endpoints.find(tx, principal.realm, row.app_id, row.endpoint_id)
        app = apps.find_by_id(tx, principal.realm, row.app_id)
        if endpoint is None or app is None:
            raise Refusal(
                "endpoint_deleted",
                "The delivery's endpoint was deleted, so there is nowhere to send it. "
                "Publish the event again.",
            )
        if messages.is_expunged(tx, row.message_id):
            raise Refusal(
                "payload_expunged",
                "The message's payload was erased, so there is nothing to send. "
                "Publish the event again.",
            )
        return self._parts.policy(endpoint.retry_policy, app.retry_policy)
