#!/usr/bin/env python3
"""Starts the reference server, sound or with one mutant: `python mutants/launch.py NAME`.

What `hookwright-conformance selftest --launcher` expects: one JSON line on standard output when the
server is ready, and its end when standard input closes. Everything else is said on standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

SOUND = "none"


def main(mutant: str) -> int:
    """Serve on a free port, with two accounts in a fresh database, until standard input closes."""
    with tempfile.TemporaryDirectory(prefix="hookwright-mutant-") as folder:
        os.environ.update(
            HOOKWRIGHT_MUTANT=mutant,
            HOOKWRIGHT_DATABASE=str(Path(folder) / "server.db"),
            HOOKWRIGHT_PORT="0",
            HOOKWRIGHT_ALLOW_HTTP="true",
            HOOKWRIGHT_EGRESS_ALLOW="127.0.0.0/8",
            HOOKWRIGHT_REQUESTS_PER_MINUTE="1000000",
            HOOKWRIGHT_DRAIN_SECONDS="0.2",
            HOOKWRIGHT_LOG_LEVEL="error",
            HOOKWRIGHT_TRACES="pass",
            PYTHONPATH=os.pathsep.join([str(Path(__file__).parent), *sys.path[1:]]),
        )
        return _serve(mutant)


def _serve(mutant: str) -> int:
    from hookwright_server.clock import SystemClock
    from hookwright_server.errors import Refusal
    from hookwright_server.http.frontdoor.refusal import RefusalCode
    from hookwright_server.http.problems import problem_bytes, status_of
    from hookwright_server.serving import Ready, serve
    from hookwright_server.settings import Settings
    from hookwright_server.wiring import open_database, operators, prepare

    settings = Settings()
    first = prepare(settings, "first")
    with open_database(settings) as database:
        accounts = operators(SystemClock())
        second = database.write(lambda tx: accounts.create(tx, "second"))
    if first is None:
        raise RuntimeError("the fresh database has an account already")
    keys = {
        "HOOKWRIGHT_API_KEY": first.live_key,
        "HOOKWRIGHT_OTHER_API_KEY": second.live_key,
    }
    announcements = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def announce(ready: Ready) -> None:
        announcements.write(json.dumps({"base_url": ready.url, "environment": keys}) + "\n")
        announcements.close()

    def render_problem(code: RefusalCode, detail: str, request_id: str) -> tuple[int, bytes]:
        refusal = Refusal(code, detail)
        return status_of(refusal), problem_bytes(refusal, request_id)

    _stop_with_standard_input()
    module = "hookwright_server.wiring" if mutant == SOUND else "mutant_worker"
    return serve(f"{module}:worker_app", render_problem=render_problem, on_ready=announce)


def _stop_with_standard_input() -> None:
    def watch() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stop-with-stdin", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
