"""What `emit_webhook` does with a view, in no framework's terms."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast

from hookwright.emitting import EmitFailure, Emitter, log_failure
from hookwright.errors import EmitError

T = TypeVar("T")

EmitterSource: TypeAlias = "Emitter | Callable[[], Emitter] | None"


@dataclass(frozen=True, slots=True)
class ViewCall:
    """How a view was called, for functions that take it as their second argument."""

    request: Any
    """The framework's request."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


OfResult: TypeAlias = "Callable[[Any], T] | Callable[[Any, ViewCall], T]"
"""A function of what the view returned and, if it takes two arguments, of how it was called."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a view returned. `result` is a response's parsed JSON, if it is a response with such."""

    status: int
    result: Any
    default_payload: Callable[[], Any]
    check: Callable[[], object] | None = None
    """Raises when the client will not get this result after all; `default_payload` does so too."""


def response_outcome(response: Any, status: int, content_type: str, body: bytes | None) -> Outcome:
    """The outcome of a view that returned a response; `body` is None where it is streamed."""
    kind = content_type.partition(";")[0].strip().lower()
    parsed: Any = None
    problem: str | None = f"{kind or 'without a type'}, not JSON"
    if body is not None and (kind == "application/json" or kind.endswith("+json")):
        try:
            parsed, problem = json.loads(body), None
        except ValueError:
            problem = "said to be JSON, but is not"

    def default_payload() -> Any:
        if problem is not None:
            raise EmitError(f"the view's answer is {problem}; make the payload with payload=…")
        return parsed

    return Outcome(status, response if problem else parsed, default_payload)


class Framework(Protocol):
    """What differs between the frameworks."""

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ViewCall:
        """How the view is to be called; what the decorator added to it is taken away."""
        ...

    def outcome(self, returned: Any, call: ViewCall) -> Outcome: ...

    def encoded(self, value: Any) -> Any:
        """Something that `payload` returned, as JSON knows it."""
        ...

    def emitter(self, call: ViewCall) -> Emitter:
        """The one that the application is configured with."""
        ...

    def is_async(self, view: Callable[..., Any]) -> bool: ...

    async def in_thread(self, function: Callable[[], None]) -> None:
        """Call a function that waits for the network from a coroutine."""
        ...

    def defers(self, send: Callable[[], None]) -> bool:
        """Whether `send` will be called once what a sync view did is safe, and so not now."""
        ...

    def completes(self, returned: Any, act: Callable[[], None]) -> bool:
        """Whether `act` will be called when what the view returned has its content."""
        ...


class _Chosen(Generic[T]):
    """A function of the user's, or nothing."""

    def __init__(self, function: OfResult[T]) -> None:
        self._function = cast("Callable[..., T]", function)
        self._takes_call = _takes_two(self._function)

    def __call__(self, result: Any, call: ViewCall) -> T:
        return self._function(result, call) if self._takes_call else self._function(result)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):  # takes one, or is a builtin that does not tell
        return False
    return True


class EmitRule:
    """The arguments of `emit_webhook`."""

    def __init__(
        self,
        framework: Framework,
        event_name: str,
        *,
        app: str | OfResult[str] | None,
        when: OfResult[bool] | None,
        payload: OfResult[Any] | None,
        wait: bool,
        emitter: EmitterSource,
        raise_errors: bool,
    ) -> None:
        self._framework = framework
        self._event_name = event_name
        self._app = app if app is None or isinstance(app, str) else _Chosen(app)
        self._when = None if when is None else _Chosen(when)
        self._payload = None if payload is None else _Chosen(payload)
        self._wait = wait
        self._emitter = emitter
        self._raises = raise_errors

    def decorate(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """The view, which publishes once it has succeeded. Coroutine functions stay such."""
        if self._framework.is_async(view):
            return self._decorate_async(view)

        @wraps(view)
        def emitting(*args: Any, **kwargs: Any) -> Any:
            call = self._framework.call(args, kwargs)
            returned = view(*call.args, **call.kwargs)
            publish = partial(self._publish, returned, call)
            if not self._framework.completes(returned, publish):
                publish()
            return returned

        return emitting

    def _decorate_async(self, view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        async def emitting(*args: Any, **kwargs: Any) -> Any:
            call = self._framework.call(args, kwargs)
            returned = await view(*call.args, **call.kwargs)
            if self._framework.completes(returned, partial(self._publish, returned, call)):
                return returned
            send = self._prepared(returned, call)
            if send is not None:
                await self._run(send)
            return returned

        return emitting

    def _publish(self, returned: Any, call: ViewCall) -> None:
        send = self._prepared(returned, call, self._framework.defers)
        if send is not None:
            send()

    async def _run(self, send: Callable[[], None]) -> None:
        if self._wait:
            await self._framework.in_thread(send)
        else:
            send()

    def _prepared(
        self,
        returned: Any,
        call: ViewCall,
        defers: Callable[[Callable[[], None]], bool] = lambda _: False,
    ) -> Callable[[], None] | None:
        """What publishes the view's event now. None when nothing does, or that failed already."""
        if returned is None:
            return None
        outcome = self._framework.outcome(returned, call)
        if outcome.status >= 400:
            return None
        emitter: Emitter | None = None
        try:
            emitter = self._emitter_for(call)
            send = self._sender(outcome, call, emitter)
            return None if send is None or defers(send) else send
        except Exception as error:  # noqa: BLE001 - reported: the view has succeeded
            self._failed(emitter, EmitFailure(self._event_name, error))
            return None

    def _emitter_for(self, call: ViewCall) -> Emitter:
        if self._emitter is None:
            return self._framework.emitter(call)
        made = self._emitter() if callable(self._emitter) else self._emitter
        if not isinstance(cast("object", made), Emitter):
            raise EmitError(
                f"emitter=… is an Emitter or a function that gives one, not {made!r:.100}"
            )
        return made

    def _sender(
        self, outcome: Outcome, call: ViewCall, emitter: Emitter
    ) -> Callable[[], None] | None:
        if self._when is not None and not self._when(outcome.result, call):
            return None
        if self._payload is None:
            payload = outcome.default_payload()
        else:
            if outcome.check is not None:
                outcome.check()
            payload = self._framework.encoded(self._payload(outcome.result, call))
        if payload is None:
            return None
        if not isinstance(payload, Mapping):
            raise EmitError(
                f"the payload of {self._event_name} is a {type(payload).__name__}, not a JSON "
                "object; make one with payload=…"
            )
        app = self._app_of(outcome, call)
        return partial(self._send, emitter, cast("Mapping[str, Any]", payload), app)

    def _app_of(self, outcome: Outcome, call: ViewCall) -> str | None:
        if not isinstance(self._app, _Chosen):
            return self._app
        app = self._app(outcome.result, call)
        if isinstance(cast("object", app), str) and app:
            return app
        # Never the emitter's own app instead: the event may be another tenant's.
        raise EmitError(f"app=… gave {app!r:.100} for {self._event_name}, not the slug of an app")

    def _send(self, emitter: Emitter, payload: Mapping[str, Any], app: str | None) -> None:
        act = emitter.publish if self._wait else emitter.enqueue
        try:
            act(self._event_name, payload, app=app)
        except Exception as error:  # noqa: BLE001 - reported: the view has succeeded
            self._failed(emitter, EmitFailure(self._event_name, error, app, payload))

    def _failed(self, emitter: Emitter | None, failure: EmitFailure) -> None:
        if emitter is None:
            log_failure(failure)
        else:
            emitter.report(failure)
        if self._raises:
            raise failure.error
