"""The command `hookwright`: publish, look after endpoints, watch deliveries, check signatures.

It comes with the extra `hookwright[cli]` and uses the public client only, so it works with every
server of the contract.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command with the arguments of this process, and end the process."""
    try:
        from hookwright.cli.program import program
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f"hookwright: the command needs {error.name}: pip install 'hookwright[cli]'")
    program(prog_name="hookwright")
