"""vectors/retry.json: what follows an attempt, for deliveries and for calls of the API."""

# ruff: noqa: INP001 - make_vectors.py stands beside it

from __future__ import annotations

from typing import Any

from vector_signature import NOW, Vector

ABOUT = (
    "What follows an attempt. `of` is `delivery` (a webhook of the server; `policy` is the "
    "endpoint's, null the default; `attempt` counts from 1) or `call` (a request to the API by "
    "`method`, with or without an idempotency key). `outcome` is an answer with `status`, `code` "
    "and `headers`, or `no_answer`. `verdict` is `retry`, from `not_before_seconds` up to "
    "`not_after_seconds` after the outcome at Unix time `now` (for a call, null: the client's own "
    "backoff decides), or `final`, with a `reason`."
)
_BEHAVIOUR = "docs/behaviour/retries.md"
_OUTCOMES = "docs/behaviour/outcomes.md"
_CODES = "openapi.yaml, components/schemas/ErrorCode"
_RFC = "https://www.rfc-editor.org/rfc/rfc9110"
QUICK: dict[str, Any] = {"delays_seconds": [2, 7], "jitter": 0}
DAY = 86_400


def vectors() -> list[Vector]:
    """All entries."""
    return [*_schedules(), *_answers(), *_waits(), *_calls()]


def _schedules() -> list[Vector]:
    default = (5, 30, 120, 900, 3_600, 14_400, 36_000, 86_400, 129_600)
    jitter = 1.2
    made = [
        _delivery(
            f"the default schedule, after attempt {number}",
            _answer(500),
            (wait, wait * jitter),
            f"{_BEHAVIOUR} RETRY-7, RETRY-6",
            policy=None,
            attempt=number,
        )
        for number, wait in enumerate(default, 1)
    ]
    return [
        *made,
        _delivery(
            "the default schedule, after the last attempt",
            _answer(500),
            "attempts_used",
            f"{_BEHAVIOUR} RETRY-7",
            policy=None,
            attempt=10,
        ),
        _delivery("waits of one's own, the first", _answer(500), (2, 2), f"{_BEHAVIOUR} RETRY-4"),
        _delivery(
            "waits of one's own, the second",
            _answer(500),
            (7, 7),
            f"{_BEHAVIOUR} RETRY-4",
            attempt=2,
        ),
        _delivery(
            "waits of one's own, used up",
            _answer(500),
            "attempts_used",
            f"{_BEHAVIOUR} RETRY-4",
            attempt=3,
        ),
        _delivery(
            "more attempts than waits: the last is repeated",
            _answer(500),
            (7, 7),
            f"{_BEHAVIOUR} RETRY-13",
            policy={**QUICK, "max_attempts": 5},
            attempt=4,
        ),
        _delivery(
            "fewer attempts than waits",
            _answer(500),
            "attempts_used",
            f"{_BEHAVIOUR} RETRY-13",
            policy={**QUICK, "max_attempts": 2},
            attempt=2,
        ),
        _delivery(
            "the preset none",
            _answer(500),
            "attempts_used",
            f"{_BEHAVIOUR} RETRY-8",
            policy={"preset": "none"},
        ),
        _delivery(
            "jitter lengthens",
            _answer(500),
            (2, 3),
            f"{_BEHAVIOUR} RETRY-6",
            policy={**QUICK, "jitter": 0.5},
        ),
    ]


def _answers() -> list[Vector]:
    forgiving = {**QUICK, "retry_client_errors": True}
    source = f"{_OUTCOMES} OUTCOME-"
    return [
        *(
            _delivery(f"a delivery answered {status}", _answer(status), "done", f"{source}1")
            for status in (200, 204, 299)
        ),
        *(
            _delivery(f"a delivery answered {status}", _answer(status), (2, 2), f"{source}3")
            for status in (408, 409, 425, 429, 500, 502, 503, 504)
        ),
        *(
            _delivery(
                f"a delivery answered {status}", _answer(status), "permanent_status", f"{source}2"
            )
            for status in (400, 401, 404, 422)
        ),
        *(
            _delivery(f"a delivery answered {status}", _answer(status), (2, 2), f"{source}6")
            for status in (301, 302, 308)
        ),
        _delivery("a delivery answered 410", _answer(410), "gone", f"{source}4"),
        _delivery("no answer to a delivery", _NOTHING, (2, 2), f"{_BEHAVIOUR} RETRY-3"),
        _delivery(
            "client errors that are retried", _answer(404), (2, 2), f"{source}10", policy=forgiving
        ),
        _delivery(
            "gone although they are retried", _answer(410), "gone", f"{source}10", policy=forgiving
        ),
    ]


def _waits() -> list[Vector]:
    source = f"{_BEHAVIOUR} RETRY-5; {_RFC}#section-10.2.3"
    dated = {
        "a date in 60 s": ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        "a date that is over": ("Fri, 31 Dec 1999 23:59:59 GMT", 2),
    }
    return [
        _delivery(
            f"Retry-After: {name}",
            _answer(503, {"retry-after": value}),
            (wait, wait),
            source,
        )
        for name, (value, wait) in {
            "120, as in RFC 9110": ("120", 120),
            "less than the schedule": ("1", 2),
            "0": ("0", 2),
            "30 days, of which one counts": (str(30 * DAY), DAY),
            "nonsense": ("soon", 2),
            "a negative number": ("-5", 2),
            **dated,
        }.items()
    ]


def _calls() -> list[Vector]:
    safe, repeated = f"{_RFC}#section-9.2.2", "docs/behaviour/idempotency.md IDEM-1"
    return [
        _call("GET, 503", "GET", _answer(503, code="unavailable"), None, f"{_CODES}; {safe}"),
        _call("GET, 500", "GET", _answer(500, code="internal_error"), None, safe),
        _call("GET, 502 of a proxy", "GET", _answer(502), None, safe),
        _call("GET, no answer", "GET", _NOTHING, None, safe),
        _call("DELETE, no answer", "DELETE", _NOTHING, None, safe),
        _call("GET, 429", "GET", _answer(429, {"retry-after": "7"}, "rate_limited"), 7, _CODES),
        _call("GET, 408", "GET", _answer(408, code="request_timeout"), None, _CODES),
        _call(
            "GET, 503 with a date",
            "GET",
            _answer(503, {"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, "unavailable"),
            9,
            f"{_RFC}#section-10.2.3",
        ),
        _call("POST with a key, 503", "POST", _answer(503), None, repeated, key=True),
        _call("POST with a key, no answer", "POST", _NOTHING, None, repeated, key=True),
        _call(
            "POST with a key, the first is still running",
            "POST",
            _answer(409, {"retry-after": "1"}, "idempotency_in_progress"),
            1,
            f"docs/behaviour/idempotency.md IDEM-9; {_CODES}",
            key=True,
        ),
        _call("POST without a key, 503", "POST", _answer(503), "not_repeatable", safe),
        _call("POST without a key, no answer", "POST", _NOTHING, "not_repeatable", safe),
        *(
            _call(f"GET, {status}", "GET", _answer(status, code=code), "permanent_status", _CODES)
            for status, code in (
                (400, "validation_error"),
                (401, "unauthorized"),
                (403, "forbidden"),
                (404, "not_found"),
            )
        ),
        _call(
            "POST with a key, another conflict",
            "POST",
            _answer(409, code="slug_taken"),
            "permanent_status",
            _CODES,
            key=True,
        ),
        _call(
            "POST with a key, 422",
            "POST",
            _answer(422, code="idempotency_key_reused"),
            "permanent_status",
            "docs/behaviour/idempotency.md IDEM-2",
            key=True,
        ),
        _call("GET, a redirect", "GET", _answer(302), "permanent_status", f"{_RFC}#section-15.4"),
        _call("GET, 200", "GET", _answer(200), "done", f"{_RFC}#section-15.3"),
    ]


_NOTHING: Vector = {"no_answer": True}


def _answer(status: int, headers: dict[str, str] | None = None, code: str | None = None) -> Vector:
    return {"status": status, "headers": headers or {}, "code": code}


def _delivery(
    name: str,
    outcome: Vector,
    follows: tuple[float, float] | str,
    source: str,
    *,
    policy: dict[str, Any] | None = QUICK,
    attempt: int = 1,
) -> Vector:
    retry = None if isinstance(follows, str) else follows
    return {
        "name": name,
        "of": "delivery",
        "now": NOW,
        "policy": policy,
        "attempt": attempt,
        "outcome": outcome,
        "verdict": "final" if retry is None else "retry",
        "reason": follows if retry is None else None,
        "not_before_seconds": None if retry is None else retry[0],
        "not_after_seconds": None if retry is None else retry[1],
        "published": {"source": source},
    }


def _call(
    name: str,
    method: str,
    outcome: Vector,
    follows: float | str | None,
    source: str,
    *,
    key: bool = False,
) -> Vector:
    final = isinstance(follows, str)
    return {
        "name": name,
        "of": "call",
        "now": NOW,
        "method": method,
        "has_idempotency_key": key,
        "outcome": outcome,
        "verdict": "final" if final else "retry",
        "reason": follows if final else None,
        "not_before_seconds": None if final else follows,
        "published": {"source": source},
    }
