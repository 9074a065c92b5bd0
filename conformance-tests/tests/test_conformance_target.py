"""target.yaml: what is read, and how each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookwright_conformance.certificates import new_authority
from hookwright_conformance.errors import TargetError
from hookwright_conformance.target import KnownFailure, Need, load

EXAMPLE = Path(__file__).parents[1] / "target.example.yaml"
KEYS = {"HOOKWRIGHT_API_KEY": "hw_live_a", "HOOKWRIGHT_OTHER_API_KEY": "hw_live_b"}
MINIMAL = "base_url: http://a:1\ncredentials: {account: KEY}\nprofiles: [core]\n"


def write(folder: Path, text: str) -> Path:
    """A target.yaml with this text."""
    path = folder / "target.yaml"
    path.write_text(text)
    return path


def test_the_example_is_a_valid_target() -> None:
    """It can be copied and used."""
    target = load(EXAMPLE, KEYS)

    assert ("hw_live_a", "HOOKWRIGHT_API_KEY") == (target.account.key, target.account.variable)
    assert target.other_account is not None
    assert (2, 10, 30) == (
        target.timing.slack,
        target.timing.delivery,
        target.timing.request_timeout,
    )


def test_everything_else_has_a_default(tmp_path: Path) -> None:
    """Three entries are enough; a base URL may be given on the command line."""
    target = load(write(tmp_path, MINIMAL), {"KEY": "k"}, "http://b:2/")

    assert "http://b:2" == target.base_url
    assert ("127.0.0.1", 0, None) == (
        target.receiver.bind,
        target.receiver.port,
        target.receiver.public_url,
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://example.com/webhooks-api/", "https://example.com/webhooks-api"),
        ("http://[::1]/a/b", "http://[::1]/a/b"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ],
)
def test_a_base_url_may_have_a_path_and_an_ipv6_address(
    tmp_path: Path, given: str, read: str
) -> None:
    """The API's paths are appended to it, so a slash at its end is left out."""
    assert read == load(write(tmp_path, MINIMAL), {"KEY": "k"}, given).base_url


@pytest.mark.parametrize(
    "given",
    [
        "ftp://a",
        "http://",
        "http://:80",
        "http://a:99999",
        "http://[::1",
        "http://::1",
        "http://a/b?c=d",
        "http://a/b#c",
        "http://user:password@a",
        "http://a/b c",
        "http://ä",
    ],
)
def test_a_base_url_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    """Wherever it stands."""
    with pytest.raises(TargetError, match=r"base_url .* cannot be used"):
        load(write(tmp_path, MINIMAL), {"KEY": "k"}, given)


def test_what_is_not_declared_is_lacking(tmp_path: Path) -> None:
    """A target has an authority and an IPv6 address when it says so."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(new_authority().pem())
    keys = {"KEY": "k", "CA": str(authority)}
    both = 'receiver: {tls: {authority: CA}, ipv6: "::1"}\n'
    needs: tuple[Need, ...] = ("receiver.tls", "receiver.ipv6")

    found = [load(write(tmp_path, MINIMAL + text), keys) for text in ("", both)]
    assert [[True, True], [False, False]] == [[one.lacks(need) for need in needs] for one in found]
    assert not found[0].lacks(None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{ipv6: "127.0.0.1"}', "receiver/ipv6"),
        ("{tls: {authority: NOT_SET}}", "NOT_SET, named under receiver.tls, is not set"),
        ("{tls: {authority: KEY}}", "k, which KEY names, is not the file of an authority"),
    ],
)
def test_each_mistake_of_the_receiver_is_named(tmp_path: Path, text: str, says: str) -> None:
    """An address of another kind, a variable that is not set, and one that names no file."""
    with pytest.raises(TargetError, match=says):
        load(write(tmp_path, f"{MINIMAL}receiver: {text}\n"), {"KEY": "k"})


def test_known_failures_are_found_by_case(tmp_path: Path) -> None:
    """The entry of a case, or None."""
    text = MINIMAL + "known_failures: [{case: a.b, reason: because}]\n"
    target = load(write(tmp_path, text), {"KEY": "k"})

    assert KnownFailure("a.b", "because") == target.known_failure("a.b")
    assert target.known_failure("a.c") is None


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    """The repr of a target names the variable only."""
    target = load(write(tmp_path, MINIMAL), {"KEY": "very-secret"})

    assert "very-secret" not in repr(target)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "cannot be read"),
        ("profiles: [core]", '"base_url" is a required property'),
        (MINIMAL + "colour: red", "Additional properties are not allowed"),
        (MINIMAL.replace("core", "everything"), "profiles/0"),
        (MINIMAL.replace("http://a:1", "a:1"), "base_url 'a:1' cannot be used; write http"),
        (MINIMAL + "timing: {slack_seconds: -1}", "timing/slack_seconds"),
        (MINIMAL + "known_failures: [{case: a}]", '"reason" is a required property'),
        (MINIMAL, "the environment variable KEY"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    """The error says where and what."""
    with pytest.raises(TargetError) as caught:
        load(write(tmp_path, text), {})

    assert says in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(TargetError, match=r"absent\.yaml"):
        load(tmp_path / "absent.yaml", {})


@pytest.mark.parametrize(
    "text",
    [b"base_url: \xe9\n", b"1: 2\n", b"base_url: 2026-11-22\n", b"profiles: &all [*all]\n"],
    ids=["no UTF-8", "a number as a name", "a date", "a list that holds itself"],
)
def test_what_json_cannot_hold_is_no_target(tmp_path: Path, text: bytes) -> None:
    """YAML can, and the file is named instead of a traceback shown."""
    path = tmp_path / "target.yaml"
    path.write_bytes(text)
    with pytest.raises(TargetError, match=r"target\.yaml cannot be read"):
        load(path, {})


@pytest.mark.parametrize("key", ["hw_live_…", "hw_live_a\nb", "hw_live_a b"])
def test_a_key_that_cannot_be_sent_is_not_shown(tmp_path: Path, key: str) -> None:
    """No header holds it; the error names the variable alone."""
    with pytest.raises(TargetError, match="variable KEY holds characters") as caught:
        load(write(tmp_path, MINIMAL), {"KEY": key})

    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["hooks:80", "http://[::1", "http://h:{prt}", "http://u:p@h"])
def test_a_public_url_that_is_none_is_named(tmp_path: Path, url: str) -> None:
    """Before the server refuses what is made of it."""
    text = MINIMAL + f"receiver: {{public_url: '{url}'}}\n"
    with pytest.raises(TargetError, match=r"receiver\.public_url"):
        load(write(tmp_path, text), {"KEY": "k"})


def test_a_public_url_may_name_the_port_of_the_receiver(tmp_path: Path) -> None:
    """And a path that stands before the receiver's own."""
    url = "https://hooks.example.com:{port}/in/"
    text = MINIMAL + f"receiver: {{public_url: '{url}'}}\n"

    assert url == load(write(tmp_path, text), {"KEY": "k"}).receiver.public_url
