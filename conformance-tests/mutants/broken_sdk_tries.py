"""Mutants of the Python SDK: when it tries again, with which key, and what a call may override."""

# ruff: noqa: INP001 - sdk_driver.py stands in this folder

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from replacing import replace, sound_one

from hookwright._core import exchange, problems, retry
from hookwright._core.call import UNSET, Call
from hookwright._core.exchange import Exchange
from hookwright._core.idempotency import HEADER
from hookwright._core.settings import Settings
from hookwright._core.wire import Reply
from hookwright.errors import APIConnectionError

Random = Callable[[], float]
_LONGEST_S = 120


def _judge_answers(is_transient: Callable[[int, str | None, bool], bool]) -> None:
    """Have another say about which answers pass; the last argument is the sound verdict."""
    sound = sound_one(retry, "is_transient")

    def judge(status_code: int, code: str | None) -> bool:
        return is_transient(status_code, code, sound(status_code, code))

    replace(retry, "is_transient", judge)


def never_repeats_after_an_answer() -> None:
    """Only connections that break are a reason."""
    _judge_answers(lambda status, code, sound: False)


def repeats_after_500_alone() -> None:
    """502, 503 and 504 are final."""
    _judge_answers(lambda status, _, sound: sound and status <= 500)


def knows_no_409_that_passes() -> None:
    """All 409 are final."""
    _judge_answers(lambda status, _, sound: sound and status != 409)


def repeats_whatever_failed() -> None:
    """No answer is final."""
    _judge_answers(lambda status, code, sound: True)


def gives_up_when_connections_break() -> None:
    """Only answers are a reason."""
    sound = sound_one(Exchange, "_delay_after")

    def delay_after(self: Exchange, outcome: Reply | APIConnectionError) -> float | None:
        delay = sound(self, outcome)
        return delay if isinstance(outcome, Reply) else None

    replace(Exchange, "_delay_after", delay_after)


def repeats_once_too_often() -> None:
    """One more than allowed."""
    sound = sound_one(exchange, "_retries")

    def retries(call: Call[Any], settings: Settings) -> Any:
        return sound(call, settings) + 1

    replace(exchange, "_retries", retries)


def hears_no_max_retries_of_a_call() -> None:
    """What the client says holds for all calls."""

    def retries(_: Call[Any], settings: Settings) -> int:
        return settings.max_retries

    replace(exchange, "_retries", retries)


def knows_one_timeout() -> None:
    """What the client says holds for all calls."""
    sound = sound_one(exchange, "_prepare")

    def prepare(call: Call[Any], *others: Any) -> Any:
        options = dataclasses.replace(call.options, timeout=UNSET)
        return sound(dataclasses.replace(call, options=options), *others)

    replace(exchange, "_prepare", prepare)


def _change_waits(change: Callable[[float | None], float | None]) -> None:
    """Have another Retry-After reach the schedule."""
    sound = sound_one(retry, "delay_seconds")

    def delay_seconds(done: int, retry_after: float | None, random: Random) -> Any:
        return sound(done, change(retry_after), random)

    replace(retry, "delay_seconds", delay_seconds)


def ignores_retry_after() -> None:
    """The schedule alone counts."""
    _change_waits(lambda _: None)


def repeats_sooner_than_asked() -> None:
    """Who asks for more than two minutes is not heard."""
    _change_waits(lambda asked: asked if asked is None or asked <= _LONGEST_S else None)


def reads_no_dates() -> None:
    """Retry-After is a number or nothing."""
    sound = sound_one(problems, "retry_after_seconds")

    def retry_after_seconds(value: str | None, now: float) -> float | None:
        return sound(value, now) if (value or "").isdigit() else None

    replace(problems, "retry_after_seconds", retry_after_seconds)


def forgets_that_it_may_have_deleted() -> None:
    """A 404 is an error, whatever came before."""

    def is_gone(*_: object) -> bool:
        return False

    replace(Exchange, "_is_gone", is_gone)


MakeKey = Callable[[], str]


def _change_keys(change: Callable[[Call[Any], MakeKey, str | None], str | None]) -> None:
    """Have another Idempotency-Key sent; the last argument is the sound one."""
    sound = sound_one(exchange, "key_for")

    def key_for(call: Call[Any], headers: Mapping[str, str], make: MakeKey) -> str | None:
        return change(call, make, sound(call, headers, make))

    replace(exchange, "key_for", key_for)


def sends_no_idempotency_key() -> None:
    """And repeats POSTs all the same."""

    def always(*_: object) -> bool:
        return True

    _change_keys(lambda call, make, sound: None)
    replace(retry, "is_repeatable", always)


def has_one_idempotency_key() -> None:
    """One key for all calls."""
    _change_keys(lambda call, _, sound: call.options.idempotency_key or (sound and "the-only-one"))


def prefers_its_own_keys() -> None:
    """The caller's are not sent."""
    _change_keys(lambda call, make, _: make() if call.idempotent else None)


def makes_a_key_for_each_try() -> None:
    """Which makes a repetition another request."""
    sound = sound_one(Exchange, "begin")
    numbers = itertools.count(1)

    def begin(self: Exchange) -> Any:
        request = sound(self)
        if HEADER not in request.headers:
            return request
        headers = {**request.headers, HEADER: f"try-{next(numbers)}"}
        return dataclasses.replace(request, headers=headers)

    replace(Exchange, "begin", begin)


MUTANTS = (
    never_repeats_after_an_answer,
    repeats_after_500_alone,
    knows_no_409_that_passes,
    repeats_whatever_failed,
    gives_up_when_connections_break,
    repeats_once_too_often,
    hears_no_max_retries_of_a_call,
    knows_one_timeout,
    ignores_retry_after,
    repeats_sooner_than_asked,
    reads_no_dates,
    forgets_that_it_may_have_deleted,
    sends_no_idempotency_key,
    has_one_idempotency_key,
    prefers_its_own_keys,
    makes_a_key_for_each_try,
)
