"""What all connections of one front door share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from hookwright_server.http.frontdoor.backends import Backends
from hookwright_server.http.frontdoor.limits import Limits
from hookwright_server.http.frontdoor.refusal import RefusalCode, RenderProblem, problem_bytes
from hookwright_server.http.request_ids import RequestIds


class Client(Protocol):
    """A connection as the front door's housekeeping sees it."""

    def expire(self, now: float) -> None:
        """Shed the client when one of its deadlines has passed."""
        ...

    def drain(self) -> None:
        """End the connection after what it has in flight."""
        ...

    def abort(self) -> None:
        """Drop the connection now."""
        ...


@dataclass(slots=True)
class Context:
    """Settings, collaborators and the running counts."""

    loop: asyncio.AbstractEventLoop
    backends: Backends
    limits: Limits
    render: RenderProblem
    request_ids: RequestIds
    clients: set[Client] = field(default_factory=set[Client])
    buffered_bytes: int = 0
    turned_away: int = 0
    """Requests that were refused because every server had too many, until they are logged."""
    draining: bool = False
    all_gone: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(
        self, code: RefusalCode, detail: str, traceparent: bytes = b"", *, with_body: bool = True
    ) -> bytes:
        """The complete problem response; a client's trace id becomes its request id."""
        request_id = self.request_ids.of(traceparent.decode("latin-1"))
        status, body = self.render(code, detail, request_id)
        return problem_bytes(status, code, body, request_id, with_body=with_body)

    def join(self, client: Client) -> None:
        """Count a client in."""
        self.clients.add(client)
        self.all_gone.clear()

    def leave(self, client: Client) -> None:
        """Count a client out."""
        self.clients.discard(client)
        if not self.clients:
            self.all_gone.set()
