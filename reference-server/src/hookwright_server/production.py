"""The production form: `api` and `worker` on Postgres and Redis, in any number."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask

from hookwright_server.clock import Clock, FollowingClock, SteadyClock
from hookwright_server.delivery.direct import DirectSender
from hookwright_server.delivery.engine import Engine
from hookwright_server.domain.vault import Vault
from hookwright_server.keys import KeyProblem, check_keys
from hookwright_server.logs import configure_logging
from hookwright_server.services.readiness import Check, Readiness
from hookwright_server.services.test_clock import TestClockService
from hookwright_server.serving import StartRefused, is_stopping, register_shutdown
from hookwright_server.settings import Settings
from hookwright_server.store import worker_sessions
from hookwright_server.store.database import Database
from hookwright_server.store.errors import StoreError, StoreUnavailable
from hookwright_server.store.migrations import is_current
from hookwright_server.store.server_clock import ClockKeeper, server_clock
from hookwright_server.telemetry.watch import Watch, WatchRefused
from hookwright_server.wiring import (
    end_process,
    make_application,
    make_database,
    make_engine,
    make_parts,
    sender_factory,
    serve_metrics,
    spare_the_collector,
    tell_what_is_open,
    watch_of,
)

if TYPE_CHECKING:
    from redis import Redis

    from hookwright_server.delivery.jobs import Resident
    from hookwright_server.delivery.redis_waker import RedisWaker
    from hookwright_server.http.redis_rate_limit import RedisRateLimiter

_STOP_GRACE_S = 8.0
_TRY_EVERY_S = 0.5
_LOG_EVERY_S = 5.0

_log = logging.getLogger(__name__)


class _PatientStart:
    """Processes of the production form begin in any order, also before Postgres and `migrate`.

    As soon as the database is there, `clock` follows its clock; until then it raises
    StoreUnavailable.
    """

    def __init__(self, database: Database, vault: Vault, clock: FollowingClock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._keeper: ClockKeeper | None = None

    def check_soon(self) -> None:
        """Check the keys now, or later on a thread. Raises KeyProblem when it can be told now."""
        if self._awaited(lambda: None):
            threading.Thread(target=self._check, name="hookwright-start", daemon=True).start()

    def done_before(self, stopping: threading.Event, begin: Callable[[], None]) -> bool:
        """Check the keys, then `begin`, as soon as it can be done; False: `stopping` was set."""
        logged_at = -_LOG_EVERY_S
        while awaited := self._awaited(begin):
            if time.monotonic() - logged_at >= _LOG_EVERY_S:
                logged_at = time.monotonic()
                _log.warning("waiting_for_database why=%s", awaited)
            if stopping.wait(_TRY_EVERY_S):
                return False
        return True

    def close(self) -> None:
        """Look at the database's clock no more."""
        if self._keeper is not None:
            self._keeper.stop()

    def _check(self) -> None:
        try:
            self.done_before(threading.Event(), lambda: None)
        except KeyProblem as error:
            _log.critical("cannot_start why=%s", error)
            end_process()

    def _awaited(self, begin: Callable[[], None]) -> str:
        """What is missing; empty when all is done."""
        try:
            if not self._database.read(is_current):
                return "its tables are missing or old: run `hookwright-server migrate`"
            check_keys(self._database, self._vault)
            self._follow_clock()
            begin()
        except StoreError as error:
            return str(error)
        return ""

    def _follow_clock(self) -> None:
        if self._keeper is None:
            clock = server_clock(self._database)
            self._clock.follow(clock)
            self._keeper = ClockKeeper(clock)
            self._keeper.start()


@dataclass(frozen=True, slots=True)
class ApiProcess:
    """One process of `api`; `app` is the WSGI application."""

    app: Flask
    waker: RedisWaker
    direct: DirectSender
    limiter: RedisRateLimiter
    database: Database
    patient: _PatientStart
    watch: Watch

    def start(self) -> None:
        """Begin to hint at what is due. Without the database it begins too, and is not ready.

        Raises KeyProblem.
        """
        self.patient.check_soon()
        self.direct.start()
        self.waker.start()

    def stop(self) -> None:
        """Let go of everything. No request may be under way."""
        self.direct.stop()
        self.waker.close()
        self.limiter.close()
        self.watch.close()
        self.patient.close()
        self.database.close()


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """What `worker` runs."""

    engine: Engine
    database: Database
    redis: Redis
    resident: Resident
    patient: _PatientStart
    watch: Watch
    drain_ms: int

    def run(self) -> None:
        """Deliver until SIGTERM or SIGINT, then finish what is under way. A second one hurries.

        Waits for the database and its tables. Belongs into the main thread. Raises KeyProblem.
        """
        from hookwright_server.delivery.jobs import handle_signals, work_on

        handle_signals(self.resident.stopping, hurry=lambda: self.engine.stop(0))
        if not self.patient.done_before(self.resident.stopping, self.engine.start):
            return
        work_on(self.redis, self.resident)
        _end_process_after(self.drain_ms / 1000 + _STOP_GRACE_S)
        self.engine.stop(self.drain_ms)
        self.watch.close()
        self.patient.close()
        self.database.close()


def api_app() -> Flask:
    """The WSGI application of one process of `api`. Raises StartRefused."""
    settings = Settings()
    configure_logging(settings.log_level, settings.log_style)
    try:
        process = build_api(settings)
        process.start()
    except (StoreError, KeyProblem, WatchRefused) as error:
        raise StartRefused(str(error)) from error
    register_shutdown(process.stop)
    spare_the_collector()
    return process.app


def run_worker_process(settings: Settings) -> None:
    """The command `worker`. Raises StoreError, KeyProblem, WatchRefused when it cannot start."""
    configure_logging(settings.log_level, settings.log_style)
    process = build_worker(settings)
    spare_the_collector()
    process.run()


def build_api(settings: Settings) -> ApiProcess:
    """Every part of one process of `api`, connected; nothing runs yet."""
    from hookwright_server.delivery.jobs import DrainQueue
    from hookwright_server.delivery.redis_waker import RedisWaker, connect
    from hookwright_server.http.redis_rate_limit import RedisRateLimiter

    tell_what_is_open(settings)
    redis = connect(settings.redis_url)
    watch = watch_of(settings)
    waker = RedisWaker(redis, DrainQueue(redis).ask_for_drain, watch.meters)
    database = make_database(settings, waker.wake, watch.meters)
    clock = FollowingClock(_no_clock_yet)
    parts = make_parts(settings, clock)
    direct = DirectSender(sender_factory(settings, clock))
    limiter = RedisRateLimiter(settings.redis_url, SteadyClock(), watch.meters)
    app = make_application(
        settings,
        parts,
        database,
        watch,
        send=direct.send,
        test_clock=TestClockService(None, None),
        readiness=_api_readiness(database, clock, waker.answers),
        limiter=limiter,
    )
    start = _PatientStart(database, parts.vault, clock)
    serve_metrics(watch, database, clock)
    return ApiProcess(app, waker, direct, limiter, database, start, watch)


def build_worker(settings: Settings) -> WorkerProcess:
    """Every part of `worker`, connected; nothing runs yet."""
    from hookwright_server.delivery.jobs import DrainQueue, Resident
    from hookwright_server.delivery.redis_waker import RedisWaker, connect

    tell_what_is_open(settings)
    redis = connect(settings.redis_url)
    watch = watch_of(settings)
    waker = RedisWaker(redis, DrainQueue(redis).ask_for_drain, watch.meters)
    database = make_database(settings, waker.wake, watch.meters)
    clock = FollowingClock(_no_clock_yet)
    parts = make_parts(settings, clock)
    engine = make_engine(settings, parts, database, waker, watch, alone=False)
    resident = Resident(engine, waker, threading.Event(), settings.drain_slice_seconds)
    start = _PatientStart(database, parts.vault, clock)
    drain_ms = int(settings.drain_seconds * 1000)
    serve_metrics(watch, database, clock)
    return WorkerProcess(engine, database, redis, resident, start, watch, drain_ms)


def _no_clock_yet() -> Clock:
    """What is stored has the database's time, or is not stored."""
    raise StoreUnavailable("the database's clock is not known yet")


def _end_process_after(seconds: float) -> None:
    """Do not hang at the end because the database does: others take back what is left."""
    timer = threading.Timer(seconds, end_process)
    timer.daemon = True
    timer.start()


def _api_readiness(database: Database, clock: Clock, redis_answers: Check) -> Readiness:
    """Without Redis and workers events are accepted all the same, and delivered later."""

    def database_answers() -> bool:
        if database.read(is_current):
            clock.now_ms()  # known soon after, and needed by every request
        return True

    def migrated() -> bool:
        try:
            return database.read(is_current)
        except StoreUnavailable:
            return True  # nobody knows; what is missing is the database

    return Readiness(
        {"database": database_answers, "migrations": migrated},
        {
            "redis": redis_answers,
            "worker": lambda: database.read(
                lambda tx: worker_sessions.is_any_alive(tx, clock.now_ms())
            ),
        },
        is_stopping=is_stopping,
    )
