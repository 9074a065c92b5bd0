"""How long a used-up quota is waited for."""

from __future__ import annotations

import pytest

from hookwright_conformance.errors import Unmet
from hookwright_conformance.route import Response, wait_asked_for

DATE: tuple[str, str] = ("Date", "Sun, 22 Nov 2026 10:00:00 GMT")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (None, 1),
        ("0", 0),
        ("17", 17),
        ("Sun, 22 Nov 2026 10:00:05 GMT", 5),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
    ],
)
def test_retry_after_in_both_forms(told: str | None, seconds: float) -> None:
    """A date counts from the answer's own, whatever clock the suite has."""
    headers = [DATE, *([] if told is None else [("Retry-After", told)])]

    assert seconds == wait_asked_for(Response(429, headers, b""))


@pytest.mark.parametrize("told", ["soon", "-1", "1.5", "Sun, 22 Nov 2026 10:00:05"])
def test_any_other_retry_after_is_told(told: str) -> None:
    """As an observation, so that it fails a case and not the suite."""
    with pytest.raises(Unmet, match="Retry-After: expected whole seconds or an HTTP date"):
        wait_asked_for(Response(429, [DATE, ("Retry-After", told)], b""))
