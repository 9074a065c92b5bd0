"""`hookwright-server doctor`: looks at a database and says what is wrong and what to do.

Reads only. A fault must never be seen; a notice passes by itself, or as soon as a server runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hookwright_server.clock import Clock
from hookwright_server.domain.vault import Vault, VaultError
from hookwright_server.keys import KeyProblem, load_vault
from hookwright_server.settings import PostgresUrl, Settings
from hookwright_server.store.audit import EXAMPLES, Finding
from hookwright_server.store.inspection import Inspection, Sealed, inspect
from hookwright_server.store.server_inspection import inspect_server

_REPORT = "This is a fault of the server: keep a copy of the file and report it with these ids."
_RESTART = "Restart the server: it takes such deliveries back at once."

ADVICE = {
    "integrity": "Stop the server, keep a copy of the file with its -wal, and restore a backup; "
    "`sqlite3 FILE .recover` saves what can still be read.",
    "journal_mode": "Stop everything that has the file open and start the server: it sets WAL "
    "or says why it cannot.",
    "synchronous": "Update the server: it must commit with synchronous=FULL.",
    "durability": "Set them to `on` in the configuration of Postgres, and reload it.",
    "schema": "`hookwright-server migrate` brings an older database up to date; a newer one needs "
    "a newer server.",
    "keys": "Restore the key file, or set HOOKWRIGHT_ENCRYPTION_KEYS.",
    "sealed": "Put the key that sealed it back into the key file or HOOKWRIGHT_ENCRYPTION_KEYS "
    "(behind the new one, and seal everything anew, while keys are being replaced); where it is "
    "lost, rotate the secret or set the headers again.",
    "delivery_status": _REPORT,
    "pending_without_time": "Send these deliveries again (deliveries.retry). " + _REPORT,
    "delivery_order": "Cancel what is stuck, which lets the next one go (deliveries.cancel), and "
    "replay it. " + _REPORT,
    "lease_without_session": _RESTART,
    "lease_without_sending": _REPORT,
    "finished_without_end": _REPORT,
    "unfinished_with_end": _REPORT,
    "cancelled_without_reason": _REPORT,
    "attempts_of_delivery": _REPORT,
    "attempt_numbers": _REPORT,
    "attempts_without_delivery": _REPORT,
    "fan_out": "Publish these messages again for the endpoints that lack them. " + _REPORT,
    "delivery_owners": _REPORT,
    "silent_sessions": "Start the server, or restart it when it runs: what the session leased "
    "becomes due at once.",
    "overdue": "Start the server. When it runs: the endpoint may answer slowly; raise its "
    "max_concurrency or HOOKWRIGHT_MAX_IN_FLIGHT.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor found; `server_pid` is the process that has the SQLite file open."""

    database: Path | PostgresUrl
    server_pid: int | None
    inspection: Inspection
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """No faults; notices may be there."""
        return not any(finding.is_fault for finding in self.findings)


def examine(settings: Settings, clock: Clock) -> Report:
    """Look at the database of `settings`. Raises StoreRefused when there is none."""
    database = settings.database
    if isinstance(database, PostgresUrl):
        seen, server_pid = inspect_server(database.text), None
    else:
        seen, server_pid = inspect(database, clock.now_ms()), _server_pid(database)
    findings = [*seen.findings, *_durability(seen), *_unsealed(settings, seen.sealed)]
    return Report(
        database=database,
        server_pid=server_pid,
        inspection=seen,
        findings=tuple(_judged(finding, server_pid is not None) for finding in findings),
    )


def document(report: Report) -> dict[str, Any]:
    """The report for programs."""
    seen = report.inspection
    return {
        "ok": report.sound,
        "database": str(report.database),
        "server_pid": report.server_pid,
        "schema": seen.schema,
        **seen.durability,
        "deliveries": dict(seen.statuses),
        "oldest_due_seconds": None if seen.oldest_due_ms is None else seen.oldest_due_ms / 1000,
        "findings": [
            {**asdict(finding), "advice": ADVICE[finding.check]} for finding in report.findings
        ],
    }


def lines(report: Report) -> Iterator[str]:
    """The report for people."""
    told = document(report)
    yield f"database      {told['database']}  (schema {told['schema']})"
    if isinstance(report.database, Path):
        yield f"server        {_server_text(report.server_pid)}"
    shown = ", ".join(f"{name}={value}" for name, value in report.inspection.durability.items())
    yield f"durability    {shown}"
    counts = ", ".join(f"{count} {status}" for status, count in report.inspection.statuses.items())
    yield f"deliveries    {counts or 'none'}"
    due = told["oldest_due_seconds"]
    yield f"longest due   {'nothing is due' if due is None else f'{due:.1f} s'}"
    for finding in report.findings:
        yield ""
        kind = "FAULT" if finding.is_fault else "notice"
        yield f"{kind}  {finding.check}: {finding.meaning} ({finding.count})"
        yield f"       e.g. {', '.join(finding.examples)}"
        yield f"       {ADVICE[finding.check]}"
    yield ""
    yield "All is well." if report.sound else "Something is wrong; see above."


def _durability(seen: Inspection) -> Iterator[Finding]:
    level = seen.durability.get("synchronous", "FULL")
    if seen.schema is not None and level != "FULL":
        meaning = "commits do not reach the disk before they are answered"
        yield Finding("synchronous", meaning, 1, (level,), is_fault=True)


def _unsealed(settings: Settings, sealed: Iterable[Sealed]) -> Iterator[Finding]:
    """Values that nobody can open any more."""
    try:
        vault = load_vault(settings)
    except KeyProblem as error:
        meaning = "the encryption keys cannot be had, so nothing sealed was looked at"
        yield Finding("keys", meaning, 1, (str(error),), is_fault=True)
        return
    closed = [each.sealed_as for each in sealed if not _opens(vault, each)]
    if closed:
        meaning = "a secret does not open with the present keys"
        yield Finding("sealed", meaning, len(closed), tuple(closed[:EXAMPLES]), is_fault=True)


def _opens(vault: Vault, each: Sealed) -> bool:
    try:
        vault.open(each.blob, each.sealed_as)
    except VaultError:
        return False
    return True


def _judged(finding: Finding, server_runs: bool) -> Finding:
    """A session that a running server does not renew will not pass by itself."""
    if finding.check == "silent_sessions" and server_runs:
        return replace(finding, is_fault=True)
    return finding


def _server_pid(database: Path) -> int | None:
    """The process named by the lock file, if it lives and has that file open.

    The lock itself is not touched: trying it could turn a server away that is just starting.
    """
    lock = database.with_name(database.name + ".lock").absolute()
    try:
        pid = int(lock.read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid if _has_open(pid, lock) else None


def _has_open(pid: int, file: Path) -> bool:
    """Whether the process has the file open; where that cannot be seen: yes. The number of a
    dead process may be another's by now, above all in containers."""
    try:
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return True
    return any(_is_same(each, file) for each in handles)


def _is_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):  # closed in between
        return one.samefile(other)
    return False


def _server_text(pid: int | None) -> str:
    return "not running" if pid is None else f"process {pid}"
