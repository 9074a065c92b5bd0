"""The shell's examples in documents: found, and run in a folder where nothing can go wrong.

An indented block holds commands, and so does a fence of a shell; what else a fence holds is told
by its language. tests/test_shell_examples.py runs them. What is not run there stands in `NOT_RUN`,
each with its reason; its program and options are checked all the same (tools/shell_programs.py).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from shell_programs import PROGRAMS, ROOT, Call

DOCUMENTS: Final = ("*.md", "*/README.md", "docs/**/*.md")
INDENTED: Final = "indented"
SHELLS: Final = (INDENTED, "bash", "sh")
# What other fences hold, and who looks at it.
LANGUAGES: Final = {
    "python": "run by tests/test_examples.py",
    "py": "each line stands in a docstring: codegen/tests/test_codegen_reference.py",
    "json": "parsed by tests/test_shell_examples.py; the reference's are the contract's examples",
    "yaml": "parsed by tests/test_shell_examples.py",
    "ts": "compiled and run by `make check-typescript` and `make npm`",
    "js": "a sketch of a driver for an SDK that does not exist",
    "text": "what is printed, or a picture: no command",
}
# By the first words of a command: why a test does not run it.
NOT_RUN: Final = {
    ".ci/run": "it is the run of this test, among others, on a bare machine",
    ".venv/bin/python example.py": "the program above it: tests/test_examples.py runs it",
    "docker": "there may be no Docker; tests/test_repository_image.py looks at the image",
    "hookwright deliveries tail": "it does not end; test_sdk_cli.py of the SDK follows with it",
    "hookwright-conformance matrix": "needs two reports; conformance-tests/tests makes them",
    "hookwright-conformance sdk --driver": "takes a minute; `make conformance` runs it",
    "hookwright-conformance selftest": "takes many minutes: it is `make selftest`",
    "hookwright-conformance server": "takes a minute; the guide to it is followed by a test",
    "hookwright-server account create": "of the production form, on Postgres: see its own tests",
    "hookwright-server api": "it does not end",
    "hookwright-server migrate": "of the production form, on Postgres: see its own tests",
    "hookwright-server serve": "it does not end; the fixture that this test uses starts it",
    "hookwright-server worker": "it does not end",
    "make": "sets up a checkout and takes minutes, or does not end",
    "pip": "needs the network; `make packages` installs what is built here",
}
# Documents whose fences are run elsewhere, one after the other.
FOLLOWED: Final = {
    "docs/guides/test-your-implementation.md": "by test_conformance_miniature.py of the suite",
}
# Programs of the system that commands may call.
TOOLS: Final = ("bash", "cat", "chmod", "cp", "curl", "openssl")

_NAMES: Final = "|".join((*PROGRAMS, "docker", "make", "pip", r"(?:\.venv/bin/)?python3?"))
_MENTION: Final = re.compile(rf"(?:{_NAMES}) \S")
# A server of a reader is at 8080; an answer of 400 and more is a failure.
_CURL: Final = """\
silent
show-error
fail-with-body
noproxy = "*"
connect-to = "127.0.0.1:8080:{address}"
"""
_REAL: Final = {
    "hookwright": "hookwright.cli",
    "hookwright-conformance": "hookwright_conformance",
}
_SHIM: Final = """\
#!{bash}
settings=("${{!HOOKWRIGHT_@}}")
printf '%s\\0' "$#" {name} "$@" "${{#settings[@]}}" "${{settings[@]}}" >>"$CALLS"
case "{name} $*" in {not_run}) exit 0 ;; esac
{run}
"""


@dataclass(frozen=True)
class Block:
    """A fence or an indented block; `section` is the heading above it."""

    path: str
    line: int
    section: str
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def is_shell(self) -> bool:
        return self.language in SHELLS


@dataclass(frozen=True)
class Done:
    """How a block ended, what it printed, and the commands of ours that it called."""

    status: int
    printed: str
    calls: tuple[Call, ...]


def documents(root: Path = ROOT) -> list[Path]:
    """The documents, in a stable order."""
    return sorted({path for pattern in DOCUMENTS for path in root.glob(pattern)})


def blocks(path: str, text: str) -> Iterator[Block]:
    """The blocks of a document; an indented one is of commands."""
    section, tokens = "", MarkdownIt().parse(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            section = token.content
        if token.type in ("fence", "code_block"):
            line = token.map[0] + 1 if token.map else 0
            language = token.info.partition(" ")[0] if token.type == "fence" else INDENTED
            yield Block(path, line, section, language, token.content)


def mentions(text: str) -> Iterator[Call]:
    """The commands that stand in the prose of a document, between backquotes."""
    for token in MarkdownIt().parse(text):
        for child in token.children or ():
            if child.type == "code_inline" and _MENTION.match(child.content):
                words = shlex.split(child.content.replace("\\|", "|"), comments=True)
                yield Call(tuple(words), whole=False)


class Sandbox:
    """A folder in which the commands of a document are run, one block after the other."""

    def __init__(self, folder: Path, document: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder / "work"
        self._calls = folder / "calls"
        self._document = document
        self._variables = {
            "CALLS": str(self._calls),
            "HOME": str(folder),
            "PATH": str(folder / "bin"),
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            **variables,
        }
        (folder / "bin").mkdir(parents=True)
        self._folder.mkdir()
        address = variables["HOOKWRIGHT_BASE_URL"].removeprefix("http://")
        (folder / ".curlrc").write_text(_CURL.format(address=address), encoding="utf-8")
        for tool in filter(shutil.which, TOOLS):
            (folder / "bin" / tool).symlink_to(_found(tool))
        for program in (*PROGRAMS, "docker", "make", "pip", "python", "python3"):
            _write_shim(folder / "bin" / program, program)
        _write_shim(self._folder / ".venv" / "bin" / "python", ".venv/bin/python")
        _write_shim(self._folder / ".ci" / "run", ".ci/run")

    def write(self, files: Mapping[str, bytes]) -> None:
        """What a reader has there."""
        for name, content in files.items():
            (self._folder / name).write_bytes(content)

    def run(self, text: str, variables: Mapping[str, str] | None = None) -> Done:
        """As it stands, in a shell that stops at the first command that fails."""
        self._bring(text)
        self._calls.write_bytes(b"")
        done = subprocess.run(
            [_found("bash"), "-euo", "pipefail", "-c", text],
            cwd=self._folder,
            env=self._variables | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=800,
        )
        return Done(done.returncode, done.stdout, tuple(self._called()))

    def _bring(self, text: str) -> None:
        """The files beside the document that its commands name."""
        for word in set(re.findall(r"[\w.-]+\.\w+", text)):
            beside = self._document.parent / word
            if beside.is_file() and not (self._folder / word).exists():
                shutil.copy(beside, self._folder / word)

    def _called(self) -> Iterator[Call]:
        words = iter(self._calls.read_text(encoding="utf-8").split("\0")[:-1])
        for count in words:
            called = tuple(next(words) for _ in range(int(count) + 1))
            yield Call(called, tuple(next(words) for _ in range(int(next(words)))))


def not_run(call: Call) -> str | None:
    """The entry of `NOT_RUN` that the command falls under."""
    typed = f"{' '.join(call.words)} "
    return next((start for start in NOT_RUN if typed.startswith(f"{start} ")), None)


def _write_shim(path: Path, name: str) -> None:
    """A program that remembers its call, and does what the real one does unless NOT_RUN."""
    path.parent.mkdir(parents=True, exist_ok=True)
    starts = [start for start in NOT_RUN if start.partition(" ")[0] == name]
    patterns = [f"{shlex.quote(start)} | {shlex.quote(f'{start} ')}*" for start in starts]
    real = _REAL.get(name)
    shim = _SHIM.format(
        bash=_found("bash"),
        name=name,
        not_run=" | ".join(patterns) or "''",
        run=f'exec {sys.executable} -m {real} "$@"' if real else f"echo {name}: not run; exit 1",
    )
    path.write_text(shim, encoding="utf-8")
    path.chmod(0o755)


def _found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise FileNotFoundError(f"{tool} is not installed")
    return path
