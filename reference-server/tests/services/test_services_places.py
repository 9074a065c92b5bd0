"""Places for work that waits."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from hookwright_server.errors import Refusal
from hookwright_server.services.places import Places


def test_one_account_cannot_take_every_place() -> None:
    """The account that holds its share is refused, another one is not."""
    places = Places(in_all=3, for_one=2, refusal="Too many.")
    with ExitStack() as held:
        held.enter_context(places.taken("a"))
        held.enter_context(places.taken("a"))
        with pytest.raises(Refusal) as refused:
            held.enter_context(places.taken("a"))
        held.enter_context(places.taken("b"))

        assert ("unavailable", 1) == (refused.value.code, refused.value.retry_after_s)
        with pytest.raises(Refusal):
            held.enter_context(places.taken("c"))


def test_a_place_is_free_again_after_a_failure() -> None:
    """Work that raises gives its place back."""
    places = Places(in_all=1, for_one=1, refusal="Too many.")
    with pytest.raises(ZeroDivisionError), places.taken("a"):
        raise ZeroDivisionError

    with places.taken("a"):
        pass
