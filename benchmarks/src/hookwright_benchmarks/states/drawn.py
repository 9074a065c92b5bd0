"""What Hypothesis draws."""

from __future__ import annotations

from hypothesis import strategies as st

from hookwright_benchmarks.states.words import CHANGES, FILTERS, NAMES, PATTERNS, Event, Wanted

INDEX = st.integers(0, 50)
NAME = st.sampled_from(NAMES)
KEY = st.sampled_from(("key-1", "key-2", "key-3"))
WANTED = st.builds(
    Wanted,
    patterns=st.sampled_from((*PATTERNS, ("*",), ("*",))),
    filter=st.sampled_from(FILTERS),
    delays_ms=st.sampled_from(((), (), (1_000,), (1_000, 5_000), (5_000, 60_000, 3_600_000))),
    retry_client_errors=st.sampled_from((False, False, True)),
    rate=st.sampled_from((None, None, None, (1, 1_000), (2, 10_000))),
    change=st.sampled_from((CHANGES[0], CHANGES[0], *CHANGES)),
    source=st.sampled_from(("endpoint", "endpoint", "app")),
)
EVENT = st.builds(
    Event,
    name=NAME,
    number=st.integers(0, 9),
    kind=st.sampled_from("ab"),
    region=st.sampled_from((None, "eu", "us")),
    event_id=st.sampled_from((None, None, "order 1", "order 2")),
    tags=st.sampled_from(((), (), ("vip",), ("vip", "bulk"))),
    ordering_key=st.sampled_from((None, None, "lane 1", "lane 1", "lane 2")),
)
STATUS = st.sampled_from(
    ("pending", "held", "delivered", "failed", "dead_letter", "cancelled", "unsuccessful")
)
SOON = st.sampled_from((-1_000, 1, 5_000, 3_600_000))
