"""A small contract with every convention, what is made of it, and trees to run that in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookwright_codegen.cli import TARGETS, generate
from hookwright_codegen.write import Output, write

TESTS = Path(__file__).parent
SHOP = TESTS / "fixtures" / "shop.yaml"
REPOSITORY = TESTS.parents[1]

RunCases = Callable[[Path, str], None]


@pytest.fixture(scope="session")
def shop_path() -> Path:
    """The contract of a shop."""
    return SHOP


@pytest.fixture(scope="session")
def shop_outputs() -> list[Output]:
    """Everything that the targets make of the shop."""
    return generate(SHOP, list(TARGETS))


@pytest.fixture
def shop_document() -> dict[str, Any]:
    """The shop as data, free to be spoilt."""
    document: dict[str, Any] = yaml.safe_load(SHOP.read_text(encoding="utf-8"))
    return document


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Mapping[str, Any]], Path]:
    """Writes a document as a contract and gives its path."""

    def write_document(document: Mapping[str, Any]) -> Path:
        path = tmp_path / "openapi.yaml"
        path.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
        return path

    return write_document


@pytest.fixture(scope="session")
def shop_tree(shop_outputs: list[Output], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated packages and, around them, the runtime that they meet."""
    tree = tmp_path_factory.mktemp("shop")
    sdk = REPOSITORY / "sdk-python" / "src" / "hookwright"
    ignored = shutil.ignore_patterns("_generated", "__pycache__")
    shutil.copytree(sdk, tree / "sdk-python" / "src" / "hookwright", ignore=ignored)
    write(tree, shop_outputs)
    server = tree / "reference-server" / "src" / "hookwright_server"
    for package in (server, server / "http", server / "domain"):
        (package / "__init__.py").touch()
    return tree


@pytest.fixture(scope="session")
def run_cases(tmp_path_factory: pytest.TempPathFactory) -> RunCases:
    """Runs a file of cases in a process of its own, against a tree instead of the repository."""

    def run(tree: Path, cases: str) -> None:
        folder = tmp_path_factory.mktemp("cases")
        copy = shutil.copy(TESTS / "cases" / cases, folder)
        settings = folder / "pytest.ini"
        # Neither is used, and the second takes a second to import.
        unused = "-p no:cacheprovider -p no:schemathesis"
        text = f"[pytest]\nfilterwarnings = error\naddopts = {unused}\n"
        settings.write_text(text, encoding="utf-8")
        sources = [str(tree / member / "src") for member in ("sdk-python", "reference-server")]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-c", settings, copy],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sources)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr

    return run
