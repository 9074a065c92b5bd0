"""Starts an own Postgres or Redis for tests, fault campaigns and benchmarks, and ends it again."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

DESCRIPTION = """\
Starts an own instance of Postgres or Redis: loopback only, a private folder, a password of its
own. Prints ONE line of JSON when it is ready:

  {"service": "postgres", "url": "postgresql://...", "pid": 123, "port": 5433, "folder": "...",
   "socket": "..."}

`pid` is the service's own process, so that it can be stopped, continued and killed. The instance
ends when standard input closes, at SIGTERM and SIGINT, and when the process that started this
command ends, even when this command is killed. Without --folder nothing is left behind; with
--folder the data stays, and a later start with the same folder continues with it, also after the
service was killed. The exit status is 1 when the service could not start or ended by itself.
"""
EPILOG = """\
examples:
  python tools/services.py postgres --set synchronous_commit=off
  python tools/services.py redis --folder /var/tmp/redis --port 6390 --set appendonly=yes

Debian: apt-get install postgresql redis-server. Postgres refuses to run as root; root's instance
runs as the user postgres, which must be able to reach the folder.
"""
USER = "hookwright"
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 10.0
_LONGEST_SOCKET_PATH = 90
_TRIES_FOR_A_PORT = 10
# The port was taken first, or what a killed instance left behind is still ending.
_BUSY = re.compile("in use|already exists")
PROGRAM_NAMES = ("postgres", "redis-server", "valkey-server")


class CannotStartError(Exception):
    """The service is not installed, or it ended before it was ready."""


class Service(Protocol):
    """How one kind of service is prepared, started and asked whether it is ready."""

    @property
    def place(self) -> Place: ...
    @property
    def name(self) -> str: ...
    @property
    def stop_signals(self) -> tuple[signal.Signals, ...]: ...

    def prepare(self) -> None: ...
    def command(self, port: int) -> list[str]: ...
    def is_ready(self, port: int, pid: int) -> bool: ...
    def url(self, port: int) -> str: ...
    def socket(self, port: int) -> Path | None: ...


@dataclass(frozen=True)
class Place:
    """The instance's folder, the account it runs under, and the settings asked for."""

    folder: Path
    account: pwd.struct_passwd | None
    settings: dict[str, str]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def has_short_path(self) -> bool:
        """Whether a unix socket fits into the folder: the system limits such paths."""
        return len(os.fsencode(self.folder)) <= _LONGEST_SOCKET_PATH

    def password(self) -> str:
        """The instance's password, made at its first start."""
        path = self.folder / "password"
        if not path.exists():
            path.write_text(secrets.token_urlsafe(18), encoding="utf-8")
            path.chmod(0o600)
            self.give(path)
        return path.read_text(encoding="utf-8")

    def give(self, path: Path) -> None:
        """Let the account own `path`."""
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start `command` under the account, its output in the log, in a session of its own."""
        account = self.account
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                user=None if account is None else account.pw_uid,
                group=None if account is None else account.pw_gid,
                extra_groups=None if account is None else (),
            )


@dataclass
class Postgres:
    place: Place
    name: str = "postgres"
    # Fast, then immediate: each ends its sessions instead of waiting for them.
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGQUIT)

    @property
    def data(self) -> Path:
        return self.place.folder / "data"

    def prepare(self) -> None:
        """Make the cluster. It is not flushed to disk; what runs on it later is."""
        self.place.password()
        if (self.data / "PG_VERSION").exists():
            return
        options = ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        login = ["--auth=scram-sha-256", f"--username={USER}", "--pwfile=password"]
        initdb = [str(postgres_programs() / "initdb"), "-D", str(self.data), *options, *login]
        if self.place.start(initdb).wait():
            raise CannotStartError(f"initdb failed:\n{_tail(self.place.log)}")

    def command(self, port: int) -> list[str]:
        folder = str(self.place.folder) if self.place.has_short_path else ""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": folder,
            **self.place.settings,
        }
        arguments = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return [str(postgres_programs() / "postgres"), "-D", str(self.data), *arguments]

    def is_ready(self, port: int, pid: int) -> bool:
        """Read the file that the server writes for pg_ctl: its pid first, its state eighth."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def url(self, port: int) -> str:
        return f"postgresql://{USER}:{self.place.password()}@127.0.0.1:{port}/postgres"

    def socket(self, port: int) -> Path | None:
        return self.place.folder / f".s.PGSQL.{port}" if self.place.has_short_path else None


@dataclass
class Redis:
    place: Place
    name: str = "redis"
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)

    def prepare(self) -> None:
        self._password()

    def _password(self) -> str:
        return self.place.settings.get("requirepass") or self.place.password()

    def command(self, port: int) -> list[str]:
        socket_path = self.socket(port)
        settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(self.place.folder),
            "save": "",
            "requirepass": self._password(),
            **({} if socket_path is None else {"unixsocket": str(socket_path)}),
            **self.place.settings,
        }
        # In a file, because a password among the arguments could be read by every user.
        path = self.place.folder / "redis.conf"
        path.touch(mode=0o600)
        lines = (f'{name} "{value}"\n' for name, value in settings.items())
        path.write_text("".join(lines), encoding="utf-8")
        return [redis_program(), str(path)]

    def is_ready(self, port: int, pid: int) -> bool:
        """Ask; while it loads its data it answers with an error."""
        questions = f"AUTH {self._password()}\r\nPING\r\n".encode()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(questions)
                answer = b""
                while answer.count(b"\r\n") < 2 and (received := connection.recv(200)):
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def url(self, port: int) -> str:
        return f"redis://:{self._password()}@127.0.0.1:{port}/0"

    def socket(self, port: int) -> Path | None:
        return self.place.folder / "redis.sock" if self.place.has_short_path else None


SERVICES: dict[str, Callable[[Place], Service]] = {"postgres": Postgres, "redis": Redis}


def postgres_programs() -> Path:
    """The folder with Postgres' programs: Debian's newest one, or where the path has them."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: float(path.parts[-3]), default=None)
    on_path = shutil.which("initdb")
    if newest is not None:
        return newest.parent
    if on_path is None:
        raise CannotStartError("Postgres is not installed (Debian: apt-get install postgresql).")
    return Path(on_path).resolve().parent


def redis_program() -> str:
    """Where Redis, or its successor Valkey, is."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise CannotStartError("Redis is not installed (Debian: apt-get install redis-server).")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Let a child look after the service, so that even a killed command leaves nothing behind."""
    options = _options(arguments)
    parent = os.getppid()
    watched, kept = os.pipe()  # `kept` is open as long as the service is wanted
    keeper = os.fork()
    if not keeper:
        os.close(kept)
        os.setsid()  # a signal to the caller's whole group must not end the one who cleans up
        return _keep(options, watched)
    os.close(watched)
    wanted = _Wanted(kept)
    signal.signal(signal.SIGTERM, wanted.end)
    signal.signal(signal.SIGINT, wanted.end)
    while True:
        ended, status = os.waitpid(keeper, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if os.getppid() != parent or wanted.is_input_closed(within_s=0.05):
            wanted.end()


class _Wanted:
    """Whether the caller still wants the service: the keeper sees when the pipe closes."""

    def __init__(self, kept: int) -> None:
        self._kept: int | None = kept

    def end(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        if self._kept is not None:
            os.close(self._kept)
            self._kept = None

    def is_input_closed(self, within_s: float) -> bool:
        """Wait a moment for standard input, and read away what comes."""
        if self._kept is None:
            time.sleep(within_s)
            return True
        readable, _, _ = select.select([0], [], [], within_s)
        return bool(readable) and not os.read(0, 4096)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--folder", type=Path, help="where its data is and stays (else a new one)")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        dest="settings",
        help="a setting of the service; may be repeated",
    )
    return parser.parse_args(arguments)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _keep(options: argparse.Namespace, watched: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of `watched` is what says stop
    try:
        place = _place(options)
        try:
            return _run(SERVICES[options.service](place), options.port, watched)
        finally:
            if options.folder is None:
                shutil.rmtree(place.folder, ignore_errors=True)
    except CannotStartError as error:
        print(f"services.py: {error}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        pass  # the caller left before it was told
    return 1


def _place(options: argparse.Namespace) -> Place:
    if options.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="hookwright-"))
    else:
        folder = options.folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Place(folder, _account(options.service), dict(options.settings))
    place.give(folder)
    if place.start(["test", "-w", str(folder)]).wait():
        raise CannotStartError(f"The user postgres cannot reach {folder}: choose another --folder.")
    return place


def _account(service: str) -> pwd.struct_passwd | None:
    if service != "postgres" or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise CannotStartError(
            "Postgres refuses to run as root, and there is no user postgres that it could run as."
        ) from None


def _run(service: Service, wanted_port: int, watched: int) -> int:
    service.prepare()
    process = None
    try:
        for tries_left in reversed(range(_TRIES_FOR_A_PORT)):
            port = wanted_port or _free_port()
            process = service.place.start(service.command(port))
            if _is_up(service, process, port, watched):
                return _serve(service, process, port, watched)
            if process.poll() is None:
                return 0  # told to stop before it was ready
            if not tries_left or not _BUSY.search(_tail(service.place.log)):
                break
            time.sleep(0.5)
        raise CannotStartError(f"{service.name} did not start:\n{_tail(service.place.log)}")
    finally:
        if process is not None:
            _stop(process, service)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_up(service: Service, process: subprocess.Popen[bytes], port: int, watched: int) -> bool:
    give_up_at = time.monotonic() + _READY_WITHIN_S
    while process.poll() is None and time.monotonic() < give_up_at:
        if service.is_ready(port, process.pid):
            return True
        if _is_closed(watched, within_s=0.02):
            return False
    return False


def _serve(service: Service, process: subprocess.Popen[bytes], port: int, watched: int) -> int:
    socket_path = service.socket(port)
    told = {
        "service": service.name,
        "url": service.url(port),
        "pid": process.pid,
        "port": port,
        "folder": str(service.place.folder),
        "socket": None if socket_path is None else str(socket_path),
    }
    print(json.dumps(told), flush=True)
    while not _is_closed(watched, within_s=0.1):
        if process.poll() is not None:
            raise CannotStartError(f"{service.name} ended by itself (status {process.returncode}).")
    return 0


def _is_closed(watched: int, within_s: float) -> bool:
    return bool(select.select([watched], [], [], within_s)[0])


def _stop(process: subprocess.Popen[bytes], service: Service) -> None:
    """End the service, also one that a fault campaign left stopped or without its first process."""
    for number in (*service.stop_signals, signal.SIGKILL):
        for pid in (process.pid, *_family(service.place.folder)):
            _send(pid, signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(_STOP_WITHIN_S)
            break
        except subprocess.TimeoutExpired:
            continue
    for pid in _family(service.place.folder):
        _send(pid, signal.SIGKILL)


def _family(folder: Path) -> Iterator[int]:
    """The service's processes in `folder` (where the system has no /proc, none)."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "comm").read_text(encoding="utf-8").strip()
            if name in PROGRAM_NAMES and (entry / "cwd").readlink().is_relative_to(folder):
                yield int(entry.name)
        except OSError:
            continue  # it ended meanwhile


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])


if __name__ == "__main__":
    sys.exit(main())
