"""How many processes serve, and how long their start and stop may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Durations are in seconds.

    `restarts`: a worker that dies is replaced, and SIGHUP replaces all of them in turn; without
    it a dead worker is the end of the server.
    `asked_every_s`, `answer_within_s`: how often one of several workers is asked whether it
    answers, and after what time it counts as silent.
    `reuse_port`: other servers may listen on the same port (SO_REUSEPORT).
    `stop_notice_s`: how long clients are still accepted after the first signal, while the server
    already says that it is not ready. `stop_requests_s`: then for requests in flight;
    `stop_worker_s`: then for the workers' own shutdown; `stop_hurried_s`: for the workers after a
    second signal, which drops the requests.
    """

    processes: int = 1
    restarts: bool = False
    reuse_port: bool = False
    blocking_threads: int = 64
    asked_every_s: float = 2.0
    answer_within_s: float = 5.0
    start_s: float = 60.0
    stop_notice_s: float = 0.0
    stop_requests_s: float = 30.0
    stop_worker_s: float = 45.0
    stop_hurried_s: float = 2.0
