from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import slug


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Acme Corp.", "acme-corp"),
        ("  Müller & Söhne GmbH ", "muller-sohne-gmbh"),
        ("Straße 7", "strasse-7"),
        ("ﬁne ①", "fine-1"),
        ("---", "app"),
        ("日本語", "app"),
        ("", "app"),
        ("x" * 80, "x" * 63),
        ("y" * 62 + " z", "y" * 62),
    ],
)
def test_names_become_slugs(name: str, expected: str) -> None:
    """Accents are dropped, the rest becomes hyphens, nothing at all becomes the fallback."""
    actual = slug.from_name(name)

    assert expected == actual


@given(st.text())
def test_every_name_gives_a_slug(name: str) -> None:
    """Whatever the name, the result is a slug."""
    assert slug.is_slug(slug.from_name(name))


@pytest.mark.parametrize("text", ["", "-a", "A", "a_b", "a.b", "a" * 64, "a\n", "é", "-"])
def test_other_texts_are_no_slugs(text: str) -> None:
    """Only lower-case letters, digits and inner hyphens, 1 to 63."""
    assert not slug.is_slug(text)


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
def test_candidates_are_distinct_slugs(text: str) -> None:
    """The first is the slug itself; all that follow are slugs, and different."""
    tails = iter(range(256))
    found = list(islice(slug.candidates(text, lambda size: bytes([next(tails)]) * size), 20))

    assert (text, 20, True) == (found[0], len(set(found)), all(map(slug.is_slug, found)))


def test_candidates_count_before_they_draw() -> None:
    """The usual clash gets a small number."""
    actual = list(islice(slug.candidates("acme", lambda size: b"\x00" * size), 10))

    assert ["acme", *[f"acme-{number}" for number in range(2, 10)], "acme-aaaaaaaa"] == actual
