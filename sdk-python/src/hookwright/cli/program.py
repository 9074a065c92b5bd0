"""The command line as a whole."""

from __future__ import annotations

from typing import Any

import click

from hookwright._core.version import __version__
from hookwright.cli.apps import apps
from hookwright.cli.completion import completion
from hookwright.cli.deliveries import deliveries
from hookwright.cli.endpoints import endpoints
from hookwright.cli.failures import EXIT_CODES, INTERRUPTED, Failure
from hookwright.cli.messages import messages
from hookwright.cli.session import common_options
from hookwright.cli.trigger import trigger
from hookwright.cli.verify import verify


class _Program(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            failure.show()
            ctx.exit(failure.exit_code)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="hookwright")
@common_options
def program() -> None:
    """Publish events, look after endpoints, watch deliveries, check signatures.

    The server and the key come from HOOKWRIGHT_BASE_URL and HOOKWRIGHT_API_KEY.

    \b
    Examples:
      hookwright apps create "My shop"
      hookwright endpoints create my-shop --url https://example.com/hooks --event 'order.*'
      hookwright trigger my-shop order.created --payload '{"id": 7}'
      hookwright deliveries tail my-shop
    """


for command in (apps, completion, deliveries, endpoints, messages, trigger, verify):
    program.add_command(command)
