"""The production form on one machine: Postgres, Redis, two `api`, two `worker`, a sink, and a
disturbable link between every two of them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from hookwright_benchmarks.faults.cast import BEHAVIOURS, LINKS, Roster, furnish
from hookwright_benchmarks.faults.evidence import AUDIT_TRAIL
from hookwright_benchmarks.faults.links import Link
from hookwright_benchmarks.faults.programs import NotStarted, Program, Service
from hookwright_benchmarks.kill_campaign.sink import Sink

APIS: Mapping[str, int] = {"api-a": 1, "api-b": 2}
"""Each `api` with its number of processes."""
WORKERS = ("worker-a", "worker-b")
_POSTGRES = {
    "max_connections": "300",
    "shared_buffers": "256MB",
    "checkpoint_timeout": "60s",
    "log_line_prefix": "%m [%p] %u ",
    "log_lock_waits": "on",
}
_COMMAND = (sys.executable, "-m", "hookwright_server")
SETTINGS = {
    "HOOKWRIGHT_ALLOW_HTTP": "1",
    "HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS": "1",
    "HOOKWRIGHT_MESSAGES_PER_SECOND": "1000000",
    "HOOKWRIGHT_REQUESTS_PER_MINUTE": "100000000",
    "HOOKWRIGHT_LOG_LEVEL": "warning",
    "HOOKWRIGHT_DRAIN_SECONDS": "5",
    "HOOKWRIGHT_DATABASE_CONNECTIONS": "12",
}


def _new_keys() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


@dataclass(slots=True)
class Cluster:
    """Everything that runs. Links are named `who-whom`, programs as in APIS and WORKERS."""

    folder: Path
    sink: Sink
    postgres: Service
    redis: Service
    links: dict[str, Link] = field(default_factory=dict[str, Link])
    programs: dict[str, Program] = field(default_factory=dict[str, Program])
    roster: Roster = field(default_factory=Roster)
    api_key: str = ""
    encryption_keys: str = field(default_factory=_new_keys)

    @property
    def api_ports(self) -> list[int]:
        """Where the load goes: the links to the APIs."""
        return [self.links[f"load-{name}"].port for name in APIS]

    async def heal(self) -> None:
        """Put every link right."""
        for link in self.links.values():
            await link.heal()


@asynccontextmanager
async def running(
    folder: Path,
    seed: int,
    *,
    data: Path | None = None,
    postgres_settings: Mapping[str, str] | None = None,
    environment: Callable[[str], Mapping[str, str]] | None = None,
) -> AsyncGenerator[Cluster]:
    """A cluster that is ready, with an app and its endpoints; nothing of it is left running.

    `data`: the folder for Postgres, unless it lies in `folder`; `environment`: more variables for
    a process, by its name. Raises NotStarted.
    """
    settings = {**_POSTGRES, **(postgres_settings or {})}
    postgres = Service("postgres", data or folder / "postgres", settings)
    redis = Service("redis", folder / "redis", {})
    async with AsyncExitStack() as stack:
        sink = stack.enter_context(Sink(BEHAVIOURS, seed))
        cluster = Cluster(folder, sink, postgres, redis)
        for service in (postgres, redis):
            stack.push_async_callback(service.stop)
            await service.start()
        await _open_links(cluster, stack, seed)
        await _prepare_database(cluster)
        for name in (*APIS, *WORKERS):
            program = _program(cluster, name, environment(name) if environment else {})
            cluster.programs[name] = program
            program.start()
            stack.push_async_callback(program.kill)
        await asyncio.gather(*(program.ready() for program in cluster.programs.values()))
        cluster.roster = await furnish(
            cluster.api_key,
            f"http://127.0.0.1:{cluster.links['load-api-a'].port}",
            sink,
            lambda link: cluster.links[f"workers-{link}"].port,
        )
        yield cluster


async def _open_links(cluster: Cluster, stack: AsyncExitStack, seed: int) -> None:
    wanted: dict[str, int] = {}
    for name in (*APIS, *WORKERS):
        wanted[f"{name}-postgres"] = cluster.postgres.port
        wanted[f"{name}-redis"] = cluster.redis.port
    for name in APIS:
        wanted[f"load-{name}"] = free_port()
    for name in LINKS:
        wanted[f"workers-{name}"] = cluster.sink.port
    for number, (name, port) in enumerate(wanted.items()):
        link = Link(name, port, seed + number)
        cluster.links[name] = await stack.enter_async_context(link)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


async def _prepare_database(cluster: Cluster) -> None:
    """Tables, the audit trail, a user for each process (the trail tells them apart), an account."""
    await _run(cluster, "migrate")
    password = urlsplit(cluster.postgres.url).password or ""
    async with await psycopg.AsyncConnection.connect(cluster.postgres.url, autocommit=True) as own:
        await own.execute(AUDIT_TRAIL)
        for name in (*APIS, *WORKERS):
            # Superusers, for brevity: what a process may do is not what is tested here.
            statement = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
            await own.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
    made = json.loads(await _run(cluster, "account", "create", "faults", "--json"))
    cluster.api_key = made["live_key"]


def environment_of(cluster: Cluster, name: str | None = None) -> dict[str, str]:
    """The variables of a process; without a name, past all links."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    database, redis = cluster.postgres.url, cluster.redis.url
    if name is not None:
        database = _through(database, cluster.links[f"{name}-postgres"].port, user=name)
        redis = _through(redis, cluster.links[f"{name}-redis"].port)
    return {
        **inherited,
        **SETTINGS,
        "HOOKWRIGHT_DATABASE": database,
        "HOOKWRIGHT_REDIS_URL": redis,
        "HOOKWRIGHT_ENCRYPTION_KEYS": cluster.encryption_keys,
    }


def _through(url: str, port: int, user: str | None = None) -> str:
    parts = urlsplit(url)
    name = parts.username if user is None else user
    return urlunsplit(parts._replace(netloc=f"{name or ''}:{parts.password}@127.0.0.1:{port}"))


def _program(cluster: Cluster, name: str, environment: Mapping[str, str]) -> Program:
    log = cluster.folder / f"{name}.log"
    variables = {**environment_of(cluster, name), **environment}
    if name in WORKERS:
        return Program(name, (*_COMMAND, "worker"), variables, log, None)
    port = cluster.links[f"load-{name}"].upstream_port
    command = (*_COMMAND, "api", "--port", str(port), "--processes", str(APIS[name]))
    return Program(name, command, variables, log, lambda: responds(port))


async def responds(port: int) -> bool:
    """Whether a server there is alive."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def _run(cluster: Cluster, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment_of(cluster),
    )
    told, complaint = await process.communicate()
    if process.returncode:
        raise NotStarted(f"hookwright-server {arguments[0]}: {complaint.decode()}")
    return told.decode()
