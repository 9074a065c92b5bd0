"""
The driver that `hookwright-conformance sdk` judges this SDK by: JSON Lines in and out.

    hookwright-conformance sdk --driver "python -m hookwright.conformance_driver --flavour async"

It adds nothing to the SDK: no retries, no waits, no checks. The protocol is described by the
conformance suite.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import sys
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeGuard

from hookwright import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AsyncHookwright,
    AsyncPage,
    Hookwright,
    HookwrightError,
    InvalidPayloadError,
    SyncPage,
    UsageError,
    Webhook,
    WebhookVerificationError,
    __version__,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["main"]

Document = dict[str, Any]

PROFILES: Final = ("sdk-core", "sdk-errors", "sdk-retries", "sdk-paging", "sdk-webhooks")
_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (APIStatusError, "api"),
    (APITimeoutError, "timeout"),
    (APIConnectionError, "connection"),
    (APIResponseError, "decode"),
    (WebhookVerificationError, "verification"),
    (UsageError, "usage"),
)


class Flavour(Protocol):
    """One of the two clients, called as its users do."""

    def open(self, options: Mapping[str, Any]) -> None:
        """Make the client of the following calls, and close the one before."""
        ...

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """What the operation returns; of a list, the first page."""
        ...

    def items(
        self, operation: str, arguments: Mapping[str, Any], most: int, taken: list[Any]
    ) -> None:
        """Put at most `most` items of a list into `taken`, one by one."""
        ...

    def close(self) -> None:
        """Close the client."""
        ...


class SyncFlavour:
    """Hookwright."""

    _client: Hookwright | None = None

    def open(self, options: Mapping[str, Any]) -> None:
        self.close()
        self._client = Hookwright(**options)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return _method(self._client, operation)(**arguments)

    def items(
        self, operation: str, arguments: Mapping[str, Any], most: int, taken: list[Any]
    ) -> None:
        for item in islice(self.call(operation, arguments), most):
            taken.append(item)  # noqa: PERF402 - an error must leave those before it

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class AsyncFlavour:
    """AsyncHookwright, in one event loop."""

    _client: AsyncHookwright | None = None

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def open(self, options: Mapping[str, Any]) -> None:
        self._runner.run(self._open(options))

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return self._runner.run(self._call(operation, arguments))

    def items(
        self, operation: str, arguments: Mapping[str, Any], most: int, taken: list[Any]
    ) -> None:
        self._runner.run(self._items(operation, arguments, most, taken))

    def close(self) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _open(self, options: Mapping[str, Any]) -> None:
        await self._close()
        self._client = AsyncHookwright(**options)

    async def _call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return await _method(self._client, operation)(**arguments)

    async def _items(
        self, operation: str, arguments: Mapping[str, Any], most: int, taken: list[Any]
    ) -> None:
        async for item in _method(self._client, operation)(**arguments):
            taken.append(item)
            if len(taken) == most:
                return

    async def _close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class Driver:
    """Carries out commands; each method is named like its command."""

    def __init__(self, name: str, flavour: Flavour) -> None:
        self._name = name
        self._flavour = flavour

    def answer(self, command: Document) -> Document:
        """The answer to one command. What the SDK never raises on purpose passes through."""
        taken: list[Any] = []
        carry_out: Callable[[Document, list[Any]], Document]
        carry_out = getattr(self, f"_{command['command']}")
        try:
            return {"id": command["id"], "result": carry_out(command, taken)}
        except HookwrightError as error:
            told = _error(error)
            if command["command"] == "paginate":
                told["items"] = [_plain(item) for item in taken]
            return {"id": command["id"], "error": told}

    def _start(self, command: Document, _: list[Any]) -> Document:
        return {
            "protocol": command["protocol"],
            "sdk": self._name,
            "version": __version__,
            "profiles": list(PROFILES),
        }

    def _client(self, command: Document, _: list[Any]) -> Document:
        options = {name: command[name] for name in ("base_url", "api_key")}
        self._flavour.open({**options, **_options(command)})
        return {}

    def _call(self, command: Document, _: list[Any]) -> Document:
        arguments = {**_arguments(command), **command.get("body", {}), **_options(command)}
        return {"value": _plain(self._flavour.call(command["operation"], arguments))}

    def _paginate(self, command: Document, taken: list[Any]) -> Document:
        most = command["max_items"]
        self._flavour.items(command["operation"], _arguments(command), most, taken)
        return {"items": [_plain(item) for item in taken]}

    def _verify(self, command: Document, _: list[Any]) -> Document:
        tolerance = command.get("tolerance_seconds")
        options = {} if tolerance is None else {"tolerance_seconds": tolerance}
        webhook = Webhook(command["secrets"], clock=lambda: command["now"], **options)
        # Signed rightly is what counts here; that a body is no JSON is another matter.
        with suppress(InvalidPayloadError):
            webhook.verify(base64.b64decode(command["body_base64"]), command["headers"])
        return {}

    def _stop(self, *_: object) -> Document:
        self._flavour.close()
        return {}


def _method(client: Hookwright | AsyncHookwright | None, operation: str) -> Any:
    namespace, _, name = operation.partition(".")
    return getattr(getattr(client, namespace), name)


def _arguments(command: Document) -> Document:
    return {**command.get("path", {}), **command.get("query", {})}


def _options(command: Document) -> Document:
    names = {
        "timeout_seconds": "timeout",
        "max_retries": "max_retries",
        "idempotency_key": "idempotency_key",
    }
    return {mine: command[theirs] for theirs, mine in names.items() if theirs in command}


def _plain(result: Any) -> Any:
    """What a method returned as JSON, written by the SDK's own models."""
    if result is None:
        return None
    if not _is_page(result):
        return result.to_dict()
    told: Document = {
        "data": [_plain(each) for each in result.data],
        "has_more": result.has_more,
        "next_cursor": result.next_cursor,
    }
    return told if result.total_count is None else {**told, "total_count": result.total_count}


def _is_page(result: Any) -> TypeGuard[SyncPage[Any] | AsyncPage[Any]]:
    return isinstance(result, (SyncPage, AsyncPage))


def _error(error: Exception) -> Document:
    kind = next((name for expected, name in _KINDS if isinstance(error, expected)), None)
    if kind is None:
        raise error
    told: Document = {"kind": kind, "message": str(error)}
    if isinstance(error, APIResponseError):
        told["request_id"] = error.request_id
    if isinstance(error, APIStatusError):
        told |= {
            "status": error.status_code,
            "code": error.code,
            "detail": error.detail,
            "request_id": error.request_id,
            "errors": [each._asdict() for each in error.errors],
        }
    return told


def serve(driver: Driver, commands: IO[bytes], answers: IO[bytes]) -> None:
    """Answer line by line, until `stop` or the end."""
    for line in commands:
        command: Document = json.loads(line)
        answers.write(json.dumps(driver.answer(command)).encode() + b"\n")
        answers.flush()
        if command["command"] == "stop":
            return


def command_line() -> argparse.ArgumentParser:
    """What the command line may hold."""
    parser = argparse.ArgumentParser(prog="python -m hookwright.conformance_driver")
    parser.add_argument("--flavour", choices=("sync", "async"), default="sync")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the driver on standard input and output; returns the exit status."""
    flavour: str = command_line().parse_args(arguments).flavour
    made: Flavour = SyncFlavour() if flavour == "sync" else AsyncFlavour()
    serve(Driver(f"hookwright-python {flavour}", made), sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
