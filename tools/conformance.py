"""Runs the conformance suite on everything that this repository claims to conform, side by side.

Each run leaves its reports in out/conformance/NAME/; out/conformance/matrix.html holds all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import conformance_document as document
from conformance_runs import ROOT, RUNS, Run

OUT = ROOT / "out" / "conformance"
SUITE = (sys.executable, "-m", "hookwright_conformance")


class NotThere(Exception):
    """What a run needs does not start here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs and the matrix; 0 when every run conforms."""
    options = _parser().parse_args(arguments)
    chosen = [run for run in RUNS if not options.run or run.folder in options.run]
    out: Path = options.out
    written = document.read() if options.new else {}
    statuses: list[int] = []
    reports: dict[str, Path] = {}
    for run in chosen:
        only = document.missing(run, written) if options.new else []
        if options.new and not only:
            continue
        more = [part for id_ in only for part in ("--only", id_)]
        statuses.append(_make(run, out / run.folder, [*options.suite, *more]))
        if (path := out / run.folder / "report.json").is_file():
            reports[run.folder] = path
    if options.write or options.new:
        document.write(reports)
    if not reports:
        print("Nothing was run, so there is no matrix.", file=sys.stderr)
        return 0 if options.new and not statuses else 2
    matrix = [*SUITE, "matrix", *map(str, reports.values()), "--output", str(out / "matrix.html")]
    subprocess.run([*matrix, "--title", "Hookwright: conformance"], check=True)
    return max(statuses)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [run.folder for run in RUNS]
    parser.add_argument(
        "--run", action="append", default=[], choices=names, help="only this one; may be repeated"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="for the reports")
    parser.add_argument(
        "--write", action="store_true", help="note the verdicts in docs/conformance.json and .md"
    )
    parser.add_argument(
        "--new",
        action="store_true",
        help="run only the cases that docs/conformance.json does not have yet, and note them there",
    )
    parser.add_argument("suite", nargs="*", metavar="ARGUMENT", help="for the suite, behind `--`")
    return parser


def _make(run: Run, folder: Path, more: Sequence[str]) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    print(f"=== {run.name}", flush=True)
    try:
        with ExitStack() as stack:
            environment = dict(os.environ)
            if run.build and subprocess.run(run.build, check=False).returncode != 0:
                raise NotThere(f"{shlex.join(run.build)} failed")
            if run.service:
                service = [sys.executable, str(ROOT / "tools" / "services.py"), run.service]
                told = stack.enter_context(started(service, environment))
                environment[run.service_variable] = told["url"]
            command = [*SUITE, *run.suite, "--name", run.name, "--report", str(folder), *more]
            if run.launcher:
                announced = stack.enter_context(started(run.launcher, environment))
                command += ["--base-url", announced["base_url"]]
                environment |= announced["environment"]
            return subprocess.run(command, env=environment, check=False).returncode
    except NotThere as missing:
        print(f"NOT RUN: {missing}", file=sys.stderr)
        return 1 if os.environ.get("REQUIRE_SERVICES") == "1" else 0


@contextmanager
def started(command: Sequence[str], environment: dict[str, str]) -> Generator[dict[str, Any]]:
    """What a command announces in its first line; it ends with the block. Raises NotThere."""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise NotThere("no pipes")
        line = process.stdout.readline()
        if not line:
            raise NotThere(f"{' '.join(command)} ended with {process.wait()} before it was ready")
        try:
            yield json.loads(line)
        finally:
            process.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
