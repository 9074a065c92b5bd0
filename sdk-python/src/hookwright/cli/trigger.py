"""`hookwright trigger`: publish an event."""

from __future__ import annotations

from typing import Any

import click

from hookwright.cli.inputs import Instant, JsonObject
from hookwright.cli.session import common_options, given, session


@click.command()
@click.argument("app")
@click.argument("event")
@click.option(
    "--payload",
    type=JsonObject(),
    metavar="JSON|@FILE|-",
    default="{}",
    show_default=True,
    help="The event's data.",
)
@click.option("--event-id", help="An id of your own for the event.")
@click.option("--endpoint", "endpoint_ids", multiple=True, help="Only to this one; repeatable.")
@click.option("--tag", "tags", multiple=True, help="A tag of your own; repeatable.")
@click.option("--filter-context", type=JsonObject(), help="What filter rules may look at.")
@click.option("--deliver-at", type=Instant(), help="Deliver then, not at once.")
@click.option("--expires-at", type=Instant(), help="Give up what still waits by then.")
@click.option("--ordering-key", help="Events with the same key arrive in order.")
@click.option("--dry-run", is_flag=True, default=None, help="Only say who would get it.")
@click.option("--idempotency-key", help="Publishing again with this key publishes once.")
@common_options
def trigger(app: str, event: str, payload: dict[str, Any], **fields: Any) -> None:
    """Publish EVENT to the endpoints of APP.

    \b
    Examples:
      hookwright trigger my-shop order.created --payload '{"id": 7}'
      hookwright trigger my-shop order.created --payload @order.json --tag eu
      jq -n '{id: 7}' | hookwright trigger my-shop order.created --payload - --json
    """
    with session().client() as client:
        accepted = client.trigger.send(app, event_name=event, payload=payload, **given(**fields))
    session().show(
        accepted,
        [
            ("message", "none, a dry run" if accepted.dry_run else accepted.message_id),
            ("endpoints", accepted.endpoint_count),
            ("filtered out", accepted.filtered_count),
            ("deliveries", " ".join(accepted.delivery_ids) or None),
        ],
    )
