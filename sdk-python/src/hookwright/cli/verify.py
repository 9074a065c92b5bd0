"""`hookwright verify`: is this captured request genuine, and if not, why?"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import click

from hookwright.cli import screen
from hookwright.cli.captured import Captured, Headers, read_headers, split_request
from hookwright.cli.checks import Examiner
from hookwright.cli.failures import FOUND_WRONG
from hookwright.cli.inputs import Instant, Pair, read_bytes
from hookwright.cli.session import json_option, session

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    envvar="HOOKWRIGHT_WEBHOOK_SECRET",
    show_envvar=True,
    help="whsec_… or whpk_…; repeatable, as during a rotation.",
)
@click.option("--request", metavar="FILE|-", help="The whole request: headers, empty line, body.")
@click.option("--headers", metavar="FILE|-", help="Lines `name: value`, or a JSON object.")
@click.option(
    "-H",
    "--header",
    "pairs",
    type=Pair(":"),
    multiple=True,
    metavar="NAME:VALUE",
    help="One header; repeatable.",
)
@click.option("--body", metavar="FILE|-", help="The body, byte for byte.")
@click.option("--at", type=Instant(), help="Check as if it were this time.  [now]")
@click.option("--tolerance", type=click.FloatRange(min=0), default=300, show_default=True)
@click.option("--ignore-time", is_flag=True, help="Take a request of any age.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    /,
    *,
    secrets: tuple[str, ...],
    at: datetime | None,
    tolerance: float,
    ignore_time: bool,
    **source: Any,
) -> None:
    """Check a captured webhook and say precisely what is wrong. Needs no server.

    Ends with 0 when it is genuine and with 1 when it is not.

    \b
    Examples:
      hookwright verify --secret whsec_… --request captured.txt
      hookwright verify --secret whsec_… --headers headers.json --body body.json --ignore-time
      pbpaste | hookwright verify --body - -H 'webhook-id: msg_…' \\
        -H 'webhook-timestamp: 1795251600' -H 'webhook-signature: v1,…'
    """
    if not secrets:
        raise click.UsageError("Whose is it? Give --secret or set HOOKWRIGHT_WEBHOOK_SECRET.")
    captured = _captured(**source)
    examiner = Examiner(
        captured,
        secrets,
        math.inf if ignore_time else tolerance,
        time.time() if at is None else at.timestamp(),
    )
    report = examiner.report()
    if session().as_json:
        findings = [
            {"state": each.state, "check": each.check, "text": each.text}
            for each in report.findings
        ]
        screen.show_json({"valid": report.valid, "findings": findings, "event": report.event})
    else:
        rows = ((each.state, each.check, each.text) for each in report.findings)
        screen.show_table(("", "check", "found"), rows)
        screen.say("The request is genuine." if report.valid else "Do not trust this request.")
    if not report.valid:
        context.exit(FOUND_WRONG)


def _captured(
    request: str | None,
    headers: str | None,
    pairs: tuple[tuple[str, str], ...],
    body: str | None,
) -> Captured:
    if request is not None:
        if headers is not None or body is not None:
            raise click.UsageError("--request holds headers and body; leave out the others.")
        whole = split_request(read_bytes(request))
        return Captured(Headers([*whole.headers.pairs, *pairs]), whole.body)
    if body is None:
        raise click.UsageError("What was received? Give --request, or --body and the headers.")
    if headers == body == "-":
        raise click.UsageError("Only one of --headers and --body can be standard input.")
    read = [] if headers is None else read_headers(read_bytes(headers)).pairs
    return Captured(Headers([*read, *pairs]), read_bytes(body))
