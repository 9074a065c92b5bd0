"""Requests outside the outbox: the sender of a process without an engine."""

from __future__ import annotations

import pytest

from hookwright_server.delivery.direct import DirectSender
from hookwright_server.delivery.tools import Sending


def _cannot_be_made() -> Sending:
    raise OSError("too many open files")


def test_a_sender_that_cannot_be_made_fails_the_start() -> None:
    """The start raises what happened instead of waiting for ever; there is nothing to stop."""
    direct = DirectSender(_cannot_be_made)

    with pytest.raises(OSError, match="too many open files"):
        direct.start()
    direct.stop()
