"""The last words: the table of what was found, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookwright_server.demo.ledger import Latency, Verdict
from hookwright_server.demo.story import Ending

_NEXT = """\
What to try next: your own server, in three terminals

1. The server, allowed to deliver to this machine. Its first start prints an API key.

    HOOKWRIGHT_ALLOW_HTTP=1 HOOKWRIGHT_ALLOW_PRIVATE_NETWORKS=1 make serve

2. A receiver that prints what it gets:

    python3 -c 'if True:
      from http.server import *
      class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
          print(self.headers, self.rfile.read(int(self.headers["content-length"])).decode())
          self.send_response(200); self.end_headers()
      HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()'

3. An app, an endpoint and an event; put the printed key into the first line:

    KEY=hw_live_...
    call() { curl -sS "http://127.0.0.1:8080/v1/apps/shop$1" -H "Authorization: Bearer $KEY" \\
      -H "Content-Type: application/json" "${@:2}"; echo; }
    call "" -X PUT -d "{}"
    call /endpoints -d '{"url": "http://127.0.0.1:9000/"}'
    call /trigger -d '{"event_name": "order.created", "payload": {"id": 1}}'
    call /deliveries

To read: README.md (the way of a request through the code), sdk-python/README.md (the SDK),
docs/behaviour/README.md (what the server promises), openapi.yaml (the contract).
"""


def rows(ending: Ending) -> Iterator[tuple[str, str, str]]:
    """What was found: a name, a value, and what it means."""
    verdict, kill = ending.verdict, ending.kill
    yield "accepted", f"{verdict.accepted_events} events", f"= {verdict.owed} deliveries"
    yield "delivered", f"{verdict.delivered}", "the receiver answered 2xx"
    for state, count in sorted(verdict.states.items()):
        if state != "delivered":
            yield state.replace("_", " "), str(count), _STATES.get(state, "not finished in time")
    yield "lost", str(len(verdict.lost)), "neither received nor listed above"
    yield "attempts", str(verdict.attempts), f"{verdict.retried} deliveries needed several"
    yield (
        "signatures",
        f"{verdict.verified} of {verdict.requests} verified",
        "all requests, hookwright.webhooks",
    )
    yield "duplicates", _duplicates(verdict), _why_duplicates(verdict)
    yield "202 to received", _times(verdict.since_accepted), "a webhook may overtake its 202"
    yield (
        "call to received",
        _times(verdict.since_called),
        f"{verdict.since_called.count} tries at “good”, kill aside",
    )
    yield (
        "after kill -9",
        f"{kill.resumed_at - kill.outage.killed_at:.1f} s",
        "until webhooks arrived again",
    )


def say_goodbye(console: Console, ending: Ending, report: Path) -> None:
    """Print the table, the verdict and what to try next."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for name, value, meaning in rows(ending):
        style = "bold red" if name in _alarms(ending) else ""
        table.add_row(name, Text(value, style), meaning)
    console.print(table)
    console.print(Text(sentence(ending), "green" if ending.passed else "bold red"))
    console.print(
        f"It took {ending.lasted_s:.0f} s. Again with the same events: --seed {ending.seed}\n\n"
        f"A page to look at: {report.resolve()}",
        soft_wrap=True,
        highlight=False,
    )
    console.print(f"\n{_NEXT}", soft_wrap=True, highlight=False, markup=False)


def document(ending: Ending, report: Path) -> dict[str, Any]:
    """The same for scripts."""
    verdict, kill = ending.verdict, ending.kill
    return {
        "event": "summary",
        "passed": ending.passed,
        "accepted": verdict.accepted_events,
        "deliveries": verdict.owed,
        "delivered": verdict.delivered,
        "states": dict(verdict.states),
        "attempts": verdict.attempts,
        "requests": verdict.requests,
        "retried": verdict.retried,
        "signatures_verified": verdict.verified,
        "signature_faults": list(verdict.faults),
        "altered": verdict.altered,
        "unexpected": verdict.unexpected,
        "duplicates_by_kill": verdict.repeats_by_kill,
        "duplicates_otherwise": verdict.repeats_otherwise,
        "lost": [list(pair) for pair in verdict.lost],
        "unfinished": verdict.unfinished,
        "calls_repeated": kill.calls_repeated,
        "calls_given_up": ending.calls_given_up,
        "ms_from_202_to_received": asdict(verdict.since_accepted),
        "ms_from_call_to_received": asdict(verdict.since_called),
        "down_s": round(kill.outage.ready_at - kill.outage.killed_at, 2),
        "resumed_after_s": round(kill.resumed_at - kill.outage.killed_at, 2),
        "lasted_s": round(ending.lasted_s, 2),
        "seed": ending.seed,
        "report": str(report.resolve()),
    }


def sentence(ending: Ending) -> str:
    """The verdict in a sentence."""
    verdict = ending.verdict
    if ending.passed:
        return "Nothing was lost, although the server was killed in the middle."
    troubles = [
        f"{count} {what}"
        for count, what in (
            (len(verdict.lost), "deliveries lost"),
            (len(verdict.faults), "signatures did not verify"),
            (verdict.altered, "payloads altered"),
            (verdict.unexpected, "unexpected requests"),
            (verdict.unfinished, "deliveries not finished in time"),
            (ending.calls_given_up, "publishing calls given up"),
        )
        if count
    ]
    return f"FAILED: {', '.join(troubles)}. Please report it, with the seed {ending.seed}."


def _alarms(ending: Ending) -> set[str]:
    verdict = ending.verdict
    bad = {
        "lost": bool(verdict.lost),
        "signatures": bool(verdict.faults),
        "pending": bool(verdict.unfinished),
        "sending": bool(verdict.unfinished),
        "duplicates": bool(verdict.repeats_otherwise),
    }
    return {name for name, is_bad in bad.items() if is_bad}


def _times(latency: Latency) -> str:
    return f"p50 {latency.p50_ms:.1f}, p99 {latency.p99_ms:.1f} ms"


def _duplicates(verdict: Verdict) -> str:
    return str(verdict.repeats_by_kill + verdict.repeats_otherwise)


def _why_duplicates(verdict: Verdict) -> str:
    if verdict.repeats_otherwise:
        return f"{verdict.repeats_by_kill} by the kill, {verdict.repeats_otherwise} unexplained"
    if not verdict.repeats_by_kill:
        return "a kill may cause some"
    return "cut off by the kill, so sent again"


_STATES = {
    "held": "kept for disabled endpoints",
    "failed": "the 410 answers: final",
    "dead_letter": "“dead”: every attempt failed",
}
