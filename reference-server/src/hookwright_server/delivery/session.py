"""The engine's session, on which the leases of what it has claimed hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.patience import TRY_EVERY_S, insist
from hookwright_server.delivery.tools import EngineLimits
from hookwright_server.store.errors import StoreError

_log = logging.getLogger(__name__)


class Session:
    """Begun, renewed, and begun anew when it was lost; belongs to an event loop's thread."""

    def __init__(self, outbox: Outbox, limits: EngineLimits) -> None:
        self._outbox = outbox
        self._every_s = limits.renew_ms / 1000
        self._dead_after_s = limits.dead_ms / 1000
        self._loop = asyncio.get_running_loop()
        self._beginning = asyncio.Lock()
        self._renewed_at = 0.0
        self._tell_at = 0.0
        self.id = ""

    async def begin(self) -> None:
        """Begin one. Raises StoreError."""
        self.id, self._renewed_at = await self._outbox.begin()

    async def begin_anew(self, lost: str, let_go: Callable[[str], None]) -> bool:
        """Let go of what hangs on the lost one, then begin another; False if that was done."""
        async with self._beginning:
            if self.id != lost:
                return False  # the claim and the renewal may both have found it out
            # It may live in the database: nobody may claim under it, or put back what was sent.
            self.id = ""
            let_go(lost)
            await insist(self.begin)
            return True

    async def kept_until_lost(self) -> str:
        """Renew the session for as long as that goes; the id of the one that was lost."""
        while True:
            # A renewal that failed is tried again soon: claims go on under the session meanwhile.
            left_s = self._renewed_at + self._every_s - self._loop.time()
            await asyncio.sleep(max(left_s, min(self._every_s, TRY_EVERY_S)))
            session_id = self.id
            if not await self._renew(session_id):
                return session_id

    async def _renew(self, session_id: str) -> bool:
        """False when the leases must be taken for lost."""
        asked_at = self._loop.time()
        dead_at = self._renewed_at + self._dead_after_s
        try:
            async with asyncio.timeout_at(max(dead_at, asked_at + 0.1)):
                alive = await self._outbox.renew(session_id)
        except (StoreError, TimeoutError) as error:
            if self._loop.time() >= self._tell_at:
                self._tell_at = self._loop.time() + self._every_s
                _log.warning("not_renewed session=%s error=%r", session_id, error)
            return self._loop.time() < dead_at
        if alive:
            self._renewed_at = asked_at
        return alive
