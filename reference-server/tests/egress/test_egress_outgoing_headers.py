from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_server.delivery.request_head import (
    HeaderNotSendable,
    request_head,
    request_prefix,
)
from hookwright_server.domain.outgoing_headers import find_refusals
from hookwright_server.domain.retry_after import MAX_RETRY_AFTER_MS, parse_retry_after
from hookwright_server.domain.target_url import parse_target_url

RESERVED = (
    *("host", "date", "cookie", "expect", "te", "trailer", "upgrade", "connection", "keep-alive"),
    *("proxy-authorization", "proxy-connection", "content-length", "content-type"),
    *("content-encoding", "transfer-encoding", "accept-encoding", "http2-settings"),
    *("x-forwarded-for", "x-forwarded-host", "user-agent", "webhook-id", "webhook-signature"),
    *("traceparent", "tracestate", "Host", "CONTENT-LENGTH", "Webhook-Timestamp"),
)
BAD_NAMES = ("", "a b", "a:b", "a\r\nb", "a\n", "a\0", "ä", " a", "a(", "a\tb", ":authority")
BAD_VALUES = (
    "a\r\nb: c",
    "a\nb",
    "a\rb",
    "a\0",
    "a\tb",
    "ä",
    "\u2028",
    " a",
    "a ",
    "\x7f",
    "\x1b[m",
)
PREFIX = request_prefix(parse_target_url("https://example.com:8443/in?a=b", allow_http=False))
NOW_MS = 1_795_219_200_000  # 2026-11-21 00:00:00 UTC


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_cannot_be_set(name: str) -> None:
    """Framing, signature and trace headers belong to the server, in any letter case."""
    assert ["header_name_reserved"] == [r.reason for r in find_refusals([(name, "x")])]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_tokens_cannot_be_set(name: str) -> None:
    """Nothing that could end a line or a name passes as a name."""
    assert ["header_name_malformed"] == [r.reason for r in find_refusals([(name, "x")])]


@pytest.mark.parametrize("value", BAD_VALUES)
def test_values_that_are_not_visible_cannot_be_set(value: str) -> None:
    """Nothing that could end a line passes as a value, and the refusal does not repeat it."""
    refusals = find_refusals([("x-token", value)])

    assert ["header_value_malformed"] == [refusal.reason for refusal in refusals]
    assert repr(value)[1:-1] not in refusals[0].message


def test_usual_headers_pass_and_duplicates_do_not() -> None:
    """Authorization and the like are for users; the same name twice is refused."""
    fine = [("Authorization", "Bearer a.b-c_d"), ("X-Empty", ""), ("x-a", "two  words")]

    assert [] == find_refusals(fine)
    assert ["header_name_duplicated"] == [
        refusal.reason for refusal in find_refusals([*fine, ("AUTHORIZATION", "x")])
    ]


def test_the_head_frames_the_request_itself() -> None:
    """Host, length and encoding come from the server; other headers follow as given."""
    head = request_head(PREFIX, [("webhook-id", "msg_1"), ("X-A", "b")], 12)

    expected = (
        b"POST /in?a=b HTTP/1.1\r\nHost: example.com:8443\r\nAccept-Encoding: identity\r\n"
        b"Content-Length: 12\r\nwebhook-id: msg_1\r\nX-A: b\r\n\r\n"
    )
    assert expected == head


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=20)), max_size=5))
def test_no_header_can_add_a_line_to_the_head(headers: list[tuple[str, str]]) -> None:
    """A head has exactly the lines that were asked for, or is not built at all."""
    try:
        head = request_head(PREFIX, headers, 0)
    except HeaderNotSendable:
        return
    expected = [f"{name}: {value}".encode() for name, value in headers]

    assert expected == head.removesuffix(b"\r\n\r\n").split(b"\r\n")[4:]
    assert 1 == head.count(b"\r\n\r\n")


@given(st.tuples(st.sampled_from(["X-A", "x-b"]), st.text()).map(lambda header: [header]))
def test_what_may_be_set_may_be_sent(headers: list[tuple[str, str]]) -> None:
    """The rule for saving is at least as strict as the rule for sending."""
    if not find_refusals(headers):
        assert request_head(PREFIX, headers, 0)


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        (b"0", 0),
        (b"120", 120_000),
        (b"99999999999999999999", MAX_RETRY_AFTER_MS),
        (b"Sat, 21 Nov 2026 00:01:00 GMT", 60_000),
        (b"Saturday, 21-Nov-26 00:01:00 GMT", 60_000),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_MS),
        (b"Fri, 20 Nov 2026 00:00:00 GMT", None),
        (b"-1", None),
        (b"1.5", None),
        (b"1e99", None),
        (b"+5", None),
        (b"", None),
        (b"soon", None),
        (b"\xb2", None),
        (b"Sat, 99 Nov 2026 00:00:00 GMT", None),
        (b"Sat, 21 Nov 2026 00:01:00", None),
        (b"9" * 100, None),
    ],
)
def test_retry_after_is_followed_when_it_makes_sense(value: bytes, wait_ms: int | None) -> None:
    """Seconds and dates count, up to a day; everything else is as if absent."""
    assert wait_ms == parse_retry_after(value, NOW_MS)


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_retry_after_breaks_the_parser(value: bytes) -> None:
    """Any bytes give a wait within bounds or none."""
    wait_ms = parse_retry_after(value, NOW_MS)

    assert wait_ms is None or 0 <= wait_ms <= MAX_RETRY_AFTER_MS
