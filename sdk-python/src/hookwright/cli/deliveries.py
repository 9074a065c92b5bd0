"""`hookwright deliveries …`"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from hookwright.cli import screen
from hookwright.cli.inputs import Instant
from hookwright.cli.session import common_options, given, limit_option, session
from hookwright.cli.tail import Follower, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookwright.models import Attempt, Delivery

_STATUSES: Final = (
    "pending",
    "sending",
    "held",
    "delivered",
    "failed",
    "dead_letter",
    "cancelled",
    "unsuccessful",
)


@click.group()
def deliveries() -> None:
    """One message to one endpoint."""


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "--status", type=click.Choice(_STATUSES), multiple=True, help="Only these; repeatable."
        ),
        click.option("--endpoint", "endpoint_id", help="Only to this endpoint."),
        click.option("--event", "event_name", help="Only this event."),
        click.option("--message", "message_id", help="Only of this message."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@deliveries.command("list")
@click.argument("app")
@_filters
@click.option("--after", type=Instant(), help="Accepted then or later.")
@click.option("--before", type=Instant(), help="Accepted earlier.")
@limit_option
@common_options
def list_deliveries(app: str, limit: int, **filters: Any) -> None:
    """List deliveries of APP (- for every app), newest first.

    \b
    Example:
      hookwright deliveries list my-shop --status unsuccessful --after 2026-11-21T00:00:00Z
    """

    def row(each: Delivery) -> tuple[object, ...]:
        outcome = each.last_failure_reason or each.last_status_code
        return (
            each.created_at,
            each.event_name,
            each.id,
            each.status,
            f"{each.attempt_count}/{each.max_attempts}",
            outcome,
            each.endpoint_url,
        )

    columns = ("accepted", "event", "delivery", "status", "attempts", "last", "endpoint")
    with session().client() as client:
        session().show_list(client.deliveries.list(app, **given(**filters)), limit, columns, row)


@deliveries.command("get")
@click.argument("app")
@click.argument("delivery_id")
@common_options
def get_delivery(app: str, delivery_id: str) -> None:
    """Show a delivery and its attempts, oldest first."""
    with session().client() as client:
        delivery = client.deliveries.get(app, delivery_id)
        attempts = list(client.deliveries.list_attempts(app, delivery_id))[::-1]
    if session().as_json:
        document = delivery.to_dict() | {"attempts": [each.to_dict() for each in attempts]}
        screen.show_json(document)
        return
    screen.show_fields(
        [
            ("id", delivery.id),
            ("event", delivery.event_name),
            ("message", delivery.message_id),
            ("endpoint", f"{delivery.endpoint_id} {delivery.endpoint_url}"),
            ("status", delivery.status),
            ("attempts", f"{delivery.attempt_count} of at most {delivery.max_attempts}"),
            ("next attempt", delivery.next_attempt_at),
            ("accepted", delivery.created_at),
            ("ended", delivery.completed_at),
        ]
    )
    if attempts:
        screen.show_table(
            ("attempt", "at", "status", "answer", "reason", "ms"),
            (
                (
                    each.number,
                    each.created_at,
                    each.status,
                    each.status_code,
                    each.failure_reason,
                    each.latency_ms,
                )
                for each in attempts
            ),
        )


@deliveries.command("tail")
@click.argument("app")
@_filters
@click.option("--attempts", is_flag=True, help="Show each attempt, not only each change.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="How often to look, in seconds.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many lines.")
@common_options
def tail_deliveries(
    app: str, *, attempts: bool, interval: float, count: int | None, **filters: Any
) -> None:
    """Follow the deliveries of APP (- for every app) as they happen, until Ctrl-C.

    Shows every new delivery, and what becomes of those that were under way at the start; of more
    than 1,000 under way, the newest 1,000, and it says so. Goes on when the server is away for a
    while. With --json each line is an object.

    \b
    Examples:
      hookwright deliveries tail my-shop
      hookwright deliveries tail my-shop --event order.created --json | jq .delivery.status
    """
    shown = 0
    with session().client() as client:
        quick = client.with_options(max_retries=0)
        follower = Follower(quick, app, given(**filters), with_attempts=attempts)
        try:
            for seen in follower.follow(interval, time.sleep, _notice):
                _show(seen)
                shown += 1
                if shown == count:
                    return
        except KeyboardInterrupt:  # the only way to end it, so it is no failure
            click.echo(err=True)


def _notice(text: str) -> None:
    screen.say(f"hookwright: {text}", err=True)


def _show(seen: Seen) -> None:
    if session().as_json:
        document: dict[str, Any] = {"delivery": seen.delivery.to_dict()}
        if seen.attempt is not None:
            document["attempt"] = seen.attempt.to_dict()
        screen.show_json(document, in_one_line=True)
        return
    delivery = seen.delivery
    text = _of_attempt(seen.attempt) if seen.attempt else _of_delivery(delivery)
    style = screen.STYLES.get(str(delivery.status), "")
    at = screen.instant(seen.at)
    line = f"{at}  {delivery.event_name}  {delivery.id}  {text}  {delivery.endpoint_url}"
    screen.console().print(screen.plain(line), style=style, soft_wrap=True)


def _of_delivery(delivery: Delivery) -> str:
    text = f"{delivery.status}  attempts {delivery.attempt_count}/{delivery.max_attempts}"
    outcome = delivery.last_failure_reason or delivery.last_status_code
    if outcome is not None:
        text += f"  last {outcome}"
    if delivery.next_attempt_at is not None and delivery.attempt_count:
        text += f"  next {screen.instant(delivery.next_attempt_at)}"
    return text


def _of_attempt(attempt: Attempt) -> str:
    answer = attempt.status_code if attempt.status_code is not None else "no answer"
    reason = f" {attempt.failure_reason}" if attempt.failure_reason else ""
    return f"attempt {attempt.number}  {answer}{reason}  {attempt.latency_ms} ms"
