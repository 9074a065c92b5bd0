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
