"""Enabling an endpoint without releasing what it holds, which may be very much.

It is cancelled in small transactions while the endpoint is still disabled, so that nobody who
writes waits for all of it; the last of them enables.
"""

from __future__ import annotations

from collections.abc import Callable

from hookwright_server.domain.contract import Limits
from hookwright_server.services.endpoints import HELD_CANCELLED_IN_A_TRANSACTION, Endpoints
from hookwright_server.services.places import Places
from hookwright_server.services.principal import Principal
from hookwright_server.store.database import Connection, Database

_BATCHES = Limits.held_cancelled_at_once // HELD_CANCELLED_IN_A_TRANSACTION
_AT_A_TIME = 4
_AT_A_TIME_OF_ONE_ACCOUNT = 2


class Enabling:
    """Prepares `Endpoints.enable`, in transactions of its own."""

    def __init__(self, database: Database, endpoints: Endpoints) -> None:
        self._database = database
        self._endpoints = endpoints
        self._places = Places(
            _AT_A_TIME,
            _AT_A_TIME_OF_ONE_ACCOUNT,
            "Held deliveries of too many endpoints are being cancelled.",
        )

    def cancel_held(
        self,
        principal: Principal,
        app_slug: str,
        endpoint_id: str,
        look: Callable[[Connection], None],
    ) -> None:
        """Cancel what the endpoint holds, down to what enabling it can cancel itself.

        Ends after as many as the contract allows, with more left; `enable` refuses then. Each
        transaction begins with `look`, which may raise.
        """

        def has_more() -> bool:
            def work(tx: Connection) -> bool:
                look(tx)
                return self._endpoints.cancel_some_held(tx, principal, app_slug, endpoint_id)

            return self._database.write(work)

        if not has_more():
            return
        with self._places.taken(principal.account_id):
            for _ in range(1, _BATCHES):
                if not has_more():
                    return
