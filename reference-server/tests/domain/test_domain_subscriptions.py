from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import subscriptions

NAMES = st.from_regex(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", fullmatch=True)


@pytest.mark.parametrize(
    ("patterns", "event_name", "matched"),
    [
        (["*"], "anything.at_all", True),
        (["order.paid"], "order.paid", True),
        (["order.paid"], "order.paid.twice", False),
        (["order.paid"], "Order.paid", False),
        (["order.*"], "order.paid", True),
        (["order.*"], "order.item.added", True),
        (["order.*"], "order", False),
        (["order.*"], "orders.paid", False),
        (["order.item.*"], "order.paid", False),
        (["user.created", "order.*"], "order.paid", True),
        ([], "order.paid", False),
    ],
)
def test_patterns_match_names(patterns: list[str], event_name: str, matched: bool) -> None:
    """Names match exactly, prefixes match what lies below them, `*` matches all."""
    assert matched == subscriptions.matches(patterns, event_name)


@given(NAMES, NAMES)
def test_a_prefix_takes_exactly_what_lies_below(prefix: str, name: str) -> None:
    """`p.*` takes `p.name` always and any other name only if it begins with `p.`."""
    wanted = subscriptions.subscription([f"{prefix}.*"])

    assert wanted.matches(f"{prefix}.{name}")
    assert name.startswith(f"{prefix}.") == wanted.matches(name)


@pytest.mark.parametrize("text", ["*", "order.paid", "order.*", "a.b.c.*", "A_1"])
def test_patterns_are_recognised(text: str) -> None:
    """Names, prefixes and `*` may stand in `events`."""
    assert subscriptions.is_pattern(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", ".*", "**", "*.paid", "order.*.paid", "order*", "order.", "a b", "a\n", "é", "a.*.*"],
)
def test_other_texts_are_no_patterns(text: str) -> None:
    """A star stands alone or after the last dot, and words are never empty."""
    assert not subscriptions.is_pattern(text)


@given(st.text())
def test_event_names_are_patterns(text: str) -> None:
    """Each event name may be subscribed to; nothing with a star is an event name."""
    assert not subscriptions.is_event_name(text) or subscriptions.is_pattern(text)
    assert not ("*" in text and subscriptions.is_event_name(text))
