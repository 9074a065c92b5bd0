"""The test clock: moves forward, runs what falls due on the way, and only where it is allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from egress_lab import answering
from http_lab import Document, Lab, OpenLab, StartReceiver, eventually
from pydantic import ValidationError

from hookwright_server.settings import Settings

_FAILURE = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_one_step_runs_a_whole_schedule(lab: Lab, receiver: StartReceiver) -> None:
    """Moving far ahead makes every attempt at its own time, not all at the end."""
    url = receiver(answering(_FAILURE)).url()
    client = lab.client
    slug = client.new_app()["slug"]
    client.new_endpoint(slug, url, retry_policy={"delays_seconds": [60, 3600], "jitter": 0})
    delivery = client.trigger(slug)["delivery_ids"][0]
    eventually(lambda: client.delivery(delivery)["attempt_count"] == 1)
    client.advance("P1D")
    begun = [_ms(attempt["created_at"]) for attempt in client.attempts(delivery)]

    assert "dead_letter" == client.delivery(delivery)["status"]
    waits = [(later - earlier) / 1000 for earlier, later in pairwise(begun)]
    assert waits == [pytest.approx(60, abs=30), pytest.approx(3600, abs=30)]


def test_the_clock_moves_forward_only_by_what_is_asked(lab: Lab) -> None:
    """It answers with its time; nothing moves it back."""
    client = lab.client
    start = _ms(client.advance("PT0S")["now"])
    later = _ms(client.advance("P1DT2H3M4.5S")["now"])

    assert 93_784_500 <= later - start <= 93_784_500 + 60_000
    assert _ms(client.new_app()["created_at"]) >= later


def test_the_clock_stops_before_the_calendar_ends(lab: Lab) -> None:
    """Beyond the year 9999 there is no time to move to: 400, and the clock stays."""
    client = lab.client
    answers = [client.post("/_test/clock", {"advance": "P9999D"}) for _ in range(300)]
    refused = [answer for answer in answers if answer.status != 200]

    assert {(400, "validation_error")} == {(answer.status, answer.code) for answer in refused}
    assert client.advance("PT0S")["now"] < "9999-12-31T23:59:59.999Z"


def test_there_is_no_clock_unless_it_is_switched_on(new_lab: OpenLab) -> None:
    """404, and only for those who may administer."""
    client = new_lab(test_clock=False).client
    reader = client.with_key(client.new_key("write")["key"])
    body: Document = {"advance": "PT1S"}

    assert (404, "not_found") == (
        client.post("/_test/clock", body).status,
        client.post("/_test/clock", body).code,
    )
    assert 403 == reader.post("/_test/clock", body).status


def test_production_mode_refuses_the_clock(tmp_path: Path) -> None:
    """The settings refuse it, and so the command does not start."""
    with pytest.raises(ValidationError, match="production"):
        Settings(mode="production", test_clock=True)
    done = subprocess.run(
        [sys.executable, "-m", "hookwright_server", "serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "HOOKWRIGHT_MODE": "production", "HOOKWRIGHT_TEST_CLOCK": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert 1 == done.returncode
    assert "HOOKWRIGHT_TEST_CLOCK" in done.stderr
    assert [] == list(tmp_path.iterdir())
