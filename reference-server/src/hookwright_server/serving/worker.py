"""The worker process: granian around the application, in the main thread of its own process.

granian's threaded server is used because it serves from this very process: its multiprocess
server would put one more process between the supervisor and the application.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mt import MTServer

from hookwright_server.serving.parent_watch import die_with_parent, obey_parent
from hookwright_server.serving.shutdown import notice_stop, run_shutdown
from hookwright_server.serving.start import REFUSED_EXIT_CODE, SWITCH_S, StartRefused, load

_NEVER_MS = 24 * 3600 * 1000
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "[%(levelname)s] %(message)s"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}


class _Server(MTServer):
    """Serves one worker thread pool; needs no free-threaded interpreter for that."""

    stop_ordered = False

    def _check_gil(self) -> None:
        pass

    def stop(self) -> None:
        """End `serve` after the requests in flight; may be called from any thread, at any time."""
        self.stop_ordered = True
        self.interrupt_signal = True
        self.main_loop_interrupt.set()


def main(argv: Sequence[str] | None = None) -> int:
    """Build the application, serve it until the parent orders the stop, shut it down."""
    options = _parse(argv)
    sys.setswitchinterval(SWITCH_S)
    die_with_parent(options.parent_pid)
    server = _build_server(options)
    obey_parent(sys.stdin.fileno(), server.stop, notice_stop)
    try:
        application = load(options.app_factory)()
    except StartRefused as error:
        sys.stderr.write(f"Error: {error}\n")
        return REFUSED_EXIT_CODE
    if not server.stop_ordered:
        server.serve(target_loader=lambda: application, wrap_loader=False)
    return 0 if run_shutdown() else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("app_factory")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--blocking-threads", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    return parser.parse_args(argv)


def _build_server(options: argparse.Namespace) -> _Server:
    # The front door keeps all deadlines: were the server to close an idle connection by itself,
    # a request could be on its way there.
    return _Server(
        options.app_factory,
        uds=options.socket,
        uds_permissions=0o600,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_NEVER_MS),
        websockets=False,
        blocking_threads=options.blocking_threads,
        backlog=options.connections,
        backpressure=options.connections,
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    )


if __name__ == "__main__":
    sys.exit(main())
