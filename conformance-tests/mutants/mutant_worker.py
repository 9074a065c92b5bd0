"""The worker process of a mutant: `launch.py` names this module instead of the server's wiring.

Each mutant replaces one collaborator and then has the server built as always. Its name is the one
that cases give in `kills`.
"""

# ruff: noqa: INP001 - launch.py puts this folder on the path

from __future__ import annotations

import os

import broken_api
import broken_decisions
import broken_sending
from flask import Flask

from hookwright_server import wiring

MUTANTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        broken_api.framework_errors_as_html,
        broken_api.leaks_foreign_rows,
        broken_api.loses_the_idempotency_key,
        broken_api.reserialises_the_payload,
        broken_decisions.gone_does_not_disable,
        broken_decisions.ignores_retry_after,
        broken_decisions.never_retries_5xx,
        broken_decisions.never_retries_network_errors,
        broken_decisions.retries_4xx_forever,
        broken_decisions.retries_too_early,
        broken_sending.begins_a_trace_of_its_own,
        broken_sending.follows_redirects,
        broken_sending.ignores_the_total_deadline,
        broken_sending.new_webhook_id_per_attempt,
        broken_sending.signs_an_empty_body,
        broken_sending.stale_timestamp_on_retries,
    )
}


def worker_app() -> Flask:
    """The server's WSGI application, with the mutant that the environment names."""
    MUTANTS[os.environ["HOOKWRIGHT_MUTANT"]]()
    return wiring.worker_app()
