"""The command `hookwright-server`: run a server, and look after one."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from hookwright_server import __version__
from hookwright_server.announce import FORM_VARIABLE

# Each command imports what it needs: the parent of `serve` stays small and starts at once.
if TYPE_CHECKING:
    from hookwright_server.domain.api_key import Environment
    from hookwright_server.http.frontdoor.refusal import RefusalCode
    from hookwright_server.serving import ProcessSettings, Ready
    from hookwright_server.settings import Settings

_WORKER = "hookwright_server.embedded:worker_app"
_API = "hookwright_server.production:api_app"
_PRODUCTION_PACKAGES = ("psycopg", "redis", "rq")


class _Problem(click.ClickException):
    """Ends the command with a sentence that says what to do."""


def _settings(**given: Any) -> Settings:
    from pydantic import ValidationError

    from hookwright_server.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [
            "".join(f"HOOKWRIGHT_{str(part).upper()}: " for part in each["loc"][:1])
            + each["msg"].removeprefix("Value error, ")
            for each in error.errors()
        ]
        raise _Problem("\n".join(lines)) from error


def _production_settings(**given: Any) -> Settings:
    settings = _settings(**given)
    lacking = settings.lacking_for_production()
    if lacking:
        raise _Problem("\n".join(lacking))
    missing = [name for name in _PRODUCTION_PACKAGES if find_spec(name) is None]
    if missing:
        raise _Problem(
            f"this needs {', '.join(missing)}: pip install 'hookwright-server[production]'"
        )
    return settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hookwright-server")
def main() -> None:
    """Hookwright: webhooks whose documentation cannot lie.

    Settings come from environment variables HOOKWRIGHT_<NAME>; `settings` lists them.
    """


@main.command("serve")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0: a free one.  [default: 8080]")
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SQLite file; made when missing.  [default: hookwright.db]",
)
@click.option("--stop-with-stdin", is_flag=True, help="Stop when standard input ends.")
@click.option("--json", "as_json", is_flag=True, help="Print what scripts need as JSON lines.")
def serve_command(*, stop_with_stdin: bool, as_json: bool, **given: Any) -> None:
    """Run the whole server on one SQLite file.

    The first start makes an account and prints its API keys, once. A program that starts a server
    for itself keeps a pipe to its standard input and says --stop-with-stdin: however the program
    ends, the server stops in order.
    """
    from hookwright_server.serving import ProcessSettings, end_with_stdin
    from hookwright_server.telemetry.watch import shared_metrics

    settings = _settings(**given)
    if settings.is_shared:
        raise _Problem(
            "HOOKWRIGHT_DATABASE is Postgres: run `api` and `worker`. `serve` uses a SQLite file."
        )
    if stop_with_stdin:
        end_with_stdin()
    process = ProcessSettings(
        blocking_threads=settings.request_threads, stop_worker_s=settings.drain_seconds + 10
    )
    with ExitStack() as stack:
        environment = _worker_environment(settings, as_json)
        if settings.metrics_listen is not None:
            environment |= stack.enter_context(shared_metrics())
        _listen(_WORKER, settings, process, environment, as_json=as_json)


@main.command("api")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0: a free one.  [default: 8080]")
@click.option(
    "--processes",
    "api_processes",
    type=click.IntRange(min=0),
    help="Processes that answer requests; 0: one for each CPU.  [default: 0]",
)
@click.option("--reuse-port", is_flag=True, help="Let other `api` commands listen there too.")
@click.option("--json", "as_json", is_flag=True, help="Print what scripts need as JSON lines.")
def api_command(*, reuse_port: bool, as_json: bool, **given: Any) -> None:
    """Answer API requests; run it on as many machines as you like. `worker` delivers.

    Needs HOOKWRIGHT_DATABASE (Postgres), HOOKWRIGHT_REDIS_URL and HOOKWRIGHT_ENCRYPTION_KEYS.
    SIGTERM lets requests in flight end. SIGHUP replaces the processes one after the other, and
    no request fails.
    """
    from hookwright_server.serving import ProcessSettings
    from hookwright_server.telemetry.watch import shared_metrics

    settings = _production_settings(**given)
    process = ProcessSettings(
        processes=settings.api_processes or _usable_cpus(),
        restarts=True,
        reuse_port=reuse_port,
        blocking_threads=settings.request_threads,
        stop_notice_s=settings.stop_notice_seconds,
    )
    with ExitStack() as stack:
        shared = settings.metrics_listen is not None
        environment = stack.enter_context(shared_metrics()) if shared else {}
        _listen(_API, settings, process, environment, as_json=as_json)


@main.command("worker")
def worker_command() -> None:
    """Deliver what `api` accepts, as an RQ worker; run as many as you like.

    Needs HOOKWRIGHT_DATABASE (Postgres), HOOKWRIGHT_REDIS_URL and HOOKWRIGHT_ENCRYPTION_KEYS.
    SIGTERM lets the attempts under way end; a second one does not.
    """
    settings = _production_settings()
    from hookwright_server.keys import KeyProblem
    from hookwright_server.production import run_worker_process
    from hookwright_server.store.errors import StoreError
    from hookwright_server.telemetry.watch import WatchRefused

    try:
        run_worker_process(settings)
    except (StoreError, KeyProblem, WatchRefused) as error:
        raise _Problem(str(error)) from error


@main.command()
@click.option("--database", help="SQLite file or postgresql:// URL.  [default: hookwright.db]")
def migrate(database: str | None) -> None:
    """Bring the database's tables up to this version. `serve` does it by itself.

    Tables older than schema 0011 are changed only while no `api` and no `worker` runs: stop
    those first. From 0011 on they may go on.
    """
    from hookwright_server.keys import KeyProblem
    from hookwright_server.store.errors import StoreError
    from hookwright_server.wiring import migrate_database

    settings = _settings(database=database)
    try:
        migrate_database(settings)
    except (StoreError, KeyProblem) as error:
        raise _Problem(str(error)) from error
    click.echo(f"{settings.database} is up to date")


@main.command()
@click.option("--database", help="SQLite file or postgresql:// URL.  [default: hookwright.db]")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(database: str | None, as_json: bool) -> None:
    """Look for anything wrong with a database, running or not, and say what to do.

    Changes nothing. Ends with 1 when there is a fault; notices, which pass by themselves, are
    only printed.
    """
    from hookwright_server.clock import SystemClock
    from hookwright_server.doctor import document, examine, lines
    from hookwright_server.store.errors import StoreError

    try:
        report = examine(_settings(database=database), SystemClock())
    except StoreError as error:
        raise _Problem(str(error)) from error
    if as_json:
        click.echo(json.dumps(document(report), indent=2))
    else:
        click.echo("\n".join(lines(report)))
    sys.exit(0 if report.sound else 1)


@main.group()
def account() -> None:
    """Make accounts and keys; with a SQLite file while the server is stopped."""


@account.command("create")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def account_create(name: str, as_json: bool) -> None:
    """Make another account and print its API keys, once."""
    from hookwright_server.announce import show_account
    from hookwright_server.clock import SystemClock
    from hookwright_server.store.errors import StoreError
    from hookwright_server.wiring import open_database, operators

    try:
        with open_database(_settings()) as database:
            service = operators(SystemClock())
            made = database.write(lambda tx: service.create(tx, name))
    except StoreError as error:
        raise _Problem(str(error)) from error
    show_account(made, as_json=as_json)


@account.command("new-key")
@click.option("--account-id", help="Needed when there are several accounts.")
@click.option("--environment", type=click.Choice(["live", "test"]), default="live")
def account_new_key(account_id: str | None, environment: str) -> None:
    """Print a new API key that may do everything, for when the old one is lost."""
    from hookwright_server.clock import SystemClock
    from hookwright_server.store.errors import StoreError
    from hookwright_server.wiring import open_database, operators

    settings = _settings()
    if not (settings.is_shared or settings.database_file.exists()):
        raise _Problem(f"{settings.database} does not exist; `hookwright-server serve` creates it")
    try:
        with open_database(settings) as database:
            service = operators(SystemClock())
            owner = database.read(lambda tx: service.find(tx, account_id))
            if owner is None:
                raise _Problem(
                    "there is not exactly one account: name it with --account-id"
                    if account_id is None
                    else f"there is no account {account_id!r}; `account create` printed its id"
                )
            kind: Environment = "live" if environment == "live" else "test"
            text = database.write(
                lambda tx: service.issue_key(tx, owner, kind, "made by the operator")
            )
    except StoreError as error:
        raise _Problem(str(error)) from error
    click.echo(text)


@main.command("demo")
@click.option(
    "--events",
    type=click.IntRange(20, 20_000),
    default=300,
    show_default=True,
    help="How many events to publish.",
)
@click.option("--seed", type=int, help="Repeats the events of an earlier demo.  [default: random]")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("demo-report.html"),
    show_default=True,
    help="Where the page to look at is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, the summary last.")
def demo_command(events: int, seed: int | None, report: Path, as_json: bool) -> None:
    """Publish events to good and bad receivers, kill the server, and show that nothing is lost.

    Uses a server and a database of its own, in a temporary folder. Takes half a minute.
    """
    try:
        from hookwright_server.demo.run import Options, run_demo
    except ModuleNotFoundError as error:
        raise _Problem(
            f"the demo needs {error.name}: pip install 'hookwright-server[demo]'"
        ) from error
    sys.exit(run_demo(Options(events, seed, report, as_json)))


@main.command("settings")
def settings_command() -> None:
    """List every setting with its default."""
    from hookwright_server.settings import Settings

    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None, ()) else str(field.default)
        click.echo(f"HOOKWRIGHT_{name.upper():<24} {default:<14} {field.description}")


def _listen(
    app_factory: str,
    settings: Settings,
    process: ProcessSettings,
    environment: dict[str, str],
    *,
    as_json: bool,
) -> NoReturn:
    """Serve until a signal comes, then end this process."""
    from hookwright_server.http.frontdoor import Limits
    from hookwright_server.logs import configure_logging
    from hookwright_server.serving import serve

    configure_logging(settings.log_level, settings.log_style)
    announcement = _Announcement(as_json)
    try:
        code = serve(
            app_factory,
            render_problem=_render_problem,
            host=settings.host,
            port=settings.port,
            environment=environment,
            limits=Limits(max_open_requests=settings.open_requests),
            process=process,
            on_ready=announcement.show,
        )
    except OSError as error:
        raise _Problem(
            f"cannot listen on {settings.host}:{settings.port}: {error}. Choose another --port."
        ) from error
    sys.exit(code)


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _worker_environment(settings: Settings, as_json: bool) -> dict[str, str]:
    # Only what the command line may have said; the rest the worker reads from the environment.
    return {
        "HOOKWRIGHT_DATABASE": str(settings.database_file.absolute()),
        FORM_VARIABLE: "json" if as_json else "text",
    }


def _render_problem(code: RefusalCode, detail: str, request_id: str) -> tuple[int, bytes]:
    from hookwright_server.errors import Refusal
    from hookwright_server.http.problems import problem_bytes, status_of

    refusal = Refusal(code, detail)
    return status_of(refusal), problem_bytes(refusal, request_id)


class _Announcement:
    """Says where the server listens, and to scripts also when its processes change."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._made = False

    def show(self, ready: Ready) -> None:
        """Called when the server answers, and whenever a worker was replaced."""
        if self._as_json:
            event = "workers_changed" if self._made else "ready"
            document = {"event": event, "url": ready.url, "worker_pid": ready.worker_pids[0]}
            click.echo(json.dumps(document | {"worker_pids": ready.worker_pids}))
        elif not self._made:
            click.echo(f"Hookwright {__version__} listens on {ready.url}  (stop with Ctrl-C)")
        self._made = True
        sys.stdout.flush()


if __name__ == "__main__":
    main()
