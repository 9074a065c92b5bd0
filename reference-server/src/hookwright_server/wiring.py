"""The composition root: the parts that `embedded` and `production` put together, and tests too.

Nothing else constructs things.
"""

from __future__ import annotations

import gc
import logging
import os
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask

from hookwright_server import __version__
from hookwright_server.clock import Clock, SteadyClock, SystemClock, TestClock
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.engine import Engine, EngineLimits, Tools
from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.replaying import Replayer
from hookwright_server.delivery.resolver import ThreadResolver
from hookwright_server.delivery.sender import Sender
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.delivery.waker import MemoryWaker, Waker
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.http.app import add_operations, create_app
from hookwright_server.http.auth import Authenticator
from hookwright_server.http.dispatch import Dispatcher
from hookwright_server.http.edge.handlers import Handlers
from hookwright_server.http.handlers.analytics import AnalyticsHandlers
from hookwright_server.http.handlers.api_keys import ApiKeysHandlers
from hookwright_server.http.handlers.apps import AppsHandlers
from hookwright_server.http.handlers.deliveries import DeliveriesHandlers
from hookwright_server.http.handlers.endpoints import EndpointsHandlers
from hookwright_server.http.handlers.event_types import EventTypesHandlers
from hookwright_server.http.handlers.health import HealthHandlers
from hookwright_server.http.handlers.messages import MessagesHandlers
from hookwright_server.http.handlers.replays import ReplayHandlers
from hookwright_server.http.handlers.test_clock import TestClockHandlers
from hookwright_server.http.handlers.transformations import TransformationsHandlers
from hookwright_server.http.handlers.trigger import TriggerHandlers
from hookwright_server.http.idempotency import Idempotency
from hookwright_server.http.journal import Journal
from hookwright_server.http.last_transaction import LastTransaction
from hookwright_server.http.paging import Cursors
from hookwright_server.http.rate_limit import ProcessRateLimiter, RateLimiter
from hookwright_server.http.request_ids import RequestIds
from hookwright_server.ids import Ids
from hookwright_server.keys import (
    check_keys,
    create_key_file,
    cursor_keys,
    load_vault,
    reseal,
)
from hookwright_server.services.accounts import Accounts, NewAccount
from hookwright_server.services.analytics import Analytics
from hookwright_server.services.api_keys import ApiKeys
from hookwright_server.services.apps import Apps
from hookwright_server.services.deliveries import Deliveries
from hookwright_server.services.enabling import Enabling
from hookwright_server.services.endpoint_tests import EndpointTests, Send
from hookwright_server.services.endpoints import Endpoints
from hookwright_server.services.event_types import EventTypes
from hookwright_server.services.messages import Messages
from hookwright_server.services.parts import Parts
from hookwright_server.services.readiness import Check, Readiness
from hookwright_server.services.replays import Replays
from hookwright_server.services.secrets import Secrets
from hookwright_server.services.test_clock import TestClockService
from hookwright_server.services.transformations import Transformations
from hookwright_server.services.trigger import Trigger
from hookwright_server.serving import is_stopping
from hookwright_server.settings import PostgresUrl, Settings
from hookwright_server.store import accounts
from hookwright_server.store.database import Database
from hookwright_server.store.migrations import migrate
from hookwright_server.store.opening import OpenDatabase
from hookwright_server.store.opening import open_database as open_store
from hookwright_server.store.queue_depth import queue_depth
from hookwright_server.store.session import RequestSessions
from hookwright_server.store.worker_sessions import RENEW_EVERY_MS
from hookwright_server.store.writer import Wake
from hookwright_server.telemetry.meters import SILENT, WriterMeter
from hookwright_server.telemetry.watch import Watch, make_watch

# Objects made and not yet freed; a batch of deliveries makes some thousands.
_COLLECT_AFTER = 20_000

# What a dead worker leases occupies its endpoints' slots until somebody takes it back.
_TAKE_BACK_MS = 1_000

_ENGINE_DIED_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """A whole server within one process, with SQLite or Postgres; `app` is the WSGI application.

    For tests and for programs that hold a server inside; `serve` has a process for the engine.
    """

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


def spare_the_collector() -> None:
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
    database = make_database(settings)
    try:
        migrate(database.engine)
        yield database
    finally:
        database.close()


def make_database(
    settings: Settings, wake: Wake = lambda: None, meter: WriterMeter = SILENT
) -> OpenDatabase:
    """The database of the settings, open. Raises StoreError."""
    place = settings.database
    if isinstance(place, PostgresUrl):
        readers = settings.database_connections - 1
        return open_store(place.text, wake, readers=readers, meter=meter)
    place.parent.mkdir(parents=True, exist_ok=True)
    return open_store(place, wake, meter=meter)


def watch_of(settings: Settings) -> Watch:
    """What this process measures and traces with. Raises WatchRefused."""
    return make_watch(settings.metrics_listen, settings.traces, __version__)


def serve_metrics(watch: Watch, database: Database, clock: Clock) -> None:
    """Show what is measured to the operators, if they want to see it. Raises WatchRefused."""
    watch.serve(lambda: database.read(lambda tx: queue_depth(tx, clock.now_ms())), clock.now_ms)


def operators(clock: Clock) -> Accounts:
    """The service behind the commands of the operator."""
    ids = Ids()
    return Accounts(clock, ids, ApiKeys(clock, ids, os.urandom))


def build(settings: Settings) -> Server:
    """A whole server on `settings`, connected; nothing runs yet."""
    tell_what_is_open(settings)
    clock: Clock = SystemClock()
    test_clock = TestClock(clock) if settings.test_clock else None
    waker = MemoryWaker()
    watch = watch_of(settings)
    database = make_database(settings, waker.wake, watch.meters)
    parts = make_parts(settings, test_clock or clock)
    engine = make_engine(settings, parts, database, waker, watch, alone=True)
    app = make_application(
        settings,
        parts,
        database,
        watch,
        send=engine.send,
        test_clock=TestClockService(test_clock, engine),
        readiness=Readiness(
            {"database": reads(database), "engine": engine.is_running}, is_stopping=is_stopping
        ),
        limiter=ProcessRateLimiter(parts.clock),
    )
    serve_metrics(watch, database, parts.clock)
    return Server(app, engine, database, watch, int(settings.drain_seconds * 1000))


def make_parts(settings: Settings, clock: Clock) -> Parts:
    """What all services share. Raises KeyProblem."""
    return Parts(
        clock=clock,
        ids=Ids(),
        random_bytes=os.urandom,
        vault=load_vault(settings),
        policies=RetryPolicies(RETRY_PRESETS),
        egress=settings.egress(),
    )


def make_engine(
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
    system = SystemEvents(parts.policies, clock, ids)
    tools = Tools(
        outbox=Outbox(database, clock, ids, system, alone=alone),
        preparer=Preparer(parts.vault, clock, __version__),
        judge=Judge(parts.policies, clock, ids, random.SystemRandom().random),
        make_sender=sender_factory(settings, clock),
        waker=waker,
        clock=clock,
        log=AttemptLog(),
        meter=watch.meters,
        tracer=watch.tracer,
        replayer=Replayer(parts.policies, clock, ids, system),
    )
    limits = EngineLimits(
        in_flight=settings.max_in_flight,
        begins_paused=not alone,
        take_back_ms=RENEW_EVERY_MS if alone else _TAKE_BACK_MS,
    )
    return Engine(tools, limits, on_death=end_process)


def tell_what_is_open(settings: Settings) -> None:
    """Warn of what deliveries may reach that is usually closed."""
    policy = settings.egress()
    if policy.allow:
        shown = ", ".join(
            f"{rule.network}{'' if rule.port is None else f' port {rule.port}'}"
            for rule in policy.allow
        )
        _log.warning("egress_opened networks=%s", shown)
    if policy.allow_http:
        _log.warning("egress_opened plain http")


def end_process() -> None:
    """End at once and tell the supervisor, which ends too: a restart delivers what is due."""
    logging.shutdown()
    os._exit(_ENGINE_DIED_EXIT_CODE)


def sender_factory(settings: Settings, clock: Clock) -> Callable[[], Sender]:
    """Makes the engine's sender, on the engine's loop."""
    extra = None if settings.extra_ca_file is None else str(settings.extra_ca_file)
    tls = outgoing_tls_context(extra)
    return lambda: Sender(HttpClient(tls), ThreadResolver(), settings.egress(), clock)


def make_application(
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
    """The WSGI application of a process that answers requests."""
    app = create_app()
    clock, ids = parts.clock, parts.ids
    secrets = Secrets(clock, ids, parts.random_bytes, parts.vault)
    endpoints = Endpoints(parts, secrets, SystemEvents(parts.policies, clock, ids))
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
    analytics = Analytics(clock)
    last = LastTransaction(database, idempotency)
    replays = ReplayHandlers(Replays(parts, database), last, cursors)
    handlers = Handlers(
        apps=AppsHandlers(Apps(parts, secrets), cursors),
        event_types=EventTypesHandlers(EventTypes(parts), cursors),
        endpoints=EndpointsHandlers(
            endpoints,
            Enabling(database, endpoints),
            tests,
            last,
            cursors,
            analytics,
        ),
        trigger=TriggerHandlers(trigger, idempotency),
        messages=MessagesHandlers(Messages(clock), cursors),
        deliveries=DeliveriesHandlers(Deliveries(parts), replays, cursors),
        api_keys=ApiKeysHandlers(api_keys, cursors),
        transformations=TransformationsHandlers(Transformations()),
        analytics=AnalyticsHandlers(analytics),
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


def reads(database: Database) -> Check:
    """Whether the database can be read."""
    return lambda: database.read(accounts.exists)
