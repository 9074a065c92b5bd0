from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import cursor
from hookwright_server.domain.cursor import CursorError

KEY = b"k" * 32
QUERY = cursor.binding("acc_1", "live", "apps.list", {"limit": 20})


@given(st.text(max_size=200), st.binary(max_size=40), st.binary(min_size=1, max_size=40))
def test_unseal_returns_the_position(position: str, binding: bytes, key: bytes) -> None:
    """A cursor is URL-safe and opens to the position it was made for."""
    text = cursor.seal(position, binding, key)

    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert position == cursor.unseal(text, binding, key)


def test_a_cursor_does_not_tell_its_position() -> None:
    """It may be the id of a row that the reader of the list may not see."""
    text = cursor.seal("msg_1", QUERY, KEY)

    assert b"msg_" not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@given(st.text(max_size=60), st.data())
def test_any_flipped_bit_is_refused(position: str, data: st.DataObject) -> None:
    """One changed bit anywhere in the text, unused base64 bits included, is refused."""
    raw = bytearray(cursor.seal(position, QUERY, KEY).encode())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8

    with pytest.raises(CursorError):
        cursor.unseal(raw.decode("latin-1"), QUERY, KEY)


@pytest.mark.parametrize(
    "query",
    [
        ("acc_2", "live", "apps.list", {"limit": 20}),
        ("acc_1", "test", "apps.list", {"limit": 20}),
        ("acc_1", "live", "endpoints.list", {"limit": 20}),
        ("acc_1", "live", "apps.list", {"limit": 21}),
        ("acc_1", "live", "apps.list", {}),
    ],
)
def test_a_cursor_serves_its_own_query_only(
    query: tuple[str, str, str, dict[str, object]],
) -> None:
    """Another account, environment, operation or filter does not take the cursor."""
    text = cursor.seal("app_1", QUERY, KEY)

    with pytest.raises(CursorError):
        cursor.unseal(text, cursor.binding(*query), KEY)


def test_the_order_of_filters_does_not_matter() -> None:
    """The binding depends on what is asked, not on how it is written."""
    one = cursor.binding("acc_1", "live", "apps.list", {"a": 1, "b": ["x", None]})
    other = cursor.binding("acc_1", "live", "apps.list", {"b": ["x", None], "a": 1})

    assert one == other


def test_another_key_does_not_open() -> None:
    """A cursor of another server is refused."""
    with pytest.raises(CursorError):
        cursor.unseal(cursor.seal("app_1", QUERY, KEY), QUERY, b"x" * 32)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{20,40}", fullmatch=True))
def test_unseal_never_fails_otherwise(text: str) -> None:
    """Any text that we did not make is a CursorError."""
    with pytest.raises(CursorError):
        cursor.unseal(text, QUERY, KEY)


def test_padding_and_space_are_refused() -> None:
    """A cursor has exactly one spelling."""
    text = cursor.seal("app_1", QUERY, KEY)

    for other in (text + "=", text + "\n", " " + text, text + "A"):
        with pytest.raises(CursorError):
            cursor.unseal(other, QUERY, KEY)
