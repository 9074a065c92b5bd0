"""The command: writes, compares, replaces whole folders, and says what is wrong."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookwright_codegen import names
from hookwright_codegen.cli import main
from hookwright_codegen.errors import GenerationError
from hookwright_codegen.templating import LINE_LENGTH, STAMP, docstring, literal
from hookwright_codegen.write import Output, finish, write

MODELS = Path("sdk-python/src/hookwright/_generated/models")


@pytest.fixture
def root(tmp_path: Path, shop_outputs: list[Output]) -> Path:
    """A repository whose generated code is fresh."""
    write(tmp_path, shop_outputs)
    return tmp_path


def test_fresh_code_passes_the_check(root: Path, shop_path: Path) -> None:
    """`--check` finds nothing where `generate` has just run."""
    assert 0 == main(["generate", "--check", "--root", str(root), "--spec", str(shop_path)])


def test_the_check_finds_edits_losses_and_leftovers(
    root: Path, shop_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edited, a missing and a superfluous file are three differences, shown as a diff."""
    (root / MODELS / "shop.py").write_text("edited = True\n", encoding="utf-8")
    (root / MODELS / "door.py").unlink()
    (root / MODELS / "gone.py").write_text("", encoding="utf-8")

    status = main(["generate", "--check", "--root", str(root), "--spec", str(shop_path)])

    printed = capsys.readouterr()
    assert 1 == status
    assert "3 generated files differ" in printed.err
    assert "-edited = True" in printed.out


def test_generate_replaces_folders_whole(root: Path, shop_path: Path) -> None:
    """A file that is made no more disappears; files beside generated ones stay."""
    (root / MODELS / "gone.py").touch()
    neighbour = root / "reference-server/src/hookwright_server/domain/signing.py"
    neighbour.touch()

    status = main(["generate", "--root", str(root), "--spec", str(shop_path)])

    assert 0 == status
    assert not (root / MODELS / "gone.py").exists()
    assert neighbour.exists()


def test_a_bad_contract_is_an_error_with_a_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 1 and one line per reason, and writes nothing."""
    spec = tmp_path / "openapi.yaml"
    spec.write_text("openapi: 3.0.0\npaths: {}\n", encoding="utf-8")

    status = main(["generate", "--root", str(tmp_path)])

    assert (1, "error: `openapi` must be 3.1.x\n") == (status, capsys.readouterr().err)
    assert [spec] == list(tmp_path.iterdir())


def test_every_python_file_is_stamped(shop_outputs: list[Output]) -> None:
    """The first line says that the file is generated, from what, and how."""
    for output in shop_outputs:
        for name, text in output.files.items():
            assert not name.endswith(".py") or text.startswith(f"{STAMP}\n"), name


def test_source_that_is_no_python_is_refused() -> None:
    """A broken template cannot reach the repository."""
    with pytest.raises(GenerationError, match="refused the output"):
        finish([Output((), {"a.py": "def ("})])


@given(st.text(max_size=400), st.sampled_from([0, 4, 8]))
def test_docstrings_are_one_string_each(text: str, indent: int) -> None:
    """No text of a contract can end its docstring early or break the source."""
    lines = text.replace("\x00", "").replace("\r", "").replace("\x0c", "")
    source = docstring(lines.encode("utf-8", "ignore").decode(), indent)

    assert isinstance(ast.literal_eval(source), str)


def test_docstrings_are_wrapped() -> None:
    """Long lines break below the line length; list items hang."""
    text = "* " + "word " * 60 + "\n    name: " + "word " * 30

    lines = docstring(text, 8).splitlines()

    assert max(map(len, lines)) <= LINE_LENGTH
    assert "          word" == lines[1][:14]


@pytest.mark.parametrize(
    ("value", "expected"),
    [((), "()"), ([1], "(1,)"), (["a", [2]], "('a', (2,))"), (None, "None"), (True, "True")],
)
def test_literals_are_python(value: object, expected: str) -> None:
    """JSON values become source; lists become tuples."""
    assert expected == literal(value)


@pytest.mark.parametrize(
    ("raw", "snake", "plural"),
    [
        ("ApiKeyCreated", "api_key_created", "API_KEY_CREATEDS"),
        ("DeliveryStatus", "delivery_status", "DELIVERY_STATUSES"),
        ("Policy", "policy", "POLICIES"),
        ("HTTPError", "http_error", "HTTP_ERRORS"),
    ],
)
def test_names_follow_python(raw: str, snake: str, plural: str) -> None:
    """Models become modules, enums become constants."""
    assert (snake, plural) == (names.snake(raw), names.plural(names.constant(raw)))


def test_keywords_get_an_underscore() -> None:
    """Only what Python forbids is renamed: `type` and `id` stay."""
    assert ("from_", "type", "id") == tuple(map(names.identifier, ("from", "type", "id")))
