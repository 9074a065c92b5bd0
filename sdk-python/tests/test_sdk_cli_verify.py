"""`hookwright verify`: what is wrong with a captured request, said precisely."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from hookwright.cli.captured import Captured, Headers
from hookwright.cli.checks import Examiner
from hookwright.cli.program import program
from hookwright.testing import SECRET, Broken, SignedRequest, sign_request
from hookwright.webhooks import Webhook

OTHER = "whsec_YW5vdGhlci1zZWNyZXQtdGhhdC1zaWducy1ub3RoaW5n"


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(program, ["verify", *arguments], input=stdin)


def whole(request: SignedRequest) -> bytes:
    """The request as HTTP."""
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /hooks HTTP/1.1\r\n{head}\r\n".encode() + request.body


def wrong(result: Result) -> dict[str, str]:
    """What a report finds fault with, or has a note on."""
    found: Mapping[str, Any] = json.loads(result.stdout)
    return {each["check"]: each["text"] for each in found["findings"] if each["state"] != "ok"}


def test_a_genuine_request_is_said_to_be_genuine(tmp_path: Path) -> None:
    """As a whole, or as headers and a body; the secret may be in the environment."""
    request = sign_request("order.created", {"id": 7})
    (tmp_path / "request").write_bytes(whole(request))
    (tmp_path / "headers").write_text(json.dumps(request.headers))
    (tmp_path / "body").write_bytes(request.body)
    flags = [part for name, value in request.headers.items() for part in ("-H", f"{name}: {value}")]

    results = [
        run("--secret", OTHER, "--secret", SECRET, "--request", str(tmp_path / "request")),
        run("--secret", SECRET, "--request", "-", stdin=whole(request)),
        run("--secret", SECRET, "--body", str(tmp_path / "body"), *flags),
        CliRunner().invoke(
            program,
            ["verify", "--headers", str(tmp_path / "headers"), "--body", "-", "--json"],
            input=request.body,
            env={"HOOKWRIGHT_WEBHOOK_SECRET": SECRET},
        ),
    ]

    assert [0, 0, 0, 0] == [result.exit_code for result in results]
    assert "matches the secret 2 of 2" in results[0].stdout
    assert "The request is genuine." in results[1].stdout
    report = json.loads(results[3].stdout)
    assert (True, {"id": 7}) == (report["valid"], report["event"]["data"])


@pytest.mark.parametrize(
    ("broken", "check", "text"),
    [
        ("signature", "webhook-signature", "matches no secret (1 signatures tried)"),
        ("secret", "secret", "is it this endpoint's secret"),
        ("body", "body", "it matches the same JSON in its shortest form"),
        ("scheme", "webhook-signature", "matches no secret"),
        ("expired", "webhook-timestamp", "an old capture: --ignore-time passes it"),
        ("future", "webhook-timestamp", "an old capture"),
        ("no_id", "webhook-id", "is missing"),
        ("no_timestamp", "webhook-timestamp", "is missing"),
        ("no_signature", "webhook-signature", "is missing"),
        ("bad_timestamp", "webhook-timestamp", "'yesterday' is not whole Unix seconds"),
        ("bad_signature", "webhook-signature", "matches no secret"),
        ("bad_json", "body", "is not JSON"),
    ],
)
def test_what_is_broken_is_named(broken: Broken, check: str, text: str) -> None:
    """Every kind of broken request ends with 1 and the place of the fault."""
    request = sign_request(broken=broken)

    result = run("--secret", SECRET, "--request", "-", "--json", stdin=whole(request))

    assert 1 == result.exit_code
    assert text in wrong(result)[check]


def test_every_kind_of_broken_request_is_tried_here() -> None:
    """The list above is that of `sign_request`."""
    from hookwright.testing import BROKEN

    (mark,) = test_what_is_broken_is_named.pytestmark  # type: ignore[attr-defined]

    assert set(BROKEN) == {case[0] for case in mark.args[1]}


def append_line_end(body: bytes) -> bytes:
    """As an editor does."""
    return body + b"\n"


def prepend_mark(body: bytes) -> bytes:
    """As a text tool of Windows does."""
    return b"\xef\xbb\xbf" + body


def parse_and_write(body: bytes) -> bytes:
    """As a framework does that hands over what it parsed."""
    return json.dumps(json.loads(body)).encode()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (append_line_end, "without the line end at the end"),
        (prepend_mark, "without the byte order mark"),
        (parse_and_write, "in its shortest form"),
    ],
)
def test_a_body_that_was_changed_on_its_way_is_recognized(
    change: Callable[[bytes], bytes], text: str
) -> None:
    """The usual mistakes of those who verify are tried out."""
    request = sign_request("order.created", {"name": "Zoë"})
    changed = SignedRequest(change(request.body), request.headers, request.secret)

    result = run("--secret", SECRET, "--request", "-", "--json", stdin=whole(changed))

    assert 1 == result.exit_code
    assert text in wrong(result)["body"]


def test_other_mistakes_are_recognized(tmp_path: Path) -> None:
    """Doubled and renamed headers, milliseconds, a secret that is none or was used as text."""
    request = sign_request()
    doubled = whole(request).replace(b"webhook-id", b"webhook-id: again\r\nwebhook-id")
    renamed = whole(request).replace(b"webhook-id", b"svix-id")
    stamp = request.headers["webhook-timestamp"]
    late = whole(request).replace(stamp.encode(), f"{stamp}000".encode())

    found = {
        name: wrong(run("--secret", secret, "--request", "-", "--json", stdin=content))
        for name, secret, content in (
            ("doubled", SECRET, doubled),
            ("renamed", SECRET, renamed),
            ("late", SECRET, late),
            ("secret", "whsec_oops", whole(request)),
            ("text", SECRET, whole(_signed_with_text(request))),
        )
    }

    assert "is given 2 times" in found["doubled"]["webhook-id"]
    assert "there is svix-id" in found["renamed"]["webhook-id"]
    assert "milliseconds?" in found["late"]["webhook-timestamp"]
    assert "24 to 64" in found["secret"]["secret 1"]
    assert "used the secret's text as the key" in found["text"]["secret"]


def test_an_old_capture_is_judged_by_the_time_that_is_given() -> None:
    """`--at` and `--ignore-time` are for requests of the past."""
    request = sign_request(now=1_800_000_000)

    old = run("--secret", SECRET, "--request", "-", stdin=whole(request))
    then = run(
        *("--secret", SECRET, "--request", "-", "--at", "2027-01-15T08:01:00Z"),
        stdin=whole(request),
    )
    whenever = run("--secret", SECRET, "--request", "-", "--ignore-time", stdin=whole(request))

    assert [1, 0, 0] == [result.exit_code for result in (old, then, whenever)]
    assert "2027-01-15 08:00:00Z" in old.stdout


def test_an_event_that_is_no_text_is_printed() -> None:
    """JSON may escape half of a character; the report holds it so again."""
    body = rb'{"type": "a", "timestamp": "2026-11-21T09:00:00Z", "data": {"half": "\ud800"}}'
    stamp = 1_800_000_000
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": Webhook(SECRET).sign("msg_1", stamp, body),
    }

    result = run(
        *("--secret", SECRET, "--request", "-", "--ignore-time", "--json"),
        stdin=whole(SignedRequest(body, headers, SECRET)),
    )

    assert 0 == result.exit_code
    assert {"half": "\ud800"} == json.loads(result.stdout)["event"]["data"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "Whose is it?"),
        (("--secret", SECRET), "What was received?"),
        (("--secret", SECRET, "--request", "-", "--body", "-"), "leave out the others"),
        (("--secret", SECRET, "--headers", "-", "--body", "-"), "Only one of"),
        (("--secret", SECRET, "--request", "-"), "no empty line"),
        (("--secret", SECRET, "--body", "/no/file"), "cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_a_mistake_of_the_command_line(
    arguments: tuple[str, ...], text: str
) -> None:
    """It ends with 2, so that scripts can tell it from a forged request."""
    result = run(*arguments, stdin="no request")

    assert 2 == result.exit_code
    assert text in result.stderr


@settings(max_examples=40)
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x"]),
            st.text(max_size=30) | st.sampled_from(["1800000000", "v1,MDA=", "v1a,MDA= v1,x"]),
        ),
        max_size=5,
    ),
    body=st.binary(max_size=40) | st.sampled_from([b"{}", b"[" * 9999, b'{"a": NaN}']),
)
def test_no_capture_breaks_the_examiner(pairs: list[tuple[str, str]], body: bytes) -> None:
    """Whatever was written down gets a verdict, which is that of `Webhook`."""
    captured = Captured(Headers(pairs), body)

    report = Examiner(captured, [SECRET], 300, 1_800_000_000).report()

    assert report.findings
    assert not report.valid


def _signed_with_text(request: SignedRequest) -> SignedRequest:
    import base64
    import hashlib
    import hmac

    stamp, identity = request.headers["webhook-timestamp"], request.headers["webhook-id"]
    content = f"{identity}.{stamp}.".encode() + request.body
    made = hmac.digest(SECRET.encode(), content, hashlib.sha256)
    headers = request.headers | {"webhook-signature": f"v1,{base64.b64encode(made).decode()}"}
    return SignedRequest(request.body, headers, SECRET)
