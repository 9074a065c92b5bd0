"""The guide "Test your own implementation in ten minutes", followed as it stands.

So the miniature server, which shares nothing with the reference server, conforms: no case asks for
an accident of that one. It imports none of our packages.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookwright_conformance.target import PROFILES

ROOT = Path(__file__).parents[2]
MINIATURE = ROOT / "conformance-tests" / "miniature"
GUIDE = (ROOT / "docs" / "guides" / "test-your-implementation.md").read_text(encoding="utf-8")
README = (ROOT / "conformance-tests" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell in an empty folder with a link to the checkout's suite, as a reader has it."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "hookwright-conformance"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hookwright_conformance "$@"\n')
    python = tmp_path / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -E -s "$@"\n')  # without PYTHONPATH
    for file in (command, python):
        file.chmod(0o755)
    (tmp_path / "conformance-tests").symlink_to(MINIATURE.parent)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["bash"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        yield shell
        shell.kill()


def say(shell: subprocess.Popen[str], line: str) -> None:
    """Type a line."""
    assert shell.stdin is not None
    shell.stdin.write(line + "\n")
    shell.stdin.flush()


def heard(shell: subprocess.Popen[str], until: str) -> str:
    """What the shell prints up to the line that begins so."""
    assert shell.stdout is not None
    lines: list[str] = []
    for line in shell.stdout:
        lines.append(line)
        if line.startswith(until):
            return "".join(lines)
    raise AssertionError(f"the shell ended without {until!r}:\n" + "".join(lines))


def shown(text: str, wanted: str) -> list[str]:
    """The lines of an example that a text lacks; `…` stands for anything, a count for any count."""

    def pattern(line: str) -> str:
        return re.sub(r"\d+/\d+", r"\\d+/\\d+", re.escape(line.strip()).replace("…", ".*"))

    return [line for line in wanted.splitlines() if not re.search(pattern(line), text)]


@pytest.mark.long
def test_the_guide_is_true(reader: subprocess.Popen[str]) -> None:
    """Each command is run in one shell, on a free port; what the guide shows is what comes out."""
    seen, statuses, port = "", list[str](), "0"
    try:
        for kind, block in BLOCK.findall(GUIDE):
            if kind == "sh":
                say(reader, block.replace("8080", port))
                if "serve.py" in block:  # typing the next command takes a reader longer
                    port = heard(reader, "listening on").strip().rpartition(":")[2]
                say(reader, "echo done $?")
                seen = heard(reader, "done ")
                statuses.append(seen.split()[-1])
            else:
                assert [] == shown(seen, block), seen
    finally:
        say(reader, "kill $!; wait; exit")
        assert reader.stdin is not None
        reader.stdin.close()
        reader.wait(60)

    assert ["0", "0", "0", "1", "0", "0"] == statuses


def test_the_miniature_imports_nothing_of_ours() -> None:
    """Its own modules, the standard library and what the guide has the reader install."""
    own = {path.stem for path in MINIATURE.glob("*.py")}
    imported: set[str] = set()
    for path in MINIATURE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])

    others = imported - own - sys.stdlib_module_names
    assert {"aiohttp", "jsonschema_rs", "yaml", "yarl"} == others


@pytest.mark.parametrize("page", [GUIDE, README], ids=["guide", "README"])
def test_every_profile_is_explained(page: str) -> None:
    """In the words of the suite."""
    rows = [f"| `{name}` | {about} |" for name, about in PROFILES.items()]

    assert "\n".join(rows) in page
