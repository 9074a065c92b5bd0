"""What every command has: where the server is, the key, and whether programs read the output."""

from __future__ import annotations

import inspect
import os
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from hookwright._core.settings import API_KEY_VARIABLE, BASE_URL_VARIABLE
from hookwright.cli import screen
from hookwright.cli.failures import failure_of
from hookwright.errors import HookwrightError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from hookwright.client import Hookwright

C = TypeVar("C", bound="Callable[..., Any]")


@dataclass
class Session:
    """Filled by the options that stand before or behind the name of a command."""

    as_json: bool = False
    base_url: str | None = None
    api_key: str | None = None
    timeout: float | None = None

    @contextmanager
    def client(self) -> Generator[Hookwright]:
        """The client. What goes wrong with it ends the command."""
        from hookwright.client import Hookwright

        url = self.base_url or os.environ.get(BASE_URL_VARIABLE)
        if not url:
            raise click.UsageError(
                f"Where is the server? Set {BASE_URL_VARIABLE} or give --base-url."
            )
        key = self.api_key or os.environ.get(API_KEY_VARIABLE)
        if not key:
            raise click.UsageError(f"There is no API key. Set {API_KEY_VARIABLE} or --api-key.")
        try:
            with Hookwright(key, base_url=url) as client:
                yield client if self.timeout is None else client.with_options(timeout=self.timeout)
        except HookwrightError as error:
            raise failure_of(error, url, as_json=self.as_json) from None

    def show(self, thing: Any, fields: Sequence[tuple[str, object]]) -> None:
        """One thing of the API."""
        if self.as_json:
            screen.show_json(thing.to_dict())
        else:
            screen.show_fields(fields)

    def show_list(
        self,
        things: Iterable[Any],
        limit: int,
        columns: Sequence[str],
        row: Callable[[Any], Sequence[object]],
    ) -> None:
        """The first `limit` of a list; 0: all of it."""
        found = list(islice(things, limit or None))
        if self.as_json:
            screen.show_json([each.to_dict() for each in found])
        elif found:
            screen.show_table(columns, (row(each) for each in found))
        else:
            screen.say("There are none.", err=True)

    def done(self, sentence: str, **facts: Any) -> None:
        """Something that answers with nothing worth showing."""
        if self.as_json:
            screen.show_json(facts)
        else:
            screen.say(sentence)


def session() -> Session:
    """That of the running command."""
    return click.get_current_context().find_root().ensure_object(Session)


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None:
        setattr(context.find_root().ensure_object(Session), option.name, value)


_JSON: Final = click.option(
    "--json",
    "as_json",
    is_flag=True,
    default=None,
    callback=_remember,
    expose_value=False,
    help="Print JSON.",
)
_CONNECTION: Final = (
    click.option(
        "--base-url",
        metavar="URL",
        callback=_remember,
        expose_value=False,
        help=f"Where the server is.  [{BASE_URL_VARIABLE}]",
    ),
    click.option(
        "--api-key",
        metavar="KEY",
        callback=_remember,
        expose_value=False,
        help=f"Better in the environment, where others do not see it.  [{API_KEY_VARIABLE}]",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        callback=_remember,
        expose_value=False,
        help="How long to wait for the network.  [60]",
    ),
)


def common_options(command: C) -> C:
    """`--json` and how to reach the server."""
    for option in (*reversed(_CONNECTION), _JSON):
        command = option(command)
    return command


def json_option(command: C) -> C:
    """`--json` alone, for what needs no server."""
    return _JSON(command)


limit_option: Final = click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="How many to show, newest first; 0: all.",
)


def accepted_fields(method: Callable[..., Any]) -> set[str]:
    """The members of the request of a method of the client."""
    about_the_call = {"timeout", "max_retries", "extra_headers", "idempotency_key"}
    parameters = inspect.signature(method).parameters.values()
    return {each.name for each in parameters if each.kind is each.KEYWORD_ONLY} - about_the_call


def given(**fields: Any) -> dict[str, Any]:
    """Those that were given on the command line."""
    return {name: value for name, value in fields.items() if value is not None and value != ()}
