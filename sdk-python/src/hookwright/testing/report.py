"""What a failed assertion of a receiver says: what arrived, and what the server knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hookwright.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hookwright.client import Hookwright
    from hookwright.models import Attempt, Delivery, Endpoint, Message
    from hookwright.testing.received import ReceivedRequest

_SHOWN: Final = 10


class Account:
    """Tells of an app's messages and of their deliveries to some of its endpoints."""

    def __init__(self, client: Hookwright, app_slug: str, endpoint_ids: Sequence[str]) -> None:
        # The answer of a server that is gone is not worth waiting for.
        self._client = client.with_options(max_retries=0, timeout=10)
        self._app_slug = app_slug
        self._endpoint_ids = endpoint_ids

    def text(self, requests: Sequence[ReceivedRequest]) -> str:
        """All of it, beginning with a line end."""
        lines = ["", "What arrived:", *(_indented(requests) or ["  nothing"])]
        try:
            lines += [f"What the server has for the app {self._app_slug}:", *self._of_server()]
        except APIError as error:
            lines += [f"The server could not be asked: {error}"]
        return "\n".join(lines)

    def _of_server(self) -> list[str]:
        messages = self._client.messages.list(self._app_slug, limit=_SHOWN)
        if not messages.data:
            return [
                "  no event: the code under test publishes elsewhere (app, server), or not at all"
            ]
        lines: list[str] = []
        for message in reversed(messages.data):
            lines.append(f"  {_published(message)}")
            lines += self._deliveries_of(message)
        if messages.has_more:
            lines.insert(0, f"  (the last {_SHOWN} events)")
        return [*lines, *self._endpoints()]

    def _deliveries_of(self, message: Message) -> Iterable[str]:
        page = self._client.deliveries.list(self._app_slug, message_id=message.id, limit=_SHOWN)
        for delivery in page.data:
            if delivery.endpoint_id in self._endpoint_ids:
                yield f"    {_delivery(delivery)}"
                attempts = self._client.deliveries.list_attempts(
                    self._app_slug, delivery.id, limit=_SHOWN
                )
                yield from (f"      {_attempt(each)}" for each in reversed(attempts.data))

    def _endpoints(self) -> Iterable[str]:
        for endpoint_id in self._endpoint_ids:
            yield f"  {_endpoint(self._client.endpoints.get(self._app_slug, endpoint_id))}"


def _indented(requests: Sequence[ReceivedRequest]) -> list[str]:
    skipped = len(requests) - 2 * _SHOWN
    lines = [f"  {number}. {each}" for number, each in enumerate(requests, 1)]
    if skipped > 0:
        lines[_SHOWN:-_SHOWN] = [f"  … {skipped} more …"]
    return lines


def _published(message: Message) -> str:
    to = f"to {message.endpoint_count} endpoints" if message.endpoint_count else "to no endpoint"
    if message.filtered_count:
        to += f" ({message.filtered_count} filtered it out)"
    return f"{message.event_name}  {message.id}  {to}"


def _delivery(delivery: Delivery) -> str:
    told = f"{delivery.id}  {delivery.status}, attempts: {delivery.attempt_count}"
    if delivery.next_attempt_at is not None:
        told += f", next at {delivery.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC"
        told += " (move `hookwright_clock` there, or give a shorter retry_policy)"
    return told


def _attempt(attempt: Attempt) -> str:
    outcome = attempt.failure_reason or attempt.status
    status = f" {attempt.status_code}" if attempt.status_code is not None else ""
    return f"attempt {attempt.number}: {outcome}{status}"


def _endpoint(endpoint: Endpoint) -> str:
    takes = f"{endpoint.id} takes {', '.join(endpoint.events)}"
    return takes if endpoint.active else f"{takes}; disabled: {endpoint.disabled_reason}"
