"""Operations that need several transactions: the last one makes the answer, and honours the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hookwright_server.errors import Refusal
from hookwright_server.http.answers import Replayed, success
from hookwright_server.http.context import Context
from hookwright_server.http.edge.operations import BY_ID
from hookwright_server.http.idempotency import Idempotency
from hookwright_server.store.database import Connection, Database

First = TypeVar("First")
Document = TypeVar("Document")


class LastTransaction:
    """Runs what comes before, unless the request was answered earlier, and then the last one.

    What comes before may be done again: by a repeat, when the process died or the store failed.
    """

    def __init__(self, database: Database, idempotency: Idempotency) -> None:
        self._database = database
        self._idempotency = idempotency

    def run(
        self,
        context: Context,
        before: Callable[[], First],
        work: Callable[[Connection, First], Document],
    ) -> Document:
        """What `work` makes, in a transaction, of what came before; with a key: raises Replayed."""
        keyed = context.keyed
        if keyed is None:
            made = before()
            return self._database.write(lambda tx: work(tx, made))
        found = self._idempotency.find(keyed)
        if found is not None:
            raise Replayed(self._idempotency.replay(found, keyed, context.request_id))
        try:
            first = before()
        except Refusal as refusal:
            answer = self._idempotency.keep(keyed, refusal, context.request_id)
            raise Replayed(answer) from refusal
        status = BY_ID[context.operation_id].success_status
        answer = self._database.write(
            lambda tx: self._idempotency.within(
                tx, keyed, context.request_id, lambda: success(status, work(tx, first))
            )
        )
        raise Replayed(answer)

    def require_unanswered(self, tx: Connection, context: Context) -> None:
        """In a transaction before the last: raise Replayed when a repeat has been answered since.

        Until `tx` ends no other request with the key is answered.
        """
        keyed = context.keyed
        found = None if keyed is None else self._idempotency.find_in(tx, keyed)
        if keyed is not None and found is not None:
            raise Replayed(self._idempotency.replay(found, keyed, context.request_id))
