"""The command `hookwright-conformance`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from hookwright_conformance import __version__, matrix, requirements
from hookwright_conformance.case import all_cases
from hookwright_conformance.errors import TargetError
from hookwright_conformance.sdk.case import PROFILES as SDK_PROFILES
from hookwright_conformance.sdk.case import sdk_cases
from hookwright_conformance.target import PROFILES

if TYPE_CHECKING:
    from hookwright_conformance.selftest import Autopsy

VECTORS = ("signature", "retry", "wire", "decode")
_LISTED = ", ".join(VECTORS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = command_line().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (TargetError, OSError) as error:  # OSError: a folder or a program that is none
        sys.stderr.write(f"hookwright-conformance: {error}\n")
        return 2
    return status


def command_line() -> argparse.ArgumentParser:
    """What the command line may hold."""
    parser = argparse.ArgumentParser(
        prog="hookwright-conformance",
        description="Checks, requirement by requirement, whether an implementation of Hookwright's "
        "openapi.yaml behaves as documented.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add_command in (
        _add_server,
        _add_sdk,
        _add_list,
        _add_vectors,
        _add_matrix,
        _add_selftest,
    ):
        add_command(commands.add_parser)
    return parser


_AddParser = Callable[..., argparse.ArgumentParser]


def _add_server(add: _AddParser) -> None:
    server = add(
        "server",
        help="check a running server",
        description="Runs the cases against the server that target.yaml describes. Exit status: "
        "0 it conforms (or what --only chose does), 1 a MUST is broken, 2 nothing could be tested.",
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
        "--report",
        type=Path,
        metavar="FOLDER",
        help="write junit.xml, report.json, report.html and badge.svg there",
    )
    server.add_argument(
        "--name", default="", metavar="TEXT", help="what reports call it (default: its base URL)"
    )
    server.add_argument(
        "--parallel",
        type=_positive,
        default=8,
        metavar="N",
        help="cases at the same time (default 8)",
    )
    server.add_argument(
        "--keep",
        action="store_true",
        help="leave the apps and keys that the cases make, so that a failure's last request can be "
        "repeated",
    )
    server.add_argument(
        "--repeat",
        type=_positive,
        default=1,
        metavar="N",
        help="run each case N times; it passes when it does every time (default 1)",
    )
    server.add_argument("--spec", type=Path, metavar="FILE", help="another openapi.yaml")
    server.set_defaults(run=_server)


def _add_sdk(add: _AddParser) -> None:
    sdk = add(
        "sdk",
        help="check an SDK by its driver",
        description="Runs the cases for SDKs through a driver: a program that takes commands as "
        "JSON Lines. Exit status: 0 it conforms (or what --only chose does), 1 a MUST is broken, "
        "2 nothing could be tested.",
    )
    what = sdk.add_mutually_exclusive_group(required=True)
    what.add_argument("--driver", type=_command, metavar="COMMAND", help="starts the driver")
    what.add_argument(
        "--protocol", action="store_true", help="print the JSON Schema of the driver's protocol"
    )
    sdk.add_argument(
        "--profile",
        action="append",
        default=[],
        choices=SDK_PROFILES,
        help="only this claimed profile; may be repeated",
    )
    sdk.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        help="only this case, or all of a group (`sdk-retries`); may be repeated",
    )
    sdk.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="write junit.xml, report.json, report.html and badge.svg there",
    )
    sdk.add_argument(
        "--name", default="", metavar="TEXT", help="what reports call it (default: as it does)"
    )
    sdk.add_argument(
        "--parallel",
        type=_positive,
        default=4,
        metavar="N",
        help="drivers at the same time (default 4)",
    )
    sdk.add_argument(
        "--known-failures",
        type=Path,
        metavar="FILE",
        help="a YAML list of cases that are known to fail, with reasons, as in target.yaml",
    )
    sdk.add_argument("--spec", type=Path, metavar="FILE", help="another openapi.yaml")
    sdk.set_defaults(run=_sdk)


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
        help="print or write the test vectors",
        description="Machine-readable vectors for whoever implements a receiver, a client or a "
        "server: signatures, whole requests, what bodies mean, and when to try again. Each has a "
        "verdict, a reason, and where it comes from: a publication, or an openssl command.",
    )
    vectors.add_argument("names", nargs="*", metavar="NAME", help=f"{_LISTED} (default: all)")
    vectors.add_argument("--out", type=Path, metavar="FOLDER", help="write NAME.json there")
    vectors.set_defaults(run=_vectors)


def _add_matrix(add: _AddParser) -> None:
    several = add(
        "matrix",
        help="put the reports of several runs side by side",
        description="Writes one HTML page from the report.json of several runs: requirements by "
        "profile, a column for each run, and what every failure saw. It needs no network.",
    )
    several.add_argument("reports", type=Path, nargs="+", metavar="REPORT.JSON")
    several.add_argument("--output", type=Path, required=True, metavar="FILE", help="matrix.html")
    several.add_argument("--title", default="", metavar="TEXT", help="the page's heading")
    several.set_defaults(run=_matrix)


def _add_selftest(add: _AddParser) -> None:
    selftest = add(
        "selftest",
        help="prove the suite with broken implementations",
        description="Runs the suite against a sound implementation and against mutants of it: each "
        "must die by the cases that name it, while at least 80 %% of the others pass.",
    )
    selftest.add_argument("--target", type=Path, metavar="FILE", help="target.yaml, for servers")
    what = selftest.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--driver",
        type=_command,
        metavar="COMMAND",
        help="`COMMAND NAME` is a driver of an SDK with a mutant (`none`: the sound one)",
    )
    what.add_argument(
        "--launcher",
        type=_command,
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
    _alone()
    from hookwright_conformance.run import Options, run

    return run(
        Options(
            target=options.target,
            base_url=options.base_url,
            profiles=tuple(options.profile),
            only=tuple(options.only),
            report=options.report,
            name=options.name,
            parallel=options.parallel,
            spec=options.spec,
            keep=options.keep,
            rounds=options.repeat,
        )
    )


def _sdk(options: argparse.Namespace) -> int:
    if options.protocol:
        from hookwright_conformance.sdk.driver import schema_text

        sys.stdout.write(schema_text())
        return 0
    _alone()
    from hookwright_conformance.sdk.runner import SdkOptions, run

    return run(
        SdkOptions(
            driver=options.driver,
            profiles=tuple(options.profile),
            only=tuple(options.only),
            report=options.report,
            name=options.name,
            parallel=options.parallel,
            spec=options.spec,
            known_failures=options.known_failures,
        )
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from error
    if not words:
        raise argparse.ArgumentTypeError("the command is empty")
    return text


def _alone() -> None:
    # pytest is asked to load no plugins but ours before it is imported.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)


def _list(_: argparse.Namespace) -> int:
    listed = requirements.load()
    cases = [*all_cases(), *sdk_cases()]
    for requirement in listed.by_id.values():
        sys.stdout.write(f"{requirement.id} ({requirement.level}) {requirement.sentence}\n")
        mine = [case for case in cases if case.requirement is requirement]
        for case in mine:
            needs = f" (needs {case.needs})" if case.needs else ""
            sys.stdout.write(f"    {case.id} [{case.profile}] {case.summary}{needs}\n")
        if not mine:
            reason = listed.unobserved_requirements[requirement.id]
            sys.stdout.write(f"    not observed: {reason}\n")
    return 0


def _vectors(options: argparse.Namespace) -> int:
    names: list[str] = options.names or list(VECTORS)
    unknown = [name for name in names if name not in VECTORS]
    if unknown:
        raise TargetError(f"there are no vectors {', '.join(unknown)}; there are {_LISTED}")
    folder = files("hookwright_conformance") / "vectors"
    texts = {name: (folder / f"{name}.json").read_text(encoding="utf-8") for name in names}
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (options.out / f"{name}.json").write_text(text, encoding="utf-8")
    elif len(texts) == 1:
        sys.stdout.write(texts[names[0]])
    else:
        documents = {name: json.loads(text) for name, text in texts.items()}
        sys.stdout.write(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    return 0


def _matrix(options: argparse.Namespace) -> int:
    reports = [matrix.read(path) for path in options.reports]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(matrix.page(reports, options.title), encoding="utf-8")
    for report in reports:
        for line in report["profiles"]:
            sys.stdout.write(f"{report['name']}: {line}\n")
    sys.stdout.write(f"{options.output}\n")
    return 0


def _selftest(options: argparse.Namespace) -> int:
    proven = True
    for autopsy in _autopsies(options):
        sys.stdout.write(autopsy.line() + "\n")
        sys.stdout.flush()
        proven = proven and autopsy.proven
    return 0 if proven else 1


def _autopsies(options: argparse.Namespace) -> Iterator[Autopsy]:
    from hookwright_conformance.sdk.selftest import sdk_selftest
    from hookwright_conformance.selftest import selftest

    if options.driver is not None:
        return sdk_selftest(options.driver, options.mutant)
    if options.target is None:
        raise TargetError("--launcher starts servers, which --target FILE describes")
    return selftest(options.launcher, options.target, options.mutant)
