"""What the store raises.

StoreError
├── StoreRefused            the database cannot be opened in the promised way
│   └── StoreLocked         another process has it open
├── NotWritten              nothing was written; trying again is safe
│   ├── WriterBusy          a job waited too long in the writer's queue, or the writer is closed
│   ├── StaleSubscriptions  the app's endpoints changed since the caller read them
│   ├── NotAdmitted         whoever is asked before a group is written said no
│   └── RecordExists        the idempotency key has been used already
├── SessionLost             the worker's session has been declared dead
├── StoreUnavailable        the database itself failed (disk full, I/O error)
│   └── TookTooLong         it ended a statement that ran for too long: less at once may do
└── WriteUnknown            the commit was under way when the wait ended: it may have happened
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of everything the store raises on purpose."""


class StoreRefused(StoreError):
    """The database cannot be opened with the durability that the server promises."""


class StoreLocked(StoreRefused):
    """Another process holds the database."""


class NotWritten(StoreError):
    """Nothing was written."""


class WriterBusy(NotWritten):
    """The writer cannot take more work now: answer 503."""


class StaleSubscriptions(NotWritten):
    """The app's subscriptions version is not the one the fan-out was computed from."""

    def __init__(self, app_id: str) -> None:
        super().__init__(f"the endpoints of {app_id} changed; compute the fan-out again")
        self.app_id = app_id


class NotAdmitted(NotWritten):
    """The acceptance must not be written: its sender is over a limit."""


class RecordExists(NotWritten):
    """An idempotency record with this scope is there and has not expired."""

    def __init__(self, scope: bytes) -> None:
        super().__init__(f"an idempotency record {scope.hex()} exists; answer from it")
        self.scope = scope


class SessionLost(StoreError):
    """The worker's session is gone: its leases are lost and it must not claim under it."""


class StoreUnavailable(StoreError):
    """The database itself failed; what was being written may or may not be there."""


class TookTooLong(StoreUnavailable):
    """The database ended a statement of the transaction at its time limit; nothing was written."""


class WriteUnknown(StoreError):
    """The wait ended during the transaction; it may yet be committed."""
