"""The command in a process of its own, forked from one that has everything imported.

Whoever runs the suite a hundred times would else spend most of it on imports.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hookwright_conformance.errors import TargetError

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

_PRELOADED = "hookwright_conformance.preloaded"


def run_apart(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path, within_s: float | None
) -> int:
    """Run `hookwright-conformance` with these arguments and this environment; what it writes goes
    to the file `output`. Returns its exit status. Raises TargetError when it takes too long."""
    output.touch()
    process = _context().Process(target=_run, args=(arguments, dict(environment), str(output)))
    process.start()
    process.join(within_s)
    status = process.exitcode
    if status is None:
        process.kill()
        process.join()
        raise TargetError(
            f"the suite did not end within {within_s:g} s: {output.read_text(errors='replace')}"
        )
    return status


@cache
def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


def _run(arguments: Sequence[str], environment: dict[str, str], output: str) -> None:
    from hookwright_conformance.cli import main

    with Path(output).open("wb") as file:
        for handle in (1, 2):
            os.dup2(file.fileno(), handle)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(main(arguments))
