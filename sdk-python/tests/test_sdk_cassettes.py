"""The cassettes, played to the SDK without a server: every documented request, every answer."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import yaml
from cassette_player import player
from cassette_scrub import HOST, NO_SECRETS
from cassette_story import Example, read_examples
from cassettes import differences

from hookwright import Hookwright, SyncPage

CASSETTES = Path(__file__).parent / "cassettes"
EXAMPLES = read_examples()
SECRET = re.compile(r"\b(?:whsec|whsk|whpk|hw_live|hw_test)_([0-9A-Za-z+/=]+)")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection fails."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def arguments_of(example: Example, uri: str) -> dict[str, str]:
    """The path and query of a recorded request as the arguments of the SDK's method."""
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", example.path)
    parts = urlsplit(uri)
    found = re.fullmatch(pattern, parts.path)
    assert found is not None, (example.path, uri)
    in_path = {name: unquote(value) for name, value in found.groupdict().items()}
    return {**in_path, **dict(parse_qsl(parts.query))}


def as_json(result: Any) -> Any:
    """What a method returned, as the server would write it; of a page, this page."""
    if result is None:
        return None
    page: Any = result
    if isinstance(result, SyncPage):
        data = [each.to_dict() for each in page.data]
        return {"data": data, "has_more": page.has_more, "next_cursor": page.next_cursor}
    return result.to_dict()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_documented_request_is_answered_from_its_cassette(offline: None, name: str) -> None:
    """The SDK sends what was recorded, and its typed result holds all that came back."""
    example = EXAMPLES[name]
    path = CASSETTES / f"{name}.yaml"
    (interaction,) = yaml.safe_load(path.read_text())["interactions"]
    answer: str = interaction["response"]["body"]["string"]
    expected: Any = json.loads(answer) if answer else None
    with (
        Hookwright("hw_test_key", base_url=HOST, max_retries=0) as client,
        player().use_cassette(str(path)) as cassette,
    ):
        result = example.call(client, **arguments_of(example, interaction["request"]["uri"]))

    assert expected == as_json(result)
    assert cassette.all_played


def test_there_is_a_cassette_for_every_example_and_no_other() -> None:
    """What the contract shows is what was recorded."""
    assert set(EXAMPLES) == {path.stem for path in CASSETTES.glob("*.yaml")}


def test_cassettes_hold_no_secret() -> None:
    """Keys and secrets are the same in all of them, and no credential is there at all."""
    texts = [path.read_text() for path in CASSETTES.glob("*.yaml")]

    assert NO_SECRETS == {secret for text in texts for secret in SECRET.findall(text)}
    assert not any("authorization" in text.lower() for text in texts)


def test_what_is_not_as_it_was_recorded_is_told(tmp_path: Path) -> None:
    """`make check` sees an answer that has changed, one that is new and one that is gone."""
    kept, recorded = tmp_path / "kept", tmp_path / "recorded"
    for folder, files in (
        (kept, {"same": "1", "changed": "old", "gone": "2"}),
        (recorded, {"same": "1", "changed": "new", "added": "3"}),
    ):
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(f"{text}\n")

    lines = differences(recorded, kept)

    assert ["+3", "-old", "+new", "-2"] == [
        line for line in lines if line[0] in "+-" and line[1] not in "+-"
    ]
    assert [] == differences(kept, kept)
