"""Every Python example of the SDK's docstrings, of the READMEs and of docs/ runs as it stands."""

from __future__ import annotations

import ast
import asyncio
import doctest
import io
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from types import ModuleType

import pytest
import sdk_web
from example_world import OTHERWISE, World
from examples import MODULES, PRELUDE, ROOT, Example, collect, documented, of_document, of_module

from hookwright import AsyncHookwright, Hookwright, NotFoundError
from hookwright_conformance.receiver import Receiver

EXAMPLES = collect()


def run(example: Example, world: World) -> str:
    """Run a program and give what it printed; what it shows of that must be so."""
    namespace_name, _, method = example.name.removeprefix("Async").partition(".")
    otherwise = OTHERWISE.get(f"{namespace_name.lower()}.{method}", {})
    # A module, as a reader's file is one: `Flask(__name__)` looks for its folder.
    module = ModuleType("example")
    module.__file__ = str(ROOT / example.path)
    namespace = vars(module)
    namespace |= {name: getattr(world, otherwise.get(name, name)) for name in example.used}
    printed = io.StringIO()
    with ExitStack() as stack:
        sys.modules[module.__name__] = module
        stack.callback(sys.modules.pop, module.__name__)
        runner = stack.enter_context(asyncio.Runner())
        if example.is_async and "client" in namespace:
            namespace["client"] = client = AsyncHookwright()
            stack.callback(lambda: runner.run(client.aclose()))
        stack.enter_context(redirect_stdout(printed))
        for step in example.steps:
            before = len(printed.getvalue())
            result = eval(step.compiled(example.path), namespace)
            if asyncio.iscoroutine(result):
                runner.run(result)
            _check_shown(step.shown, printed.getvalue()[before:])
    return printed.getvalue()


def _check_shown(shown: str, actual: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if shown and not doctest.OutputChecker().check_output(shown, actual, flags):
        assert shown == actual


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Takes the deliveries of all examples."""
    with Receiver.start() as receiver:
        yield receiver


@pytest.fixture
def client(hookwright_client: Hookwright) -> Hookwright:
    """Of the server that `Hookwright()` calls too; readers of Django's examples have settings."""
    sdk_web.configure_django()
    return hookwright_client


def test_every_example_runs(
    client: Hookwright, receiver: Receiver, subtests: pytest.Subtests
) -> None:
    """Each on a new app, in a namespace of its own; what it shows as output is its output."""
    for example in EXAMPLES:
        with subtests.test(example.name):
            world = World(client, receiver)
            try:
                run(example, world)
            finally:
                world.close()


def test_the_readme_receives_its_event(client: Hookwright, receiver: Receiver) -> None:
    """The README's program publishes an event, verifies it as a receiver, lists its delivery."""
    example = next(of_document("README.md", (ROOT / "README.md").read_text(encoding="utf-8")))

    received, listed = run(example, World(client, receiver)).splitlines()

    assert received == "received order.created {'id': 'ord_1', 'total': 4900}"
    assert re.fullmatch(r"order\.created http://127\.0\.0\.1:\d+/ (sending|delivered)", listed)


def test_every_operation_has_an_example() -> None:
    """Both forms of each method of a namespace show a call of it."""
    shown = {example.name for example in EXAMPLES}
    lacking: list[str] = []
    for path in ROOT.glob(MODULES.replace("**", "_generated/resources")):
        namespace = path.stem.title().replace("_", "")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name.removeprefix("Async") == namespace:
                methods = [
                    f"{node.name}.{each.name}"
                    for each in node.body
                    if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not each.name.startswith("_")
                    and not each.decorator_list  # what is deprecated is not shown
                ]
                lacking += [name for name in methods if name not in shown]

    assert [] == lacking
    assert "AsyncTrigger.send" in shown


def test_docstrings_show_no_other_programs() -> None:
    """What is indented and reads as a program with a call in it is an example, with prompts."""
    found: list[str] = []
    for path in sorted(ROOT.glob(MODULES)):
        for name, node in documented(ast.parse(path.read_text(encoding="utf-8"))):
            shown = (ast.get_docstring(node) or "").split("\n\n")
            found += [f"{path.name}: {name}" for text in shown if _is_program(text)]

    assert [] == found


def _is_program(text: str) -> bool:
    if any(line[:4].strip() for line in text.splitlines()):
        return False
    try:
        parsed = ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(parsed))


def test_documents_are_read() -> None:
    """Hidden set-up runs first, a block that continues belongs to the one before it."""
    text = textwrap.dedent(
        """\
        <!-- example
        hidden = 1
        -->
        ```python
        first = hidden
        ```
        Text.

        <!-- example: continues -->
        ```python
        second = client
        ```

            ```pycon
            >>> print("third")
            third
            ```
        ```text
        no example
        ```
        """
    )

    joined, third = of_document("a.md", text)

    assert ("hidden = 1\nfirst = hidden\nsecond = client\n", ["client"]) == (
        joined.source,
        joined.used,
    )
    assert ("a.md:2", [2, 5, 11]) == (joined.name, [step.line for step in joined.steps])
    assert ('print("third")\n', "third\n") == (third.source, third.steps[0].shown)


def test_an_example_that_lies_fails(client: Hookwright, receiver: Receiver) -> None:
    """Output that is not what is shown, an error, and a name that nobody made are failures."""
    world = World(client, receiver)
    for source, error in (
        (">>> print(1)\n2\n", AssertionError),
        (">>> unknown\n", NameError),
        ('>>> await client.apps.get("no-app")\n', NotFoundError),
    ):
        (example,) = of_module("m.py", f'"""\n{source}"""\n')

        with pytest.raises(error):
            run(example, world)
    world.close()


def test_the_prelude_is_whole() -> None:
    """Everything that examples may use is made here."""
    assert [] == [name for name in PRELUDE if name != "client" and not hasattr(World, name)]
