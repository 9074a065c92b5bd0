"""Commands that repeat a request: a shell reads in them what was sent, and no key stands there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hookwright_conformance.curl import curl, raw_bytes, redacted

KEY = "hw_live_secret"
SECRETS = {KEY: "MY_KEY"}
# Prints its words, and behind them what is piped to it.
CURL = "#!/bin/sh\nprintf '%s\\0' \"$@\"\ncase \" $* \" in *' @- '*) cat;; esac\n"
URL = "http://[::1]:80/v1/../a?q=%5B{1}&b=it's"
JSON = ("-H", "Content-Type: application/json")


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who copies a command."""
    program = tmp_path / "curl"
    program.write_text(CURL)
    program.chmod(0o755)
    return {**os.environ, "MY_KEY": KEY, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def output(command: str, environment: dict[str, str] | None = None) -> bytes:
    """What a shell prints for a command."""
    done = subprocess.run(["bash", "-c", command], env=environment, check=True, capture_output=True)
    return done.stdout


@pytest.mark.parametrize(
    ("headers", "body", "words", "piped"),
    [
        ({"Authorization": f"Bearer {KEY}"}, None, ("-H", f"Authorization: Bearer {KEY}"), b""),
        (
            {"Content-Type": "application/json", "X-Empty": ""},
            b'{"a":"it\'s $HOME `x` \\"!"}',
            (*JSON, "-H", "X-Empty;", "--data-raw", '{"a":"it\'s $HOME `x` \\"!"}'),
            b"",
        ),
        (
            {"Content-Type": "application/json"},
            f'{{"key":"{KEY}","b":"{KEY}s $HOME \\"`x`"}}'.encode(),
            (*JSON, "--data-raw", f'{{"key":"{KEY}","b":"{KEY}s $HOME \\"`x`"}}'),
            b"",
        ),
        ({}, b"no type", ("-H", "Content-Type:", "--data-raw", "no type"), b""),
        (
            {"Content-Type": "application/json"},
            b"{'\xff\x00%s\\\r\n}",
            (*JSON, "--data-binary", "@-"),
            b"{'\xff\x00%s\\\r\n}",
        ),
    ],
    ids=["a key", "text", "a key in a body", "no media type", "bytes"],
)
def test_a_shell_reads_what_was_sent(
    shell: dict[str, str],
    headers: dict[str, str],
    body: bytes | None,
    words: tuple[str, ...],
    piped: bytes,
) -> None:
    """Word by word; the key comes from the environment."""
    command = curl("PUT", URL, headers, body, SECRETS)
    *read, rest = output(command, shell).split(b"\0", 6 + len(words))

    expected = ("-i", "--globoff", "--path-as-is", "-X", "PUT", *words, URL)
    assert expected == tuple(word.decode() for word in read)
    assert piped == rest
    assert KEY not in command


def test_a_long_body_is_cut_and_says_so() -> None:
    """A comment behind the command tells how much is missing."""
    command = curl("POST", "http://a/", {"Content-Type": "text/plain"}, b"x" * 5_000, {})

    assert command.endswith("http://a/  # cut: the first 2000 of 5000 bytes")


def test_raw_bytes_are_printed_as_they_are() -> None:
    """Whatever bytes they are: what is piped is what was sent."""
    data = bytes(range(256)) + b"GET /v1/apps HTTP/1.1\r\nHost: 100%'\\\r\n\r\n"
    plain, encrypted = (raw_bytes(url, data) for url in ("http://[::1]:80/a", "https://a/b"))
    printing, _, there = plain.rpartition(" | ")

    assert (data, "nc ::1 80") == (output(printing), there)
    assert encrypted.endswith(" | openssl s_client -quiet -connect a:443")


def test_keys_are_named_wherever_they_stand() -> None:
    """Also in the middle of a word."""
    assert "($MY_KEY, ${MY_KEY}s)" == redacted(f"({KEY}, {KEY}s)", SECRETS)
