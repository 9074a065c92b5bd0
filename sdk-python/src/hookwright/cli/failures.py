"""How the command ends when something goes wrong: one text, one exit code, never a traceback."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from hookwright.cli.screen import plain
from hookwright.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    HookwrightError,
    UsageError,
)

FOUND_WRONG: Final = 1
USAGE: Final = 2
NOT_ALLOWED: Final = 3
NOT_FOUND: Final = 4
NO_ANSWER: Final = 5
INTERRUPTED: Final = 130

EXIT_CODES: Final = """\b
Exit codes:
  0    done
  1    the server refused it, or `verify` found something wrong
  2    the command line is wrong
  3    the API key is not accepted, or may not do this
  4    there is no such thing
  5    no answer from the server, or none that can be understood
  130  ended with Ctrl-C
"""

_CODE_OF_STATUS: Final = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}
_HINT_OF_STATUS: Final = {401: "check the key: HOOKWRIGHT_API_KEY or --api-key"}


class Failure(Exception):
    """Ends the command. With `as_json` standard error gets an object instead of lines."""

    def __init__(
        self, message: str, exit_code: int, *, as_json: bool = False, **facts: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self._as_json = as_json
        self._facts = facts

    def show(self) -> None:
        """Write it to standard error."""
        if self._as_json:
            document = {"message": self.message, **self._facts}
            click.echo(json.dumps({"error": document}, ensure_ascii=False), err=True)
            return
        click.echo(f"hookwright: {plain(self.message)}", err=True)
        for error in self._facts.get("errors", ()):
            click.echo(f"  {plain(error['pointer'])}: {plain(error['message'])}", err=True)
        if self._facts.get("request_id"):
            click.echo(f"  request id {plain(self._facts['request_id'])}", err=True)
        if self._facts.get("hint"):
            click.echo(f"  next: {plain(self._facts['hint'])}", err=True)


def failure_of(error: HookwrightError, base_url: str | None, *, as_json: bool) -> Failure:
    """What the command says of an error of the client."""
    if isinstance(error, APIStatusError):
        return _of_answer(error, as_json=as_json)
    if isinstance(error, APIConnectionError):
        hint = f"is the server running at {base_url}? HOOKWRIGHT_BASE_URL or --base-url says where"
        return Failure(str(error), NO_ANSWER, as_json=as_json, hint=hint)
    if isinstance(error, APIResponseError):
        hint = f"is {base_url} a Hookwright server, and its base URL?"
        return Failure(str(error), NO_ANSWER, as_json=as_json, hint=hint)
    return Failure(
        str(error), USAGE if isinstance(error, UsageError) else FOUND_WRONG, as_json=as_json
    )


def _of_answer(error: APIStatusError, *, as_json: bool) -> Failure:
    code = _CODE_OF_STATUS.get(error.status_code)
    if code is None:
        code = NO_ANSWER if error.status_code >= 500 else FOUND_WRONG
    if error.code is None:  # no problem document: the error itself knows what to say of that
        return Failure(str(error), code, as_json=as_json, status=error.status_code)
    return Failure(
        f"{error.status_code} {error.code}: {error.detail or error.title or ''}",
        code,
        as_json=as_json,
        status=error.status_code,
        code=error.code,
        errors=[
            {
                "pointer": each.pointer,
                "code": each.code,
                "message": each.message or each.code or "invalid",
            }
            for each in error.errors
        ],
        request_id=error.request_id,
        hint=_HINT_OF_STATUS.get(error.status_code),
    )
