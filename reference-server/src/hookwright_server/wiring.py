"""The composition root: the only place that constructs things."""

from __future__ import annotations

import gc
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask

from hookwright_server import __version__
from hookwright_server.announce import asked_for_json, show_account
from hookwright_server.clock import Clock, FollowingClock, SteadyClock, SystemClock, TestClock
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.direct import DirectSender
from hookwright_server.delivery.engine import Engine, EngineLimits, Tools
from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.resolver import ThreadResolver
from hookwright_server.delivery.sender import Sender
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.delivery.waker import MemoryWaker, Waker
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.domain.vault import Vault
from hookwright_server.http.app import add_operations, create_app
from hookwright_server.http.auth import Authenticator
from hookwright_server.http.dispatch import Dispatcher
from hookwright_server.http.edge.handlers import Handlers
from hookwright_server.http.handlers.api_keys import ApiKeysHandlers
from hookwright_server.http.handlers.apps import AppsHandlers
from hookwright_server.http.handlers.deliveries import DeliveriesHandlers
from hookwright_server.http.handlers.endpoints import EndpointsHandlers
from hookwright_server.http.handlers.health import HealthHandlers
from hookwright_server.http.handlers.messages import MessagesHandlers
from hookwright_server.http.handlers.test_clock import TestClockHandlers
from hookwright_server.http.handlers.trigger import TriggerHandlers
from hookwright_server.http.idempotency import Idempotency
from hookwright_server.http.journal import Journal
from hookwright_server.http.paging import Cursors
from hookwright_server.http.rate_limit import ProcessRateLimiter, RateLimiter
from hookwright_server.http.request_ids import RequestIds
from hookwright_server.ids import Ids
from hookwright_server.keys import (
    KeyProblem,
    check_keys,
    create_key_file,
    cursor_keys,
    load_vault,
    reseal,
)
from hookwright_server.logs import configure_logging
from hookwright_server.services.accounts import Accounts, NewAccount
from hookwright_server.services.api_keys import ApiKeys
from hookwright_server.services.apps import Apps
from hookwright_server.services.deliveries import Deliveries
from hookwright_server.services.endpoint_tests import EndpointTests, Send
from hookwright_server.services.endpoints import Endpoints
from hookwright_server.services.messages import Messages
from hookwright_server.services.parts import Parts
from hookwright_server.services.readiness import Check, Readiness
from hookwright_server.services.secrets import Secrets
from hookwright_server.services.test_clock import TestClockService
from hookwright_server.services.trigger import Trigger
from hookwright_server.serving import StartRefused, is_stopping, register_shutdown
from hookwright_server.settings import PostgresUrl, Settings
from hookwright_server.store import accounts, worker_sessions
from hookwright_server.store.database import Database
from hookwright_server.store.errors import StoreError, StoreUnavailable
from hookwright_server.store.migrations import is_current, migrate
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.opening import open_database as open_store
from hookwright_server.store.queue_depth import queue_depth
from hookwright_server.store.server_clock import ClockKeeper, server_clock
from hookwright_server.store.session import RequestSessions
from hookwright_server.store.worker_sessions import RENEW_EVERY_MS
from hookwright_server.store.writer import Wake
from hookwright_server.telemetry.meters import SILENT, WriterMeter
from hookwright_server.telemetry.watch import Watch, WatchRefused, make_watch

if TYPE_CHECKING:  # the embedded form does without them
    from redis import Redis

    from hookwright_server.delivery.jobs import Resident
    from hookwright_server.delivery.redis_waker import RedisWaker
    from hookwright_server.http.redis_rate_limit import RedisRateLimiter

# Objects made and not yet freed; a batch of deliveries makes some thousands.
_COLLECT_AFTER = 20_000

# What a dead worker leases occupies its endpoints' slots until somebody takes it back.
_TAKE_BACK_MS = 1_000

_ENGINE_DIED_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
_STOP_GRACE_S = 8.0
_TRY_EVERY_S = 0.5
_LOG_EVERY_S = 5.0


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """Everything that one process runs; `app` is the WSGI application."""

    app: Flask
    engine: Engine
    database: Database
    watch: Watch
    drain_ms: int

    def start(self) -> None:
        """Begin to deliver."""
        self.engine.start()

    def stop(self) -> None:
        """Finish what is under way, then let go of the database."""
        self.engine.stop(self.drain_ms)
        self.watch.close()
        self.database.close()


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
            _end_process()

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


def worker_app() -> Flask:
    """The WSGI application of a worker process, with its engine running.

    The first start makes keys, tables and an account, and prints the account's API keys.
    Raises StartRefused.
    """
    settings = Settings()
    configure_logging(settings.log_level, settings.log_style)
    try:
        account = prepare(settings, "default")
        if account is not None:
            show_account(account, as_json=asked_for_json())
        server = build(settings)
        server.start()
    except (StoreError, KeyProblem, WatchRefused) as error:
        raise StartRefused(str(error)) from error
    register_shutdown(server.stop)
    _spare_the_collector()
    return server.app


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
    _spare_the_collector()
    return process.app


def run_worker_process(settings: Settings) -> None:
    """The command `worker`. Raises StoreError, KeyProblem, WatchRefused when it cannot start."""
    configure_logging(settings.log_level, settings.log_style)
    process = build_worker(settings)
    _spare_the_collector()
    process.run()


def _spare_the_collector() -> None:
    """Never look again at what was imported and built: a full collection of it takes 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


def prepare(settings: Settings, account_name: str) -> NewAccount | None:
    """Make keys, tables and the first account where they are missing, before anything runs."""
    with open_database(settings) as database:
        _prepare_keys(settings, database)
        service = operators(SystemClock())
        return database.write(lambda tx: service.create_first(tx, account_name))


def migrate_database(settings: Settings) -> None:
    """Bring the tables up to date, and seal everything under the current key.

    Raises StoreError and KeyProblem.
    """
    with open_database(settings) as database:
        if isinstance(settings.database, PostgresUrl):
            _prepare_keys(settings, database)


def _prepare_keys(settings: Settings, database: Database) -> None:
    create_key_file(settings, database)
    vault = load_vault(settings)
    check_keys(database, vault)
    reseal(database, vault)


@contextmanager
def open_database(settings: Settings) -> Generator[Database]:
    """The database with its tables up to date, made when missing, closed at the end."""
    database = _database(settings)
    try:
        migrate(database.engine)
        yield database
    finally:
        database.close()


def _database(
    settings: Settings, wake: Wake = lambda: None, meter: WriterMeter = SILENT
) -> OpenDatabase:
    place = settings.database
    if isinstance(place, PostgresUrl):
        readers = settings.database_connections - 1
        return open_store(place.text, wake, readers=readers, meter=meter)
    place.parent.mkdir(parents=True, exist_ok=True)
    return open_store(place, wake, meter=meter)


def _watch(settings: Settings) -> Watch:
    return make_watch(settings.metrics_listen, settings.traces, __version__)


def _serve_metrics(watch: Watch, database: Database, clock: Clock) -> None:
    watch.serve(lambda: database.read(lambda tx: queue_depth(tx, clock.now_ms())), clock.now_ms)


def operators(clock: Clock) -> Accounts:
    """The service behind the commands of the operator."""
    ids = Ids()
    return Accounts(clock, ids, ApiKeys(clock, ids, os.urandom))


def build(settings: Settings) -> Server:
    """Every part of an embedded server on `settings`, connected; nothing runs yet."""
    _tell_what_is_open(settings)
    clock: Clock = SystemClock()
    test_clock = TestClock(clock) if settings.test_clock else None
    waker = MemoryWaker()
    watch = _watch(settings)
    database = _database(settings, waker.wake, watch.meters)
    parts = _parts(settings, test_clock or clock)
    engine = _engine(settings, parts, database, waker, watch, alone=True)
    app = _application(
        settings,
        parts,
        database,
        watch,
        send=engine.send,
        test_clock=TestClockService(test_clock, engine),
        readiness=Readiness(
            {"database": _reads(database), "engine": engine.is_running}, is_stopping=is_stopping
        ),
        limiter=ProcessRateLimiter(parts.clock),
    )
    _serve_metrics(watch, database, parts.clock)
    return Server(app, engine, database, watch, int(settings.drain_seconds * 1000))


def build_api(settings: Settings) -> ApiProcess:
    """Every part of one process of `api`, connected; nothing runs yet."""
    from hookwright_server.delivery.jobs import DrainQueue
    from hookwright_server.delivery.redis_waker import RedisWaker, connect
    from hookwright_server.http.redis_rate_limit import RedisRateLimiter

    _tell_what_is_open(settings)
    redis = connect(settings.redis_url)
    watch = _watch(settings)
    waker = RedisWaker(redis, DrainQueue(redis).ask_for_drain, watch.meters)
    database = _database(settings, waker.wake, watch.meters)
    clock = FollowingClock(_no_clock_yet)
    parts = _parts(settings, clock)
    direct = DirectSender(sender_factory(settings, clock))
    limiter = RedisRateLimiter(settings.redis_url, SteadyClock(), watch.meters)
    app = _application(
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
    _serve_metrics(watch, database, clock)
    return ApiProcess(app, waker, direct, limiter, database, start, watch)


def build_worker(settings: Settings) -> WorkerProcess:
    """Every part of `worker`, connected; nothing runs yet."""
    from hookwright_server.delivery.jobs import DrainQueue, Resident
    from hookwright_server.delivery.redis_waker import RedisWaker, connect

    _tell_what_is_open(settings)
    redis = connect(settings.redis_url)
    watch = _watch(settings)
    waker = RedisWaker(redis, DrainQueue(redis).ask_for_drain, watch.meters)
    database = _database(settings, waker.wake, watch.meters)
    clock = FollowingClock(_no_clock_yet)
    parts = _parts(settings, clock)
    engine = _engine(settings, parts, database, waker, watch, alone=False)
    resident = Resident(engine, waker, threading.Event(), settings.drain_slice_seconds)
    start = _PatientStart(database, parts.vault, clock)
    drain_ms = int(settings.drain_seconds * 1000)
    _serve_metrics(watch, database, clock)
    return WorkerProcess(engine, database, redis, resident, start, watch, drain_ms)


def _no_clock_yet() -> Clock:
    """What is stored has the database's time, or is not stored."""
    raise StoreUnavailable("the database's clock is not known yet")


def _parts(settings: Settings, clock: Clock) -> Parts:
    return Parts(
        clock=clock,
        ids=Ids(),
        random_bytes=os.urandom,
        vault=load_vault(settings),
        policies=RetryPolicies(RETRY_PRESETS),
        egress=settings.egress(),
    )


def _engine(
    settings: Settings,
    parts: Parts,
    database: Database,
    waker: Waker,
    watch: Watch,
    *,
    alone: bool,
) -> Engine:
    """`alone`: no other process can work on this database."""
    clock, ids = parts.clock, parts.ids
    tools = Tools(
        outbox=Outbox(database, clock, ids, alone=alone),
        preparer=Preparer(parts.vault, clock, __version__),
        judge=Judge(parts.policies, clock, ids, random.random),
        make_sender=sender_factory(settings, clock),
        waker=waker,
        clock=clock,
        log=AttemptLog(),
        meter=watch.meters,
        tracer=watch.tracer,
    )
    limits = EngineLimits(
        in_flight=settings.max_in_flight,
        begins_paused=not alone,
        take_back_ms=RENEW_EVERY_MS if alone else _TAKE_BACK_MS,
    )
    return Engine(tools, limits, on_death=_end_process)


def _tell_what_is_open(settings: Settings) -> None:
    policy = settings.egress()
    if policy.allow:
        shown = ", ".join(
            f"{rule.network}{'' if rule.port is None else f' port {rule.port}'}"
            for rule in policy.allow
        )
        _log.warning("egress_opened networks=%s", shown)
    if policy.allow_http:
        _log.warning("egress_opened plain http")


def _end_process() -> None:
    """End at once and tell the supervisor, which ends too: a restart delivers what is due."""
    logging.shutdown()
    os._exit(_ENGINE_DIED_EXIT_CODE)


def _end_process_after(seconds: float) -> None:
    """Do not hang at the end because the database does: others take back what is left."""
    timer = threading.Timer(seconds, _end_process)
    timer.daemon = True
    timer.start()


def sender_factory(settings: Settings, clock: Clock) -> Callable[[], Sender]:
    """Makes the engine's sender, on the engine's loop."""
    extra = None if settings.extra_ca_file is None else str(settings.extra_ca_file)
    tls = outgoing_tls_context(extra)
    return lambda: Sender(HttpClient(tls), ThreadResolver(), settings.egress(), clock)


def _application(
    settings: Settings,
    parts: Parts,
    database: OpenDatabase,
    watch: Watch,
    *,
    send: Send,
    test_clock: TestClockService,
    readiness: Readiness,
    limiter: RateLimiter,
) -> Flask:
    app = create_app()
    clock, ids = parts.clock, parts.ids
    secrets = Secrets(clock, ids, parts.random_bytes, parts.vault)
    endpoints = Endpoints(parts, secrets)
    api_keys = ApiKeys(clock, ids, parts.random_bytes)
    trigger = Trigger(parts, database, watch.meters)
    idempotency = Idempotency(database, parts.vault, clock)
    cursors = Cursors(cursor_keys(settings))
    journal = Journal(
        RequestIds(SteadyClock(), ids),
        watch.meters,
        watch.tracer,
        sampled_share=settings.log_published_share,
    )
    preparer = Preparer(parts.vault, clock, __version__)
    tests = EndpointTests(parts, database, endpoints, preparer, send)
    handlers = Handlers(
        apps=AppsHandlers(Apps(parts, secrets), cursors),
        endpoints=EndpointsHandlers(endpoints, tests, cursors),
        trigger=TriggerHandlers(trigger, idempotency),
        messages=MessagesHandlers(Messages(), cursors),
        deliveries=DeliveriesHandlers(Deliveries(parts), cursors),
        api_keys=ApiKeysHandlers(api_keys, cursors),
        health=HealthHandlers(readiness),
        test_clock=TestClockHandlers(test_clock),
    )
    dispatcher = Dispatcher(
        database=database,
        read=RequestSessions(database.read_engine, app).read,
        authenticator=Authenticator(
            database, api_keys, settings.requests_per_minute, settings.messages_per_second
        ),
        limiter=limiter,
        idempotency=idempotency,
        trigger=trigger,
        validated_share=settings.validate_responses,
        journal=journal,
    )
    add_operations(app, dispatcher, handlers, journal)
    return app


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


def _reads(database: Database) -> Check:
    return lambda: database.read(accounts.exists)
