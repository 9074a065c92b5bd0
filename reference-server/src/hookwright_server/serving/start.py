"""How a worker says that it cannot start; its parent then adds nothing to that."""

from __future__ import annotations

REFUSED_EXIT_CODE = 3


class StartRefused(Exception):
    """The application cannot start; `str()` says why and what to do."""
