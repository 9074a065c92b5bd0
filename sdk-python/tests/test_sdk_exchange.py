"""One table of cases for both flavours, over real sockets."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from hookwright import errors
from hookwright._core.call import Call, CallOptions

if TYPE_CHECKING:
    from sdk_harness import Driver, ScriptedApi

NOW = datetime.fromtimestamp(1_800_000_000, UTC)
HTML = b"<html><body>502 Bad Gateway</body></html>"


def _reply(
    status: int,
    body: Any = None,
    *,
    content_type: str = "application/json",
    **headers: str,
) -> bytes:
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(content)}", "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def _problem(status: int, code: str, **headers: str) -> bytes:
    document = {"title": "T", "status": status, "detail": f"D {code}", "code": code}
    return _reply(status, document, content_type="application/problem+json", **headers)


def _in_future(**span: float) -> str:
    return format_datetime(NOW + timedelta(**span), usegmt=True)


def _name_of(document: Any) -> str:
    return str(document["name"])


GET = Call("apps.get", "GET", "/v1/apps/x", _name_of)
DELETE = Call("apps.delete", "DELETE", "/v1/apps/x", lambda nothing: nothing)
POST = Call("apps.create", "POST", "/v1/apps", _name_of, body={"name": "x"}, idempotent=True)
BARE_POST = Call("old.post", "POST", "/v1/old", _name_of, body={})

OK = _reply(200, {"name": "x"}, X_Request_Id="req_ok")
CUT = b""
CUT_IN_BODY = OK[:-4]


@dataclass(frozen=True)
class Case:
    """Answers in order, and what the caller gets: the result or the kind of error."""

    name: str
    steps: tuple[bytes, ...]
    gets: Any
    call: Call[Any] = GET
    waits: tuple[float, ...] = ()
    shows: dict[str, Any] = field(default_factory=dict[str, Any])


CASES = [
    Case("success", (OK,), "x"),
    Case("no-content", (_reply(204),), None, DELETE),
    Case("503-then-200", (_problem(503, "unavailable"), OK), "x", waits=(0.5,)),
    Case("backoff-doubles", (_reply(500), _reply(500), OK), "x", waits=(0.5, 1.0)),
    Case("408-is-retried", (_reply(408), OK), "x", waits=(0.5,)),
    Case("425-is-retried", (_reply(425), OK), "x", waits=(0.5,)),
    Case("429-is-retried", (_problem(429, "rate_limited"), OK), "x", waits=(0.5,)),
    Case("delete-cut-then-404", (CUT, _problem(404, "not_found")), None, DELETE, waits=(0.5,)),
    Case("delete-502-then-404", (_reply(502), _reply(404)), None, DELETE, waits=(0.5,)),
    Case(
        "delete-503-429-then-404",
        (_reply(503), _reply(429), _problem(404, "not_found")),
        None,
        DELETE,
        waits=(0.5, 1.0),
    ),
    Case("delete-404-at-once", (_problem(404, "not_found"),), errors.NotFoundError, DELETE),
    Case(
        "delete-429-then-404",
        (_reply(429), _problem(404, "not_found")),
        errors.NotFoundError,
        DELETE,
        waits=(0.5,),
    ),
    Case("delete-cut-then-403", (CUT, _reply(403)), errors.PermissionDeniedError, DELETE, (0.5,)),
    Case("get-cut-then-404", (CUT, _reply(404)), errors.NotFoundError, waits=(0.5,)),
    Case("retry-after-seconds", (_reply(429, Retry_After="7"), OK), "x", waits=(7,)),
    Case("retry-after-date", (_reply(503, Retry_After=_in_future(seconds=9)), OK), "x", waits=(9,)),
    Case("retry-after-zero-still-backs-off", (_reply(503, Retry_After="0"), OK), "x", waits=(0.5,)),
    Case("retry-after-past", (_reply(503, Retry_After=_in_future(days=-1)), OK), "x", waits=(0.5,)),
    Case("retry-after-nonsense", (_reply(503, Retry_After="soon"), OK), "x", waits=(0.5,)),
    Case("retry-after-negative", (_reply(503, Retry_After="-5"), OK), "x", waits=(0.5,)),
    Case("retry-after-120", (_reply(429, Retry_After="120"), OK), "x", waits=(120,)),
    Case(
        "retry-after-too-long",
        (_reply(429, Retry_After="121"),),
        errors.RateLimitError,
        shows={"retry_after": 121.0, "status_code": 429},
    ),
    Case(
        "retries-run-out",
        (_reply(503), _reply(503), _problem(503, "unavailable")),
        errors.InternalServerError,
        waits=(0.5, 1.0),
        shows={"status_code": 503, "code": "unavailable", "detail": "D unavailable"},
    ),
    Case(
        "html-502",
        (_reply(502, HTML, content_type="text/html"),) * 3,
        errors.InternalServerError,
        waits=(0.5, 1.0),
        shows={"status_code": 502, "code": None, "body": HTML.decode(), "request_id": None},
    ),
    Case("cut-then-200", (CUT, OK), "x", waits=(0.5,)),
    Case("cut-in-body-then-200", (CUT_IN_BODY, OK), "x", waits=(0.5,)),
    Case("cut-for-good", (CUT, CUT, CUT), errors.APIConnectionError, waits=(0.5, 1.0)),
    Case("not-http", (b"SSH-2.0-x\r\n\r\n",) * 3, errors.APIConnectionError, waits=(0.5, 1.0)),
    Case("post-cut-then-201", (CUT, _reply(201, {"name": "x"})), "x", POST, waits=(0.5,)),
    Case("post-503-then-201", (_reply(503), _reply(201, {"name": "x"})), "x", POST, waits=(0.5,)),
    Case("bare-post-is-not-repeated", (_reply(503),), errors.InternalServerError, BARE_POST),
    Case("bare-post-cut-is-not-repeated", (CUT,), errors.APIConnectionError, BARE_POST),
    Case(
        "409-in-progress",
        (_problem(409, "idempotency_in_progress", Retry_After="1"), OK),
        "x",
        POST,
        waits=(1,),
    ),
    Case(
        "409-conflict",
        (_problem(409, "slug_taken"),),
        errors.ConflictError,
        POST,
        shows={"code": "slug_taken"},
    ),
    Case("400", (_problem(400, "validation_error"),), errors.BadRequestError),
    Case("401", (_problem(401, "unauthorized"),), errors.AuthenticationError),
    Case("403", (_problem(403, "forbidden"),), errors.PermissionDeniedError),
    Case(
        "404",
        (_problem(404, "not_found", X_Request_Id="req_9"),),
        errors.NotFoundError,
        shows={"title": "T", "detail": "D not_found", "request_id": "req_9"},
    ),
    Case("405", (_problem(405, "method_not_allowed"),), errors.APIStatusError),
    Case("413", (_problem(413, "payload_too_large"),), errors.PayloadTooLargeError),
    Case("415", (_problem(415, "unsupported_media_type"),), errors.UnsupportedMediaTypeError),
    Case("422", (_problem(422, "unprocessable"),), errors.UnprocessableError),
    Case("501-unknown-5xx", (_reply(599),) * 3, errors.InternalServerError, waits=(0.5, 1.0)),
    Case("304", (_reply(304),), errors.APIStatusError, shows={"status_code": 304}),
    Case("200-html", (_reply(200, HTML, content_type="text/html"),), errors.APIResponseError),
    Case("200-empty", (_reply(200),), errors.APIResponseError),
    Case("200-array", (_reply(200, b"[]"),), errors.APIResponseError),
    Case("200-null", (_reply(200, b"null"),), errors.APIResponseError),
    Case(
        "200-field-missing",
        (_reply(200, {"title": 1}, X_Request_Id="req_7"),),
        errors.APIResponseError,
        shows={"status_code": 200, "request_id": "req_7", "body": '{"title": 1}'},
    ),
    Case("200-deep", (_reply(200, b"[" * 200_000),), errors.APIResponseError),
    Case("200-not-utf8", (_reply(200, b'{"name": "\xff"}'),), errors.APIResponseError),
    Case("200-bad-gzip", (_reply(200, b"no", Content_Encoding="gzip"),), errors.APIResponseError),
    Case(
        "400-wrong-types",
        (_reply(400, {"code": 5, "detail": [], "errors": [1, {"pointer": {}, "message": "m"}]}),),
        errors.BadRequestError,
        shows={"code": None, "detail": None, "errors": (errors.FieldError("", None, "m"),)},
    ),
    Case("400-array", (_reply(400, [1]),), errors.BadRequestError, shows={"code": None}),
    Case("400-errors-no-list", (_reply(400, {"errors": 7}),), errors.BadRequestError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_answer_leads_to_its_result(case: Case, driver: Driver, api: ScriptedApi) -> None:
    """Every scripted series of answers gives the documented result after the documented waits."""
    api.steps = list(case.steps)

    outcome: Any
    try:
        outcome = driver.request(case.call)
    except errors.HookwrightError as error:
        outcome = error

    if isinstance(case.gets, type):
        assert case.gets is type(outcome)
        assert case.shows == {name: getattr(outcome, name) for name in case.shows}
        assert "hw_test_key" not in repr(outcome) + str(outcome)
    else:
        assert case.gets == outcome
    assert list(case.waits) == driver.sleeps
    assert len(case.waits) + 1 == len(api.requests)


ODD_ANSWERS = {
    "no-http": b"{}",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "huge-length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "status-99": b"HTTP/1.1 99 X\r\nContent-Length: 2\r\n\r\n{}",
    "status-999": b"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\n{}",
    "switching": b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
    "long-head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n{}",
    "bad-location": b"HTTP/1.1 302 F\r\nLocation: //:x\r\nContent-Length: 0\r\n\r\n",
    "bad-request-id": b"HTTP/1.1 404 N\r\nX-Request-Id: \xff\r\nContent-Length: 0\r\n\r\n",
    "year-99999": b"HTTP/1.1 503 N\r\nRetry-After: Thu, 01 Jan 99999 00:00:00 GMT\r\n\r\n",
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_odd_answers_are_typed_errors(answer: bytes, driver: Driver, api: ScriptedApi) -> None:
    """Whatever a server or a proxy sends, the caller sees an APIError and nothing else."""
    api.steps = [answer, answer, answer]

    with pytest.raises(errors.APIError):
        driver.request(GET)


def test_one_key_serves_all_tries(driver: Driver, api: ScriptedApi) -> None:
    """The Idempotency-Key is made once per call and the repeated requests are identical."""
    api.steps = [_reply(503), CUT, _reply(201, {"name": "x"}), _reply(201, {"name": "y"})]

    driver.request(POST)
    driver.request(POST)

    keys = [request.headers["idempotency-key"] for request in api.requests]
    assert ["key-1", "key-1", "key-1", "key-2"] == keys
    assert api.requests[0] == api.requests[1] == api.requests[2]


@pytest.mark.parametrize(
    "options",
    [
        CallOptions(idempotency_key="mine"),
        CallOptions(extra_headers={"Idempotency-Key": "mine"}),
        CallOptions(idempotency_key="mine", extra_headers={"Idempotency-Key": "other"}),
    ],
)
@pytest.mark.parametrize("idempotent", [True, False])
def test_a_given_key_is_used(
    options: CallOptions, idempotent: bool, driver: Driver, api: ScriptedApi
) -> None:
    """The caller's own key goes out unchanged and makes a POST repeatable."""
    api.steps = [_reply(503), OK]

    driver.request(
        Call("o", "POST", "/v1/o", _name_of, body={}, idempotent=idempotent, options=options)
    )

    assert ["mine", "mine"] == [request.headers["idempotency-key"] for request in api.requests]


def test_request_on_the_wire(driver: Driver, api: ScriptedApi) -> None:
    """Method, path, query, body and headers arrive as the call says."""
    api.steps = [OK]
    query = (("status", "failed"), ("status", "held"), ("event_name", "a&b =ü"))

    driver.request(
        Call("o", "POST", "/v1/a%2Fb", _name_of, query, {"naïve": [1, None]}, idempotent=True)
    )

    (request,) = api.requests
    assert "POST" == request.method
    assert "/v1/a%2Fb?status=failed&status=held&event_name=a%26b%20%3D%C3%BC" == request.target
    assert '{"naïve":[1,null]}'.encode() == request.body
    expected = {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "authorization": "Bearer hw_test_key",
        "content-length": "19",
        "content-type": "application/json",
        "idempotency-key": "key-1",
        "user-agent": "hookwright-python/0.1.0",
    }
    assert expected == {name: request.headers[name] for name in expected}


def test_per_call_options_win(driver: Driver, api: ScriptedApi) -> None:
    """Options of a call override those of with_options, which override the client's."""
    driver.with_options(max_retries=0, extra_headers={"X-A": "client", "X-B": "client"})
    api.steps = [_reply(503), OK, _reply(503)]

    options = CallOptions(max_retries=1, extra_headers={"x-a": "call"})
    driver.request(Call("o", "GET", "/v1/o", _name_of, options=options))
    with pytest.raises(errors.InternalServerError):
        driver.request(GET)

    assert ("call", "client") == (api.requests[0].headers["x-a"], api.requests[0].headers["x-b"])
    assert "client" == api.requests[2].headers["x-a"]
    assert 3 == len(api.requests)


@pytest.mark.parametrize(
    "call",
    [
        Call("o", "POST", "/v1/o", _name_of, body={"n": float("nan")}),
        Call("o", "POST", "/v1/o", _name_of, body={"n": object()}),
        Call("o", "POST", "/v1/o", _name_of, body={"n": "\ud800"}),
        Call("o", "GET", "/v1/o", _name_of, query=(("q", "\ud800"),)),
        *(
            Call("o", "GET", "/v1/o", _name_of, options=options)
            for options in [
                CallOptions(timeout=0),
                CallOptions(timeout=float("nan")),
                CallOptions(timeout=True),
                CallOptions(max_retries=-1),
                CallOptions(max_retries=True),
                CallOptions(idempotency_key=""),
                CallOptions(extra_headers={"Idempotency-Key": ""}),
                CallOptions(idempotency_key="a b"),
                CallOptions(idempotency_key="a\r\nb"),
                CallOptions(extra_headers={"Host": "elsewhere.example"}),
                CallOptions(extra_headers={"Content-Length": "3"}),
                CallOptions(extra_headers={"X-A": "a\r\nX-B: b"}),
                CallOptions(extra_headers={"X-A\n": "a"}),
                CallOptions(extra_headers={"X-A": "ü"}),
                CallOptions(extra_headers=cast("Any", [("X-A", "a")])),
                CallOptions(extra_headers=cast("Any", "X-A: a")),
                CallOptions(idempotency_key=cast("Any", 7)),
                CallOptions(timeout=cast("Any", "10")),
                CallOptions(timeout=1e12),
            ]
        ),
    ],
)
def test_a_wrong_call_sends_nothing(call: Call[Any], driver: Driver, api: ScriptedApi) -> None:
    """What cannot be sent is a UsageError before any byte leaves."""
    with pytest.raises(errors.UsageError):
        driver.request(call)

    assert [] == api.requests


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, driver: Driver, api: ScriptedApi) -> None:
    """A redirect is an error, and the host it names gets no connection and no key."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        target = f"http://127.0.0.1:{canary.getsockname()[1]}/steal"
        api.steps = [_reply(status, Location=target)]

        with pytest.raises(errors.APIStatusError, match="never followed") as caught:
            driver.request(POST)

        assert status == caught.value.status_code
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_hang_ends_in_timeout(driver: Driver, api: ScriptedApi) -> None:
    """A server that never answers costs the timeout for each try, then an APITimeoutError."""
    driver.with_options(timeout=0.1)

    def hang(connection: socket.socket, closing: threading.Event) -> None:
        closing.wait(60)

    api.steps = [hang, hang, hang]

    with pytest.raises(errors.APITimeoutError, match=r"GET /v1/apps/x .* 0\.1 s"):
        driver.request(GET)

    assert [0.5, 1.0] == driver.sleeps


def test_dripping_body_ends_in_timeout(driver: Driver, api: ScriptedApi) -> None:
    """A body that arrives byte by byte is cut off when the timeout has passed in total."""
    driver.with_options(timeout=0.2, max_retries=0)

    def drip(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not closing.wait(0.02):
            connection.sendall(b" ")

    api.steps = [drip]

    with pytest.raises(errors.APITimeoutError, match=r"no answer within 0\.2 s"):
        driver.request(GET)


@pytest.mark.parametrize("announced", [True, False])
def test_endless_body_is_bounded(
    announced: bool, driver: Driver, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of a gigabyte is given up at the limit, whether it announces its size or not."""
    monkeypatch.setattr("hookwright._core.bodies.LARGEST_BODY_BYTES", 1_000_000)
    sent = 0

    def flood(connection: socket.socket, closing: threading.Event) -> None:
        nonlocal sent
        length = b"Content-Length: 1000000000\r\n" if announced else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        block = b"x" * 100_000
        while sent < 1_000_000_000:
            connection.sendall(block)
            sent += len(block)

    api.steps = [flood]

    with pytest.raises(errors.APIResponseError, match="larger than 1000000 bytes"):
        driver.request(GET)

    assert sent < 100_000_000


def test_large_error_page_still_gives_its_status(driver: Driver, api: ScriptedApi) -> None:
    """An error with a huge body is a status error whose body text is bounded."""
    api.steps = [_reply(404, b"x" * 3_000_000), _reply(404, b"x" * 100_000)]

    bodies: list[str] = []
    for _ in range(2):
        with pytest.raises(errors.NotFoundError) as caught:
            driver.request(GET)
        bodies.append(caught.value.body)

    assert ["", "x" * 16384] == bodies


def test_refused_connection(driver: Driver, api: ScriptedApi) -> None:
    """A port where nobody listens is an APIConnectionError after the retries."""
    api.close()

    with pytest.raises(errors.APIConnectionError) as caught:
        driver.request(POST)

    assert not isinstance(caught.value, errors.APITimeoutError)
    assert [0.5, 1.0] == driver.sleeps
