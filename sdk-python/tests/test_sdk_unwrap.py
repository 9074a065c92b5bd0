"""`unwrap`: a request becomes a typed event, or a typed error."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypedDict, assert_type

import attrs
import httpx
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import EnvironHeaders

from hookwright import models, webhooks
from hookwright.errors import (
    InvalidHeaderError,
    InvalidPayloadError,
    InvalidSecretError,
    UsageError,
    WebhookVerificationError,
)
from hookwright.receiving import WebhookReceiver
from hookwright.webhooks import OPERATIONAL_EVENTS, Webhook, WebhookEvent

if TYPE_CHECKING:
    from hookwright.webhooks import OperationalData

NOW = 1_800_000_000
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
WEBHOOK = Webhook(SECRET, clock=lambda: NOW)
ORDER: dict[str, Any] = {"id": "ord_1", "total": 4900, "note": "new"}
AT = "2026-11-21T09:00:00.000Z"


def _body(data: Any = ORDER, kind: Any = "order.created", timestamp: Any = AT) -> bytes:
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}).encode()


def _headers(body: bytes, message_id: str = "msg_1", timestamp: int = NOW) -> dict[str, Any]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": WEBHOOK.sign(message_id, timestamp, body),
    }


def _unwrap(body: bytes, into: Any = None) -> WebhookEvent[Any]:
    return WEBHOOK.unwrap(body, _headers(body), into)


def test_the_event() -> None:
    """An event tells its id, type, times, payload and the bytes that it came in."""
    body = _body()

    event = _unwrap(body)

    expected: WebhookEvent[Any] = WebhookEvent(
        id="msg_1",
        type="order.created",
        timestamp=datetime(2026, 11, 21, 9, tzinfo=UTC),
        attempted_at=datetime.fromtimestamp(NOW, UTC),
        data=ORDER,
        body=body,
    )
    assert expected == event


class PydanticOrder(pydantic.BaseModel):
    id: str
    total: int


@dataclass
class DataclassOrder:
    id: str
    total: int


@attrs.define
class AttrsOrder:
    id: str
    total: int


class TypedDictOrder(TypedDict):
    id: str
    total: int


def _total(order: dict[str, Any]) -> int:
    if not isinstance(order.get("total"), int):
        raise ValueError(f"no total: {order}")
    total: int = order["total"]
    return total


def _broken(order: dict[str, Any]) -> float:
    share: float = order["total"] / 0
    return share


def _misused(order: dict[str, Any]) -> str:
    raise UsageError(f"the client has no key to send {order} with")


def _price(order: dict[str, Any]) -> int:
    price: int = order["price"]
    return price


class BrokenOrder(pydantic.BaseModel):
    id: str

    @pydantic.field_validator("id")
    @classmethod
    def known(cls, value: str) -> str:
        raise ConnectionError("the database is down")


@pytest.mark.parametrize(
    ("into", "expected"),
    [
        (PydanticOrder, PydanticOrder(id="ord_1", total=4900)),
        (DataclassOrder, DataclassOrder("ord_1", 4900)),
        (AttrsOrder, AttrsOrder("ord_1", 4900)),
        (TypedDictOrder, ORDER),
        (dict, ORDER),
        (_total, 4900),
        ({"order.created": AttrsOrder}, AttrsOrder("ord_1", 4900)),
        ({"order.cancelled": AttrsOrder}, ORDER),
    ],
)
def test_into(into: Any, expected: Any) -> None:
    """`data` becomes what `into` says; members that a class does not know do no harm."""
    assert expected == _unwrap(_body(), into).data


@pytest.mark.parametrize("into", ["Order", 5, [int], {"order.created": "Order"}])
def test_what_converts_nothing(into: Any) -> None:
    """What is neither a class nor a function is the caller's mistake, not the sender's."""
    with pytest.raises(UsageError, match="into is a class"):
        _unwrap(_body(), into)


@pytest.mark.parametrize(
    "into",
    [
        PydanticOrder,
        DataclassOrder,
        AttrsOrder,
        _total,
        models.EndpointFailing,
        {"order.created": models.EndpointFailing.from_dict},
    ],
)
def test_data_that_does_not_fit(into: Any) -> None:
    """Data that `into` refuses is an InvalidPayloadError, whose text shows none of it."""
    with pytest.raises(InvalidPayloadError, match=r"order\.created.* does not fit") as caught:
        _unwrap(_body({"secret": "4711"}), into)

    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("into", "fault"),
    [
        (_broken, ZeroDivisionError),
        (_price, KeyError),
        (_misused, UsageError),
        ({"order.created": _broken}, ZeroDivisionError),
        (BrokenOrder, ConnectionError),
    ],
)
def test_a_converter_that_is_broken(into: Any, fault: type[Exception]) -> None:
    """A fault of the converter is no verdict on the data: it passes through."""
    with pytest.raises(fault):
        _unwrap(_body(), into)


def test_operational_events() -> None:
    """What `_system` sends comes as models, unknown values in it survive, other types as dicts."""
    failing = {
        "app_slug": "payments",
        "endpoint_id": "ep_1",
        "url": "https://example.com/webhooks",
        "consecutive_failures": 5,
        "first_failure_at": AT,
        "last_failure_reason": "reason_of_tomorrow",
        "last_status_code": None,
        "member_of_tomorrow": 1,
    }

    known = _unwrap(_body(failing, "endpoint.failing"), OPERATIONAL_EVENTS).data
    unknown = _unwrap(_body(failing, "endpoint.flying"), OPERATIONAL_EVENTS).data

    assert isinstance(known, models.EndpointFailing)
    assert (5, "reason_of_tomorrow") == (known.consecutive_failures, known.last_failure_reason)
    assert failing == known.to_dict() == unknown


@pytest.mark.parametrize("kind", OPERATIONAL_EVENTS)
def test_operational_events_that_are_malformed(kind: str) -> None:
    """It is the sender who is wrong, not the caller: a receiver answers 400."""
    body = _body({"app_slug": 4711}, kind)

    with pytest.raises(InvalidPayloadError, match=rf"{kind}.* does not fit") as caught:
        _unwrap(body, OPERATIONAL_EVENTS)
    refused = RECEIVER.opened(body, _headers(body))

    assert "4711" not in str(caught.value)
    assert 400 == getattr(refused, "status", None)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"x"',
        b"null",
        b"{}",
        _body(kind=None),
        _body(kind=""),
        _body(kind=7),
        _body(data=None),
        _body(data=[1]),
        _body(data="x"),
        _body(timestamp=None),
        _body(timestamp=1_800_000_000),
        _body(timestamp="yesterday"),
        _body(timestamp="2026-11-21T09:00:00"),
    ],
)
def test_signed_bodies_that_are_no_events(body: bytes) -> None:
    """A body that is signed, but is not `type`, `timestamp` and `data`, is an error of its own."""
    with pytest.raises(InvalidPayloadError):
        _unwrap(body)


def _environ(headers: dict[str, str]) -> dict[str, Any]:
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {**named, "REQUEST_METHOD": "POST", "wsgi.input": BytesIO(), "wsgi.version": (1, 0)}


FORMS: dict[str, Callable[[dict[str, str]], Any]] = {
    "wsgi": _environ,
    "werkzeug": lambda headers: EnvironHeaders(_environ(headers)),
    "pairs": lambda headers: list(headers.items()),
    "asgi": lambda headers: [(n.encode(), value.encode()) for n, value in headers.items()],
    "bytes": lambda headers: {n.upper().encode(): value for n, value in headers.items()},
    "httpx": httpx.Headers,
    "starlette": StarletteHeaders,
}


@pytest.mark.parametrize("form", FORMS)
def test_headers_of_every_kind(form: str) -> None:
    """Whatever a framework or a server calls headers is read."""
    body = _body()

    assert ORDER == WEBHOOK.unwrap(body, FORMS[form](_headers(body))).data


@pytest.mark.parametrize("headers", [None, 7, "webhook-id: 1", [1, 2], [("a", "b", "c")]])
def test_what_is_no_headers(headers: Any) -> None:
    """Something that holds no pairs is the caller's mistake."""
    with pytest.raises(UsageError, match="pairs of names and values"):
        WEBHOOK.unwrap(_body(), headers)


def test_doubled_pairs() -> None:
    """A header that is there twice among pairs is refused."""
    body = _body()
    pairs = [*_headers(body).items(), ("WEBHOOK-ID", "msg_1")]

    with pytest.raises(InvalidHeaderError, match="webhook-id is given more than once"):
        WEBHOOK.unwrap(body, pairs)


def test_many_signatures() -> None:
    """As many signatures as a rotation may need are read, hundreds are refused."""
    body = _body()
    headers = _headers(body)
    right = headers["webhook-signature"]

    headers["webhook-signature"] = " ".join(["v1,AAAA"] * 31 + [right])
    assert ORDER == WEBHOOK.unwrap(body, headers).data
    headers["webhook-signature"] = " ".join(["v1,AAAA"] * 32 + [right])
    with pytest.raises(InvalidHeaderError, match="more than 32 signatures"):
        WEBHOOK.unwrap(body, headers)


def test_a_time_that_is_no_date() -> None:
    """A signed time beyond the year 9999, which only an endless tolerance lets in, is malformed."""
    body = _body()
    patient = Webhook(SECRET, float("inf"))
    headers = _headers(body, timestamp=999_999_999_999_999)

    with pytest.raises(InvalidHeaderError, match="no date"):
        patient.unwrap(body, headers)


def test_secrets_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function takes a secret, or those in HOOKWRIGHT_WEBHOOK_SECRET."""
    body = _body()
    now = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body),
    }

    assert ORDER == webhooks.unwrap(memoryview(body), headers, SECRET).data
    monkeypatch.setenv("HOOKWRIGHT_WEBHOOK_SECRET", f"{OTHER} {SECRET}")
    assert AttrsOrder("ord_1", 4900) == webhooks.unwrap(body, headers, into=AttrsOrder).data
    monkeypatch.setenv("HOOKWRIGHT_WEBHOOK_SECRET", " ")
    with pytest.raises(InvalidSecretError, match="HOOKWRIGHT_WEBHOOK_SECRET"):
        webhooks.unwrap(body, headers)


def test_types() -> None:
    """Type checkers know what `data` is."""
    body = _body()
    headers = _headers(body)

    plain = WEBHOOK.unwrap(body, headers)
    order = WEBHOOK.unwrap(body, headers, AttrsOrder)
    total = WEBHOOK.unwrap(body, headers, _total)
    some = WEBHOOK.unwrap(body, headers, {"order.created": AttrsOrder})
    operational = WEBHOOK.unwrap(body, headers, OPERATIONAL_EVENTS)
    if TYPE_CHECKING:
        assert_type(plain, WebhookEvent[dict[str, Any]])
        assert_type(order, WebhookEvent[AttrsOrder])
        assert_type(total, WebhookEvent[int])
        assert_type(some, WebhookEvent[AttrsOrder | dict[str, Any]])
        assert_type(operational, WebhookEvent[OperationalData | dict[str, Any]])
        assert_type(WebhookReceiver(SECRET), WebhookReceiver[dict[str, Any]])
        assert_type(WebhookReceiver(into=AttrsOrder), WebhookReceiver[AttrsOrder])

    ids = {event.id for event in (plain, order, total, some, operational)}
    assert {"msg_1"} == ids


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "type": JSON | st.just("x") | st.sampled_from(sorted(OPERATIONAL_EVENTS)),
        "timestamp": JSON | st.just(AT),
        "data": JSON,
    },
)


@given(
    st.binary() | ENVELOPES.map(lambda envelope: json.dumps(envelope).encode()),
    st.sampled_from([None, PydanticOrder, AttrsOrder, _total, OPERATIONAL_EVENTS]),
)
def test_signed_bodies_raise_nothing_but_typed_errors(body: bytes, into: Any) -> None:
    """A rightly signed body of any content is an event or an InvalidPayloadError."""
    try:
        event = _unwrap(body, into)
    except InvalidPayloadError:
        event = None

    assert event is None or isinstance(event, WebhookEvent)


NAMES = st.sampled_from(
    ["webhook-id", "Webhook-Timestamp", b"WEBHOOK-SIGNATURE", "HTTP_WEBHOOK_SIGNATURE", "other"]
)
VALUES = (
    st.text()
    | st.binary()
    | st.none()
    | st.integers()
    | st.floats()
    | st.lists(st.text(), max_size=3)
    | st.integers(-(10**20), 10**20).map(str)
    | st.floats().map(str)
    | st.from_regex(r"(v1a?,[A-Za-z0-9+/=]{0,90} ?){1,40}")
)


@given(st.binary() | st.text(), st.lists(st.tuples(NAMES | st.text() | st.integers(), VALUES)))
def test_requests_raise_nothing_but_typed_errors(body: Any, headers: list[Any]) -> None:
    """Whatever the headers hold, the answer is a WebhookVerificationError."""
    with pytest.raises(WebhookVerificationError):
        WEBHOOK.unwrap(body, headers)


@given(st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text() | st.none()))
def test_secrets_raise_nothing_but_typed_errors(secret: Any) -> None:
    """Whatever is given instead of a secret, the answer is an InvalidSecretError."""
    with pytest.raises(InvalidSecretError):
        Webhook(secret)


RECEIVER = WebhookReceiver(WEBHOOK, into=OPERATIONAL_EVENTS)


@given(st.binary() | ENVELOPES.map(lambda envelope: json.dumps(envelope).encode()), st.booleans())
def test_a_receiver_has_an_answer_to_everything(body: bytes, signed: bool) -> None:
    """Whatever arrives, a receiver gives the event or an answer of 400 or 401."""
    headers = _headers(body if signed else body + b" ")

    opened = RECEIVER.opened(body, headers)

    assert isinstance(opened, WebhookEvent) or opened.status == (400 if signed else 401)


def test_no_framework_is_imported() -> None:
    """Receiving and emitting import neither a framework nor an HTTP library nor attrs."""
    code = (
        "import sys, hookwright.webhooks, hookwright.receiving, hookwright.emitting, "
        "hookwright.deduplication, hookwright.integrations\n"
        "names = {'attrs', 'django', 'fastapi', 'flask', 'httpx', 'pydantic', 'starlette'}\n"
        "print(sorted(names & sys.modules.keys()))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert ("[]\n", "") == (printed.stdout, printed.stderr)


@pytest.mark.parametrize(
    ("module", "absent", "text"),
    [
        ("flask", "flask", "needs Flask; install 'flask'"),
        ("fastapi", "starlette", "needs FastAPI or Starlette; install 'fastapi'"),
        ("django", "django", "needs Django; install 'django'"),
    ],
)
def test_a_framework_that_is_not_installed(module: str, absent: str, text: str) -> None:
    """An integration without its framework says what to install."""
    code = (
        f"import sys\nsys.modules[{absent!r}] = None\n"
        f"try:\n    import hookwright.integrations.{module}\n"
        "except ImportError as error:\n    print(error)"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert f"hookwright.integrations.{module} {text}\n" == printed.stdout
