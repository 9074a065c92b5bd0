"""The Python examples of docstrings and documents: found here; tests/test_examples.py runs them.

    python tools/examples.py FILE

writes them all as functions of one module, for type checkers. CONTRIBUTING.md says how an
example is written.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "*/README.md", "docs/**/*.md")
MODULES = "sdk-python/src/hookwright/**/*.py"

# What an example may use without having made it. A new app `my-app` exists as well.
PRELUDE = {
    "client": "Hookwright",  # AsyncHookwright in an example that awaits
    "endpoint_id": "str",
    "event_type_id": "str",
    "message_id": "str",
    "delivery_id": "str",
    "replay_id": "str",
    "key_id": "str",
    "secret": "str",
    "receiver_url": "str",
    "request_body": "bytes",
    "request_headers": "dict[str, str]",
}

_FENCE = re.compile(
    r"(?:^<!-- example(?P<hidden>:? .*?|\n.*?)-->\n\n?)?"
    r"^(?P<indent> *)```(?:python|pycon)\b[^\n]*\n(?P<code>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)
_CONTINUES = ": continues"
# What an example makes for its reader is local here, and used by nobody.
_HEAD = """\
# pyright: reportUnusedClass=false, reportUnusedFunction=false, reportUnusedVariable=false
from hookwright import AsyncHookwright, Hookwright
"""


@dataclass(frozen=True)
class Step:
    """A piece of source, the line of its file where it begins, and the output shown for it."""

    source: str
    line: int
    shown: str = ""
    prompted: bool = False

    def compiled(self, path: str) -> CodeType:
        """Ready for `eval`; a coroutine when it awaits. Tracebacks have the lines of the file."""
        source = "\n" * (self.line - 1) + self.source
        mode = "single" if self.prompted else "exec"
        code: CodeType = compile(source, path, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
        return code


@dataclass(frozen=True)
class Example:
    """A program in pieces."""

    name: str
    path: str
    steps: tuple[Step, ...]

    @property
    def source(self) -> str:
        return "".join(f"{step.source.rstrip()}\n" for step in self.steps)

    @property
    def is_async(self) -> bool:
        codes = (step.compiled(self.path) for step in self.steps)
        return any(code.co_flags & inspect.CO_COROUTINE for code in codes)

    @property
    def used(self) -> list[str]:
        """The names of the prelude that it uses and does not make itself."""
        names = [node for node in ast.walk(ast.parse(self.source)) if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        return sorted({node.id for node in names} & PRELUDE.keys() - made)


def collect(root: Path = ROOT) -> list[Example]:
    """Every example of the SDK's docstrings, the READMEs and docs/, in a stable order."""
    modules = sorted(root.glob(MODULES))
    documents = sorted(path for pattern in DOCUMENTS for path in root.glob(pattern))
    found: list[Example] = []
    for path in modules:
        found += of_module(str(path.relative_to(root)), path.read_text(encoding="utf-8"))
    for path in documents:
        found += of_document(str(path.relative_to(root)), path.read_text(encoding="utf-8"))
    return found


def of_module(path: str, text: str) -> Iterator[Example]:
    """The examples of a module's docstrings; each is named after what it documents."""
    for name, node in documented(ast.parse(text)):
        docstring = ast.get_docstring(node, clean=False) or ""
        first = node.body[0].lineno if node.body else 1
        steps = tuple(_prompted(docstring, first))
        if steps:
            yield Example(name or path, path, steps)


def of_document(path: str, text: str) -> Iterator[Example]:
    """The examples of a Markdown file; one that continues another is part of it."""
    waiting: list[Step] = []
    for fence in _FENCE.finditer(text):
        hidden = fence["hidden"] or ""
        if waiting and hidden.strip() != _CONTINUES:
            yield Example(f"{path}:{waiting[0].line}", path, tuple(waiting))
            waiting = []
        if hidden.startswith("\n"):
            waiting.append(Step(hidden.strip("\n"), _line_of(text, fence.start("hidden")) + 1))
        code, line = textwrap.dedent(fence["code"]), _line_of(text, fence.start("code"))
        prompted = tuple(_prompted(code, line)) if ">>> " in code else ()
        waiting += prompted or (Step(code, line),)
    if waiting:
        yield Example(f"{path}:{waiting[0].line}", path, tuple(waiting))


def typed(examples: Iterable[Example]) -> str:
    """A module in which each example is a function of what it uses of the prelude."""
    parts = [_HEAD]
    for number, example in enumerate(examples):
        prefix = ("Async", "async ") if example.is_async else ("", "")
        parameters = [
            f"{name}: {prefix[0] if name == 'client' else ''}{PRELUDE[name]}"
            for name in example.used
        ]
        parts.append(
            f"\n\n# {example.path}: {example.name}\n"
            f"{prefix[1]}def example_{number}({', '.join(parameters)}) -> None:\n"
            + textwrap.indent(example.source, "    ")
        )
    return "".join(parts)


def documented(
    node: ast.AST, name: str = ""
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """What may have a docstring, each by its name in its module."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield name, node
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from documented(child, f"{name}.{child.name}".lstrip("."))


def _prompted(text: str, line: int) -> Iterator[Step]:
    for each in doctest.DocTestParser().get_examples(text):
        yield Step(each.source, line + each.lineno, each.want, prompted=True)


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(typed(collect()), encoding="utf-8")
