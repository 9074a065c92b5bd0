"""What the log says of requests that the store failed."""

from __future__ import annotations

import logging

import pytest

from hookwright_server.http.dispatch import refusal_of
from hookwright_server.store.errors import StoreUnavailable


def test_a_failing_store_costs_each_request_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """It names the operation and the reason; a traceback each would fill the disk in an outage."""
    refusal = refusal_of(StoreUnavailable("no connection:\n\tis it running?"), "apps.list")

    [record] = caplog.records
    assert "store_unavailable operation=apps.list error=no connection: is it running?" == (
        record.getMessage()
    )
    assert (logging.ERROR, None) == (record.levelno, record.exc_info)
    assert "unavailable" == refusal.code
