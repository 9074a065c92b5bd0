"""Runs cases of the SDK mode side by side, each with a driver and an API of its own."""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from hookwright_conformance.case import Case
from hookwright_conformance.errors import Unmet
from hookwright_conformance.plugin import judge, observe
from hookwright_conformance.results import Result
from hookwright_conformance.sdk.api import Api
from hookwright_conformance.sdk.driver import Driver
from hookwright_conformance.sdk.world import LONG_S, SdkWorld
from hookwright_conformance.spec import Spec
from hookwright_conformance.target import KnownFailure


class Crew:
    """`parallel` threads, each with a process of the driver that is started when it is needed."""

    def __init__(
        self,
        arguments: Sequence[str],
        spec: Spec,
        parallel: int,
        known_failures: Mapping[str, KnownFailure] | None = None,
        *,
        long_s: float = LONG_S,
    ) -> None:
        self._spec = spec
        self._long_s = long_s
        self._known = known_failures or {}
        self._drivers = [Driver(arguments) for _ in range(parallel)]
        # The one that was used last: a few cases need few processes.
        self._free: queue.LifoQueue[Driver] = queue.LifoQueue()
        for each in self._drivers:
            self._free.put(each)
        self._pool = ThreadPoolExecutor(parallel, "case")

    def submit(self, case: Case) -> Future[Result]:
        """Have a case run when it is its turn."""
        return self._pool.submit(self._run, case)

    def close(self) -> list[str]:
        """Cancel what has not begun and stop the drivers; what was wrong with that."""
        self._pool.shutdown(cancel_futures=True)
        faults: list[str] = []
        for each in self._drivers:
            try:
                each.note = lambda _: None
                each.stop()
            except Unmet as error:
                faults.append(str(error))
        return faults

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, case: Case) -> Result:
        driver, began = self._free.get(), time.monotonic()
        try:
            with Api.start() as api:
                world = SdkWorld(self._spec, driver, api, self._long_s)
                failure = observe(case, world, world.timeline)
        finally:
            self._free.put(driver)
        return judge(case, failure, self._known.get(case.id), time.monotonic() - began)
