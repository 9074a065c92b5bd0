"""How the processes of the server log."""

from __future__ import annotations

import logging


def configure_logging(level: str) -> None:
    """Log to standard error, one line an event. Alembic's own events are no news."""
    # Not in the format, and gathered for every line all the same.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
