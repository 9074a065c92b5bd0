"""The composition root: the only place that constructs things."""

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
from hookwright_server.announce import asked_for_json, show_account
from hookwright_server.clock import Clock, SystemClock, TestClock
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.engine import Engine, EngineLimits, Tools
from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.resolver import ThreadResolver
from hookwright_server.delivery.sender import Sender
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.retry_policy import RetryPolicies
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
from hookwright_server.http.paging import Cursors
from hookwright_server.http.rate_limit import RateLimiter
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
from hookwright_server.services.endpoint_tests import EndpointTests
from hookwright_server.services.endpoints import Endpoints
from hookwright_server.services.messages import Messages
from hookwright_server.services.parts import Parts
from hookwright_server.services.readiness import Readiness
from hookwright_server.services.secrets import Secrets
from hookwright_server.services.test_clock import TestClockService
from hookwright_server.services.trigger import Trigger
from hookwright_server.serving import StartRefused, register_shutdown
from hookwright_server.settings import Settings
from hookwright_server.store import accounts
from hookwright_server.store.database import Database
from hookwright_server.store.errors import StoreError
from hookwright_server.store.migrations import migrate
from hookwright_server.store.session import RequestSessions
from hookwright_server.store.sqlite import SqliteDatabase

# Objects made and not yet freed; a batch of deliveries makes some thousands.
_COLLECT_AFTER = 20_000

_ENGINE_DIED_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """Everything that one process runs; `app` is the WSGI application."""

    app: Flask
    engine: Engine
    database: Database
    drain_ms: int

    def start(self) -> None:
        """Begin to deliver."""
        self.engine.start()

    def stop(self) -> None:
        """Finish what is under way, then let go of the database."""
        self.engine.stop(self.drain_ms)
        self.database.close()


def worker_app() -> Flask:
    """The WSGI application of a worker process, with its engine running.

    The first start makes keys, tables and an account, and prints the account's API keys.
    Raises StartRefused.
    """
    settings = Settings()
    configure_logging(settings.log_level)
    try:
        account = prepare(settings, "default")
        if account is not None:
            show_account(account, as_json=asked_for_json())
        server = build(settings)
        server.start()
    except (StoreError, KeyProblem) as error:
        raise StartRefused(str(error)) from error
    register_shutdown(server.stop)
    _spare_the_collector()
    return server.app


def _spare_the_collector() -> None:
    """Never look again at what was imported and built: a full collection of it takes 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


def prepare(settings: Settings, account_name: str) -> NewAccount | None:
    """Make keys, tables and the first account where they are missing, before anything runs."""
    with open_database(settings) as database:
        create_key_file(settings, database)
        vault = load_vault(settings)
        check_keys(database, vault)
        reseal(database, vault)
        service = operators(SystemClock())
        return database.write(lambda tx: service.create_first(tx, account_name))


@contextmanager
def open_database(settings: Settings) -> Generator[Database]:
    """The database with its tables up to date, made when missing, closed at the end."""
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    database = SqliteDatabase(settings.database)
    try:
        migrate(database.engine)
        yield database
    finally:
        database.close()


def operators(clock: Clock) -> Accounts:
    """The service behind the commands of the operator."""
    ids = Ids()
    return Accounts(clock, ids, ApiKeys(clock, ids, os.urandom))


def build(settings: Settings) -> Server:
    """Every part of a server on `settings`, connected; nothing runs yet."""
    _tell_what_is_open(settings)
    clock: Clock = SystemClock()
    test_clock = TestClock(clock) if settings.test_clock else None
    clock = test_clock or clock
    ids = Ids()
    vault = load_vault(settings)
    waker = MemoryWaker()
    database = SqliteDatabase(settings.database, waker.wake)
    parts = Parts(
        clock=clock,
        ids=ids,
        random_bytes=os.urandom,
        vault=vault,
        policies=RetryPolicies(RETRY_PRESETS),
        egress=settings.egress(),
    )
    preparer = Preparer(vault, clock, __version__)
    engine = Engine(
        Tools(
            outbox=Outbox(database, clock, ids, alone=True),
            preparer=preparer,
            judge=Judge(parts.policies, clock, ids, random.random),
            make_sender=sender_factory(settings, clock),
            waker=waker,
            clock=clock,
            log=AttemptLog(settings.log_style),
        ),
        EngineLimits(in_flight=settings.max_in_flight),
        on_death=_end_process,
    )
    app = _application(settings, parts, database, engine, preparer, test_clock)
    return Server(app, engine, database, int(settings.drain_seconds * 1000))


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


def sender_factory(settings: Settings, clock: Clock) -> Callable[[], Sender]:
    """Makes the engine's sender, on the engine's loop."""
    extra = None if settings.extra_ca_file is None else str(settings.extra_ca_file)
    tls = outgoing_tls_context(extra)
    return lambda: Sender(HttpClient(tls), ThreadResolver(), settings.egress(), clock)


def _application(
    settings: Settings,
    parts: Parts,
    database: SqliteDatabase,
    engine: Engine,
    preparer: Preparer,
    test_clock: TestClock | None,
) -> Flask:
    app = create_app()
    clock, ids = parts.clock, parts.ids
    secrets = Secrets(clock, ids, parts.random_bytes, parts.vault)
    endpoints = Endpoints(parts, secrets)
    api_keys = ApiKeys(clock, ids, parts.random_bytes)
    trigger = Trigger(parts, database)
    idempotency = Idempotency(database, parts.vault, clock)
    cursors = Cursors(cursor_keys(settings))
    request_ids = RequestIds(clock, ids)
    tests = EndpointTests(parts, database, endpoints, preparer, engine.send)
    handlers = Handlers(
        apps=AppsHandlers(Apps(parts, secrets), cursors),
        endpoints=EndpointsHandlers(endpoints, tests, cursors),
        trigger=TriggerHandlers(trigger, idempotency),
        messages=MessagesHandlers(Messages(), cursors),
        deliveries=DeliveriesHandlers(Deliveries(parts), cursors),
        api_keys=ApiKeysHandlers(api_keys, cursors),
        health=HealthHandlers(_readiness(database, engine)),
        test_clock=TestClockHandlers(TestClockService(test_clock, engine)),
    )
    dispatcher = Dispatcher(
        database=database,
        read=RequestSessions(database.read_engine, app).read,
        authenticator=Authenticator(
            database, api_keys, settings.requests_per_minute, settings.messages_per_second
        ),
        limiter=RateLimiter(clock),
        idempotency=idempotency,
        trigger=trigger,
        request_ids=request_ids,
        validated_share=settings.validate_responses,
    )
    add_operations(app, dispatcher, handlers, request_ids)
    return app


def _readiness(database: Database, engine: Engine) -> Readiness:
    return Readiness(
        {"database": lambda: database.read(accounts.exists), "engine": engine.is_running}
    )
