"""What a first start tells its operator, on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the parent of `serve` wants the name below and nothing else
    from hookwright_server.services.accounts import NewAccount

FORM_VARIABLE = "HOOKWRIGHT_ANNOUNCE"
"""Set to `json` for a worker whose parent was asked for JSON lines."""


def show_account(made: NewAccount, *, as_json: bool) -> None:
    """Print a new account's keys, which nobody can read again."""
    if as_json:
        document = {
            "event": "account_created",
            "account_id": made.account_id,
            "live_key": made.live_key,
            "test_key": made.test_key,
        }
        lines = [json.dumps(document)]
    else:
        lines = [
            f"Made the account {made.account_id}. Its API keys, shown only this once:",
            f"  live  {made.live_key}",
            f"  test  {made.test_key}",
        ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def asked_for_json() -> bool:
    """Whether the parent of this worker prints JSON lines."""
    return os.environ.get(FORM_VARIABLE) == "json"
