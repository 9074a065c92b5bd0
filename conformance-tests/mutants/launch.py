#!/usr/bin/env python3
"""Starts the reference server, sound or with one mutant: `python mutants/launch.py NAME`.

What `hookwright-conformance selftest --launcher` expects: one JSON line on standard output when the
server is ready, and its end when standard input closes. Everything else is said on standard error.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

SOUND = "none"
DATABASE = "HOOKWRIGHT_MUTANT_DATABASE"
"""Names the URL of an empty Postgres database to use instead of a file."""
FORKS = "HOOKWRIGHT_MUTANT_FORKS"
"""Names the socket of `forks.py`, when this runs under it."""
KEPT = "HOOKWRIGHT_MUTANT_KEPT"
"""Names a folder that `keep` has filled, to begin with a copy of it."""
AUTHORITY = "HOOKWRIGHT_AUTHORITY"
"""Names, for the suite, the file of the authority that the server trusts: see target.yaml."""
_START_S = 240.0  # on a machine that is very busy


def main(mutant: str) -> int:
    """Serve on a free port, with two accounts in a fresh database, until standard input closes."""
    with tempfile.TemporaryDirectory(prefix="hookwright-mutant-") as name:
        folder = Path(name)
        authority = _authority(Path(os.environ.get(KEPT, name)))
        _configure(mutant, folder, authority)
        return _serve(mutant, {**_prepared(folder), AUTHORITY: str(authority)})


def keep(folder: Path) -> None:
    """Leave a fresh database there, with the keys of its accounts, and an authority."""
    _configure(SOUND, folder, _authority(folder))
    (folder / "keys.json").write_text(json.dumps(_prepare()), encoding="utf-8")


def _authority(folder: Path) -> Path:
    """The file of an authority in that folder, its certificate beside it; made unless it is
    there."""
    path = folder / "authority.pem"
    if not path.exists():
        from hookwright_conformance.certificates import new_authority

        authority = new_authority()
        path.write_bytes(authority.pem())
        path.with_suffix(".crt").write_bytes(authority.certificate_pem())
    return path


def _configure(mutant: str, folder: Path, authority: Path) -> None:
    os.environ.update(
        HOOKWRIGHT_MUTANT=mutant,
        HOOKWRIGHT_ENCRYPTION_KEYS="mutant:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        HOOKWRIGHT_DATABASE=os.environ.get(DATABASE) or str(folder / "server.db"),
        HOOKWRIGHT_PORT="0",
        HOOKWRIGHT_ALLOW_HTTP="true",
        HOOKWRIGHT_EGRESS_ALLOW="127.0.0.0/8,::1/128",
        HOOKWRIGHT_EXTRA_CA_FILE=str(authority.with_suffix(".crt")),
        HOOKWRIGHT_REQUESTS_PER_MINUTE="1000000",
        HOOKWRIGHT_DRAIN_SECONDS="0.2",
        HOOKWRIGHT_LOG_LEVEL="error",
        HOOKWRIGHT_TRACES="pass",
        HOOKWRIGHT_TEST_CLOCK="true",
        PYTHONPATH=os.pathsep.join([str(Path(__file__).parent), *sys.path[1:]]),
    )


def _prepared(folder: Path) -> dict[str, str]:
    """Have the database ready; the keys of its accounts, as the suite's environment."""
    if KEPT not in os.environ or os.environ.get(DATABASE):
        return _prepare()
    kept = Path(os.environ[KEPT])
    shutil.copy(kept / "server.db", folder)
    found: dict[str, str] = json.loads((kept / "keys.json").read_text(encoding="utf-8"))
    return found


def _prepare() -> dict[str, str]:
    # Whoever copies what is kept does without these: they take longer than all else here.
    from hookwright_server.clock import SystemClock
    from hookwright_server.settings import Settings
    from hookwright_server.wiring import open_database, operators, prepare

    settings = Settings()
    first = prepare(settings, "first")
    with open_database(settings) as database:
        accounts = operators(SystemClock())
        second = database.write(lambda tx: accounts.create(tx, "second"))
    if first is None:
        raise RuntimeError("the fresh database has an account already")
    return {
        "HOOKWRIGHT_API_KEY": first.live_key,
        "HOOKWRIGHT_OTHER_API_KEY": second.live_key,
    }


def _serve(mutant: str, environment: dict[str, str]) -> int:
    import broken_door

    from hookwright_server.errors import Refusal
    from hookwright_server.http.frontdoor.refusal import RefusalCode
    from hookwright_server.http.problems import problem_bytes, status_of
    from hookwright_server.serving import ProcessSettings, Ready, serve

    announcements = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def announce(ready: Ready) -> None:
        told = {"base_url": ready.url, "environment": environment}
        announcements.write(json.dumps(told) + "\n")
        announcements.close()

    def render_problem(code: RefusalCode, detail: str, request_id: str) -> tuple[int, bytes]:
        refusal = Refusal(code, detail)
        return status_of(refusal), problem_bytes(refusal, request_id)

    _stop_with_standard_input()
    break_door = broken_door.MUTANTS.get(mutant)
    return serve(
        _application(mutant),
        render_problem=break_door(render_problem) if break_door else render_problem,
        on_ready=announce,
        process=ProcessSettings(start_s=_START_S),
    )


def _application(mutant: str) -> str:
    is_served = mutant == SOUND and not os.environ.get(DATABASE)
    return "hookwright_server.embedded:worker_app" if is_served else "mutant_worker:worker_app"


def _hand_over(mutant: str) -> int:
    """Have a fork of `forks.py` do all this, with our files and environment."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[FORKS])
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        order = [mutant, str(Path.cwd()), dict(os.environ)]
        connection.sendall(json.dumps(order).encode() + b"\n")
        return (connection.recv(1) or b"\1")[0]


def _stop_with_standard_input() -> None:
    def watch() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stop-with-stdin", daemon=True).start()


if __name__ == "__main__":
    begin = _hand_over if FORKS in os.environ else main
    sys.exit(begin(*sys.argv[1:]))
