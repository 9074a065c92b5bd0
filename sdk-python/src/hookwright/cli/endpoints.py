"""`hookwright endpoints …`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import click

from hookwright.cli.inputs import JsonObject, Pair
from hookwright.cli.session import (
    accepted_fields,
    common_options,
    given,
    limit_option,
    session,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hookwright.models import Endpoint, EndpointCreated

_STATES: Final = ("healthy", "degraded", "failing", "disabled")


@click.group()
def endpoints() -> None:
    """Where an app's events go."""


@endpoints.command("list")
@click.argument("app")
@click.option("--active/--inactive", default=None, help="Only those that are, or are not.")
@click.option("--state", type=click.Choice(_STATES), help="Only those of this health.")
@click.option("--event", "event_name", help="Only those that would get this event.")
@limit_option
@common_options
def list_endpoints(app: str, limit: int, **filters: Any) -> None:
    """List the endpoints of APP, newest first."""

    def row(each: Endpoint) -> tuple[object, ...]:
        return each.id, each.health.state, ", ".join(each.events), each.url

    with session().client() as client:
        found = client.endpoints.list(app, **given(**filters))
        session().show_list(found, limit, ("endpoint", "health", "events", "url"), row)


@endpoints.command("get")
@click.argument("app")
@click.argument("endpoint_id")
@common_options
def get_endpoint(app: str, endpoint_id: str) -> None:
    """Show an endpoint."""
    with session().client() as client:
        _show(client.endpoints.get(app, endpoint_id))


def _fields(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--event", "events", multiple=True, help="An event or order.*; repeatable."),
        click.option("--description", help="For people."),
        click.option(
            "--header",
            "headers",
            type=Pair(":"),
            multiple=True,
            metavar="NAME:VALUE",
            help="A header of each delivery; repeatable.",
        ),
        click.option("--metadata", type=JsonObject(), help="A JSON object, @file or -."),
        click.option("--timeout-seconds", type=int, help="How long an attempt may take."),
        click.option("--max-concurrency", type=int, help="How many attempts at a time."),
        click.option(
            "--retry",
            "retry_policy",
            type=JsonObject(),
            help="""A policy, e.g. '{"delays_seconds": [5, 60]}'.""",
        ),
        click.option(
            "--set",
            "others",
            type=Pair(json_value=True),
            multiple=True,
            metavar="NAME=JSON",
            help="""Any other member of the request, e.g. signing='{"scheme": "v1a"}'.""",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _request(
    method: Callable[..., Any],
    others: Sequence[tuple[str, Any]],
    headers: Sequence[tuple[str, str]],
    **fields: Any,
) -> dict[str, Any]:
    known = accepted_fields(method)
    unknown = [name for name, _ in others if name not in known]
    if unknown:
        raise click.UsageError(f"--set {unknown[0]}: there are {', '.join(sorted(known))}.")
    return given(**fields, headers=dict(headers) or None) | dict(others)


@endpoints.command("create")
@click.argument("app")
@click.option("--url", required=True, help="Where deliveries are posted.")
@_fields
@common_options
def create_endpoint(app: str, **fields: Any) -> None:
    """Create an endpoint of APP. Its signing secret is shown once.

    \b
    Examples:
      hookwright endpoints create my-shop --url https://example.com/hooks
      hookwright endpoints create my-shop --url https://example.com/hooks --event 'order.*' \\
        --header 'X-Team: billing' --set filter_rules='{"payload.total": {"$gte": 1000}}'
    """
    with session().client() as client:
        made = client.endpoints.create(app, **_request(client.endpoints.create, **fields))
    _show(made, ("signing secret", made.signing_secret))


@endpoints.command("update")
@click.argument("app")
@click.argument("endpoint_id")
@click.option("--url", help="Where deliveries are posted.")
@_fields
@common_options
def update_endpoint(app: str, endpoint_id: str, **fields: Any) -> None:
    """Change what is given, and nothing else.

    \b
    Examples:
      hookwright endpoints update my-shop ep_… --event order.created --event order.paid
      hookwright endpoints update my-shop ep_… --set rate_limit=null
    """
    with session().client() as client:
        changes = _request(client.endpoints.update, **fields)
        if not changes:
            raise click.UsageError("Nothing to change was given; see --help.")
        _show(client.endpoints.update(app, endpoint_id, **changes))


@endpoints.command("delete")
@click.argument("app")
@click.argument("endpoint_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def delete_endpoint(app: str, endpoint_id: str, *, yes: bool) -> None:
    """Delete an endpoint; what waits for it is cancelled."""
    if not yes:
        click.confirm(f"Delete {endpoint_id} and cancel what waits for it?", abort=True, err=True)
    with session().client() as client:
        client.endpoints.delete(app, endpoint_id)
    session().done(f"{endpoint_id} is deleted.", deleted=endpoint_id)


@endpoints.command("enable")
@click.argument("app")
@click.argument("endpoint_id")
@click.option(
    "--release/--no-release", default=None, help="Whether what was held is sent.  [release]"
)
@common_options
def enable_endpoint(app: str, endpoint_id: str, release: bool | None) -> None:
    """Let deliveries go out again."""
    with session().client() as client:
        _show(client.endpoints.enable(app, endpoint_id, **given(release=release)))


@endpoints.command("disable")
@click.argument("app")
@click.argument("endpoint_id")
@common_options
def disable_endpoint(app: str, endpoint_id: str) -> None:
    """Hold deliveries from now on; none is lost."""
    with session().client() as client:
        _show(client.endpoints.disable(app, endpoint_id))


@endpoints.command("test")
@click.argument("app")
@click.argument("endpoint_id")
@click.option("--event", "event_name", help="The event's name.")
@click.option("--payload", type=JsonObject(), metavar="JSON|@FILE|-", help="The event's data.")
@common_options
@click.pass_context
def try_endpoint(context: click.Context, /, app: str, endpoint_id: str, **fields: Any) -> None:
    """Send one signed request now and show the answer. Ends with 1 unless that is a 2xx.

    \b
    Example:
      hookwright endpoints test my-shop ep_… --event order.created --payload '{"id": 7}'
    """
    with session().client() as client:
        result = client.endpoints.test(app, endpoint_id, **given(**fields))
    session().show(
        result,
        [
            ("result", "ok" if result.success else "failed"),
            ("status", result.status_code),
            ("reason", result.failure_reason),
            ("milliseconds", result.latency_ms),
            ("answer", result.response_body),
        ],
    )
    if not result.success:
        context.exit(1)


@endpoints.command("rotate-secret")
@click.argument("app")
@click.argument("endpoint_id")
@click.option("--overlap-seconds", type=int, help="How long the old secret signs too.  [86400]")
@common_options
def rotate_secret(app: str, endpoint_id: str, overlap_seconds: int | None) -> None:
    """Make a new signing secret. It is shown once."""
    with session().client() as client:
        rotated = client.endpoints.rotate_secret(
            app, endpoint_id, **given(overlap_seconds=overlap_seconds)
        )
    session().show(
        rotated,
        [
            ("signing secret", rotated.signing_secret),
            ("old one signs until", rotated.previous_valid_until),
        ],
    )


def _show(
    endpoint: Endpoint | EndpointCreated, *more: tuple[Literal["signing secret"], str]
) -> None:
    health = endpoint.health
    session().show(
        endpoint,
        [
            ("id", endpoint.id),
            ("url", endpoint.url),
            ("events", ", ".join(endpoint.events)),
            ("active", endpoint.active),
            ("health", health.state),
            ("failures in a row", health.consecutive_failures),
            ("disabled because", endpoint.disabled_reason),
            ("signing", f"{endpoint.signing.scheme} by the {endpoint.signing.source}"),
            ("created", endpoint.created_at),
            *more,
        ],
    )
