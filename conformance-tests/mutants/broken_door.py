"""Mutants of the front door: it runs in the parent process, which `launch.py` is.

Each takes how the door renders a problem, and returns how it renders it from now on.
"""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

from typing import Any

from replacing import replace

from hookwright_server.http.frontdoor.limits import Limits
from hookwright_server.http.frontdoor.refusal import RefusalCode, RenderProblem


def malformed_http_is_a_500(render: RenderProblem) -> RenderProblem:
    """Whatever the door refuses is an internal error."""

    def internal(_code: RefusalCode, detail: str, request_id: str) -> tuple[int, bytes]:
        return render("internal_error", detail, request_id)

    return internal


def a_stalled_client_is_malformed(render: RenderProblem) -> RenderProblem:
    """Who sends too slowly is told to have sent nonsense."""
    # Not for ten seconds: that the clients are told the wrong thing is all that matters.
    initialise = Limits.__init__

    def hasty(self: Limits, *arguments: Any, **fields: Any) -> None:
        initialise(self, *arguments, **{"head_timeout_s": 1.0, **fields})

    replace(Limits, "__init__", hasty)

    def malformed(code: RefusalCode, detail: str, request_id: str) -> tuple[int, bytes]:
        told: RefusalCode = "validation_error" if code == "request_timeout" else code
        return render(told, detail, request_id)

    return malformed


MUTANTS = {
    function.__name__.replace("_", "-"): function
    for function in (a_stalled_client_is_malformed, malformed_http_is_a_500)
}
