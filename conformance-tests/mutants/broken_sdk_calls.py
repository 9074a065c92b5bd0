"""Mutants of the Python SDK: what it sends, and what it makes of answers."""

# ruff: noqa: INP001 - sdk_driver.py stands in this folder

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from replacing import replace, sound_one

from hookwright import conformance_driver, models
from hookwright._core import bodies, call, exchange, problems, settings, transport
from hookwright._core.call import Call
from hookwright._core.deadline import Deadline
from hookwright._core.model import Model
from hookwright._core.wire import Reply, WireRequest
from hookwright._generated import models as generated
from hookwright.errors import APIResponseError

Prepared = tuple[WireRequest, str | None]


def _change_requests(change: Callable[[WireRequest], WireRequest]) -> None:
    """Have every request changed before it is sent."""
    sound = sound_one(exchange, "_prepare")

    def prepare(*arguments: Any) -> Prepared:
        request, key = sound(*arguments)
        return change(request), key

    replace(exchange, "_prepare", prepare)


def _change_headers(change: Callable[[dict[str, str]], None]) -> None:
    def changed(request: WireRequest) -> WireRequest:
        headers = dict(request.headers)
        change(headers)
        return dataclasses.replace(request, headers=headers)

    _change_requests(changed)


def _change_models(change: Callable[[Any], None]) -> None:
    """Have every decoded object changed."""
    for name in generated.__all__:
        model: Any = getattr(models, name)
        if isinstance(model, type) and issubclass(model, Model):
            _change_model(model, change)


def _change_model(model: Any, change: Callable[[Any], None]) -> None:
    sound = model.from_dict

    def from_dict(data: Mapping[str, Any]) -> Any:
        made = sound(data)
        change(made)
        return made

    replace(model, "from_dict", staticmethod(from_dict))


def ends_paths_with_a_slash() -> None:
    """As some servers like it, and this contract does not."""
    sound = sound_one(exchange, "_url")

    def url(base_url: str, made: Call[Any]) -> Any:
        return sound(base_url, dataclasses.replace(made, path=made.path + "/"))

    replace(exchange, "_url", url)


def joins_values_with_commas() -> None:
    """Several values of a query parameter become one."""
    sound = sound_one(call, "_each")

    def each(given: list[str] | str | None) -> Any:
        return (",".join(given),) if isinstance(given, list) else sound(given)

    replace(call, "_each", each)


def keeps_the_key_to_itself() -> None:
    """No request is authorised."""
    _change_headers(lambda headers: headers.__delitem__("authorization"))


def says_nothing_of_itself() -> None:
    """The User-Agent is the HTTP library's."""
    _change_headers(lambda headers: headers.__setitem__("user-agent", "python-httpx"))


def leaves_out_nulls() -> None:
    """What was given as null is not sent."""
    sound = sound_one(exchange, "_encoded")

    def encoded(body: Any) -> Any:
        return sound({name: value for name, value in body.items() if value is not None})

    replace(exchange, "_encoded", encoded)


def knows_no_script_but_latin() -> None:
    """Bodies are written in Latin-1."""

    def encoded(body: Any) -> bytes:
        return json.dumps(body, ensure_ascii=False).encode("latin-1", "replace")

    replace(exchange, "_encoded", encoded)


def writes_queries_as_they_are() -> None:
    """Nothing in a query is escaped."""

    def url(base_url: str, made: Call[Any]) -> str:
        query = "&".join(f"{name}={value}" for name, value in made.query)
        return f"{base_url}{made.path}?{query}" if query else base_url + made.path

    replace(exchange, "_url", url)


def writes_paths_as_they_are() -> None:
    """Nothing in a path is escaped or refused."""

    def segment(_: str, value: object) -> str:
        return str(value)

    replace(call, "_segment", segment)


def forgets_the_path_of_the_base_url() -> None:
    """Only scheme, host and port are used."""
    sound = sound_one(settings, "_checked_url")

    def checked_url(url: object) -> str:
        parts = urlsplit(str(sound(url)))
        return f"{parts.scheme}://{parts.netloc}"

    replace(settings, "_checked_url", checked_url)


def takes_any_key() -> None:
    """Keys are not looked at."""

    def bearer(key: object) -> str:
        return f"Bearer {key}"

    replace(settings, "_bearer", bearer)


def forgets_the_last_member() -> None:
    """Of whatever an operation returns."""
    sound = sound_one(conformance_driver, "_plain")

    def plain(result: Any) -> Any:
        told = sound(result)
        if told is not None:
            told.popitem()
        return told

    replace(conformance_driver, "_plain", plain)


def drops_what_it_does_not_know() -> None:
    """Members that this version does not list are gone."""
    _change_models(lambda made: made.extra.clear())


def knows_all_values() -> None:
    """A value that an enum does not list is an error."""
    known = {
        "Delivery": ("status", "delivered pending sending failed dead_letter held cancelled"),
        "EndpointHealth": ("state", "healthy degraded failing disabled"),
    }
    for name, (member, values) in known.items():

        def check(made: Any, member: str = member, values: str = values) -> None:
            if getattr(made, member) not in values.split():
                raise ValueError(f"{getattr(made, member)} is no {member}")

        _change_model(getattr(models, name), check)


def remembers_answers() -> None:
    """A GET that succeeded is not sent again."""
    sound = sound_one(transport.SyncTransport, "send")
    known: dict[tuple[int, str], Reply] = {}

    def send(self: transport.SyncTransport, request: WireRequest) -> Any:
        place = (id(self), request.url)
        if request.method != "GET":
            return sound(self, request)
        if place in known:
            return known[place]
        outcome = sound(self, request)
        if isinstance(outcome, Reply) and outcome.is_success:
            known[place] = outcome
        return outcome

    replace(transport.SyncTransport, "send", send)


def follows_redirects() -> None:
    """As HTTP libraries do when they are let."""
    sound = sound_one(httpx.Client, "send")

    def send(self: httpx.Client, *arguments: Any, **options: Any) -> Any:
        return sound(self, *arguments, **{**options, "follow_redirects": True})

    replace(httpx.Client, "send", send)


def takes_what_it_cannot_read() -> None:
    """A success that cannot be understood is nothing."""
    sound = sound_one(exchange, "_decoded")

    def decoded(reply: Reply, decode: Callable[[Any], Any]) -> Any:
        try:
            return sound(reply, decode)
        except APIResponseError:
            return None

    replace(exchange, "_decoded", decoded)


def reads_whatever_comes() -> None:
    """No answer is too large."""
    replace(bodies, "LARGEST_BODY_BYTES", 1 << 40)


def trusts_problems() -> None:
    """What is no success must be a problem document."""
    replace(problems, "_problem", json.loads)


def tells_no_codes() -> None:
    """Errors of the API come without their code."""
    sound = sound_one(conformance_driver, "_error")

    def error(raised: Exception) -> dict[str, Any]:
        return {name: value for name, value in sound(raised).items() if name != "code"}

    replace(conformance_driver, "_error", error)


def tells_no_fields() -> None:
    """Errors of the API come without what is wrong where."""

    def field_errors(_: object) -> tuple[()]:
        return ()

    replace(problems, "_field_errors", field_errors)


def calls_everything_a_timeout() -> None:
    """A connection that breaks is one that takes too long."""

    timed_out = sound_one(transport, "_timed_out")

    def failed(request: WireRequest, _: Exception) -> Any:
        return timed_out(request, "something")

    replace(transport, "_failed", failed)


def waits_without_end() -> None:
    """No timeout counts."""
    _change_requests(lambda request: dataclasses.replace(request, timeout=None))


def waits_for_each_byte_anew() -> None:
    """The timeout is that of one read."""

    def remaining(self: Deadline) -> float:
        return float(self)

    replace(Deadline, "remaining", remaining)


MUTANTS = (
    ends_paths_with_a_slash,
    joins_values_with_commas,
    keeps_the_key_to_itself,
    says_nothing_of_itself,
    leaves_out_nulls,
    knows_no_script_but_latin,
    writes_queries_as_they_are,
    writes_paths_as_they_are,
    forgets_the_path_of_the_base_url,
    takes_any_key,
    forgets_the_last_member,
    drops_what_it_does_not_know,
    knows_all_values,
    remembers_answers,
    follows_redirects,
    takes_what_it_cannot_read,
    reads_whatever_comes,
    trusts_problems,
    tells_no_codes,
    tells_no_fields,
    calls_everything_a_timeout,
    waits_without_end,
    waits_for_each_byte_anew,
)
