"""From rendered text to files: format, stamp, replace whole folders, or compare."""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hookwright_codegen.errors import GenerationError
from hookwright_codegen.templating import LINE_LENGTH, STAMP


@dataclass(frozen=True, slots=True)
class Output:
    """What one target makes. `folders` are replaced whole; `files` are paths from the root."""

    folders: tuple[str, ...]
    files: Mapping[str, str]


def finish(outputs: Iterable[Output]) -> list[Output]:
    """Stamp and format what the targets rendered.

    Raises:
        GenerationError: the rendered source is not valid Python.
    """
    return [Output(output.folders, _formatted(output.files)) for output in outputs]


def write(root: Path, outputs: Iterable[Output]) -> None:
    """Put finished outputs in place. Files of an earlier run that are made no more disappear."""
    for output in outputs:
        for folder in output.folders:
            shutil.rmtree(root / folder, ignore_errors=True)
        for name, text in output.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def differences(root: Path, outputs: Iterable[Output]) -> Iterator[str]:
    """Unified diffs between the committed files and finished outputs; none when they agree."""
    for output in outputs:
        present = {
            str(path.relative_to(root)): path.read_text(encoding="utf-8")
            for path in _existing(root, output)
        }
        for name in sorted(present.keys() | output.files.keys()):
            before, after = present.get(name), output.files.get(name)
            if before != after:
                yield "".join(
                    difflib.unified_diff(
                        (before or "").splitlines(keepends=True),
                        (after or "").splitlines(keepends=True),
                        f"{name} (committed)" if before is not None else "/dev/null",
                        f"{name} (generated)" if after is not None else "/dev/null",
                    )
                )


def _existing(root: Path, output: Output) -> Iterator[Path]:
    for folder in output.folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    for name in output.files:
        if not any(name.startswith(f"{folder}/") for folder in output.folders):
            path = root / name
            if path.is_file():
                yield path


def _formatted(files: Mapping[str, str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            stamped = f"{STAMP}\n{text}" if name.endswith(".py") else text
            path.write_text(stamped, encoding="utf-8")
        # Templates import what they might need; what is unused goes.
        _ruff(folder, "check", "--quiet", "--fix", "--select", "I,F401,UP037")
        _ruff(folder, "format", "--quiet")
        return {name: Path(folder, name).read_text(encoding="utf-8") for name in sorted(files)}


def _ruff(folder: str, command: str, *options: str) -> None:
    settings = (
        f"line-length = {LINE_LENGTH}",
        'target-version = "py311"',
        'lint.isort.known-first-party = ["hookwright", "hookwright_server"]',
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            command,
            "--isolated",
            "--no-cache",
            *(part for setting in settings for part in ("--config", setting)),
            *options,
            ".",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise GenerationError([f"ruff {command} refused the output:\n{done.stdout}{done.stderr}"])
