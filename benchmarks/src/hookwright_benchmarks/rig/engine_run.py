"""The engine alone on a backlog: claim, sign, send, record; no API beside it.

Reads one JSON line, delivers the whole backlog, writes one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import uvloop

from hookwright_benchmarks.processes import family_cpu_seconds, thread_cpu_seconds
from hookwright_benchmarks.rig.aiohttp_sender import AiohttpSender
from hookwright_benchmarks.rig.backlog import ACCOUNT, Backlog
from hookwright_benchmarks.rig.lines import say
from hookwright_server.clock import SystemClock
from hookwright_server.delivery.attempt_log import AttemptLog
from hookwright_server.delivery.engine import Engine, Sending, Tools
from hookwright_server.delivery.http1 import HttpClient
from hookwright_server.delivery.outbox import Outbox
from hookwright_server.delivery.prepare import Preparer
from hookwright_server.delivery.recorder import Judge
from hookwright_server.delivery.resolver import ThreadResolver
from hookwright_server.delivery.sender import OutgoingRequest, Sender
from hookwright_server.delivery.system_events import SystemEvents
from hookwright_server.delivery.tls import outgoing_tls_context
from hookwright_server.delivery.waker import MemoryWaker
from hookwright_server.domain.contract import RETRY_PRESETS
from hookwright_server.domain.egress_policy import PRIVATE_NETWORKS, EgressPolicy
from hookwright_server.domain.retry_policy import RetryPolicies
from hookwright_server.store.opening import is_server

_PATIENCE_S = 300.0
_AT_A_TIME = 200
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Order:
    """`deliveries` to `endpoints` of the sink at `sink_port`, through `own` sender or aiohttp."""

    database: str
    sink_port: int
    deliveries: int
    endpoints: int
    payload_bytes: int
    sender: str
    postgres_pid: int = 0


def deliver(order: Order) -> dict[str, Any]:
    """What the whole backlog took: seconds, and CPU seconds of the process and its threads."""
    backlog = Backlog(order.database)
    urls = [f"http://127.0.0.1:{order.sink_port}/{n}" for n in range(order.endpoints)]
    receivers = cycle([[endpoint_id] for endpoint_id in backlog.endpoints(urls)])
    backlog.fill(receivers, order.deliveries, b'{"pad":"%b"}' % (b"x" * order.payload_bytes))
    engine = Engine(_tools(backlog, order.sender))
    postgres = family_cpu_seconds(order.postgres_pid) if order.postgres_pid else 0.0
    cpu, began = time.process_time(), time.monotonic()
    engine.start()
    if not engine.run_until_quiescent(_PATIENCE_S):
        raise RuntimeError(f"{engine.next_due_at()}: the backlog was not delivered in time")
    seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu
    if order.postgres_pid:
        postgres = family_cpu_seconds(order.postgres_pid) - postgres
    threads = {t.name: thread_cpu_seconds(t.native_id or 0) for t in threading.enumerate()}
    engine.stop(0)
    delivered = backlog.database.read(
        lambda tx: tx.exec_driver_sql(
            "SELECT count(*) FROM deliveries WHERE status = 'delivered'"
        ).scalar_one()
    )
    backlog.close()
    return {
        "delivered": delivered,
        "seconds": seconds,
        "cpu_s": cpu_s,
        "postgres_cpu_s": postgres,
        "engine_cpu_s": threads.get("hookwright-engine", 0.0),
        "writer_cpu_s": cpu_s - threads.get("hookwright-engine", 0.0),
    }


def send_alone(order: Order) -> float:
    """The least CPU seconds of the sender for one request; nothing is claimed or recorded."""
    make_sender = _sender_of(order.sender, SystemClock())
    request = OutgoingRequest(
        account_id=ACCOUNT,
        url=f"http://127.0.0.1:{order.sink_port}/alone",
        headers=(("content-type", "application/json"), ("webhook-id", "msg_1")),
        body=b"x" * order.payload_bytes,
        timeout_ms=15_000,
    )

    async def rounds() -> float:
        sender = make_sender()
        taken: list[float] = []
        for _ in range(_ROUNDS):
            began = time.process_time()
            await asyncio.gather(*(sender.send(request) for _ in range(_AT_A_TIME)))
            taken.append(time.process_time() - began)
        await sender.aclose()
        return min(taken) / _AT_A_TIME

    return uvloop.run(rounds())


def _tools(backlog: Backlog, sender: str) -> Tools:
    clock, policies = SystemClock(), RetryPolicies(RETRY_PRESETS)
    system = SystemEvents(policies, clock, backlog.ids)
    return Tools(
        outbox=Outbox(
            backlog.database, clock, backlog.ids, system, alone=not is_server(backlog.place)
        ),
        preparer=Preparer(backlog.vault, clock, "0.1.0"),
        judge=Judge(policies, clock, backlog.ids, random.random),
        make_sender=_sender_of(sender, clock),
        waker=MemoryWaker(),
        clock=clock,
        log=AttemptLog(),
    )


def _sender_of(name: str, clock: SystemClock) -> Callable[[], Sending]:
    if name == "aiohttp":
        return AiohttpSender
    policy = EgressPolicy(allow=PRIVATE_NETWORKS, allow_http=True)
    tls = outgoing_tls_context()
    return lambda: Sender(HttpClient(tls), ThreadResolver(), policy, clock)


if __name__ == "__main__":
    # As the server does it: one line per attempt, to a file here.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    wanted = Order(**json.loads(sys.stdin.readline()))
    say(deliver(wanted) | {"send_cpu_s": send_alone(wanted)})
