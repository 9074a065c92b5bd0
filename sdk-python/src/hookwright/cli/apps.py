"""`hookwright apps …`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hookwright.cli.inputs import JsonObject
from hookwright.cli.session import common_options, given, limit_option, session

if TYPE_CHECKING:
    from hookwright.models import App


@click.group()
def apps() -> None:
    """Broadcast channels with their endpoints."""


@apps.command("list")
@limit_option
@common_options
def list_apps(limit: int) -> None:
    """List apps, newest first."""

    def row(app: App) -> tuple[object, ...]:
        return app.slug, app.name, app.active, app.created_at

    with session().client() as client:
        session().show_list(client.apps.list(), limit, ("slug", "name", "active", "created"), row)


@apps.command("create")
@click.argument("name")
@click.option("--slug", help="Names the app in every call.  [made of the name]")
@click.option("--description", help="For people.")
@click.option("--metadata", type=JsonObject(), help="A JSON object, @file or -.")
@common_options
def create_app(**fields: Any) -> None:
    """Create an app. Its signing secret is shown once.

    \b
    Example:
      hookwright apps create "My shop" --slug my-shop
    """
    with session().client() as client:
        made = client.apps.create(**given(**fields))
    session().show(
        made,
        [("slug", made.slug), ("name", made.name), ("signing secret", made.signing_secret)],
    )
