#!/usr/bin/env python3
"""The Python SDK's driver, sound or with one mutant: `python mutants/sdk_driver.py NAME`.

What `hookwright-conformance selftest --driver` expects. Each mutant replaces one thing of the SDK,
or of its driver, and is named as in the `kills` of cases.
"""

from __future__ import annotations

import sys

import broken_sdk_calls
import broken_sdk_pages
import broken_sdk_tries
import broken_sdk_webhooks

from hookwright import conformance_driver

SOUND = "none"
MUTANTS = {
    function.__name__.replace("_", "-"): function
    for module in (broken_sdk_calls, broken_sdk_pages, broken_sdk_tries, broken_sdk_webhooks)
    for function in module.MUTANTS
}


def main(mutant: str) -> int:
    """Break what is to be broken, then be the driver. Raises KeyError for an unknown mutant."""
    if mutant != SOUND:
        MUTANTS[mutant]()
    return conformance_driver.main(["--flavour", "sync"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
