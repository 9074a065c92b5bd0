"""The error tree as a value: text, pickle, deepcopy; and the public surface."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import hookwright
from hookwright import errors

ALL_ERRORS = [
    member
    for member in vars(errors).values()
    if inspect.isclass(member) and issubclass(member, Exception)
]


def _example(kind: type[Exception]) -> Exception:
    if issubclass(kind, errors.APIStatusError):
        return kind(
            422,
            code="unknown_event_type",
            title="T",
            detail="No such type",
            errors=(errors.FieldError("/event_name", "unknown", "is unknown"),),
            request_id="req_1",
            retry_after=1.5,
            body="{}",
            headers={"x": "y"},
        )
    if issubclass(kind, errors.APIResponseError):
        return kind("bad", status_code=200, request_id="req_1", body="x")
    return kind("some text")


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_errors_survive_copies(kind: type[Exception]) -> None:
    """Every error keeps its type, text and attributes through pickle and deepcopy."""
    error = _example(kind)

    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert (type(error), str(error), vars(error)) == (type(twin), str(twin), vars(twin))


def test_text_of_a_status_error() -> None:
    """The text shows status, code, detail, pointers and request id."""
    text = str(_example(errors.UnprocessableError))

    expected = "422 unknown_event_type: No such type [/event_name: is unknown] (request id req_1)"
    assert expected == text


def test_text_without_a_problem_document() -> None:
    """An HTML page is named as such."""
    error = errors.InternalServerError(502, body="<html>", headers={"content-type": "text/html"})

    assert "502: the answer is not a problem document (text/html); see .body" == str(error)


def test_text_of_a_server_is_fit_for_a_terminal() -> None:
    """What controls a terminal or a log is escaped in the text, and kept in the attributes."""
    status = errors.NotFoundError(404, detail="no\x1b[2J\n\x9b1mé", request_id="r\x07")
    response = errors.APIResponseError("200, but \x1b]0;x", status_code=200)

    assert r"404: no\x1b[2J\x0a\x9b1mé (request id r\x07)" == str(status)
    assert r"200, but \x1b]0;x" == str(response)
    assert "no\x1b[2J\n\x9b1mé" == status.detail


def test_text_of_a_server_reads_as_what_it_is() -> None:
    """Marks that turn text around, ends of lines and lone surrogates are escaped too."""
    error = errors.APIResponseError("a\u202eb\u2066c\u2028d\ud800e\u200fé €")

    assert r"a\u202eb\u2066c\u2028d\ud800e\u200fé €" == str(error)


def test_an_error_shows_its_text() -> None:
    """What a debugger or a log shows of an error tells as much as its text."""
    status = errors.NotFoundError(404, code="not_found", detail="no\nsuch app")

    assert r"NotFoundError('404 not_found: no\\x0asuch app')" == repr(status)
    assert "UsageError('no key')" == repr(errors.UsageError("no key"))


def test_the_docstring_shows_the_whole_tree() -> None:
    """errors.py opens with every error class, below its parent."""
    stack: list[tuple[int, str]] = []
    shown: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        bullet, _, rest = line.lstrip().partition(" ")
        if bullet in {"*", "x", "+", "-"}:
            depth, name = "*x+-".index(bullet), rest.split()[0]
            stack = [entry for entry in stack if entry[0] < depth]
            shown[name] = stack[-1][1] if stack else "Exception"
            stack.append((depth, name))

    assert {kind.__name__: kind.__bases__[0].__name__ for kind in ALL_ERRORS} == shown


def test_all_is_what_is_public() -> None:
    """`__all__` is what the type checkers see, holds every error, and every name resolves."""
    source = Path(hookwright.__file__).read_text()
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    seen = {
        alias.name
        for node in ast.walk(blocks[0])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert sorted(hookwright.__all__) == sorted(seen) == dir(hookwright)
    assert set(errors.__all__) <= set(hookwright.__all__)
    assert {kind.__name__ for kind in ALL_ERRORS} | {"FieldError"} == set(errors.__all__)
    for name in hookwright.__all__:
        assert getattr(hookwright, name) is not None


def test_unknown_names_are_attribute_errors() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="Hookwrite"):
        _ = hookwright.Hookwrite  # pyright: ignore[reportAttributeAccessIssue]


def _modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import hookwright", {"httpx", "attr", "json", "typing", "hookwright._core"}),
        ("import hookwright.webhooks", {"httpx", "attr", "hookwright._core", "dataclasses"}),
        ("from hookwright import Webhook, NotFoundError", {"httpx", "attr", "hookwright._core"}),
        ("from hookwright import Hookwright", {"httpx", "attr", "asyncio"}),
        ("import hookwright.models", {"httpx", "attr"}),
    ],
)
def test_imports_are_lazy(code: str, absent: set[str]) -> None:
    """Nothing heavy is imported before it is used."""
    # typing is in some interpreters from the start, through .pth files of the environment.
    absent = absent - _modules_after("")

    assert set() == absent & _modules_after(code)
