"""The command `hookwright-codegen`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hookwright_codegen import ir
from hookwright_codegen.build import build
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.load import load
from hookwright_codegen.targets import python_sdk, reference_docs, server_edge
from hookwright_codegen.write import Output, differences, finish, write

TARGETS: dict[str, Callable[[ir.Api], Output]] = {
    "python_sdk": python_sdk.render,
    "reference_docs": reference_docs.render,
    "server_edge": server_edge.render,
}


def generate(spec: Path, targets: Sequence[str]) -> list[Output]:
    """Everything that the named targets make of one contract, ready to be written.

    Raises:
        GenerationError: the contract cannot be turned into code.
    """
    api = build(load(spec))
    return finish(TARGETS[target](api) for target in targets)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the result is the process's exit status (1: a difference or an error)."""
    options = command_line().parse_args(arguments)
    root: Path = options.root
    spec: Path = options.spec or root / "openapi.yaml"
    try:
        outputs = generate(spec, options.target or list(TARGETS))
    except GenerationError as error:
        for reason in error.reasons:
            sys.stderr.write(f"error: {reason}\n")
        return 1
    if options.check:
        return _check(root, outputs)
    write(root, outputs)
    sys.stdout.write(
        f"wrote {sum(len(output.files) for output in outputs)} files below {root.resolve()}\n"
    )
    return 0


def _check(root: Path, outputs: list[Output]) -> int:
    found = list(differences(root, outputs))
    for difference in found:
        sys.stdout.write(difference)
    if found:
        sys.stderr.write(
            f"error: {len(found)} generated files differ from openapi.yaml; run `make generate`\n"
        )
    return 1 if found else 0


def command_line() -> argparse.ArgumentParser:
    """What the command line may hold."""
    parser = argparse.ArgumentParser(
        prog="hookwright-codegen",
        description="openapi.yaml to the SDKs, the API reference and the server's edge.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("generate", help="rebuild the generated code, or compare it")
    command.add_argument(
        "--check", action="store_true", help="write nothing; print differences and exit 1 on any"
    )
    command.add_argument("--spec", type=Path, help="the contract (default: ROOT/openapi.yaml)")
    command.add_argument(
        "--root", type=Path, default=Path(), help="the repository's folder (default: this one)"
    )
    command.add_argument(
        "--target",
        action="append",
        choices=list(TARGETS),
        help="only this target; may be repeated (default: all)",
    )
    return parser
