"""The same thing asked of two processes at once ends as if one had come after the other.

Two databases of `opened` are two processes, and each has services of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from store_lab import ACCOUNT, ENVIRONMENT, StoreLab

from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.egress_policy import EgressPolicy
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.domain.vault import Vault
from hookwright_server.errors import Refusal
from hookwright_server.http.answers import Answer
from hookwright_server.http.idempotency import Idempotency
from hookwright_server.services.accounts import Accounts
from hookwright_server.services.api_keys import ApiKeys
from hookwright_server.services.apps import Apps, NewApp
from hookwright_server.services.deliveries import Deliveries
from hookwright_server.services.messages import Messages
from hookwright_server.services.parts import Parts
from hookwright_server.services.principal import Principal
from hookwright_server.services.secrets import Secrets
from hookwright_server.store import sealed, tables
from hookwright_server.store.database import Connection
from hookwright_server.store.errors import RecordExists
from hookwright_server.store.opening import OpenDatabase

pytestmark = pytest.mark.needs_service("postgres")

T = TypeVar("T")
Opened = Callable[[], OpenDatabase]

OWNER = Principal("key_one", ACCOUNT, ENVIRONMENT, frozenset({"admin"}), None, 1_000, 100)


@dataclass
class Process:
    """One process: its database and its services."""

    lab: StoreLab
    parts: Parts
    apps: Apps
    idempotency: Idempotency

    def write(self, work: Callable[[Connection], T]) -> T:
        return self.lab.database.write(work)


@pytest.fixture
def processes(opened: Opened) -> list[Process]:
    """Two processes on one database."""
    return [_process(StoreLab(opened(), seed)) for seed in range(2)]


def _process(lab: StoreLab) -> Process:
    vault = Vault({"k": b"k" * 32}, "k")
    parts = Parts(
        clock=lab.clock,
        ids=lab.ids,
        random_bytes=lambda size: b"r" * size,
        vault=vault,
        policies=RetryPolicies(RETRY_PRESETS),
        egress=EgressPolicy(allow=(), allow_http=False, nat64_prefixes=()),
    )
    secrets = Secrets(lab.clock, lab.ids, parts.random_bytes, vault)
    return Process(lab, parts, Apps(parts, secrets), Idempotency(lab.database, vault, lab.clock))


def _new_app(app_slug: str | None) -> NewApp:
    return NewApp("An app", app_slug, None, True, None, None, {}, 30)


def _meeting(
    processes: list[Process],
    first: Callable[[Process, Connection], T],
    second: Callable[[Process, Connection], T],
) -> tuple[Future[T], Future[T]]:
    """The second process begins when the first has done its work and not committed yet.

    The first commits as soon as the second waits for it, or has ended without waiting.
    """
    one, other = processes
    worked, commit = threading.Event(), threading.Event()

    def slow(tx: Connection) -> T:
        result = first(one, tx)
        worked.set()
        commit.wait(60)
        return result

    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(one.write, slow)
        assert worked.wait(60)
        following = pool.submit(other.write, lambda tx: second(other, tx))
        following.add_done_callback(lambda _: commit.set())
        threading.Timer(0.2, commit.set).start()
        return held, following


def test_a_wanted_slug_is_given_once(processes: list[Process]) -> None:
    """The second of two that create an app under one slug is told that it is taken."""

    def create(process: Process, tx: Connection) -> object:
        return process.apps.create(tx, OWNER, _new_app("orders"))

    held, following = _meeting(processes, create, create)

    assert held.exception() is None
    with pytest.raises(Refusal, match="slug_taken"):
        following.result()


def test_slugs_from_names_differ(processes: list[Process]) -> None:
    """Two apps of one name, created at once, get two slugs."""

    def create(process: Process, tx: Connection) -> str:
        return process.apps.create(tx, OWNER, _new_app(None))[0].slug

    held, following = _meeting(processes, create, create)

    assert {"an-app", "an-app-2"} == {held.result(), following.result()}


def test_get_or_create_creates_once(processes: list[Process]) -> None:
    """The second gets the app of the first, without a secret."""

    def get(process: Process, tx: Connection) -> tuple[str, bool]:
        row, secret = process.apps.get_or_create(tx, OWNER, _new_app(None), "orders")
        return row.id, secret is not None

    held, following = _meeting(processes, get, get)

    assert held.result()[0] == following.result()[0]
    assert (True, False) == (held.result()[1], following.result()[1])


def test_two_patches_of_an_app_both_count(processes: list[Process]) -> None:
    """Neither writes over what the other has changed."""
    one = processes[0]
    slug = one.write(lambda tx: one.apps.create(tx, OWNER, _new_app("orders")))[0].slug

    def patch(fields: dict[str, Any]) -> Callable[[Process, Connection], object]:
        return lambda process, tx: process.apps.update(tx, OWNER, slug, fields)

    held, following = _meeting(
        processes,
        patch({"name": "New", "metadata": {"a": "1"}}),
        patch({"description": "Also new", "metadata": {"b": "2"}}),
    )

    assert [None, None] == [held.exception(), following.exception()]
    [row] = one.lab.rows(tables.apps)
    assert ("New", "Also new", 3) == (
        row["name"],
        row["description"],
        row["subscriptions_version"],
    )
    assert '{"a": "1", "b": "2"}' == row["metadata"]


def test_two_rotations_leave_one_current_secret(processes: list[Process]) -> None:
    """The second rotation retires the secret of the first."""
    one = processes[0]
    slug = one.write(lambda tx: one.apps.create(tx, OWNER, _new_app("orders")))[0].slug

    def rotate(process: Process, tx: Connection) -> object:
        return process.apps.rotate_secret(tx, OWNER, slug, 60)

    _meeting(processes, rotate, rotate)

    ends = [row["expires_at"] for row in one.lab.rows(tables.signing_secrets)]
    assert (3, 1) == (len(ends), ends.count(None))


def test_a_keyed_request_runs_in_one_process(processes: list[Process]) -> None:
    """The same request with the same key, sent to two processes: the second replays the first."""
    runs: list[str] = []

    def run(process: Process, tx: Connection) -> Answer:
        keyed = process.idempotency.keyed(OWNER, "POST /v1/apps", "key-1", b"{}")

        def work() -> Answer:
            app, _ = process.apps.create(tx, OWNER, _new_app(None))
            runs.append(app.id)
            return Answer(201, app.id.encode())

        return process.idempotency.within(tx, keyed, "req_one", work)

    held, following = _meeting(processes, run, run)

    assert 1 == len(runs) == len(processes[0].lab.rows(tables.apps))
    assert held.result().body == following.result().body
    assert {"Idempotency-Replayed": "true"} == following.result().headers


def test_a_request_that_runs_elsewhere_is_in_progress(processes: list[Process]) -> None:
    """Of two that announce themselves under one key the second is told to come back."""
    one, other = processes
    keyed = one.idempotency.keyed(OWNER, "POST /v1/apps/a/endpoints/b/test", "key-1", b"{}")
    inside, leave = threading.Event(), threading.Event()

    def wait() -> Answer:
        inside.set()
        leave.wait(60)
        return Answer(200, b"{}")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(one.idempotency.around, keyed, "req_one", wait)
        assert inside.wait(60)
        with pytest.raises(Refusal, match="idempotency_in_progress"):
            other.idempotency.around(keyed, "req_two", wait)
        leave.set()
        assert 200 == first.result(60).status


def test_an_accepted_trigger_beats_a_refusal_of_the_same_key(processes: list[Process]) -> None:
    """A refusal that is to be recorded finds the record that a trigger wrote just before."""
    one, other = processes
    app_id = one.lab.app()
    keyed = one.idempotency.keyed(OWNER, "POST /v1/apps/a/trigger", "key-1", b"{}")
    record = one.idempotency.record(keyed, Answer(202, b"{}"))

    def refuse(tx: Connection) -> Answer:
        # Looked before the trigger, and writes after it: what a lock cannot prevent.
        answer = Answer(409, b"{}")

        def run() -> Answer:
            one.lab.database.accept(one.lab.acceptance(app_id, [], record=record))
            return answer

        return other.idempotency.within(tx, keyed, "req_two", run)

    with pytest.raises(RecordExists):
        other.write(refuse)


def test_one_first_account(processes: list[Process]) -> None:
    """Two servers that start on an empty database make one account."""

    def first(process: Process, tx: Connection) -> object:
        keys = ApiKeys(process.lab.clock, process.lab.ids, lambda size: b"k" * size)
        return Accounts(process.lab.clock, process.lab.ids, keys).create_first(tx, "one")

    held, following = _meeting(processes, first, first)

    assert held.result() is not None
    assert following.result() is None
    assert 1 == len(processes[0].lab.rows(tables.accounts))


def test_a_delivery_is_retried_once(processes: list[Process]) -> None:
    """The second of two retries by hand finds the delivery pending."""
    one = processes[0]
    app_id = one.lab.app()
    delivery_id = one.lab.deliver(app_id, one.lab.endpoint(app_id))
    one.lab.update(
        tables.deliveries, delivery_id, status="failed", next_attempt_at=None, completed_at=1
    )
    slug = one.lab.row(tables.apps, app_id)["slug"]

    def retry(process: Process, tx: Connection) -> object:
        return Deliveries(process.parts).retry(tx, OWNER, slug, delivery_id)

    held, following = _meeting(processes, retry, retry)

    assert held.exception() is None
    with pytest.raises(Refusal, match="delivery_not_retryable"):
        following.result()


@pytest.mark.parametrize("replays", [True, False])
@pytest.mark.parametrize("expunges_first", [True, False])
def test_what_is_expunged_is_not_sent_again(
    processes: list[Process], replays: bool, expunges_first: bool
) -> None:
    """Expunging beside a replay or a retry: refused, or cancelled, but never left to be sent."""
    one = processes[0]
    app_id = one.lab.app()
    delivery_id = one.lab.deliver(app_id, one.lab.endpoint(app_id))
    one.lab.update(
        tables.deliveries, delivery_id, status="failed", next_attempt_at=None, completed_at=1
    )
    slug = one.lab.row(tables.apps, app_id)["slug"]
    message_id = one.lab.row(tables.deliveries, delivery_id)["message_id"]

    def again(process: Process, tx: Connection) -> object:
        service = Deliveries(process.parts)
        method = service.replay if replays else service.retry
        return method(tx, OWNER, slug, delivery_id)

    def expunge(process: Process, tx: Connection) -> object:
        return Messages(process.parts.clock).expunge(tx, OWNER, slug, message_id)

    order = (expunge, again) if expunges_first else (again, expunge)
    held, following = _meeting(processes, *order)

    assert held.exception() is None
    if expunges_first:
        with pytest.raises(Refusal, match="payload_expunged"):
            following.result()
    else:
        assert following.exception() is None
    assert "pending" not in {row["status"] for row in one.lab.rows(tables.deliveries)}


def test_sealing_anew_does_not_undo_a_change(processes: list[Process]) -> None:
    """A value that another process wrote meanwhile stays as that one wrote it."""
    one, other = processes
    app_id = one.lab.app()
    endpoint_id = one.lab.endpoint(app_id, headers_sealed=b"old")

    def reseal(blob: bytes, _sealed_as: str) -> bytes:
        other.lab.update(tables.endpoints, endpoint_id, headers_sealed=b"new, changed")
        return b"new, from " + blob

    one.write(lambda tx: sealed.reseal_some(tx, b"new", reseal, 10))

    assert b"new, changed" == one.lab.row(tables.endpoints, endpoint_id)["headers_sealed"]
