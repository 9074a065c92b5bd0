"""Whatever is sent, the answer is a problem with a code of the contract, and nothing changes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from http_lab import JSON, Answer, Client, Document, Headers, Lab
from http_live import LiveServer
from http_world import Things, make_things
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookwright_server.domain.contract import ERRORS

NOWHERE = "http://127.0.0.1:1/hook"
_FEW = settings(max_examples=80)

# One valid body for each place where JSON is taken, with a member for anything.
_PLACES: dict[str, tuple[str, Document]] = {
    "app": ("/v1/apps", {"name": "x", "metadata": {}}),
    "patch": ("/v1/apps/{app_slug}", {"metadata": {}}),
    "endpoint": ("/v1/apps/{app_slug}/endpoints", {"url": NOWHERE, "metadata": {}}),
    "event": ("/v1/apps/{app_slug}/trigger", {"event_name": "a", "payload": {}}),
    "key": ("/v1/api-keys", {"name": "x", "scopes": ["read"]}),
    "test": ("/v1/apps/{app_slug}/endpoints/{endpoint_id}/test", {"payload": {}}),
    "clock": ("/_test/clock", {"advance": "PT0S"}),
}
_MALFORMED = {
    "nothing but blanks": b"  \n",
    "not JSON": b"name=x",
    "cut off": b'{"name": "x"',
    "two documents": b'{"name": "x"} {}',
    "trailing comma": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "comment": b'{"name": "x" /* y */}',
    "duplicate key": b'{"name": "x", "name": "y"}',
    "duplicate key by escape": b'{"name": "x", "n\\u0061me": "y"}',
    "deep duplicate key": b'{"name": "x", "metadata": {"a": {"b": 1, "b": 2}}}',
    "NaN": b'{"name": "x", "metadata": {"a": NaN}}',
    "Infinity": b'{"name": "x", "metadata": {"a": Infinity}}',
    "minus Infinity": b'{"name": "x", "metadata": {"a": -Infinity}}',
    "infinite by exponent": b'{"name": "x", "metadata": {"a": 1e999}}',
    "beyond 2^53": b'{"name": "x", "metadata": {"a": 9007199254740993}}',
    "4,301 digits": b'{"name": "x", "metadata": {"a": %b}}' % (b"9" * 4301),
    "leading zero": b'{"name": "x", "metadata": {"a": 01}}',
    "leading plus": b'{"name": "x", "metadata": {"a": +1}}',
    "no digit after the point": b'{"name": "x", "metadata": {"a": 1.}}',
    "NUL escape": b'{"name": "x\\u0000"}',
    "NUL escape in a name": b'{"name": "x", "metadata": {"a\\u0000": 1}}',
    "raw NUL": b'{"name": "x\x00"}',
    "raw newline": b'{"name": "x\ny"}',
    "lone high surrogate": b'{"name": "\\ud800"}',
    "lone low surrogate": b'{"name": "\\udc00"}',
    "surrogates in the wrong order": b'{"name": "\\udc00\\ud800"}',
    "surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "cut off UTF-8": b'{"name": "\xe2\x82"}',
    "Latin-1": '{"name": "\u00fc"}'.encode("latin-1"),
    "byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"name": "x"}'.encode("utf-16-le"),
    "UTF-32": '{"name": "x"}'.encode("utf-32"),
    "65 levels": b'{"name": "x", "metadata": ' + b'{"a":' * 64 + b"1" + b"}" * 65,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "bad escape": b'{"name": "\\x41"}',
    "a list": b"[]",
    "a string": b'"name"',
    "null": b"null",
    "a number": b"1",
    "true": b"true",
}


@pytest.fixture(scope="module")
def things(shared_lab: Lab) -> Things:
    """Things to do wrong to."""
    return make_things(shared_lab.client, NOWHERE)


@pytest.fixture(autouse=True)
def nothing_changes(shared_lab: Lab, things: Things) -> Iterator[None]:
    """Every test of this module leaves the database as it was."""
    before = shared_lab.snapshot()
    yield

    assert before == shared_lab.snapshot()


def _refused(answer: Answer, *statuses: int) -> Answer:
    """A 4xx problem whose code is one of the contract's, with that code's status."""
    assert 400 <= answer.status < 500, answer
    assert ERRORS[answer.code].status == answer.status
    assert answer.json["title"] == ERRORS[answer.code].title
    assert answer.json["detail"]
    assert b"Traceback" not in answer.body
    if statuses:
        assert answer.status in statuses, answer
    return answer


def _post(client: Client, path: str, body: bytes, headers: Headers = JSON) -> Answer:
    method = "PATCH" if path.count("/") == 3 and "apps" in path else "POST"
    return client.send(method, path, headers, body)


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("kind", _MALFORMED)
def test_malformed_json_is_refused(client: Client, things: Things, place: str, kind: str) -> None:
    """Every operation that takes a body tells what is wrong with the JSON."""
    path = _PLACES[place][0].format(**things.__dict__)
    answer = _refused(_post(client, path, _MALFORMED[kind]), 400)

    assert "validation_error" == answer.code


@pytest.mark.parametrize(
    "value",
    [
        b"NaN",
        b"-Infinity",
        b'{"a": 1, "a": 2}',
        b'"\\u0000"',
        b'"\\ud800"',
        b"01",
        b"[" * 63 + b"]" * 63,
        b'{"\\u0000": 1}',
    ],
)
def test_a_payload_is_json_all_the_same(client: Client, things: Things, value: bytes) -> None:
    """Numbers pass untouched inside `payload`; what is no JSON, or too deep, does not."""
    body = b'{"event_name": "a", "payload": {"v": %b}}' % value
    _refused(client.send("POST", f"/v1/apps/{things.app_slug}/trigger", JSON, body), 400)


def test_200_000_keys_are_refused(client: Client, things: Things) -> None:
    """A body full of keys is too large before it is too slow."""
    payload = ",".join(f'"{number}":1' for number in range(200_000)).encode()
    body = b'{"event_name": "a", "payload": {%b}}' % payload

    _refused(client.send("POST", f"/v1/apps/{things.app_slug}/trigger", JSON, body), 413)


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("wrong", [None, True, 7, 1.5, "text", [], [1], {}, {"a": 1}])
def test_wrong_types_are_refused(client: Client, things: Things, place: str, wrong: object) -> None:
    """A member of another type is a 400 that points at the member."""
    path, valid = _PLACES[place]
    for name, right in valid.items():
        if type(wrong) is type(right) or (name == "metadata" and wrong == {}):
            continue
        answer = client.call(
            "PATCH" if place == "patch" else "POST",
            path.format(**things.__dict__),
            {**valid, name: wrong},
        )

        assert 400 == _refused(answer).status
        assert f"/{name}" in {pointer for pointer, _ in answer.faults}


@pytest.mark.parametrize("place", _PLACES)
def test_unknown_members_are_refused(client: Client, things: Things, place: str) -> None:
    """A misspelt member is told, not dropped; so nothing can be assigned that is not documented."""
    path, valid = _PLACES[place]
    for name in ("nmae", "id", "account_id", "environment_", "created_at", "__proto__"):
        body = {**valid, name: "x"}
        answer = client.call(
            "PATCH" if place == "patch" else "POST", path.format(**things.__dict__), body
        )

        assert (f"/{name}", "additionalProperties") in _refused(answer, 400).faults


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("slug", "-x"),
        ("slug", "X"),
        ("slug", "x" * 64),
        ("slug", "x\n"),
        ("slug", "\u00fc"),
        ("slug", "-"),
        ("description", "x" * 501),
        ("rate_limit_per_second", 0),
        ("rate_limit_per_second", 100_001),
        ("rate_limit_per_second", 1.5),
        ("retry_policy", {"preset": "nonsense"}),
        ("retry_policy", {"preset": "default", "delays_seconds": [1]}),
        ("retry_policy", {"delays_seconds": [-1]}),
        ("retry_policy", {"delays_seconds": [604_801]}),
        ("retry_policy", {"delays_seconds": [1] * 51}),
        ("retry_policy", {"max_attempts": 0}),
        ("retry_policy", {"jitter": 1.1}),
        ("retry_policy", {"delays_seconds": [], "max_attempts": 2}),
        ("retry_policy", {"nonsense": 1}),
    ],
)
def test_values_out_of_bounds_are_refused(client: Client, member: str, value: object) -> None:
    """Bounds of the contract hold at both ends."""
    answer = _refused(client.post("/v1/apps", {"name": "x", member: value}), 400)

    assert any(pointer.startswith(f"/{member}") for pointer, _ in answer.faults)


@pytest.mark.parametrize(
    "expires_at",
    [
        "2020-01-01T00:00:00Z",
        "2999-12-31T23:59:60Z",
        "2999-12-31",
        "2999-12-31T00:00:00",
        "9999-12-31T23:59:59-10:00",
        "0000-01-01T00:00:00Z",
        "2999-02-29T00:00:00Z",
        "2999-01-01T00:00:00+24:00",
        "",
        "never",
        "2999-01-01T00:00:00Z\n",
        "\u0662\u0669\u0669\u0669-01-01T00:00:00Z",
    ],
)
def test_bad_instants_in_a_body_are_refused(client: Client, expires_at: str) -> None:
    """Past, impossible and beyond the calendar: 400 at the member."""
    body = {"name": "x", "scopes": ["read"], "expires_at": expires_at}
    answer = _refused(client.post("/v1/api-keys", body), 400)

    assert "/expires_at" == answer.faults[0][0]


@pytest.mark.parametrize(
    "duration", ["", "P", "PT", "1H", "P1Y", "PT1H1D", "-PT1H", "PT1.5H", "P1W", "pt1s", "PT1S\n"]
)
def test_bad_durations_are_refused(client: Client, duration: str) -> None:
    """The test clock takes ISO 8601 durations of days and less."""
    _refused(client.post("/_test/clock", {"advance": duration}), 400)


# Bodies


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/jsonx",
        "application/json, text/plain",
        "json",
        "",
        "\u00fc",
    ],
)
def test_other_media_types_are_refused(client: Client, content_type: str) -> None:
    """415 for all but JSON in UTF-8."""
    headers = {"Content-Type": content_type}
    answer = _refused(client.send("POST", "/v1/apps", headers, b'{"name": "x"}'), 415)

    assert "unsupported_media_type" == answer.code


def test_a_missing_media_type_is_refused(client: Client) -> None:
    """A body has a Content-Type."""
    _refused(client.send("POST", "/v1/apps", {}, b'{"name": "x"}'), 415)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "x"])
def test_compressed_bodies_are_refused(client: Client, encoding: str) -> None:
    """Nothing is decompressed."""
    headers = {**JSON, "Content-Encoding": encoding}
    _refused(client.send("POST", "/v1/apps", headers, b'{"name": "x"}'), 415)


def test_a_required_body_is_missed(client: Client) -> None:
    """No body where one is required is a 400."""
    assert [("", "required")] == _refused(client.send("POST", "/v1/apps"), 400).faults


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_body_where_none_belongs_is_refused(client: Client, things: Things, method: str) -> None:
    """What would be ignored is told instead."""
    path = f"/v1/apps/{things.app_slug}/endpoints/{things.endpoint_id}"
    _refused(client.send(method, path, JSON, b'{"force": true}'), 400)
    _refused(client.send(method, path, JSON, b"x" * 400_000), 413)


def test_bodies_without_a_length_are_bounded(client: Client) -> None:
    """A body of unknown length is read to its limit and no further."""
    endless = io.BytesIO(b'{"name": "' + b"x" * 1_000_000)
    answer = client.send("POST", "/v1/apps", JSON, endless)

    assert "payload_too_large" == _refused(answer, 413).code
    assert endless.tell() <= 327_681


def test_sizes_are_exact(client: Client, things: Things) -> None:
    """One byte more than the limit of a payload, of metadata, of a whole body."""
    trigger = f"/v1/apps/{things.app_slug}/trigger"
    payload = b'{"p":"%b"}' % (b"x" * (262_144 - 7))
    body = b'{"event_name":"a","payload":%b}' % payload
    metadata = {"m": "x" * (8192 - 7)}

    assert ("/payload", "max_bytes") == _refused(
        client.send("POST", trigger, JSON, body), 413
    ).faults[0]
    assert ("/metadata", "max_bytes") == _refused(
        client.post("/v1/apps", {"name": "x", "metadata": metadata}), 413
    ).faults[0]
    _refused(client.send("POST", trigger, JSON, b" " * 327_681), 413)
    _refused(client.send("POST", trigger, JSON, b" " * 327_680), 400)


# Targets


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 404),
        ("/v1", 404),
        ("/v1/apps/", 404),
        ("//v1/apps", 404),
        ("/v1//apps", 404),
        ("/v1/apps/%00", 400),
        ("/v1/apps/x%00y", 400),
        ("/v1/apps/%ff%fe", 400),
        ("/v1/apps/%C0%AF", 400),
        ("/v1/apps/%ED%A0%80", 400),
        ("/v1/apps/a%2Fb", 404),
        ("/v1/apps/a%2e%2e", 400),
        ("/v1/apps/..", 400),
        ("/v1/apps/../apps", 404),
        ("/v1/apps/UPPER", 400),
        ("/v1/apps/a b", 400),
        ("/v1/apps/a;b", 400),
        ("/v1/apps/" + "x" * 64, 400),
        ("/v1/apps/" + "x" * 8000, 400),
        ("/v1/apps/%F0%9F%98%80", 400),
        ("/v1/apps/%E2%80%AE", 400),
        ("/V1/apps", 404),
        ("/v1/apps%3Flimit=1", 404),
        ("/openapi.yaml", 404),
        ("/static/x", 404),
    ],
)
def test_odd_paths_are_refused(client: Client, target: str, status: int) -> None:
    """Encoded NULs, bad UTF-8, dots, slashes and lengths never reach the store."""
    _refused(client.get(target), status)


@pytest.mark.parametrize(
    "name", ["%00", "x%00", "%ff", "x" * 65, "%20", "a%20b", "\u00fc".encode().hex(), "ep_1", "'--"]
)
def test_odd_ids_are_refused(client: Client, things: Things, name: str) -> None:
    """Ids that cannot be are 400, ids that nobody has are 404, for every kind of thing."""
    base = f"/v1/apps/{things.app_slug}"
    for path in (
        f"{base}/endpoints/{name}",
        f"{base}/messages/{name}",
        f"{base}/deliveries/{name}",
    ):
        _refused(client.get(path), 400, 404)
    _refused(client.delete(f"/v1/api-keys/{name}"), 400, 404)


@pytest.mark.parametrize(
    "query", ["event_id=%ff", "event_id=%00", "%ff=1", "event_id=%ED%A0%80", "a=1;b=2", "=", "%00"]
)
def test_odd_queries_are_refused(client: Client, things: Things, query: str) -> None:
    """Bad UTF-8 and NULs are told, not replaced."""
    _refused(client.get(f"/v1/apps/{things.app_slug}/messages?{query}"), 400)


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    """405 names the methods that there are."""
    answer = _refused(client.send(method, "/v1/apps", JSON, b'{"name": "x"}'), 405)

    assert ("method_not_allowed", "GET, POST") == (answer.code, answer.headers["allow"])


def test_head_is_refused_without_a_body(client: Client) -> None:
    """HEAD is no method of the contract, and its answer may have no body."""
    answer = client.send("HEAD", "/v1/apps")

    assert (405, b"", "GET, POST") == (answer.status, answer.body, answer.headers["allow"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("X-A", value)
            for value in ("a\r\nB: c", "a\nb", "a\0b", "\u00e9", " a", "a ", "", "\t")
        ),
        *((name, "v") for name in ("X A", "X:A", "", "X\r\nA", "\u00e9", "X\0", "x" * 129)),
        ("X-A", "v" * 2049),
    ],
)
def test_malformed_headers_are_refused(
    client: Client, things: Things, name: str, value: str
) -> None:
    """CR, LF, NUL, blanks around and what is not visible ASCII cannot get in."""
    body = {"url": NOWHERE, "headers": {name: value}}
    answer = client.post(f"/v1/apps/{things.app_slug}/endpoints", body)

    _refused(answer, 400, 422)


# Anything at all

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(body=st.binary(max_size=200), place=st.sampled_from(sorted(_PLACES)))
@example(body=b'{"\\u006eame": "x"', place="app")
@_FEW
def test_any_bytes_are_refused(client: Client, things: Things, body: bytes, place: str) -> None:
    """Random bytes are never a valid request of an operation whose body has required members."""
    if place in {"patch", "test"} and (not body.strip() or body.strip() == b"{}"):
        return
    _refused(_post(client, _PLACES[place][0].format(**things.__dict__), body))


@given(
    extra=st.dictionaries(st.text(max_size=8), _json, min_size=1, max_size=3),
    place=st.sampled_from(sorted(_PLACES)),
)
@_FEW
def test_any_unknown_members_are_refused(
    client: Client, things: Things, extra: Document, place: str
) -> None:
    """Whatever an unknown member holds, it is refused."""
    path, valid = _PLACES[place]
    known = {"name", "slug", "metadata", "active", "url", "events", "scopes", "payload", "advance"}
    body = json.dumps({**valid, **{f"_{name}": value for name, value in extra.items()}})
    assert not known & {f"_{name}" for name in extra}
    _refused(_post(client, path.format(**things.__dict__), body.encode()), 400)


@given(
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    query=st.binary(max_size=40),
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]),
)
@_FEW
def test_any_target_is_refused(client: Client, path: str, query: bytes, method: str) -> None:
    """Random paths and queries under the collections are 4xx."""
    encoded = "".join(f"%{byte:02X}" for byte in path.encode()) or "%20"
    raw = "".join(f"%{byte:02X}" for byte in query)
    for base in ("/v1/apps/", "/v1/api-keys/", "/v1/apps/-/endpoints/", "/v1/apps/-/messages/"):
        _refused(client.send(method, f"{base}{encoded}x?{raw}", JSON, b'{"name": 1}'))


@given(
    name=st.sampled_from(
        ["Authorization", "Idempotency-Key", "Content-Type", "Traceparent", "Content-Encoding"]
    ),
    value=st.text(st.characters(max_codepoint=255), max_size=300),
)
@_FEW
def test_any_header_is_survived(client: Client, name: str, value: str) -> None:
    """Random header values lead to a refusal of a request that is bad anyway."""
    _refused(client.send("POST", "/v1/apps", {**JSON, name: value}, b'{"name": 1}'))


@given(url=st.text(max_size=120) | st.from_regex(r"https?://[^ ]{0,80}"))
@_FEW
def test_any_url_that_is_refused_is_refused_politely(
    client: Client, things: Things, url: str
) -> None:
    """A text as URL is 400 or 422; with an unusable schedule beside it none is accepted."""
    body: Document = {"url": url, "retry_policy": {"delays_seconds": [], "max_attempts": 9}}
    answer = client.post(f"/v1/apps/{things.app_slug}/endpoints", body)
    _refused(answer, 400, 422)


# Over sockets


def test_what_only_a_socket_can_send(live: LiveServer) -> None:
    """Chunked bodies without a length, and bytes that no client library would send."""
    chunked = live.client.send("POST", "/v1/apps", JSON, io.BytesIO(b'{"name": NaN}'))
    long = live.client.send("POST", "/v1/apps", JSON, io.BytesIO(b" " * 400_000))

    assert ("validation_error", "payload_too_large") == (chunked.code, long.code)
    for target, status in (
        ("/v1/apps/%00", 400),
        ("/v1/apps/%ff", 400),
        ("/v1/apps/a%2Fb", 404),
        ("/v1/apps?cursor=%ff", 400),
        ("/nowhere", 404),
    ):
        assert status == _refused(live.client.get(target)).status
    assert "unexpected_error" not in live.log


def test_what_is_as_deep_as_allowed_can_be_listed(lab: Lab) -> None:
    """Metadata at the greatest depth is no trouble for the answers that hold it."""
    deep = b'{"name": "x", "metadata": ' + b'{"a":' * 62 + b"1" + b"}" * 63

    created = lab.client.send("POST", "/v1/apps", JSON, deep)
    listed = lab.client.get("/v1/apps")

    assert (201, 200) == (created.status, listed.status)
    assert created.json["metadata"] == listed.json["data"][0]["metadata"]


@pytest.mark.parametrize("slug", ["%00", "a%00b", "%ff", "%ed%a0%80", "%F0%9F%8E%89"])
def test_impossible_slug_is_never_looked_up(
    slug: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that no app can have is refused before a database sees it, which may not take it."""
    lab.client.get("/v1/apps").require(200)
    monkeypatch.setattr(type(lab.database), "read", None)

    answer = lab.client.post(f"/v1/apps/{slug}/trigger", {"event_name": "a", "payload": {}})

    assert (400, "validation_error") == (answer.status, answer.code)
