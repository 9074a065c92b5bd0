"""The emitter: publishing now and in the background, its ends, forks and failures."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from sdk_emitting import ACCEPTED, BROKEN, MISSING, published

from hookwright import Hooks, Hookwright, RequestInfo
from hookwright.emitting import EmitFailure, Emitter, default_emitter
from hookwright.errors import (
    EmitError,
    InternalServerError,
    NotFoundError,
    QueueFullError,
    UsageError,
)

if TYPE_CHECKING:
    from sdk_harness import ScriptedApi


@pytest.fixture
def failures() -> list[EmitFailure]:
    """What was reported."""
    return []


@pytest.fixture
def emitter(api: ScriptedApi, failures: list[EmitFailure]) -> Iterator[Emitter]:
    """An emitter to `api` that tries once."""
    with Emitter(
        "shop",
        api_key="hw_test_key",
        base_url=api.base_url,
        max_retries=0,
        max_queue=2,
        on_error=failures.append,
    ) as emitter:
        yield emitter


def test_publish(api: ScriptedApi, emitter: Emitter) -> None:
    """publish waits for the answer; the app is the event's own, else the emitter's."""
    api.steps[:] = [ACCEPTED, ACCEPTED]

    answers = [
        emitter.publish("order.created", {"id": 1}),
        emitter.publish("order.created", {"id": 2}, app="other"),
    ]

    assert ["msg_1", "msg_1"] == [answer.message_id for answer in answers]
    expected = [
        ("/v1/apps/shop/trigger", "order.created", {"id": 1}),
        ("/v1/apps/other/trigger", "order.created", {"id": 2}),
    ]
    assert expected == published(api)


def test_publish_raises(api: ScriptedApi, emitter: Emitter, failures: list[EmitFailure]) -> None:
    """What the API refuses is raised by publish, and not reported besides."""
    api.steps[:] = [MISSING]

    with pytest.raises(NotFoundError):
        emitter.publish("order.created", {})
    assert [] == failures


def test_enqueue(api: ScriptedApi, emitter: Emitter) -> None:
    """What is queued is published in its order; flush waits for it, and for nothing."""
    assert emitter.flush(0)
    api.steps[:] = [ACCEPTED] * 2
    emitter.enqueue("order.created", {"id": 1})
    emitter.enqueue("order.created", {"id": 2})

    assert emitter.flush(60)
    assert [{"id": 1}, {"id": 2}] == [payload for _, _, payload in published(api)]


def test_failures_in_the_background(
    api: ScriptedApi,
    emitter: Emitter,
    failures: list[EmitFailure],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure in the background is logged and reported, and the next event still goes."""
    api.steps[:] = [BROKEN, ACCEPTED]
    emitter.enqueue("order.created", {"id": 1})
    emitter.enqueue("order.created", {"id": 2})

    assert emitter.flush(60)
    [failure] = failures
    assert isinstance(failure.error, InternalServerError)
    assert ("shop", "order.created", {"id": 1}) == (
        failure.app,
        failure.event_name,
        failure.payload,
    )
    assert "order.created was not published: 500" in caplog.text
    assert 2 == len(api.requests)


def test_what_is_queued_is_the_payload_of_that_moment(api: ScriptedApi, emitter: Emitter) -> None:
    """A payload that is changed, or used for the next event, later does not change the first."""
    api.steps[:] = [ACCEPTED] * 2
    payload: dict[str, Any] = {"order": {"id": 1}}
    emitter.enqueue("order.created", payload)
    payload["order"]["id"] = 2
    emitter.enqueue("order.created", payload)

    assert emitter.flush(60)
    assert [1, 2] == [payload["order"]["id"] for _, _, payload in published(api)]


def test_what_is_queued_is_json(emitter: Emitter) -> None:
    """What JSON cannot carry is said to the caller, who is still there."""
    with pytest.raises(UsageError, match="a bytes cannot be sent as JSON"):
        emitter.enqueue("order.created", {"id": b"1"})


def _until(released: threading.Event) -> Callable[[socket.socket, threading.Event], None]:
    def answer(connection: socket.socket, closing: threading.Event) -> None:
        released.wait(60)
        connection.sendall(ACCEPTED)

    return answer


def test_a_full_queue(api: ScriptedApi, emitter: Emitter) -> None:
    """Beyond max_queue an event is refused at once; there is room again later."""
    released = threading.Event()
    api.steps[:] = [_until(released), *[ACCEPTED] * 3]
    emitter.enqueue("order.created", {"id": 1})
    _until_requested(api)
    emitter.enqueue("order.created", {"id": 2})
    emitter.enqueue("order.created", {"id": 3})

    with pytest.raises(QueueFullError, match=r"order\.created was not published.* is full: 2"):
        emitter.enqueue("order.created", {"id": 4})
    assert not emitter.flush(0.01)
    released.set()
    assert emitter.flush(60)
    emitter.enqueue("order.created", {"id": 5})
    assert emitter.flush(60)
    assert [1, 2, 3, 5] == [payload["id"] for _, _, payload in published(api)]


def _silent(connection: socket.socket, closing: threading.Event) -> None:
    closing.wait(60)


def _until_requested(api: ScriptedApi) -> None:
    deadline = time.monotonic() + 60
    while not api.requests:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_close_reports_what_is_left(
    api: ScriptedApi, emitter: Emitter, failures: list[EmitFailure]
) -> None:
    """What close cannot publish in its time is reported; afterwards nothing is taken."""
    released = threading.Event()
    api.steps[:] = [_until(released)]
    emitter.enqueue("order.created", {"id": 1})
    _until_requested(api)
    emitter.enqueue("order.created", {"id": 2})

    emitter.close(0.01)

    assert [{"id": 1}, {"id": 2}] == [failure.payload for failure in failures]
    assert {EmitError} == {type(failure.error) for failure in failures}
    for act in (emitter.enqueue, emitter.publish):
        with pytest.raises(QueueFullError, match="is closed"):
            act("order.created", {"id": 3})
    released.set()
    assert emitter.flush(60)


def test_an_emitter_that_is_closed_before_its_first_event(emitter: Emitter) -> None:
    """It takes no event either: nobody would wait for it at the end of the process."""
    emitter.close()

    with pytest.raises(QueueFullError, match="is closed"):
        emitter.enqueue("order.created", {"id": 1})


def test_a_hook_that_ends_its_thread(api: ScriptedApi, failures: list[EmitFailure]) -> None:
    """A SystemExit in the background is reported with its event, and the next event still goes."""
    raised: list[SystemExit] = [SystemExit("enough")]

    def once(request: RequestInfo) -> None:
        if raised:
            raise raised.pop()

    api.steps[:] = [ACCEPTED]
    client = Hookwright("k", base_url=api.base_url, hooks=Hooks(request=once))
    with client, Emitter("shop", client=lambda: client, on_error=failures.append) as emitter:
        emitter.enqueue("order.created", {"id": 1})
        emitter.enqueue("order.created", {"id": 2})
        assert emitter.flush(60)

    [failure] = failures
    assert ({"id": 1}, "SystemExit in the background: enough") == (
        failure.payload,
        str(failure.error),
    )
    assert [{"id": 2}] == [payload for _, _, payload in published(api)]


@pytest.mark.parametrize("fault", [RuntimeError("on purpose"), SystemExit(1)])
def test_on_error_that_fails(
    fault: BaseException, api: ScriptedApi, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that raises, whatever it is, is logged, and the emitter goes on."""

    def on_error(failure: EmitFailure) -> None:
        raise fault

    api.steps[:] = [BROKEN, BROKEN]
    with Emitter(
        "shop", api_key="k", base_url=api.base_url, max_retries=0, on_error=on_error
    ) as emitter:
        emitter.enqueue("order.created", {})
        emitter.enqueue("order.created", {})
        assert emitter.flush(60)

    assert 2 == len(api.requests)
    assert 2 == caplog.text.count("on_error could not be told of order.created")


def test_configured_lazily(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of a function are read at the first event, once, in either case of letters."""
    calls: list[int] = []

    def configure() -> dict[str, Any]:
        calls.append(1)
        return {"API_KEY": "hw_late", "BASE_URL": api.base_url, "app": "late"}

    emitter = Emitter.lazily(configure)
    assert [] == calls
    api.steps[:] = [ACCEPTED] * 4
    threads = [
        threading.Thread(target=emitter.publish, args=("order.created", {})) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    emitter.close()

    assert ([1], 4) == (calls, len(api.requests))
    assert {"Bearer hw_late"} == {request.headers["authorization"] for request in api.requests}
    assert {"/v1/apps/late/trigger"} == {request.target for request in api.requests}


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_configured_by_a_coroutine(in_a_loop: bool, api: ScriptedApi) -> None:
    """Options may come from a coroutine function, whether an event loop is running or not."""

    async def configure() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"API_KEY": "hw_late", "BASE_URL": api.base_url, "APP": "late"}

    async def enqueue(emitter: Emitter) -> None:
        emitter.enqueue("order.created", {})

    api.steps[:] = [ACCEPTED]
    with Emitter.lazily(configure) as emitter:
        if in_a_loop:
            asyncio.run(enqueue(emitter))
        else:
            emitter.enqueue("order.created", {})

    assert [("/v1/apps/late/trigger", "order.created", {})] == published(api)


def test_an_emitter_needs_no_configuration(emitter: Emitter) -> None:
    """Where options are expected, as in an application's settings, an emitter may stand itself."""
    assert emitter is Emitter.lazily(emitter)


def test_configured_by_the_environment(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options the environment says where and as whom."""
    monkeypatch.setenv("HOOKWRIGHT_API_KEY", "hw_environment")
    monkeypatch.setenv("HOOKWRIGHT_BASE_URL", api.base_url)
    monkeypatch.setenv("HOOKWRIGHT_APP", "environment")
    default_emitter.cache_clear()
    api.steps[:] = [ACCEPTED]

    with default_emitter() as emitter:
        emitter.publish("order.created", {})

    default_emitter.cache_clear()
    assert "/v1/apps/environment/trigger" == api.requests[0].target


def test_a_client_of_yours(api: ScriptedApi) -> None:
    """A client that a function gives is used, and left open."""
    api.steps[:] = [ACCEPTED, ACCEPTED]
    with Hookwright("hw_mine", base_url=api.base_url) as client:
        with Emitter("shop", client=lambda: client) as emitter:
            emitter.publish("order.created", {})
        client.trigger.send("shop", event_name="order.created", payload={})

    assert 2 == len(api.requests)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Emitter("shop", max_queue=0), "max_queue is a whole number of at least 1, not 0"),
        (lambda: Emitter("shop", max_queue=cast("Any", "5")), "at least 1, not '5'"),
        (lambda: Emitter("shop", max_queue=True), "at least 1, not True"),
        (lambda: Emitter("shop", exit_deadline_seconds=-1), "seconds from 0 to 1000000, not -1"),
        (lambda: Emitter("shop", exit_deadline_seconds=cast("Any", "5")), "1000000, not '5'"),
        (lambda: Emitter("shop", timeout=cast("Any", "5")), "timeout is a number .* not '5'"),
        (lambda: Emitter("shop", max_retries=-1), "max_retries is a whole number .* not -1"),
        (lambda: Emitter("shop", client=cast("Any", "x")), "client is a function .* not 'x'"),
        (lambda: Emitter("shop", on_error=cast("Any", 1)), "on_error is a function .* not 1"),
        (lambda: Emitter.lazily({"MAX_QUEUE": "5"}), "at least 1, not '5'"),
        (lambda: Emitter.lazily({"APPS": "x"}), "unknown options apps"),
        (lambda: Emitter.lazily({cast("Any", 5): "x"}), "unknown options 5"),
        (lambda: Emitter.lazily(cast("Any", "shop")), "a function that gives one, not 'shop'"),
        (lambda: Emitter.lazily(lambda: None).publish("e", {}), "gives one, not None"),
        (lambda: Emitter().publish("order.created", {}), "HOOKWRIGHT_APP"),
        (lambda: Emitter.lazily(lambda: {"APPS": "x"}).publish("e", {}), "unknown options apps"),
        (lambda: Emitter("shop", base_url="http://x").publish("e", {}), "HOOKWRIGHT_API_KEY"),
    ],
)
def test_wrong_options(
    make: Callable[[], object], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong or missing option is named."""
    for name in ("HOOKWRIGHT_APP", "HOOKWRIGHT_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UsageError, match=text):
        make()


def _run(api: ScriptedApi, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    given = {"app": "shop", "api_key": "k", "base_url": api.base_url, **options}
    script = f"import os\nfrom hookwright.emitting import Emitter\nemitter = Emitter(**{given!r})\n"
    return subprocess.run(
        [sys.executable, "-c", script + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ,
    )


def test_the_end_of_a_process(api: ScriptedApi) -> None:
    """What is queued when the program ends is published before it has ended."""
    api.steps[:] = [ACCEPTED] * 3

    run = _run(api, "for n in range(3): emitter.enqueue('order.created', {'id': n})")

    assert (0, "") == (run.returncode, run.stderr)
    assert [0, 1, 2] == [payload["id"] for _, _, payload in published(api)]


def test_the_end_of_a_process_has_a_deadline(api: ScriptedApi) -> None:
    """A server that does not answer holds the end for the deadline alone; what is lost is told."""
    api.steps[:] = [_silent]

    run = _run(api, "emitter.enqueue('order.created', {'id': 1})", exit_deadline_seconds=0.2)

    assert 0 == run.returncode
    assert "order.created was not published: the emitter was closed" in run.stderr


def test_a_fork(api: ScriptedApi) -> None:
    """Parent and child of a fork publish each its own events, each once."""
    api.steps[:] = [ACCEPTED] * 4
    code = (
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "emitter.enqueue('order.created', {'id': 'before'})\n"
        "pid = os.fork()\n"
        "emitter.enqueue('order.created', {'id': 'parent' if pid else 'child'})\n"
        "pid and os.waitpid(pid, 0)"
    )

    run = _run(api, code)

    assert (0, "") == (run.returncode, run.stderr)
    assert ["before", "child", "parent"] == sorted(p["id"] for _, _, p in published(api))


def test_children_of_multiprocessing(api: ScriptedApi) -> None:
    """What a child of multiprocessing has queued is published at its end, as are its child's."""
    api.steps[:] = [ACCEPTED] * 5
    code = (
        "import multiprocessing, warnings\nwarnings.simplefilter('ignore')\n"
        "def work(*names):\n"
        "    if names[1:]:\n"
        "        emitter.enqueue('order.created', {'id': 'early ' + names[0]})\n"
        "        emitter.flush()\n"
        "        context = multiprocessing.get_context('fork')\n"
        "        child = context.Process(target=work, args=names[1:])\n"
        "        child.start()\n"
        "        child.join()\n"
        "    emitter.enqueue('order.created', {'id': names[0]})\n"
        "work('parent', 'child', 'grandchild')"
    )

    run = _run(api, code)

    assert (0, "") == (run.returncode, run.stderr)
    assert ["child", "early child", "early parent", "grandchild", "parent"] == sorted(
        payload["id"] for _, _, payload in published(api)
    )


@pytest.mark.parametrize("answer", [ACCEPTED, MISSING, b""], ids=["accepted", "refused", "cut off"])
def test_the_background_imports_nothing(answer: bytes, api: ScriptedApi) -> None:
    """What publishing needs is imported by the caller: a child could be forked in the middle."""
    api.steps[:] = [answer]
    code = (
        "import sys, threading\n"
        "seen = {}\n"
        "def hook(event, arguments):\n"
        "    if event == 'import':\n"
        "        seen.setdefault(threading.current_thread().name, []).append(arguments[0])\n"
        "sys.addaudithook(hook)\n"
        "emitter.enqueue('order.created', {'id': 1})\n"
        "emitter.flush()\n"
        "del seen['MainThread']\n"
        "print(seen)"
    )

    run = _run(api, code, max_retries=0)

    assert ("{}\n", 1) == (run.stdout, len(api.requests)), run.stderr
