"""What can be seen of a call besides its result: raw answers, hooks, the log."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest
from sdk_harness import answer

from hookwright import (
    APIConnectionError,
    APIResponseError,
    AsyncHookwright,
    AsyncPage,
    Hooks,
    Hookwright,
    NotFoundError,
    RawResponse,
    RequestInfo,
    ResponseInfo,
    SyncPage,
    UsageError,
    models,
)
from hookwright._core import log
from hookwright._core.runtime import Runtime

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi

APP = (
    b'{"id": "app_1", "slug": "shop", "name": "Shop", "description": null, "active": true,'
    b' "retry_policy": null, "rate_limit_per_second": null, "retention_days": 30,'
    b' "event_type_policy": "open", "metadata": {}, "created_at": "2026-11-21T09:00:00.412Z",'
    b' "updated_at": "2026-11-21T09:00:00.412Z"}'
)
ACCEPTED = (
    b'{"message_id": "msg_1", "event_name": "a.b", "delivery_ids": [], "endpoint_count": 0,'
    b' "filtered_count": 0, "dry_run": false}'
)
FIRST = b'{"data": [%s], "has_more": true, "next_cursor": "c"}' % APP
LAST = b'{"data": [%s], "has_more": false, "next_cursor": null}' % APP
NONE = b'{"data": [], "has_more": false, "next_cursor": null}'
PRIVATE = ("hw_test_key", "private-value", "s3cret", "my-key")


async def _async_sleep(seconds: float) -> None:
    return None


NO_WAIT = Runtime(sleep=lambda seconds: None, async_sleep=_async_sleep, random=lambda: 1.0)


def _client(api: ScriptedApi, **options: Any) -> Hookwright:
    return Hookwright("hw_test_key", base_url=api.base_url, _runtime=NO_WAIT, **options)


def _send(client: Hookwright) -> None:
    client.trigger.send(
        "shop",
        event_name="a.b",
        payload={"card": "private-value"},
        idempotency_key="my-key",
        extra_headers={"X-Secret": "s3cret"},
    )


def test_a_raw_answer(api: ScriptedApi) -> None:
    """Status, headers, request id, bytes and retries are there, and `parse` gives the model."""
    api.steps = [answer(status=503), answer(APP, X_Request_Id="req_1", ETag="e")]

    with _client(api) as client:
        raw = client.apps.with_raw_response.get("shop")

    assert (200, "req_1", "e", 1) == (
        raw.status_code,
        raw.request_id,
        raw.headers["etag"],
        raw.retries,
    )
    assert (APP, APP.decode()) == (raw.content, raw.text)
    assert ("shop", True) == (raw.parse().slug, raw.parse() is raw.parse())
    assert "RawResponse(200, request_id='req_1', retries=1)" == repr(raw)


def test_raw_pages_go_on(api: ScriptedApi) -> None:
    """A raw list parses to its first page, which leads to the others as ever."""
    api.steps = [answer(FIRST), answer(LAST)]

    with _client(api) as client:
        page = client.apps.with_raw_response.list(limit=1).parse()
        slugs = [app.slug for app in page]

    assert (SyncPage, ["shop", "shop"]) == (type(page), slugs)


def test_raw_answers_of_the_async_client(api: ScriptedApi) -> None:
    """The async client gives the same; a list is awaited."""
    api.steps = [answer(APP), answer(FIRST), answer(LAST)]

    async def call() -> tuple[RawResponse[models.App], type, list[str]]:
        async with AsyncHookwright("hw_test_key", base_url=api.base_url) as client:
            raw = await client.apps.with_raw_response.get("shop")
            page = (await client.apps.with_raw_response.list(limit=1)).parse()
            return raw, type(page), [app.slug async for app in page]

    raw, kind, slugs = asyncio.run(call())

    assert ("shop", AsyncPage, ["shop", "shop"]) == (raw.parse().slug, kind, slugs)


def test_raw_failures(api: ScriptedApi) -> None:
    """An error status is raised at once; a body that is not what it should be, by `parse`."""
    api.steps = [answer(status=404), answer(b"[]")]

    with _client(api) as client:
        with pytest.raises(NotFoundError):
            client.apps.with_raw_response.get("shop")
        raw = client.apps.with_raw_response.get("shop")

    with pytest.raises(APIResponseError):
        raw.parse()


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_hooks_see_each_try(flavour: str, api: ScriptedApi) -> None:
    """Before and after each try, connection errors too: attempt, answer, time, the wait to come."""
    seen: list[RequestInfo | ResponseInfo] = []
    hooks = Hooks(request=seen.append, response=seen.append)
    api.steps = [b"", answer(status=503, X_Request_Id="req_2"), answer(APP)]
    if flavour == "sync":
        with _client(api, hooks=hooks) as client:
            client.apps.get("shop")
    else:

        async def call() -> None:
            async with AsyncHookwright(
                "hw_test_key", base_url=api.base_url, hooks=hooks, _runtime=NO_WAIT
            ) as client:
                await client.apps.get("shop")

        asyncio.run(call())

    asked = [each for each in seen if isinstance(each, RequestInfo)]
    came = [each for each in seen if isinstance(each, ResponseInfo)]
    assert [RequestInfo, ResponseInfo] * 3 == [type(each) for each in seen]
    assert [1, 2, 3] == [each.attempt for each in asked]
    assert [(None, 0.5), (503, 1.0), (200, None)] == [
        (each.status_code, each.retry_in) for each in came
    ]
    assert isinstance(came[0].error, APIConnectionError)
    assert ("req_2", APP) == (came[1].request_id, came[2].body)
    assert f"{api.base_url}/v1/apps/shop" == asked[0].url
    assert "Bearer hw_test_key" == asked[0].headers["authorization"]


def test_hooks_cannot_change_anything(api: ScriptedApi) -> None:
    """What a hook gets cannot be written to."""
    failures: list[type[Exception]] = []

    def change(request: RequestInfo) -> None:
        headers: Any = request.headers
        try:
            headers["authorization"] = "x"
        except TypeError as error:
            failures.append(type(error))
        try:
            request.body = b""  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
        except AttributeError as error:
            failures.append(type(error))

    api.steps = [answer(ACCEPTED, status=202)]
    with _client(api, hooks=Hooks(request=change)) as client:
        _send(client)

    assert 2 == len(failures)
    assert "Bearer hw_test_key" == api.requests[0].headers["authorization"]


def test_the_text_of_what_hooks_see_holds_no_secret(api: ScriptedApi) -> None:
    """Printed, a request or an outcome shows where it went and what came, and no values."""
    shown: list[str] = []

    def show(info: RequestInfo | ResponseInfo) -> None:
        shown.append(repr(info))

    api.steps = [answer(ACCEPTED, status=202), answer(NONE)]
    with _client(api, hooks=Hooks(show, show)) as client:
        _send(client)
        client.messages.list("shop", tag="private-value")

    assert (
        f"RequestInfo(trigger.send: POST {api.base_url}/v1/apps/shop/trigger, attempt 1)" in shown
    )
    assert "?tag=…, attempt 1: 200 after 0." in shown[-1]
    assert [] == [word for word in PRIVATE if word in " ".join(shown)]


def test_a_hook_that_fails_is_logged(api: ScriptedApi, caplog: pytest.LogCaptureFixture) -> None:
    """The call goes on, and the error stands in the log with its traceback and without secrets."""

    def fail(info: object) -> None:
        raise ZeroDivisionError("a mistake of mine")

    api.steps = [answer(ACCEPTED, status=202)]
    with _client(api, hooks=Hooks(fail, fail)) as client:
        _send(client)

    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["hookwright"] * 2 == [record.name for record in errors]
    assert caplog.text.count("ZeroDivisionError: a mistake of mine") == 2
    assert [] == [word for word in PRIVATE if word in caplog.text]


def test_derived_clients_have_hooks_of_their_own(api: ScriptedApi) -> None:
    """`with_options(hooks=…, api_key=…)` takes the place of the client's hooks and key."""
    seen: list[str] = []
    hooks = Hooks(request=lambda request: seen.append("own"))
    api.steps = [answer(APP)] * 2
    with _client(api, hooks=Hooks(request=lambda request: seen.append("parent"))) as client:
        client.with_options(hooks=hooks, api_key="hw_test_other").apps.get("shop")
        client.apps.get("shop")

    assert ["own", "parent"] == seen
    keys = [request.headers["authorization"] for request in api.requests]
    assert ["Bearer hw_test_other", "Bearer hw_test_key"] == keys


async def _nothing(info: object) -> None:
    return None


class _Coroutine:
    async def __call__(self, info: object) -> None:
        return None


def test_hooks_of_a_blocking_client_are_plain_functions(api: ScriptedApi) -> None:
    """It cannot wait for a coroutine function, in whatever form; what cannot be called is none."""
    for wrong in (_nothing, partial(_nothing), _Coroutine(), _Coroutine().__call__):
        with pytest.raises(UsageError, match="AsyncHookwright takes coroutine functions"):
            _client(api, hooks=Hooks(response=wrong))
    with pytest.raises(UsageError, match="must be a function, not 'print'"):
        Hooks(response="print")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", [None, "aiohttp"], ids=["httpx", "aiohttp"])
def test_an_async_client_waits_for_its_hooks(
    kind: Literal["aiohttp"] | None, api: ScriptedApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Coroutine functions end before the request goes out, and before the call ends; or fail."""
    seen: list[str] = []

    async def before(request: RequestInfo) -> None:
        await asyncio.sleep(0)
        seen.append(f"{request.attempt} with {len(api.requests)} sent")

    async def after(response: ResponseInfo) -> None:
        await asyncio.sleep(0)
        seen.append(f"{response.status_code}")
        raise RuntimeError("on purpose")

    async def call() -> None:
        async with AsyncHookwright(
            "hw_test_key",
            base_url=api.base_url,
            http_client=kind,
            hooks=Hooks(request=before, response=partial(after)),
            _runtime=NO_WAIT,
        ) as client:
            assert "shop" == (await client.apps.get("shop")).slug

    api.steps = [answer(status=503), answer(APP)]
    asyncio.run(call())

    assert ["1 with 0 sent", "503", "2 with 1 sent", "200"] == seen
    assert 2 == caplog.text.count("a hook failed on ResponseInfo(apps.get")


def test_a_task_that_a_hook_begins_goes_its_own_way(api: ScriptedApi) -> None:
    """What else a plain function returns is not awaited, though it could be."""

    async def call() -> bool:
        ended = asyncio.Event()
        tasks: list[asyncio.Task[Any]] = []

        def begin(request: RequestInfo) -> asyncio.Task[Any]:
            tasks.append(asyncio.create_task(ended.wait()))
            return tasks[0]

        hooks = Hooks(request=begin)
        async with AsyncHookwright("k", base_url=api.base_url, hooks=hooks) as client:
            await client.apps.get("shop")
        waiting = not tasks[0].done()
        ended.set()
        return waiting and await tasks[0]

    api.steps = [answer(APP)]

    assert asyncio.run(call())


def _quiet(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """
    The logger `hookwright`, with neither it nor the root having handlers until the test ends.
    Called in a test and not by a fixture: pytest adds handlers of its own between the two.
    """
    logger = logging.getLogger("hookwright")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "_cache", {})  # of what the level says; kept beside it
    return logger


@pytest.mark.parametrize(("level", "lines"), [("info", 3), ("DEBUG", 5), ("", 0)])
def test_the_log_is_switched_on_by_the_environment(
    level: str,
    lines: int,
    api: ScriptedApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """HOOKWRIGHT_LOG shows each try on stderr, once however many clients; no other logger moves."""
    _quiet(monkeypatch)
    monkeypatch.setenv("HOOKWRIGHT_LOG", level)
    api.steps = [answer(status=503), answer(ACCEPTED, status=202, X_Request_Id="req_1")]
    with _client(api), _client(api) as client:
        _send(client)

    shown = capsys.readouterr().err
    assert lines == len(shown.splitlines())
    assert bool(lines) == ("202 attempt=2" in shown and "request_id=req_1" in shown)
    assert [] == [word for word in PRIVATE if word in shown]
    assert ([], logging.NOTSET) == (
        logging.getLogger("httpx").handlers,
        logging.getLogger("httpx").level,
    )


def test_the_log_escapes_what_a_server_calls_a_request(
    api: ScriptedApi, caplog: pytest.LogCaptureFixture
) -> None:
    """A request id can neither turn a line of the log around nor move a terminal's cursor."""
    caplog.set_level(logging.INFO, "hookwright")
    api.steps = [answer(ACCEPTED, status=202, X_Request_Id="r\u202eb\u009b1m")]

    with _client(api) as client:
        _send(client)

    assert r"request_id=r\u202eb\x9b1m" in caplog.text


def test_a_program_with_a_log_shows_each_record_once(
    api: ScriptedApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the program has handlers of its own, ours keeps silent."""
    _quiet(monkeypatch)
    monkeypatch.setenv("HOOKWRIGHT_LOG", "info")
    logging.getLogger().addHandler(logging.StreamHandler())
    api.steps = [answer(APP)]
    with _client(api) as client:
        client.apps.get("shop")

    assert 1 == len(capsys.readouterr().err.splitlines())


def test_a_log_that_cannot_be_written_ends_no_call(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published is published, also where stderr is closed, as in a daemon."""
    _quiet(monkeypatch)
    monkeypatch.setenv("HOOKWRIGHT_LOG", "debug")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    api.steps = [answer(ACCEPTED, status=202)]
    with _client(api) as client:
        _send(client)

    assert 1 == len(api.requests)


def test_an_unknown_level_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A level that there is not changes nothing and is named, with those that there are."""
    logger = _quiet(monkeypatch)
    logging.getLogger().addHandler(caplog.handler)
    log.switch_on("loud")

    assert ["HOOKWRIGHT_LOG='loud' is not understood; it takes debug or info"] == caplog.messages
    assert logging.NOTSET == logger.level
