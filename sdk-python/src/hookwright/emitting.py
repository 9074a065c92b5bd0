"""
Publishing from a web application: at once, or from a bounded queue in the background.

`emit_webhook` of `hookwright.integrations.flask`, `.fastapi` and `.django` hands what views return
to an `Emitter`; it can be used without them too.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, Self, cast

from hookwright._background import BackgroundQueue
from hookwright._core.call import json_value
from hookwright._core.settings import (
    LONGEST_TIMEOUT_SECONDS,
    checked_retries,
    checked_timeout,
)
from hookwright._process_end import ProcessEnd
from hookwright.errors import EmitError, QueueFullError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from hookwright.client import Hookwright
    from hookwright.models import TriggerAccepted

__all__ = ["APP_VARIABLE", "EmitFailure", "Emitter", "default_emitter"]

APP_VARIABLE: Final = "HOOKWRIGHT_APP"
_NEEDED: Final = (
    "hookwright.client",
    "hookwright._core.transport",
    "hookwright._generated.resources.trigger",
    "encodings.idna",  # the socket module's own, for names of hosts
)

_logger = logging.getLogger("hookwright.emitting")


@dataclass(frozen=True, slots=True)
class EmitFailure:
    """An event that was not published, or of which that is not known, as `on_error` gets it."""

    event_name: str
    error: Exception
    app: str | None = None
    payload: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Emission:
    event_name: str
    payload: Mapping[str, Any]
    app: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    app: str | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float | None = 10.0
    max_retries: int = 2
    client: Callable[[], Hookwright] | None = None
    max_queue: int = 1000
    exit_deadline_seconds: float = 5.0
    on_error: Callable[[EmitFailure], None] | None = None

    def __post_init__(self) -> None:
        checked_timeout(self.timeout)
        checked_retries(self.max_retries)
        _check_queue(self.max_queue)
        _check_seconds(self.exit_deadline_seconds)
        for name, role in (("client", "gives a Hookwright"), ("on_error", "takes an EmitFailure")):
            given = getattr(self, name)
            if given is not None and not callable(given):
                raise UsageError(f"{name} is a function that {role}, not {given!r:.100}")


class Emitter:
    """
    Publishes events of one process. One serves all threads, and asyncio through `aclose` alone:
    nothing else of it waits but `publish`, `flush` and `close`.

    `app` is the slug of the app to publish to (else HOOKWRIGHT_APP), where none is named with the
    event. `api_key` and `base_url` are those of the client (else HOOKWRIGHT_API_KEY and
    HOOKWRIGHT_BASE_URL), `timeout` (10 s) and `max_retries` (2) too; or `client` is a function
    that gives a `Hookwright`, called once in each process, which stays yours to close.

    The queue holds at most `max_queue` events (1000). What is in it when the process ends is still
    published, for `exit_deadline_seconds` (5) at most. Everything that was not published is logged
    as an error by `hookwright.emitting` and given to `on_error`, from whatever thread found out.

    A process that forks (gunicorn, celery) may make it before: the child gets a client, a queue
    and a thread of its own, and the parent publishes what it had queued. Children of
    `multiprocessing` publish what is left at their end too. SIGKILL, SIGTERM without a handler
    and `os._exit` lose what is queued.
    """

    def __init__(  # noqa: PLR0913 - one for each documented option
        self,
        app: str | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = 10.0,
        max_retries: int = 2,
        client: Callable[[], Hookwright] | None = None,
        max_queue: int = 1000,
        exit_deadline_seconds: float = 5.0,
        on_error: Callable[[EmitFailure], None] | None = None,
    ) -> None:
        options = _Options(
            app=app,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            client=client,
            max_queue=max_queue,
            exit_deadline_seconds=exit_deadline_seconds,
            on_error=on_error,
        )
        self._begin(lambda: options)

    @classmethod
    def lazily(cls, configuration: Mapping[str, Any] | Callable[[], Any] | Emitter) -> Self:
        """
        An emitter with options by the names of the constructor's arguments in lower or upper case.
        A function of such a mapping, which may be a coroutine function, is called when the first
        event is published; a mapping is checked at once. An emitter is given back as it is.
        """
        given: object = configuration
        if isinstance(given, cls):
            return given
        made = cls.__new__(cls)
        if callable(given):
            made._begin(lambda: _options_from(_called(given)))  # noqa: SLF001 - a constructor too
        else:
            options = _options_from(given)
            made._begin(lambda: options)  # noqa: SLF001 - a constructor too
        return made

    def _begin(self, configure: Callable[[], _Options]) -> None:
        self._configure = configure
        self._options: _Options | None = None
        self._queue: BackgroundQueue[_Emission] | None = None
        self._closed = False
        self.after_fork()
        _emitters.add(self)

    def after_fork(self) -> None:
        """Begin anew in a forked child; called by Python."""
        self._lock = threading.RLock()
        self._client: Hookwright | None = None
        if self._queue is not None:
            self._queue.after_fork()

    def publish(
        self, event_name: str, payload: Mapping[str, Any], *, app: str | None = None
    ) -> TriggerAccepted:
        """
        Publish now and wait for the answer. Raises what `client.trigger.send` raises, and
        QueueFullError when the emitter is closed.
        """
        emission = self._emission(event_name, payload, app)
        if self._closed:
            raise self._refused(emission)
        return self._send(emission)

    def enqueue(
        self, event_name: str, payload: Mapping[str, Any], *, app: str | None = None
    ) -> None:
        """
        Publish soon, without waiting, what `payload` is now. Raises QueueFullError when the queue
        is full or closed, and UsageError when no app is known or JSON cannot carry the payload;
        failures later on are reported.
        """
        emission = self._emission(event_name, json_value(payload), app)
        _process_end.settle()
        queue = self._background()
        # `close` does nothing about a queue that was made behind it.
        if self._closed or not queue.put(emission):
            raise self._refused(emission)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything queued was tried; False when `timeout` seconds were not enough."""
        return self._queue is None or self._queue.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """
        Take no more, publish what is queued, for `timeout` seconds (default:
        `exit_deadline_seconds`), and report the rest.
        """
        if self._closed:
            return
        self._closed = True
        left: list[_Emission] = []
        if self._queue is not None:
            left = self._queue.close(
                self._settled().exit_deadline_seconds if timeout is None else timeout
            )
        for emission in left:
            error = EmitError("the emitter was closed before the event was seen to be published")
            self._report_emission(emission, error)
        client, self._client = self._client, None
        if client is not None and not left and self._settled().client is None:
            client.close()

    async def aclose(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as `close`
        """`close`, without blocking the event loop."""
        from asyncio import to_thread

        await to_thread(self.close, timeout)

    def __enter__(self) -> Self:
        _preload()  # when the application starts, and not at its first event
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def report(self, failure: EmitFailure) -> None:
        """Log a failure and hand it to `on_error`, whose own failure is logged too."""
        log_failure(failure)
        try:
            on_error = self._settled().on_error
            if on_error is not None:
                on_error(failure)
        except Exception:
            _logger.exception("on_error could not be told of %s", failure.event_name)

    def _emission(self, event_name: str, payload: Mapping[str, Any], app: str | None) -> _Emission:
        if app is not None and not (isinstance(cast("object", app), str) and app):
            raise UsageError(f"app is the slug of an app, not {app!r:.100}")
        slug = app or self._settled().app or os.environ.get(APP_VARIABLE)
        if not slug:
            raise UsageError(f"no app to publish {event_name} to: pass app=… or set {APP_VARIABLE}")
        return _Emission(event_name, payload, slug)

    def _refused(self, emission: _Emission) -> QueueFullError:
        state = "closed" if self._closed else f"full: {self._settled().max_queue} events wait"
        return QueueFullError(f"{emission.event_name} was not published, the emitter is {state}")

    def _send(self, emission: _Emission) -> TriggerAccepted:
        return self._hookwright().trigger.send(
            emission.app, event_name=emission.event_name, payload=emission.payload
        )

    def _work(self, emission: _Emission) -> None:
        # Whatever ended the thread would leave what is queued unpublished, and unreported.
        try:
            self._send(emission)
        except BaseException as error:  # noqa: BLE001 - reported: nobody else is told
            self._report_in_background(emission, error)

    def _report_in_background(self, emission: _Emission, error: BaseException) -> None:
        if not isinstance(error, Exception):  # a SystemExit of a hook, a failed test in one
            failure = EmitError(f"{type(error).__name__} in the background: {error}")
            failure.__cause__ = error
            error = failure
        try:
            self._report_emission(emission, error)
        except BaseException:
            _logger.exception("on_error could not be told of %s", emission.event_name)

    def _report_emission(self, emission: _Emission, error: Exception) -> None:
        self.report(EmitFailure(emission.event_name, error, emission.app, emission.payload))

    def _settled(self) -> _Options:
        if self._options is None:
            with self._lock:
                if self._options is None:
                    self._options = self._configure()
        return self._options

    def _hookwright(self) -> Hookwright:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = _client_of(self._settled())
        return self._client

    def _background(self) -> BackgroundQueue[_Emission]:
        if self._queue is None:
            with self._lock:
                if self._queue is None:
                    _preload()
                    self._queue = BackgroundQueue(self._work, self._settled().max_queue)
        return self._queue


def log_failure(failure: EmitFailure) -> None:
    """All that can be done where not even an emitter could be made."""
    _logger.error("%s was not published: %s", failure.event_name, failure.error)


def _check_queue(most: object) -> None:
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise UsageError(f"max_queue is a whole number of at least 1, not {most!r:.100}")


def _check_seconds(given: object) -> None:
    if (
        isinstance(given, bool)
        or not isinstance(given, (int, float))
        or not 0 <= given <= LONGEST_TIMEOUT_SECONDS
    ):
        raise UsageError(
            "exit_deadline_seconds is a number of seconds from 0 to "
            f"{LONGEST_TIMEOUT_SECONDS}, not {given!r:.100}"
        )


def _preload() -> None:
    """
    Import what publishing needs, here and not in the background: a child that is forked while
    another thread imports a module would wait for that module for ever.
    """
    from importlib import import_module

    for name in _NEEDED:
        import_module(name)


def _client_of(options: _Options) -> Hookwright:
    if options.client is not None:
        return options.client()
    from hookwright.client import Hookwright

    return Hookwright(
        options.api_key,
        base_url=options.base_url,
        timeout=options.timeout,
        max_retries=options.max_retries,
    )


def _called(configure: Callable[[], Any]) -> Any:
    given = configure()
    if not isawaitable(given):
        return given
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    async def waited() -> Any:
        return await given

    # In a thread, as an event loop may be running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, asyncio.run, waited()).result()


def _options_from(given: object) -> _Options:
    if not isinstance(given, Mapping):
        raise UsageError(
            "the options of an emitter are a mapping, or a function that gives one, "
            f"not {given!r:.100}"
        )
    options = cast("Mapping[object, Any]", given)
    read = {str(name).lower(): value for name, value in options.items()}
    known = {each.name for each in fields(_Options)}
    unknown = sorted(read.keys() - known)
    if unknown:
        raise UsageError(f"unknown options {', '.join(unknown)}; there are {sorted(known)}")
    return _Options(**read)


@cache
def default_emitter() -> Emitter:
    """The process's emitter that is configured by environment variables alone."""
    return Emitter()


_emitters: weakref.WeakSet[Emitter] = weakref.WeakSet()


def _each(act: Callable[[Any], None]) -> None:
    for emitter in list(_emitters):
        act(emitter)


_process_end = ProcessEnd(lambda: _each(Emitter.close))
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=lambda: _each(Emitter.after_fork))
