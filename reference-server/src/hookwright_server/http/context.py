"""What a handler knows of the request that it answers; it never touches Flask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hookwright_server.http.idempotency import Keyed
from hookwright_server.services.principal import Principal
from hookwright_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Context:
    """One request: who asks, under which id, and inside which transaction.

    `payload` is the exact text of the body's member `payload`. `keyed` is set when the request
    carries an idempotency key that the handler itself must honour. `traceparent` is what those
    carry on who act for this request; None: nothing. `admit` raises NotAdmitted when a quota is
    used up; None: it has been seen to. `payloads` are the exact payloads of a batch's events.
    """

    operation_id: str
    request_id: str
    caller: Principal | None = None
    transaction: Connection | None = None
    payload: bytes | None = None
    keyed: Keyed | None = None
    traceparent: str | None = None
    admit: Callable[[], None] | None = None
    payloads: tuple[bytes, ...] = ()

    @property
    def principal(self) -> Principal:
        """The holder of the key; only public operations have none."""
        if self.caller is None:
            raise RuntimeError(f"{self.operation_id} is public: it has no principal")
        return self.caller

    @property
    def tx(self) -> Connection:
        """The transaction that the dispatcher opened for this operation."""
        if self.transaction is None:
            raise RuntimeError(f"{self.operation_id} makes its own transactions")
        return self.transaction
