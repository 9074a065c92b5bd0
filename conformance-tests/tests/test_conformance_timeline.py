"""What a failure tells of the course of its case."""

from __future__ import annotations

import urllib.request

from hookwright_conformance.answers import status
from hookwright_conformance.receiver import Receiver
from hookwright_conformance.timeline import Timeline


def test_what_repeats_itself_is_counted() -> None:
    """A delivery that is asked for until it has ended takes one line, and not fifty."""
    timeline = Timeline()
    for after, text in ((0.5, "ask"), (0.25, "make"), (0.75, "ask"), (1.5, "ask"), (2, "end")):
        timeline.note(text, timeline.began + after)

    assert [
        "   0.250  make",
        "   0.500  ask (3 times, the last one at 1.500)",
        "   2.000  end",
    ] == timeline.lines()


def test_what_a_receiver_answered_is_told() -> None:
    """Each request with the answer that it got."""
    timeline = Timeline()
    with Receiver.start() as receiver:
        hook = receiver.path("told", status(202))
        timeline.hooks.append(hook)
        request = urllib.request.Request(hook.url, b"{}", {"Connection": "close"}, method="POST")
        with urllib.request.urlopen(request, timeout=30) as response:
            assert 202 == response.status
        hook.wait_for_end(1, 30)

    told = [line.strip().partition("  ")[2] for line in timeline.lines()]
    name = f"/{hook.name} request 1"
    assert [f"-> {name}: POST, 2 bytes", f"<- {name}: answered 202"] == told
