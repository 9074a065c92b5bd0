"""What one process measures and traces with, by its settings; imports only what is switched on."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hookwright_server.telemetry.address import Address
from hookwright_server.telemetry.meters import SILENT, Meters, QueueDepth
from hookwright_server.telemetry.traces import NO_TRACES, PassOn, Tracer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from hookwright_server.telemetry.listener import MetricsListener

TraceMode = Literal["off", "pass", "export"]

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_PREFIX = "hookwright-metrics-"
_LOCK = "lock"


class WatchRefused(Exception):
    """The process cannot be watched as its settings ask; `str()` says what to do."""


@dataclass(slots=True)
class Watch:
    """The process's meters and tracer; `serve` shows the former."""

    meters: Meters = SILENT
    tracer: Tracer = NO_TRACES
    _registry: CollectorRegistry | None = None
    _address: Address | None = None
    _listener: MetricsListener | None = None

    def serve(self, read_queue: Callable[[], QueueDepth], now_ms: Callable[[], int]) -> None:
        """Serve `/metrics`, if it is wanted. Raises WatchRefused.

        `read_queue` asks the database, `now_ms` is the clock that deliveries go by.
        """
        if self._address is None or self._registry is None:
            return
        from hookwright_server.telemetry.listener import MetricsListener
        from hookwright_server.telemetry.prometheus import Exposition
        from hookwright_server.telemetry.queue_collector import QueueCollector

        page = Exposition(self._registry, QueueCollector(read_queue, now_ms)).page
        try:
            self._listener = MetricsListener(
                self._address, page, shared=MULTIPROCESS_FOLDER in os.environ
            )
        except OSError as error:
            raise WatchRefused(
                f"HOOKWRIGHT_METRICS_LISTEN: cannot listen on {self._address}: {error}. "
                "Choose another address."
            ) from error

    @property
    def address(self) -> Address | None:
        """Where `/metrics` is served."""
        return None if self._listener is None else self._listener.address

    def close(self) -> None:
        """Stop serving and hand over the last spans."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.tracer.close()


def make_watch(listen: Address | None, traces: TraceMode, version: str) -> Watch:
    """Raises WatchRefused when packages are missing."""
    tracer = _tracer(traces, version)
    if listen is None:
        return Watch(tracer=tracer)
    from prometheus_client import CollectorRegistry

    from hookwright_server.telemetry.prometheus import PrometheusMeters

    registry = CollectorRegistry()
    return Watch(PrometheusMeters(registry), tracer, registry, listen)


def _tracer(traces: TraceMode, version: str) -> Tracer:
    if traces == "off":
        return NO_TRACES
    if traces == "pass":
        return PassOn()
    try:
        from hookwright_server.telemetry.otel import otlp_tracer
    except ModuleNotFoundError as error:
        raise WatchRefused(
            f"HOOKWRIGHT_TRACES=export needs {error.name}: pip install 'hookwright-server[otel]'"
        ) from error
    return otlp_tracer(version)


@contextmanager
def shared_metrics() -> Generator[dict[str, str]]:
    """What to put into the environment of processes whose metrics are to be shown as one.

    The folder behind it goes at the end; those that killed servers left behind go now.
    """
    place = Path(tempfile.gettempdir())
    _sweep(place)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as folder,
        (Path(folder) / _LOCK).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # held as long as this process lives, whatever ends it
        yield {MULTIPROCESS_FOLDER: folder}


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        # Passed over: what is not ours, in use, just being made, or gone.
        with suppress(OSError), (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
