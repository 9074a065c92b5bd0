"""Idempotency keys: the same key and body on the same route give the first answer again.

The record is written in the transaction that it guards. Operations that wait for the network
announce themselves in a transaction of their own first, so that a second request with their
key is told to come back instead of doing the work twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from hookwright_server.clock import Clock
from hookwright_server.domain.contract import Limits
from hookwright_server.domain.vault import Vault
from hookwright_server.errors import Refusal, invalid
from hookwright_server.http.answers import Answer, refused
from hookwright_server.http.problems import status_of
from hookwright_server.services.principal import Principal
from hookwright_server.store import idempotency
from hookwright_server.store.acceptance import NewRecord
from hookwright_server.store.database import Connection, Database
from hookwright_server.store.errors import RecordExists
from hookwright_server.store.idempotency import RecordRow

REPLAYED = {"Idempotency-Replayed": "true"}
_STARTED_FOR_MS = Limits.idempotency_started_seconds * 1000
_FORM = re.compile(r"[\x21-\x7e]{1,255}")
# These leave no record: they were refused before they ran, or may go differently next time.
_UNRECORDED = frozenset({400, 401, 403, 408, 413, 415, 429})


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with an idempotency key: where its record lives, and what its body was."""

    scope: bytes
    fingerprint: bytes
    account_id: str
    environment: str


class Idempotency:
    """Finds, writes and replays the records."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def keyed(self, principal: Principal, route: str, key: str, body: bytes) -> Keyed:
        """The request's place; `route` is its method and path. Refuses a malformed key."""
        if not _FORM.fullmatch(key):
            raise invalid(
                "header/idempotency-key",
                "pattern",
                "'Idempotency-Key' must be 1 to 255 visible ASCII characters without spaces.",
            )
        # A key that is bound to an app must not be told what another's request made.
        bound_to = principal.app_id or ""
        place = (principal.account_id, principal.environment, bound_to, route, key)
        return Keyed(
            scope=hashlib.sha256("\0".join(place).encode()).digest(),
            fingerprint=hashlib.sha256(body).digest(),
            account_id=principal.account_id,
            environment=principal.environment,
        )

    def record(self, keyed: Keyed, answer: Answer) -> NewRecord:
        """The finished record of `answer`."""
        return self._record(keyed, answer, Limits.idempotency_hours * 3_600_000)

    def within(
        self, tx: Connection, keyed: Keyed, request_id: str, run: Callable[[], Answer]
    ) -> Answer:
        """Run the operation and write its record, all inside `tx`; or replay."""
        found = idempotency.find(tx, keyed.scope, self._clock.now_ms())
        if found is not None:
            return self.replay(found, keyed, request_id)
        try:
            with tx.begin_nested():
                answer = run()
        except Refusal as refusal:
            if not _is_recorded(status_of(refusal)):
                raise
            answer = refused(refusal, request_id)
        idempotency.finish(tx, self.record(keyed, answer))
        return answer

    def around(self, keyed: Keyed, request_id: str, run: Callable[[], Answer]) -> Answer:
        """Run an operation that waits for the network between two transactions; or replay."""
        found = self._database.write(lambda tx: self._start(tx, keyed))
        if found is not None:
            return self.replay(found, keyed, request_id)
        try:
            answer = run()
        except Refusal as refusal:
            if not _is_recorded(status_of(refusal)):
                self._drop(keyed)
                raise
            answer = refused(refusal, request_id)
        except BaseException:
            self._drop(keyed)
            raise
        self._database.write(lambda tx: idempotency.finish(tx, self.record(keyed, answer)))
        return answer

    def find(self, keyed: Keyed) -> RecordRow | None:
        """The record that an earlier request with this key left."""
        return self._database.read(lambda tx: self.find_in(tx, keyed))

    def find_in(self, tx: Connection, keyed: Keyed) -> RecordRow | None:
        """The same in `tx`; if that writes, nobody else writes the record until it ends."""
        return idempotency.find(tx, keyed.scope, self._clock.now_ms())

    def keep(self, keyed: Keyed, refusal: Refusal, request_id: str) -> Answer:
        """Record a refusal unless a record is there; the answer to give."""
        answer = refused(refusal, request_id)
        if not _is_recorded(answer.status):
            return answer
        try:
            return self._database.write(
                lambda tx: self.within(tx, keyed, request_id, lambda: answer)
            )
        except RecordExists:
            # Another process accepted the same request at the same moment: that is the answer.
            found = self.find(keyed)
            if found is None:
                raise
            return self.replay(found, keyed, request_id)

    def take_up(self, keyed: Keyed, request_id: str) -> Answer | None:
        """Note that a request runs which a repeat may finish; the stored answer, if it has ended.

        Refuses another body.
        """

        def begin(tx: Connection) -> RecordRow | None:
            found = idempotency.find(tx, keyed.scope, self._clock.now_ms())
            if found is None:
                idempotency.start(tx, self.record(keyed, Answer(0, b"")))
            return found

        found = self._database.write(begin)
        if found is None or (found.status is None and found.fingerprint == keyed.fingerprint):
            return None
        return self.replay(found, keyed, request_id)

    def end(self, keyed: Keyed, answer: Answer, request_id: str) -> Answer:
        """The answer to a request that was taken up: `answer`, unless another one was first.

        One that leaves no record takes that of the beginning away.
        """

        def finish(tx: Connection) -> RecordRow | None:
            found = idempotency.find(tx, keyed.scope, self._clock.now_ms())
            if found is not None and found.status is not None:
                return found
            if _is_recorded(answer.status):
                idempotency.finish(tx, self.record(keyed, answer))
            else:
                idempotency.drop(tx, keyed.scope)
            return None

        found = self._database.write(finish)
        return answer if found is None else self.replay(found, keyed, request_id)

    def replay(self, found: RecordRow, keyed: Keyed, request_id: str) -> Answer:
        """The stored answer; refuses another body, and a first request that still runs."""
        if found.fingerprint != keyed.fingerprint:
            raise Refusal(
                "idempotency_key_reused",
                "This Idempotency-Key was used with another body on this path. Use a new key.",
            )
        if found.status is None or found.response_sealed is None:
            raise Refusal(
                "idempotency_in_progress",
                "The first request with this Idempotency-Key is still running. Repeat it later.",
                retry_after_s=1,
            )
        body = self._vault.open(found.response_sealed, _sealed_as(keyed))
        if found.status >= 400:
            body = json.dumps(json.loads(body) | {"request_id": request_id}).encode()
        return Answer(found.status, body, REPLAYED)

    def _start(self, tx: Connection, keyed: Keyed) -> RecordRow | None:
        found = idempotency.find(tx, keyed.scope, self._clock.now_ms())
        if found is None:
            idempotency.start(tx, self._record(keyed, Answer(0, b""), _STARTED_FOR_MS))
        return found

    def _record(self, keyed: Keyed, answer: Answer, kept_for_ms: int) -> NewRecord:
        now_ms = self._clock.now_ms()
        return NewRecord(
            scope=keyed.scope,
            account_id=keyed.account_id,
            environment=keyed.environment,
            fingerprint=keyed.fingerprint,
            status=answer.status,
            response_sealed=self._vault.seal(answer.body, _sealed_as(keyed)),
            started_at=now_ms,
            expires_at=now_ms + kept_for_ms,
        )

    def _drop(self, keyed: Keyed) -> None:
        self._database.write(lambda tx: idempotency.drop(tx, keyed.scope))


def _is_recorded(status: int) -> bool:
    return status < 500 and status not in _UNRECORDED


def _sealed_as(keyed: Keyed) -> str:
    return f"idempotency_records:{keyed.scope.hex()}"
