"""`hookwright messages …`"""

from __future__ import annotations

import json
from typing import Any

import click

from hookwright.cli import screen
from hookwright.cli.session import common_options, session


@click.group()
def messages() -> None:
    """Events that were accepted."""


@messages.command("get")
@click.argument("app")
@click.argument("message_id")
@common_options
def get_message(app: str, message_id: str) -> None:
    """Show an event, its payload and its deliveries. APP may be - for every app."""
    with session().client() as client:
        message = client.messages.get(app, message_id)
    session().show(
        message,
        [
            ("id", message.id),
            ("app", message.app_slug),
            ("event", message.event_name),
            ("accepted", message.created_at),
            ("endpoints", message.endpoint_count),
            ("filtered out", message.filtered_count),
            ("tags", ", ".join(message.tags) or None),
            ("payload", _payload(message.payload)),
        ],
    )
    if not session().as_json and message.deliveries:
        screen.show_table(
            ("delivery", "status", "attempts", "endpoint"),
            (
                (each.id, each.status, each.attempt_count, each.endpoint_url)
                for each in message.deliveries
            ),
        )


def _payload(payload: dict[str, Any] | None) -> str:
    return "erased" if payload is None else json.dumps(payload, ensure_ascii=False)
