"""The embedded form: `serve` on one SQLite file, without services.

One process answers requests and one delivers, so that neither waits for the other's interpreter.
The first holds the file's lock and looks after the second; the database is all they share, but
for the test clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from hookwright_server.announce import asked_for_json, show_account
from hookwright_server.clock import Clock, SystemClock, TestClock, shared_offset
from hookwright_server.delivery.direct import DirectSender
from hookwright_server.delivery.engine import Engine
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.http.rate_limit import ProcessRateLimiter
from hookwright_server.keys import KeyProblem
from hookwright_server.logs import configure_logging
from hookwright_server.services.readiness import Readiness
from hookwright_server.services.test_clock import TestClockService
from hookwright_server.serving import (
    EngineProcess,
    StartRefused,
    is_stopping,
    register_shutdown,
)
from hookwright_server.settings import Settings
from hookwright_server.store.database import Database
from hookwright_server.store.errors import StoreError
from hookwright_server.store.opening import open_file
from hookwright_server.telemetry.watch import Watch, WatchRefused
from hookwright_server.wiring import (
    make_application,
    make_engine,
    make_parts,
    prepare,
    reads,
    sender_factory,
    serve_metrics,
    spare_the_collector,
    tell_what_is_open,
    watch_of,
)

ENGINE = "hookwright_server.embedded:engine_part"

# The engine's last writes and the end of its process come on top of the drain.
_STOP_GRACE_S = 8.0


@dataclass(frozen=True, slots=True)
class RequestPart:
    """The process that answers requests; `app` is the WSGI application."""

    app: Flask
    engine: EngineProcess
    direct: DirectSender
    database: Database
    watch: Watch
    stop_s: float

    def start(self) -> None:
        """Begin to deliver, in the other process. Raises StartRefused."""
        self.direct.start()
        self.engine.start()

    def stop(self) -> None:
        """Have the engine finish, then let go of everything. No request may be under way."""
        self.engine.stop(self.stop_s)
        self.direct.stop()
        self.watch.close()
        self.database.close()


@dataclass(frozen=True, slots=True)
class EnginePart:
    """The process that delivers; see `serving.engine.Delivering`."""

    engine: Engine
    waker: MemoryWaker
    database: Database
    watch: Watch
    drain_ms: int

    def start(self) -> None:
        try:
            self.engine.start()
        except StoreError as error:
            raise StartRefused(str(error)) from error
        spare_the_collector()

    def wake(self) -> None:
        self.waker.wake()

    def run_until_quiescent(self, timeout_s: float) -> bool:
        return self.engine.run_until_quiescent(timeout_s)

    def do_chores(self, timeout_s: float) -> bool:
        return self.engine.do_chores(timeout_s)

    def stop(self) -> None:
        self.engine.stop(self.drain_ms)
        self.watch.close()
        self.database.close()


@dataclass(frozen=True, slots=True)
class _Deliverer:
    """See `services.test_clock.Deliverer`."""

    outbox: Outbox
    engine: EngineProcess

    def next_due_at(self) -> int | None:
        return self.outbox.look().next_due_at

    def run_until_quiescent(self, timeout_s: float) -> bool:
        return self.engine.run_until_quiescent(timeout_s)

    def do_chores(self, timeout_s: float) -> bool:
        return self.engine.do_chores(timeout_s)


def worker_app() -> Flask:
    """The WSGI application of `serve`, with its engine running in a process of its own.

    The first start makes keys, tables and an account, and prints the account's API keys.
    Raises StartRefused.
    """
    settings = Settings()
    configure_logging(settings.log_level, settings.log_style)
    try:
        account = prepare(settings, "default")
        if account is not None:
            show_account(account, as_json=asked_for_json())
        part = build_requests(settings)
        part.start()
    except (StoreError, KeyProblem, WatchRefused) as error:
        raise StartRefused(str(error)) from error
    register_shutdown(part.stop)
    spare_the_collector()
    return part.app


def engine_part(lock: int, clock: int | None = None) -> EnginePart:
    """What the engine's process runs, by the file descriptors that it inherits.

    `lock` keeps other servers off the database, `clock` is the test clock's. Raises StartRefused.
    """
    settings = Settings()
    configure_logging(settings.log_level, settings.log_style)
    try:
        return build_engine(settings, lock, clock)
    except (StoreError, KeyProblem, WatchRefused) as error:
        raise StartRefused(str(error)) from error


def build_requests(settings: Settings) -> RequestPart:
    """Every part of the process that answers requests, connected; nothing runs yet."""
    tell_what_is_open(settings)
    watch = watch_of(settings)
    process: EngineProcess | None = None

    def wake() -> None:
        if process is not None:
            process.wake()

    database = open_file(settings.database_file, wake, meter=watch.meters)
    shared = shared_offset() if settings.test_clock else None
    clock, test_clock = _clocks(shared)
    parts = make_parts(settings, clock)
    process = EngineProcess(ENGINE, [database.lock, *([] if shared is None else [shared])])
    system = SystemEvents(parts.policies, clock, parts.ids)
    outbox = Outbox(database, clock, parts.ids, system, alone=False)
    direct = DirectSender(sender_factory(settings, clock))
    app = make_application(
        settings,
        parts,
        database,
        watch,
        send=direct.send,
        test_clock=TestClockService(test_clock, _Deliverer(outbox, process)),
        readiness=Readiness(
            {"database": reads(database), "engine": process.is_running}, is_stopping=is_stopping
        ),
        limiter=ProcessRateLimiter(clock),
    )
    serve_metrics(watch, database, clock)
    stop_s = settings.drain_seconds + _STOP_GRACE_S
    return RequestPart(app, process, direct, database, watch, stop_s)


def build_engine(settings: Settings, lock: int, shared: int | None) -> EnginePart:
    """Every part of the process that delivers, connected; nothing runs yet."""
    watch = watch_of(settings)
    waker = MemoryWaker()
    database = open_file(settings.database_file, meter=watch.meters, lock=lock)
    clock, _ = _clocks(shared)
    parts = make_parts(settings, clock)
    engine = make_engine(settings, parts, database, waker, watch, alone=True)
    serve_metrics(watch, database, clock)
    return EnginePart(engine, waker, database, watch, int(settings.drain_seconds * 1000))


def _clocks(shared: int | None) -> tuple[Clock, TestClock | None]:
    """The clock to go by; and the test clock, when there is one."""
    system = SystemClock()
    if shared is None:
        return system, None
    test_clock = TestClock(system, shared)
    return test_clock, test_clock
