"""The command `hookwright-conformance`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from hookwright_conformance import __version__, requirements
from hookwright_conformance.case import all_cases
from hookwright_conformance.errors import TargetError
from hookwright_conformance.target import PROFILES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except TargetError as error:
        sys.stderr.write(f"hookwright-conformance: {error}\n")
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hookwright-conformance",
        description="Checks, requirement by requirement, whether an implementation of Hookwright's "
        "openapi.yaml behaves as documented.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add_command in (_add_server, _add_list, _add_vectors, _add_selftest):
        add_command(commands.add_parser)
    return parser


_AddParser = Callable[..., argparse.ArgumentParser]


def _add_server(add: _AddParser) -> None:
    server = add(
        "server",
        help="check a running server",
        description="Runs the cases against the server that target.yaml describes. Exit status: "
        "0 it conforms, 1 a MUST is broken, 2 nothing could be tested.",
    )
    server.add_argument("--target", type=Path, required=True, metavar="FILE", help="target.yaml")
    server.add_argument("--base-url", default="", metavar="URL", help="overrides base_url")
    server.add_argument(
        "--profile",
        action="append",
        default=[],
        choices=PROFILES,
        help="only this claimed profile; may be repeated",
    )
    server.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        help="only this case, or all of a group (`retries`); may be repeated",
    )
    server.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write junit.xml and report.json there"
    )
    server.add_argument(
        "--parallel", type=int, default=8, metavar="N", help="cases at the same time (default 8)"
    )
    server.add_argument("--spec", type=Path, metavar="FILE", help="another openapi.yaml")
    server.set_defaults(run=_server)


def _add_list(add: _AddParser) -> None:
    listing = add(
        "list",
        help="show cases and requirements",
        description="Every requirement with its cases, or with the reason why none observes it.",
    )
    listing.set_defaults(run=_list)


def _add_vectors(add: _AddParser) -> None:
    vectors = add(
        "vectors",
        help="print or write the signature vectors",
        description="Machine-readable Standard Webhooks vectors, computed with openssl: what a "
        "verifier must accept, and one refusal for each reason.",
    )
    vectors.add_argument("--out", type=Path, metavar="FILE", help="write them to a file")
    vectors.set_defaults(run=_vectors)


def _add_selftest(add: _AddParser) -> None:
    selftest = add(
        "selftest",
        help="prove the suite with broken implementations",
        description="Runs the suite against a sound implementation and against mutants of it: each "
        "must die by the cases that name it, while at least 80 %% of the others pass.",
    )
    selftest.add_argument("--target", type=Path, required=True, metavar="FILE", help="target.yaml")
    selftest.add_argument(
        "--launcher",
        required=True,
        metavar="COMMAND",
        help="`COMMAND NAME` starts a mutant (`none`: the sound one), prints one JSON line with "
        "base_url and environment when it is ready, and ends when its standard input closes",
    )
    selftest.add_argument(
        "--mutant",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; may be repeated",
    )
    selftest.set_defaults(run=_selftest)


def _server(options: argparse.Namespace) -> int:
    # pytest is asked to load no plugins but ours before it is imported.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    from hookwright_conformance.run import Options, run

    return run(
        Options(
            target=options.target,
            base_url=options.base_url,
            profiles=tuple(options.profile),
            only=tuple(options.only),
            report=options.report,
            parallel=options.parallel,
            spec=options.spec,
        )
    )


def _list(_: argparse.Namespace) -> int:
    listed = requirements.load()
    cases = all_cases()
    for requirement in listed.by_id.values():
        sys.stdout.write(f"{requirement.id} ({requirement.level}) {requirement.sentence}\n")
        mine = [case for case in cases if case.requirement is requirement]
        for case in mine:
            sys.stdout.write(f"    {case.id} [{case.profile}] {case.summary}\n")
        if not mine:
            reason = listed.unobserved_requirements[requirement.id]
            sys.stdout.write(f"    not observed: {reason}\n")
    return 0


def _vectors(options: argparse.Namespace) -> int:
    source = files("hookwright_conformance") / "vectors" / "signature.json"
    text = source.read_text(encoding="utf-8")
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


def _selftest(options: argparse.Namespace) -> int:
    from hookwright_conformance.selftest import selftest

    proven = True
    for autopsy in selftest(options.launcher, options.target, options.mutant):
        sys.stdout.write(autopsy.line() + "\n")
        sys.stdout.flush()
        proven = proven and autopsy.proven
    return 0 if proven else 1
