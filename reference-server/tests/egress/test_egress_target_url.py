from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest
import yarl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from hookwright_server.domain.target_url import (
    MAX_URL_LENGTH,
    TargetUrl,
    UrlNotAllowed,
    parse_target_url,
)

ACCEPTED = {
    "https://example.com": TargetUrl("https", "example.com", 443, "/", False),
    "https://example.com?x=1": TargetUrl("https", "example.com", 443, "/?x=1", False),
    "HTTPS://Example.COM/Hook": TargetUrl("https", "example.com", 443, "/Hook", False),
    "https://example.com:8443/a?b=c": TargetUrl("https", "example.com", 8443, "/a?b=c", False),
    "http://example.com:80/": TargetUrl("http", "example.com", 80, "/", False),
    "https://a--b.example.com/%7Ex": TargetUrl("https", "a--b.example.com", 443, "/%7Ex", False),
    "https://bücher.example/": TargetUrl("https", "xn--bcher-kva.example", 443, "/", False),
    "https://faß.example/": TargetUrl("https", "xn--fa-hia.example", 443, "/", False),
    "https://8.8.8.8/": TargetUrl("https", "8.8.8.8", 443, "/", True),
    "https://[2606:4700::0001]/": TargetUrl("https", "2606:4700::1", 443, "/", True),
    "https://[2606:4700::1]:8443/": TargetUrl("https", "2606:4700::1", 8443, "/", True),
    "https://example.com/@user/a[]=1": TargetUrl(
        "https", "example.com", 443, "/@user/a[]=1", False
    ),
}

REFUSED = {
    "": "url_empty",
    "https://example.com/" + "a" * MAX_URL_LENGTH: "url_too_long",
    "https://exam ple.com/": "url_has_space_or_control",
    " https://example.com/": "url_has_space_or_control",
    "https://example.com/\n": "url_has_space_or_control",
    "https://example\t.com/": "url_has_space_or_control",
    "https://127.0.0.1\0.example.com/": "url_has_space_or_control",
    "https://exam\u00adple.com/": "url_has_space_or_control",
    "https://exam\u200bple.com/": "url_has_space_or_control",
    "https://exam\u202eple.com/": "url_has_space_or_control",
    "https://example.com\\@127.0.0.1/": "url_has_backslash",
    "example.com/hook": "url_malformed",
    "//example.com/hook": "url_malformed",
    "https:example.com": "url_malformed",
    "https:/example.com": "url_malformed",
    "#fragment": "url_malformed",
    "ftp://example.com/": "scheme_not_allowed",
    "file:///etc/passwd": "scheme_not_allowed",
    "gopher://example.com/": "scheme_not_allowed",
    "javascript://example.com/": "scheme_not_allowed",
    "https:///example.com": "host_empty",
    "https://": "host_empty",
    "https://:443/": "host_empty",
    "https://?x": "host_empty",
    "https://example.com/#x": "fragment_not_allowed",
    "https://user@example.com/": "userinfo_not_allowed",
    "https://user:secret@example.com/": "userinfo_not_allowed",
    "https://a@b@example.com/": "userinfo_not_allowed",
    "https://example.com%2f/": "host_has_percent",
    "https://127.0.0.%31/": "host_has_percent",
    "https://[fe80::1%25eth0]/": "host_zone_id",
    "https://[fe80::1%eth0]/": "host_zone_id",
    "https://[v1.x]/": "host_malformed",
    "https://[example.com]/": "host_malformed",
    "https://[]/": "host_malformed",
    "https://[::1/": "host_malformed",
    "https://[2606:4700::1]x/": "host_malformed",
    "https://2606:4700::1/": "host_malformed",
    "https://example.com:80:90/": "host_malformed",
    "https://exa_mple.com/": "host_malformed",
    "https://-example.com/": "host_malformed",
    "https://example..com/": "host_malformed",
    "https://.example.com/": "host_malformed",
    f"https://{'a' * 64}.com/": "host_malformed",
    f"https://{'a.' * 127}com/": "host_malformed",
    "https://xn--google-.com/": "host_malformed",
    "https://xn--a.com/": "host_malformed",
    "https://a\u05d0.com/": "host_malformed",
    "https://example.com./": "host_not_canonical",
    "https://\uff45xample.com/": "host_not_canonical",
    "https://\u24d4xample.com/": "host_not_canonical",
    "https://example\u3002com/": "host_not_canonical",
    "https://\uff11\uff12\uff17.0.0.1/": "host_not_canonical",
    "https://BÜCHER.example/": "host_not_canonical",
    "https://2130706433/": "host_numeric",
    "https://0x7f000001/": "host_numeric",
    "https://0x7f.1/": "host_numeric",
    "https://0177.0.0.1/": "host_numeric",
    "https://127.1/": "host_numeric",
    "https://8.8.8.08/": "host_numeric",
    "https://8.8.8.256/": "host_numeric",
    "https://1.2.3.4.5/": "host_numeric",
    "https://example.0x/": "host_numeric",
    "https://example.123/": "host_numeric",
    "https://example.com:/": "port_malformed",
    "https://example.com:0/": "port_malformed",
    "https://example.com:080/": "port_malformed",
    "https://example.com:99999/": "port_malformed",
    "https://example.com:\u0668\u0660/": "port_malformed",
    "https://example.com:+80/": "port_malformed",
    "https://example.com/a<b>": "path_malformed",
    "https://example.com/ä": "path_malformed",
    "https://example.com/%zz": "path_malformed",
    "https://example.com/%": "path_malformed",
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_plain_urls_are_taken_apart(text: str) -> None:
    """Every usual form of URL yields its parts in canonical spelling."""
    target = parse_target_url(text, allow_http=True)

    assert ACCEPTED[text] == target


@pytest.mark.parametrize("text", REFUSED)
def test_ambiguous_urls_are_refused_with_a_reason(text: str) -> None:
    """Whatever is odd is refused under a reason that a machine can read."""
    with pytest.raises(UrlNotAllowed) as refused:
        parse_target_url(text, allow_http=True)

    assert REFUSED[text] == refused.value.reason


def test_http_is_refused_unless_allowed() -> None:
    """Plain http needs the operator's setting."""
    with pytest.raises(UrlNotAllowed, match="plain http is off") as refused:
        parse_target_url("http://example.com/", allow_http=False)

    assert "scheme_not_allowed" == refused.value.reason


def test_a_refusal_never_repeats_a_password_or_a_control_character() -> None:
    """The text of a refusal is safe to show and to log."""
    with pytest.raises(UrlNotAllowed) as with_password:
        parse_target_url("https://user:secret@example.com/", allow_http=False)
    with pytest.raises(UrlNotAllowed) as with_control:
        parse_target_url("https://example.com/\x1b[31m" + "a" * 200, allow_http=False)

    assert "secret" not in str(with_password.value)
    assert str(with_control.value).isprintable()
    assert 250 > len(str(with_control.value))


@pytest.mark.parametrize(
    ("text", "host_header"),
    [
        ("https://example.com/", "example.com"),
        ("https://example.com:443/", "example.com"),
        ("https://example.com:8443/", "example.com:8443"),
        ("http://example.com:443/", "example.com:443"),
        ("https://[2606:4700::1]/", "[2606:4700::1]"),
        ("https://[2606:4700::1]:444/", "[2606:4700::1]:444"),
    ],
)
def test_the_host_header_names_host_and_unusual_port(text: str, host_header: str) -> None:
    """The Host field leaves out the scheme's own port and brackets IPv6."""
    target = parse_target_url(text, allow_http=True)

    assert host_header == target.host_header


_pieces = st.sampled_from(
    [
        *("http", "https", "HTTP", "://", ":", "/", "//", "?", "#", "@", "\\", ".", "%", "[", "]"),
        *(
            "example",
            "com",
            "xn--",
            "bücher",
            "ß",
            "\uff11",
            "\u3002",
            "127.0.0.1",
            "0x7f",
            "1",
            "08",
        ),
        *("::1", "ffff:", "%25", "%00", "localhost", "\t", "\0", "-", "_", ":80", ":443", "a", "Z"),
        *("\u0130", "\u212a", "\u1e9e", "\u03c2", "\u0660", "\u200d", "&", "=", ";", "'", "(", "!"),
    ]
)
_urls = st.one_of(
    st.text(max_size=40),
    st.lists(_pieces, max_size=10).map("".join),
    st.lists(_pieces, min_size=1, max_size=6).map(lambda parts: "https://" + "".join(parts)),
    st.text(max_size=12).map(lambda host: f"https://{host}/"),
    st.text(max_size=8).map(lambda host: f"https://example.com{host}"),
)


@settings(max_examples=1500, deadline=None)
@given(_urls)
@example("https://example.com?@127.0.0.1/")
@example("https://example.com/?a=b://c@d")
def test_no_two_parsers_disagree_about_an_accepted_url(text: str) -> None:
    """urllib, urllib3, httpx and yarl read scheme, host and port of an accepted URL as we do."""
    try:
        ours = parse_target_url(text, allow_http=True)
    except UrlNotAllowed:
        return
    expected = (ours.scheme, ours.host, ours.port)
    split = urlsplit(text)
    three = parse_url(text)
    ex = httpx.URL(text)
    yarled = yarl.URL(text)
    default = 443 if ours.scheme == "https" else 80

    readings = {
        "urllib": (split.scheme, _settled(split.hostname), split.port or default),
        "urllib3": (three.scheme, _settled(three.host), three.port or default),
        "httpx": (ex.scheme, _settled(ex.raw_host.decode()), ex.port or default),
        "yarl": (yarled.scheme, _settled(yarled.raw_host), yarled.port),
    }
    assert dict.fromkeys(readings, expected) == readings


@settings(max_examples=500, deadline=None)
@given(_urls)
def test_a_canonical_url_is_its_own_reading(text: str) -> None:
    """Parsing what a parsed URL prints changes nothing."""
    try:
        target = parse_target_url(text, allow_http=True)
    except UrlNotAllowed:
        return

    assert target == parse_target_url(str(target), allow_http=True)


def _settled(host: str | None) -> str:
    """The host another parser read, as our parser settles it."""
    bare = (host or "").strip("[]")
    shown = f"[{bare}]" if ":" in bare else bare
    return parse_target_url(f"https://{shown}/", allow_http=False).host
