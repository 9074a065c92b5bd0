from __future__ import annotations

import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.domain import api_key
from hookwright_server.domain.api_key import Environment

KEY_ID = "key_01KAJ8Z3Q4W7X9YABCDEFGHJKM"
SAMPLE = api_key.generate(KEY_ID, "live", lambda size: bytes(range(size)))


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["live", "test"]))
def test_a_generated_key_parses_to_its_row(secret: bytes, environment: Environment) -> None:
    """Environment, id and hash come back; all after the prefix is letters and digits."""
    key = api_key.generate(KEY_ID, environment, lambda _: secret)

    parsed = api_key.parse(key.text)

    assert re.fullmatch(rf"hw_{environment}_[0-9A-Za-z]{{75}}", key.text)
    assert parsed == api_key.ParsedKey(environment, KEY_ID, key.secret_hash)


def test_the_hash_is_sha256_of_the_whole_text() -> None:
    """What is stored can be computed from the shown text alone."""
    assert hashlib.sha256(SAMPLE.text.encode()).digest() == SAMPLE.secret_hash


def test_distinct_random_bytes_make_distinct_keys() -> None:
    """The extremes of the random range fit, and differ."""
    texts = {
        api_key.generate(KEY_ID, "live", fill.__mul__).text for fill in (b"\x00", b"\xff", b"\x01")
    }

    assert 3 == len(texts)


def test_every_single_character_typo_is_refused() -> None:
    """The checksum refuses each replaced character without asking the database."""
    accepted = [
        typo
        for place in range(len(SAMPLE.text))
        for character in string.ascii_letters + string.digits + "_"
        if character != SAMPLE.text[place]
        and api_key.parse(typo := SAMPLE.text[:place] + character + SAMPLE.text[place + 1 :])
    ]

    assert [] == accepted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hw_live_",
        SAMPLE.text[:-1],
        SAMPLE.text + "0",
        SAMPLE.text + "\n",
        " " + SAMPLE.text,
        SAMPLE.text.replace("live", "test"),
        SAMPLE.text.replace("live", "prod"),
        SAMPLE.text.swapcase(),
        SAMPLE.text[:-1] + "٣",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    """Cut, extended, re-labelled or re-cased keys are no keys."""
    assert api_key.parse(text) is None


@given(st.text())
def test_parse_takes_any_text(text: str) -> None:
    """Any text is a key or None, never an exception."""
    assert api_key.parse(text) is None
    assert api_key.parse("hw_live_" + text) is None


@pytest.mark.parametrize(
    "key_id", ["", "01KAJ8Z3Q4W7X9YABCDEFGHJKM", "app_01KAJ8Z3Q4W7X9YABCDEFGHJKM"]
)
def test_only_key_ids_get_keys(key_id: str) -> None:
    """An id of another kind is a programming error."""
    with pytest.raises(ValueError, match="id of an API key"):
        api_key.generate(key_id, "live", lambda size: b"s" * size)


def test_keys_are_not_printed() -> None:
    """Neither the text nor the hash shows in a repr, and so not in a log."""
    shown = repr(SAMPLE) + repr(api_key.parse(SAMPLE.text))

    assert SAMPLE.text not in shown
