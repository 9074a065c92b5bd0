"""The production form as its operator runs it: `migrate`, `account create`, `api`, `worker`."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from hookwright_benchmarks.processes import Child, children, cpu_seconds
from hookwright_benchmarks.rig.server import (
    READY_S,
    Cost,
    Place,
    account_key,
    environment,
    port_when_ready,
)
from hookwright_benchmarks.rig.services import Postgres, Redis


class Production:
    """See `Server`. One `api` with so many processes, and so many `worker`."""

    def __init__(
        self,
        folder: Path,
        postgres: Postgres,
        redis: Redis,
        *,
        processes: int = 1,
        workers: int = 1,
        module: str = "hookwright_server",
        **settings: str,
    ) -> None:
        """`module` runs `api`. The database is a new one, dropped at the end."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._services = (postgres, redis)
        self._place = postgres.new_database()
        self._environment = environment(
            database=self._place,
            redis_url=redis.new_database(),
            encryption_keys=f"k1:{base64.b64encode(os.urandom(32)).decode()}",
            **settings,
        )
        self._run("migrate")
        self.key = self.new_key()
        arguments = ["api", "--port", "0", "--processes", str(processes), "--json"]
        self._api = Child(module, folder / "api.log", *arguments, env=self._environment)
        self._workers: list[Child] = []
        try:
            self._port = port_when_ready(self._api, lambda _: None)
            for number in range(workers):
                log = folder / f"worker-{number}.log"
                self._workers.append(
                    Child("hookwright_server", log, "worker", env=self._environment)
                )
            self._wait_for_workers()
        except BaseException:
            self.stop()
            raise

    @property
    def place(self) -> str:
        return self._place

    @property
    def port(self) -> int:
        return self._port

    @property
    def engines(self) -> Sequence[int]:
        return [worker.pid for worker in self._workers]

    def cost(self) -> Cost:
        postgres, redis = self._services
        return Cost(
            {
                "door": cpu_seconds(self._api.pid),
                "api": sum(cpu_seconds(pid) for pid in children(self._api.pid)),
                "worker": sum(cpu_seconds(worker.pid) for worker in self._workers),
                "postgres": postgres.cpu_seconds(),
                "redis": redis.cpu_seconds(),
            }
        )

    def new_key(self) -> str:
        return account_key(self._environment, self._folder, self._place)

    def fill(self, work: Callable[[Place], None]) -> None:
        work(self._place)

    def stop(self) -> None:
        for child in (*self._workers, self._api):
            child.stop()
        self._services[0].drop(self._place)

    def _run(self, command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "hookwright_server", command],
            check=True,
            capture_output=True,
            env=self._environment,
        )

    def _wait_for_workers(self) -> None:
        """`health/ready` reports workers that have begun a session."""
        until = time.monotonic() + READY_S
        while self._workers and time.monotonic() < until:
            answer = httpx.get(f"http://127.0.0.1:{self._port}/health/ready", timeout=10.0)
            if '"failing"' not in answer.text and answer.status_code == 200:
                return
            time.sleep(0.1)
        if self._workers:
            raise RuntimeError(f"no worker began: {self._workers[0].last_words()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
